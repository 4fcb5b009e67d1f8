//! The external metrics API: TLS, delegated authentication and authorisation, one resource whose names are metrics.
//!
//! Every replica serves it. A value is read from the event source at each request (from the last poll with
//! `useCachedMetrics`); a failed reading is an error for the HPA, which then holds its target.

mod accept;
mod access;
mod answer;
mod discovery;
mod openapi;
mod page;
#[cfg(test)]
mod recorded;
mod request_info;
mod route;

use std::sync::Arc;
use std::time::Duration;

use access::Front;
use axum::body::Body;
use http::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use kube::Client;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::admission;
use crate::certificates::Serving;
use crate::context::Context;
use crate::metrics_api::access::Access;
use crate::x509;

/// Real time for a TLS handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);
/// How often the front proxy's CA is read again, real time.
const REFRESH_PERIOD: Duration = Duration::from_mins(1);
/// The same while it cannot be read.
const RETRY_PERIOD: Duration = Duration::from_secs(1);

/// What a connection needs.
struct Server {
    context: Arc<Context>,
    access: Access,
}

/// Serves on `listener` for ever. Callers are reviewed with `client`, by each replica.
pub(crate) async fn serve(listener: TcpListener, serving: Serving, context: Arc<Context>, client: Client) {
    let front = front(&context, &serving).await;
    let (sender, fronts) = watch::channel(Arc::new(front));
    let server = Arc::new(Server { access: Access::new(client, context.clock.clone()), context });
    tokio::join!(refresh(&server.context, &serving, sender), accept(listener, &server, fronts));
}

/// The front proxy's CA and names, waited for: without them no caller could be distinguished from another.
async fn front(context: &Context, serving: &Serving) -> Front {
    loop {
        match Front::load(&context.client, serving).await {
            Ok(front) => return front,
            Err(error) => tracing::warn!(error = %error, "the front proxy's CA cannot be read; trying again"),
        }
        context.clock.sleep(context.clock.to_system(RETRY_PERIOD)).await;
    }
}

async fn refresh(context: &Context, serving: &Serving, fronts: watch::Sender<Arc<Front>>) {
    loop {
        context.clock.sleep(context.clock.to_system(REFRESH_PERIOD)).await;
        let front = front(context, serving).await;
        let _ = fronts.send(Arc::new(front));
    }
}

async fn accept(listener: TcpListener, server: &Arc<Server>, fronts: watch::Receiver<Arc<Front>>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let front = fronts.borrow().clone();
                tokio::spawn(converse(Arc::clone(server), front, stream));
            }
            Err(error) => {
                tracing::warn!(error = %error, "failed to accept a connection");
                // Out of file descriptors, most likely; others may be closed meanwhile.
                server.context.clock.sleep(server.context.clock.to_system(RETRY_PERIOD)).await;
            }
        }
    }
}

async fn converse(server: Arc<Server>, front: Arc<Front>, stream: TcpStream) {
    let clock = &server.context.clock;
    let handshake = TlsAcceptor::from(Arc::clone(&front.tls)).accept(stream);
    let stream = match clock.timeout(clock.to_system(HANDSHAKE_LIMIT), handshake).await {
        Ok(Ok(stream)) => stream,
        // Port scans and probes of plain TCP look like this.
        Ok(Err(error)) => return tracing::debug!(error = %error, "TLS handshake failed"),
        Err(clock::Elapsed) => return tracing::debug!("TLS handshake took too long"),
    };
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let is_proxy = certificate.is_some_and(|der| front.headers.trusts(x509::common_name(der).as_deref()));
    let service = hyper::service::service_fn(|request: Request<hyper::body::Incoming>| {
        let (server, front) = (Arc::clone(&server), Arc::clone(&front));
        async move {
            let (parts, body) = request.into_parts();
            Ok::<Response<Body>, std::convert::Infallible>(match admission::resource(&parts) {
                Some(resource) => admission::answer(&server.context, &resource, Body::new(body)).await,
                None => answer::answer(&server.context, &server.access, &front.headers, is_proxy, &parts).await,
            })
        }
    });
    let connection = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
    if let Err(error) = connection {
        tracing::debug!(error = %error, "connection ended");
    }
}
