//! The plain HTTP servers: `/metrics` for Prometheus, `/healthz` and `/readyz` for the kubelet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use tokio::net::TcpListener;

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

/// Serves `/metrics` for ever.
pub(crate) async fn serve_telemetry(listener: TcpListener, telemetry: Arc<Telemetry>) {
    let metrics = move || async move { ([(header::CONTENT_TYPE, CONTENT_TYPE)], telemetry.render()) };
    let _ = axum::serve(listener, Router::new().route("/metrics", get(metrics))).await;
}

/// Serves `/healthz` and `/readyz` for ever.
pub(crate) async fn serve_health(listener: TcpListener, readiness: Readiness) {
    let ready = move || async move {
        if readiness.is_set() {
            (StatusCode::OK, "ok")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "caches are not filled yet")
        }
    };
    let router = Router::new().route("/healthz", get(|| async { "ok" })).route("/readyz", get(ready));
    let _ = axum::serve(listener, router).await;
}
