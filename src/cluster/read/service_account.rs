//! The role that a ServiceAccount names.

use k8s_openapi::api::core::v1;
use kube::api::Api;

use super::failed;
use crate::Result;
use crate::connection::Cluster;

/// The annotation by which a ServiceAccount names its role.
const ROLE_ARN: &str = "eks.amazonaws.com/role-arn";

/// The role's ARN in the annotation of a ServiceAccount, `Some(None)` where it has none; `None` if there is no such ServiceAccount.
///
/// # Errors
///
/// Those of [`Cluster::client`], [`Error::Unreachable`](crate::Error::Unreachable) if no answer comes, and
/// [`Error::Refused`](crate::Error::Refused) if the API server refuses.
pub async fn service_account_role(cluster: &Cluster, namespace: &str, name: &str) -> Result<Option<Option<String>>> {
    let session = cluster.session().await?;
    let api: Api<v1::ServiceAccount> = Api::namespaced(session.client.clone(), namespace);
    let found = api.get_opt(name).await.map_err(failed(&session, "read ServiceAccount", namespace, name))?;
    Ok(found.map(|found| found.metadata.annotations.and_then(|mut all| all.remove(ROLE_ARN))))
}
