//! Who is asking: bearer tokens of ServiceAccounts and of EKS; without a token, nobody.

pub(crate) mod eks;

use std::sync::Arc;

use http::HeaderMap;

use crate::cluster::Cluster;
use crate::status::Status;
use crate::tokens;
use crate::user::User;

/// Where somebody without a credential may ask: EKS lets nobody anonymous in elsewhere since Kubernetes 1.32.
const OPEN_PATHS: &[&str] = &["/healthz", "/livez", "/readyz"];

/// The user of a request. A wrong credential is refused; without one it is `system:anonymous`, or nobody.
pub(crate) async fn authenticate(cluster: &Arc<Cluster>, path: &str, headers: &HeaderMap) -> Result<User, Status> {
    let header = headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match token.map(|(_, token)| token.trim()).filter(|token| !token.is_empty()) {
        Some(token) => of_token(cluster, token, &cluster.audiences()).await.ok_or_else(Status::unauthorized),
        None if OPEN_PATHS.contains(&path) || tokens::is_published(cluster, path) => Ok(User::anonymous()),
        None => Err(Status::unauthorized()),
    }
}

async fn of_token(cluster: &Arc<Cluster>, token: &str, audiences: &[&str]) -> Option<User> {
    if let Some(encoded) = token.strip_prefix("k8s-aws-v1.") {
        return eks::authenticate(cluster, token, encoded).await;
    }
    tokens::authenticate(cluster, token, audiences).map(|(user, _)| user)
}
