//! Signature Version 4: who signed this request, and is the signature good and fresh?
//!
//! Rules: IAM User Guide, "AWS Signature Version 4 for API requests". Signatures live in real time.

mod canonical;

use std::time::Duration;

use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use crate::caller::Caller;
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::request::Request;

/// How far a signer's clock may be off.
const SKEW: Duration = Duration::from_mins(5);
/// How long after signing a request with a header signature is accepted.
const HEADER_LIFETIME: Duration = Duration::from_mins(15);
/// The longest life of a presigned URL: seven days.
const PRESIGNED_LIFETIME_MAX_SECONDS: u64 = 604_800;
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a signature says about itself.
struct Claim {
    access_key: String,
    /// `date/region/service/aws4_request`.
    scope: String,
    signed_headers: Vec<String>,
    signature: String,
    token: Option<String>,
    signed_at: String,
    /// For a presigned URL.
    lifetime: Option<Duration>,
}

/// The caller of `request`; [`Caller::Anonymous`] if it is not signed.
pub(crate) fn authenticate(cloud: &Cloud, request: &Request) -> Result<Caller, Fault> {
    let Some(claim) = claim(request)? else { return Ok(Caller::Anonymous) };
    let now = cloud.clock.now();
    let invalid = || Fault::new(403, "InvalidClientTokenId", "The security token included in the request is invalid.");
    let credential = cloud.sts().credential(&claim.access_key).ok_or_else(invalid)?;
    if credential.token != claim.token {
        return Err(invalid());
    }
    check_scope(cloud, &claim)?;
    check_time(&claim, now)?;
    let wanted = signature(request, &claim, &credential.secret)?;
    if !is_signed(wanted, &claim.signature) {
        return Err(Fault::new(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key \
             and signing method. Consult the service documentation for details.",
        ));
    }
    if credential.expires_at.is_some_and(|expiry| expiry <= now) {
        return Err(Fault::new(403, "ExpiredToken", "The security token included in the request is expired"));
    }
    Ok(credential.caller)
}

fn claim(request: &Request) -> Result<Option<Claim>, Fault> {
    match request.header("authorization") {
        Some(header) => header_claim(request, header).map(Some),
        None if request.parameter("X-Amz-Signature").is_some() || request.parameter("X-Amz-Algorithm").is_some() => {
            query_claim(request).map(Some)
        }
        None => Ok(None),
    }
}

fn incomplete(message: impl Into<String>) -> Fault {
    Fault::new(400, "IncompleteSignature", message)
}

fn header_claim(request: &Request, header: &str) -> Result<Claim, Fault> {
    let rest = header
        .strip_prefix(ALGORITHM)
        .ok_or_else(|| incomplete("Unsupported AWS 'algorithm': Authorization must start with AWS4-HMAC-SHA256."))?;
    let field = |name: &str| {
        rest.split(',')
            .filter_map(|part| part.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    };
    let required = |name: &str| {
        field(name).ok_or_else(|| incomplete(format!("Authorization header requires '{name}' parameter.")))
    };
    let (access_key, scope) = credential(required("Credential")?)?;
    let signed_at = request.header("x-amz-date").or_else(|| request.header("date")).ok_or_else(|| {
        incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    })?;
    Ok(Claim {
        access_key,
        scope,
        signed_headers: required("SignedHeaders")?.split(';').map(str::to_owned).collect(),
        signature: required("Signature")?.to_owned(),
        token: request.header("x-amz-security-token").map(str::to_owned),
        signed_at: signed_at.to_owned(),
        lifetime: None,
    })
}

fn query_claim(request: &Request) -> Result<Claim, Fault> {
    let required = |name: &str| {
        request.parameter(name).ok_or_else(|| incomplete(format!("AWS query-string parameters must include '{name}'.")))
    };
    if required("X-Amz-Algorithm")? != ALGORITHM {
        return Err(incomplete("X-Amz-Algorithm must be AWS4-HMAC-SHA256."));
    }
    let (access_key, scope) = credential(&required("X-Amz-Credential")?)?;
    // Without an expiry fifteen minutes are the limit.
    let lifetime = match request.parameter("X-Amz-Expires") {
        Some(text) => text.parse().ok().filter(|seconds| *seconds <= PRESIGNED_LIFETIME_MAX_SECONDS),
        None => Some(HEADER_LIFETIME.as_secs()),
    };
    let lifetime = lifetime.ok_or_else(|| incomplete("X-Amz-Expires must be a number of seconds up to 604800."))?;
    Ok(Claim {
        access_key,
        scope,
        signed_headers: required("X-Amz-SignedHeaders")?.split(';').map(str::to_owned).collect(),
        signature: required("X-Amz-Signature")?,
        token: request
            .parameter("X-Amz-Security-Token")
            .or_else(|| request.header("x-amz-security-token").map(str::to_owned)),
        signed_at: required("X-Amz-Date")?,
        lifetime: Some(Duration::from_secs(lifetime)),
    })
}

fn credential(text: &str) -> Result<(String, String), Fault> {
    let bad = || {
        incomplete(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{text}'"
        ))
    };
    let (key, scope) = text.split_once('/').ok_or_else(bad)?;
    if scope.split('/').count() != 4 || !scope.ends_with("/aws4_request") {
        return Err(bad());
    }
    Ok((key.to_owned(), scope.to_owned()))
}

fn mismatch(message: impl Into<String>) -> Fault {
    Fault::new(403, "SignatureDoesNotMatch", message)
}

fn check_scope(cloud: &Cloud, claim: &Claim) -> Result<(), Fault> {
    let mut parts = claim.scope.split('/');
    let (date, region, service) = (parts.next(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if date != claim.signed_at.get(..8) {
        return Err(mismatch(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}'.",
            date.unwrap_or_default(),
            claim.signed_at
        )));
    }
    // IAM is global and signs for us-east-1; so does STS's global endpoint.
    let global = matches!(service, "iam" | "servicequotas" | "sts") && region == "us-east-1";
    if region != cloud.region && !global {
        return Err(mismatch(format!(
            "Credential should be scoped to a valid region: this cloud is {}, not '{region}'.",
            cloud.region
        )));
    }
    Ok(())
}

fn check_time(claim: &Claim, now: Timestamp) -> Result<(), Fault> {
    let signed_at = parse_time(&claim.signed_at)
        .ok_or_else(|| incomplete(format!("Date must be in ISO-8601 'basic format'. Got '{}'.", claim.signed_at)))?;
    let text = |time: Timestamp| time.strftime("%Y%m%dT%H%M%SZ").to_string();
    if signed_at > now + SKEW {
        return Err(mismatch(format!(
            "Signature not yet current: {} is still later than {} ({} + 5 min.)",
            text(signed_at),
            text(now + SKEW),
            text(now)
        )));
    }
    // STS takes a presigned URL for fifteen minutes, whatever X-Amz-Expires says
    // (docs/rules.md#sts-lifetime-of-presigned-urls).
    let is_sts = claim.scope.split('/').nth(2) == Some("sts");
    let lifetime = claim.lifetime.filter(|_| !is_sts).unwrap_or(HEADER_LIFETIME);
    let expired_before = now - lifetime;
    if signed_at < expired_before {
        let minutes = lifetime.as_secs() / 60;
        return Err(mismatch(format!(
            "Signature expired: {} is now earlier than {} ({} - {minutes} min.)",
            text(signed_at),
            text(expired_before),
            text(now)
        )));
    }
    Ok(())
}

fn parse_time(text: &str) -> Option<Timestamp> {
    DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

fn signature(request: &Request, claim: &Claim, secret: &str) -> Result<Hmac<Sha256>, Fault> {
    let canonical = canonical::request(request, &claim.signed_headers, claim.lifetime.is_some())?;
    let hash = hex::encode(Sha256::digest(canonical.as_bytes()));
    let text = format!("{ALGORITHM}\n{}\n{}\n{hash}", claim.signed_at, claim.scope);
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in claim.scope.split('/') {
        key = hmac(&key, part.as_bytes())?.finalize().into_bytes().to_vec();
    }
    hmac(&key, text.as_bytes())
}

fn hmac(key: &[u8], data: &[u8]) -> Result<Hmac<Sha256>, Fault> {
    // HMAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|error| incomplete(error.to_string()))?;
    mac.update(data);
    Ok(mac)
}

/// Whether `signature`, in lower-case hexadecimal digits, is that of `wanted`; compared in constant time.
fn is_signed(wanted: Hmac<Sha256>, signature: &str) -> bool {
    let is_lower = !signature.bytes().any(|byte| byte.is_ascii_uppercase());
    is_lower && hex::decode(signature).is_ok_and(|bytes| wanted.verify_slice(&bytes).is_ok())
}
