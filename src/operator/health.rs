//! The plain HTTP servers: `/metrics` for Prometheus, `/healthz` and `/readyz` for the kubelet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::telemetry::{CONTENT_TYPE, Telemetry};

/// Whether this replica can do its work; set once, when its caches are filled and the metrics API listens.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readiness(Arc<AtomicBool>);

impl Readiness {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A listener on `address`, or an error that names its purpose.
pub(crate) async fn listen(purpose: &'static str, address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { purpose, address, source })
}

/// Serves `/metrics` until `stop`.
pub(crate) async fn serve_telemetry(listener: TcpListener, telemetry: Arc<Telemetry>, stop: CancellationToken) -> Result<()> {
    let metrics = move || async move { ([(header::CONTENT_TYPE, CONTENT_TYPE)], telemetry.render()) };
    serve("the metrics server", listener, Router::new().route("/metrics", get(metrics)), stop).await
}

/// Serves `/healthz` and `/readyz` until `stop`.
pub(crate) async fn serve_health(listener: TcpListener, readiness: Readiness, stop: CancellationToken) -> Result<()> {
    let ready = move || async move {
        if readiness.is_set() { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "caches are not filled yet") }
    };
    let router = Router::new().route("/healthz", get(|| async { "ok" })).route("/readyz", get(ready));
    serve("the health server", listener, router, stop).await
}

async fn serve(name: &'static str, listener: TcpListener, router: Router, stop: CancellationToken) -> Result<()> {
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await.map_err(|_| Error::Ended(name))
}
