//! Waiting for a cluster's endpoint.

use std::time::Duration;

use http::Request;
use provision::Context;

use crate::Result;
use crate::connection::Cluster;
use crate::error::Error;

const PERIOD: Duration = Duration::from_secs(2);

/// Waits until the API server answers `/readyz`; remembered once it has. Not to be reached, not ready, and not (yet) accepting our
/// token all count as "not yet", for as long as [`Patience`](crate::patience::Patience) has it.
///
/// # Errors
///
/// [`Error::NoCluster`], [`Error::Locate`] or [`Error::Kubeconfig`] at once if there is no way into the cluster.
/// [`Error::Deadline`] if waiting longer does not help; it holds the last error. [`Error::Interrupted`] on Ctrl-C.
pub(crate) async fn endpoint_ready(cluster: &Cluster, context: &Context) -> Result<()> {
    while !cluster.is_ready() {
        let error = match probe(cluster).await {
            Ok(()) => {
                cluster.set_ready();
                return Ok(());
            }
            Err(error @ (Error::NoCluster | Error::Locate(_) | Error::Kubeconfig { .. })) => return Err(error),
            Err(error) => error,
        };
        let now = cluster.clock().moment();
        if let Some(end) = cluster.patience().end(&error, now) {
            return Err(end);
        }
        context.progress.report(format!("the API server is not ready yet: {error}"));
        tokio::select! {
            () = cluster.clock().sleep(PERIOD) => {}
            () = context.stop.cancelled() => return Err(Error::Interrupted { what: "the API server".to_owned() }),
        }
    }
    Ok(())
}

async fn probe(cluster: &Cluster) -> Result<()> {
    let session = cluster.session().await?;
    let failed = |error: &kube::Error| Error::from_kube(&session.server, "ask whether it is ready", error);
    let request = Request::get("/readyz").body(Vec::new()).map_err(|error| failed(&kube::Error::HttpError(error)))?;
    session.client.request_text(request).await.map(drop).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use clock::Clock;
    use futures::FutureExt as _;
    use provision::Progress;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::connection::{Connection, Endpoint, Secret, Token};

    const UNAUTHORIZED: &str = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}"#;

    /// An API server that refuses the first requests, and how many it got.
    async fn server(refusals: usize) -> (String, Arc<AtomicUsize>) {
        let requests = Arc::<AtomicUsize>::default();
        let count = requests.clone();
        let answer = move || async move {
            let is_refused = count.fetch_add(1, Ordering::Relaxed) < refusals;
            let status = if is_refused { http::StatusCode::UNAUTHORIZED } else { http::StatusCode::OK };
            (status, [(http::header::CONTENT_TYPE, "application/json")], UNAUTHORIZED)
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        (url, requests)
    }

    fn cluster(url: String) -> Cluster {
        let locate = Arc::new(move || {
            let endpoint = Endpoint { server: url.clone(), certificate_authority: String::new() };
            async move { Ok(Some(endpoint)) }.boxed()
        });
        let expires_at = "2999-01-01T00:00:00Z".parse().unwrap();
        let token =
            Arc::new(move || async move { Ok(Token { value: Secret::new("t".to_owned()), expires_at }) }.boxed());
        Cluster::new(Connection::Eks { locate, token }, Clock::scaled(1000.0))
    }

    fn context(cluster: &Cluster, stop: CancellationToken) -> Context {
        Context { clock: cluster.clock().clone(), progress: Progress::silent(), stop }
    }

    #[tokio::test]
    async fn a_server_that_refuses_every_token_ends_the_wait_and_every_later_one() {
        let (url, requests) = server(usize::MAX).await;
        let cluster = cluster(url);
        let context = context(&cluster, CancellationToken::new());
        let start = cluster.clock().moment();
        let said = endpoint_ready(&cluster, &context).await.unwrap_err().to_string();
        assert!(said.contains("to let this identity in") && said.contains("Unauthorized"), "{said}");
        assert!(cluster.clock().elapsed(start) >= Duration::from_mins(3));
        // Whatever is made next asks once (its client signs in anew for a second try) and does not wait.
        let before = requests.load(Ordering::Relaxed);
        endpoint_ready(&cluster, &context).await.unwrap_err();
        assert!(requests.load(Ordering::Relaxed) <= before + 2);
    }

    #[tokio::test]
    async fn a_server_that_lets_us_in_late_is_waited_for() {
        let (url, _) = server(8).await;
        let cluster = cluster(url);
        endpoint_ready(&cluster, &context(&cluster, CancellationToken::new())).await.unwrap();
        assert!(cluster.is_ready());
    }

    #[tokio::test]
    async fn ctrl_c_ends_the_wait() {
        let (url, requests) = server(usize::MAX).await;
        let cluster = cluster(url);
        let stop = CancellationToken::new();
        stop.cancel();
        let ended = endpoint_ready(&cluster, &context(&cluster, stop)).await;
        assert!(matches!(ended, Err(Error::Interrupted { .. })), "{ended:?}");
        assert!(requests.load(Ordering::Relaxed) <= 2);
    }
}
