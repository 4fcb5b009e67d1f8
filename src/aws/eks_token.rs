//! The bearer token with which an AWS identity signs in to an EKS cluster.
//!
//! Form and times (`docs/rules.md#eks-sign-in-tokens`): `k8s-aws-v1.` and the unpadded base64url of a
//! presigned GetCallerIdentity URL whose signature covers the header `x-k8s-aws-id`; the URL expires after 60 s, the
//! server accepts the token for 15 minutes and clients count on 14.

use std::fmt;
use std::time::Duration;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};

use crate::error::{Error, Result};
use crate::session::Session;

const OPERATION: &str = "sts:GetCallerIdentity (presigned)";
const URL_LIFETIME: Duration = Duration::from_mins(1);
const TOKEN_LIFETIME: SignedDuration = SignedDuration::from_mins(14);

/// A token and when to stop using it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// What goes after `Bearer `.
    pub value: String,
    /// 14 minutes after it was made, in real time.
    pub expires_at: Timestamp,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("value", &"redacted").field("expires_at", &self.expires_at).finish()
    }
}

/// Makes a token for `cluster_name`. Only credentials are needed; no call is made to the cluster.
///
/// # Errors
///
/// [`Error::Credentials`] if there are no credentials, or the provider's own [`Error`] if it failed to get some.
/// [`Error::Request`] if the call cannot be signed.
pub async fn token(session: &Session, cluster_name: &str) -> Result<Token> {
    let credentials = session.credentials(OPERATION).await?;
    let source = session.config.time_source().ok_or_else(|| request("no time source is configured"))?;
    let now = source.now();
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(URL_LIFETIME);
    let identity: Identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(session.region())
        .name("sts")
        .time(now)
        .settings(settings)
        .build()
        .map_err(request)?
        .into();
    let url = format!("{}/?Action=GetCallerIdentity&Version=2011-06-15", endpoint(session));
    let headers = [("x-k8s-aws-id", cluster_name)];
    let signable = SignableRequest::new("GET", &url, headers.into_iter(), SignableBody::Bytes(&[])).map_err(request)?;
    let (instructions, _) = sign(signable, &parameters).map_err(request)?.into_parts();
    let mut signed = http::Request::builder().uri(&url).body(()).map_err(request)?;
    instructions.apply_to_request_http1x(&mut signed);
    let value = format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(signed.uri().to_string()));
    let made = Timestamp::try_from(now).map_err(request)?;
    let expires_at = made.checked_add(TOKEN_LIFETIME).map_err(request)?;
    Ok(Token { value, expires_at })
}

fn request(error: impl fmt::Display) -> Error {
    Error::Request { operation: OPERATION, message: error.to_string() }
}

/// Where the call is signed for. The authenticator takes calls to STS's own hosts alone, so that a token never names the VPC
/// endpoint by which this machine reaches STS (kubernetes-sigs/aws-iam-authenticator, `pkg/token/token.go`).
fn endpoint(session: &Session) -> String {
    let url = session.endpoint("STS", "sts");
    if url.contains(".vpce.") { session.own_endpoint("sts") } else { url }
}
