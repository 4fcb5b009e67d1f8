//! `boundServiceAccountToken`: a token of a ServiceAccount, made for the operator (`docs/rules.md#keda-triggerauthentications`).

use std::time::Duration;

use clock::{Clock, Moment};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};

use crate::error::brief;

/// How long a token is to live, as with KEDA.
const LIFE: Duration = Duration::from_hours(1);

/// A token. It is shown nowhere.
pub(super) struct Token {
    pub(super) text: String,
    /// When another one is due: at four fifths of its life.
    pub(super) until: Moment,
}

/// A token of the ServiceAccount, which the operator must be allowed to make.
///
/// # Errors
///
/// In words, with the permission that may be missing.
pub(super) async fn of(client: Client, clock: &Clock, namespace: &str, name: &str) -> Result<Token, String> {
    let account = format!("ServiceAccount {namespace}/{name}");
    if name.is_empty() {
        return Err("boundServiceAccountToken has no serviceAccountName".to_owned());
    }
    let api: Api<ServiceAccount> = Api::namespaced(client, namespace);
    let spec = TokenRequestSpec {
        audiences: Vec::new(),
        expiration_seconds: i64::try_from(LIFE.as_secs()).ok(),
        ..TokenRequestSpec::default()
    };
    let request = TokenRequest { spec, ..TokenRequest::default() };
    let made = api.create_token_request(name, &PostParams::default(), &request).await.map_err(|error| {
        format!("no token of {account}: {}; let the operator create serviceaccounts/token there", brief(&error))
    })?;
    let status = made.status.ok_or_else(|| format!("the API server gave no token of {account}"))?;
    let left = Duration::try_from(status.expiration_timestamp.0.duration_since(clock.now())).unwrap_or_default();
    let until = clock.moment().plus(clock.to_system(left.mul_f64(0.8)));
    Ok(Token { text: status.token, until })
}
