//! The socket: TLS, HTTP/1.1, authentication, and the rendering of replies.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::StreamExt;
use http::{HeaderValue, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cluster::Cluster;
use crate::error::Error;
use crate::options::Options;
use crate::request::{Body, Call, Query, Reply};
use crate::status::Status;
use crate::{authentication, handlers};

/// Requests larger than this are refused, as etcd's limit makes the real server do (3 MiB).
const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;

type ReplyBody = UnsyncBoxBody<Bytes, Infallible>;

/// The TLS side of the listener.
pub(crate) fn acceptor(options: &Options) -> Result<TlsAcceptor, Error> {
    let bad = |error: &dyn std::fmt::Display| Error::Certificate(error.to_string());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(options.certificate_pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| bad(&e))?;
    let key = PrivateKeyDer::from_pem_slice(options.key_pem.as_bytes()).map_err(|e| bad(&e))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| bad(&e))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| bad(&e))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Accepts connections until `stop`.
pub(crate) async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    cluster: Arc<Cluster>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                tasks.spawn(connection(stream, acceptor.clone(), cluster.clone(), stop.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                cluster.clock.sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, cluster: Arc<Cluster>, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let handshake = tokio::select! {
        () = stop.cancelled() => return,
        handshake = acceptor.accept(stream) => handshake,
    };
    let Ok(stream) = handshake else { return };
    let service = hyper::service::service_fn(move |request| {
        let cluster = cluster.clone();
        async move { Ok::<_, Infallible>(answer(&cluster, request).await) }
    });
    let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    tokio::select! {
        _ = &mut serving => {}
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            let _ = serving.await;
        }
    }
}

async fn answer(cluster: &Arc<Cluster>, request: Request<Incoming>) -> Response<ReplyBody> {
    let (parts, body) = request.into_parts();
    let reply = match authentication::authenticate(cluster, parts.uri.path(), &parts.headers).await {
        Err(status) => status.into(),
        Ok(user) => match Limited::new(body, BODY_BYTES_MAX).collect().await {
            Err(_) => {
                Status::failure(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728").into()
            }
            Ok(body) => {
                let call = Call {
                    user,
                    method: parts.method,
                    path: parts.uri.path().to_owned(),
                    query: Query::parse(parts.uri.query().unwrap_or_default()),
                    headers: parts.headers,
                    body: body.to_bytes(),
                };
                handlers::handle(cluster, call).await
            }
        },
    };
    render(reply)
}

fn render(reply: Reply) -> Response<ReplyBody> {
    let retry_after = match &reply.body {
        Body::Json(value) if reply.code >= 400 => value["details"]["retryAfterSeconds"].as_u64(),
        _ => None,
    };
    let body = match reply.body {
        Body::Json(value) => full(Bytes::from(value.to_string())),
        Body::Bytes(bytes) => full(bytes),
        Body::Stream(stream) => StreamBody::new(stream.map(|bytes| Ok(Frame::data(bytes)))).boxed_unsync(),
        Body::Events(events) => {
            let frames = events.map(|event| {
                let mut line = json!({"type": event.kind, "object": event.object}).to_string();
                line.push('\n');
                Ok(Frame::data(Bytes::from(line)))
            });
            StreamBody::new(frames).boxed_unsync()
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(reply.code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&reply.content_type) {
        headers.insert(http::header::CONTENT_TYPE, value);
    }
    headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    if let Some(etag) = reply.etag.and_then(|etag| HeaderValue::from_str(&etag).ok()) {
        headers.insert(http::header::ETAG, etag);
    }
    if let Some(seconds) = retry_after {
        headers.insert(http::header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    for warning in reply.warnings {
        let text = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{text}\"")) {
            headers.append(http::header::WARNING, value);
        }
    }
    response
}

fn full(bytes: Bytes) -> ReplyBody {
    Full::new(bytes).boxed_unsync()
}
