//! Waiting for a cluster's endpoint.

use std::time::Duration;

use http::Request;
use provision::Progress;

use crate::Result;
use crate::connection::Cluster;
use crate::error::Error;

/// DNS of a new EKS endpoint comes up to two minutes after the cluster is ACTIVE, and a resolver may keep the answer from before
/// (`docs/rules.md#eks-endpoint-of-a-new-cluster`).
const LIMIT: Duration = Duration::from_mins(10);
const PERIOD: Duration = Duration::from_secs(2);

/// Waits until the API server answers `/readyz`, for at most ten minutes; remembered once it has.
/// Not to be reached, not ready, and not (yet) accepting our token all count as "not yet".
///
/// # Errors
///
/// [`Error::NoCluster`], [`Error::Locate`] or [`Error::Kubeconfig`] at once if there is no way into the cluster.
/// [`Error::Deadline`] if the time is over; it holds the last error.
pub async fn endpoint_ready(cluster: &Cluster, progress: &Progress) -> Result<()> {
    if cluster.is_ready() {
        return Ok(());
    }
    let start = cluster.clock().moment();
    loop {
        let error = match probe(cluster).await {
            Ok(()) => {
                cluster.set_ready();
                return Ok(());
            }
            Err(error @ (Error::NoCluster | Error::Locate(_) | Error::Kubeconfig { .. })) => return Err(error),
            Err(error) => error,
        };
        let waited = cluster.clock().elapsed(start);
        if waited >= LIMIT {
            let last = error.to_string();
            return Err(Error::Deadline { what: "the API server".to_owned(), seconds: waited.as_secs(), last });
        }
        progress.report(format!("the API server is not ready yet: {error}"));
        cluster.clock().sleep(PERIOD).await;
    }
}

async fn probe(cluster: &Cluster) -> Result<()> {
    let session = cluster.session().await?;
    let failed = |error: &kube::Error| Error::from_kube(&session.server, "ask whether it is ready", error);
    let request = Request::get("/readyz").body(Vec::new()).map_err(|error| failed(&kube::Error::HttpError(error)))?;
    session.client.request_text(request).await.map(drop).map_err(|error| failed(&error))
}
