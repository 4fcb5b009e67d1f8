//! The socket: requests with their callers, and the rendering of replies.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::StreamExt;
use http::{HeaderValue, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use local_server::{Server, Tls};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::audit::{Entry, Head};
use crate::cluster::Cluster;
use crate::error::Error;
use crate::options::Options;
use crate::request::{Body, Call, Query, Reply};
use crate::status::Status;
use crate::{authentication, handlers};

/// Requests larger than this are refused, as etcd's limit makes the real server do (3 MiB).
const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;

type ReplyBody = UnsyncBoxBody<Bytes, Infallible>;

/// The server on the listener of the options.
pub(crate) fn open(options: &Options) -> Result<Server, Error> {
    let tls =
        Tls::new(&options.certificate_pem, &options.key_pem).map_err(|error| Error::Certificate(error.to_string()))?;
    let listener = options.listener.try_clone().map_err(Error::Listener)?;
    Server::new(listener, Some(tls), options.clock.clone()).map_err(Error::Listener)
}

/// Serves until `stop`, and returns when all connections have ended.
pub(crate) async fn serve(server: Server, cluster: Arc<Cluster>, stop: CancellationToken) {
    let respond = move |request, peer| {
        let cluster = Arc::clone(&cluster);
        async move { answer(&cluster, request, peer).await }
    };
    server.run(stop, respond).await;
}

async fn answer(cluster: &Arc<Cluster>, request: Request<Incoming>, peer: SocketAddr) -> Response<ReplyBody> {
    let (parts, body) = request.into_parts();
    let uri = parts.uri.path_and_query().map_or("/", |uri| uri.as_str());
    let source = peer.ip().to_string();
    let head = Head { method: &parts.method, uri, headers: &parts.headers, source: &source };
    let mut entry = Entry::begin(cluster, head);
    let reply = match authentication::authenticate(cluster, parts.uri.path(), &parts.headers).await {
        Err(status) => status.into(),
        Ok(user) => {
            if let Some(entry) = &mut entry {
                entry.by(&user);
            }
            match local_server::read_body(body, BODY_BYTES_MAX).await {
                None => {
                    Status::failure(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728").into()
                }
                Some(body) => {
                    let call = Call {
                        user,
                        method: parts.method,
                        path: parts.uri.path().to_owned(),
                        query: Query::parse(parts.uri.query().unwrap_or_default()),
                        headers: parts.headers,
                        body,
                    };
                    handlers::handle(cluster, call).await
                }
            }
        }
    };
    render(match entry {
        Some(entry) => entry.finish(reply),
        None => reply,
    })
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
