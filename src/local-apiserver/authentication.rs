//! Who is asking: bearer tokens of ServiceAccounts and of EKS; without a token, nobody.

pub(crate) mod eks;

use std::sync::Arc;

use http::HeaderMap;

use crate::cluster::Cluster;
use crate::status::Status;
use crate::tokens;
use crate::user::User;

/// The user of a request. A wrong credential is refused; a missing one is `system:anonymous`.
pub(crate) async fn authenticate(cluster: &Arc<Cluster>, headers: &HeaderMap) -> Result<User, Status> {
    let Some(header) = headers.get(http::header::AUTHORIZATION) else { return Ok(User::anonymous()) };
    let header = header.to_str().map_err(|_| Status::unauthorized())?;
    let (scheme, token) = header.split_once(' ').ok_or_else(Status::unauthorized)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Status::unauthorized());
    }
    of_token(cluster, token.trim(), &audiences(cluster)).await.ok_or_else(Status::unauthorized)
}

/// Audiences under which this server accepts tokens.
pub(crate) fn audiences(cluster: &Cluster) -> [&str; 2] {
    [&cluster.issuer, "https://kubernetes.default.svc"]
}

async fn of_token(cluster: &Arc<Cluster>, token: &str, audiences: &[&str]) -> Option<User> {
    if let Some(encoded) = token.strip_prefix("k8s-aws-v1.") {
        return eks::authenticate(cluster, token, encoded).await;
    }
    tokens::authenticate(cluster, token, audiences)
}
