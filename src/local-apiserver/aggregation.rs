//! Aggregated APIs: requests of a remote APIService's group are carried to its Service's pods.

pub(crate) mod availability;
pub(crate) mod documents;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::StreamExt;
use http::{HeaderName, HeaderValue, Method};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::cluster::Cluster;
use crate::cluster::address::{Unreachable, address};
use crate::request::{Body, Call, Reply};
use crate::status::Status;
use crate::user::User;

/// Real time for a connection, and for a discovery answer.
const LIMIT: Duration = Duration::from_secs(5);
/// Answers to discovery larger than this are not read.
const DISCOVERY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A remote APIService.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    port: u64,
    ca_bundle: Option<String>,
    skip_verification: bool,
    pub(crate) object: Arc<Value>,
}

/// All remote APIServices.
pub(crate) fn services(cluster: &Cluster) -> Vec<Service> {
    let (objects, _) = cluster.store.list("apiservices.apiregistration.k8s.io", None);
    objects.iter().filter_map(parse).collect()
}

fn parse(object: &Arc<Value>) -> Option<Service> {
    let spec = &object["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if !spec["service"].is_object() || !object["metadata"]["deletionTimestamp"].is_null() {
        return None;
    }
    Some(Service {
        group: text(&spec["group"]),
        version: text(&spec["version"]),
        namespace: text(&spec["service"]["namespace"]),
        name: text(&spec["service"]["name"]),
        port: spec["service"]["port"].as_u64().unwrap_or(443),
        ca_bundle: spec["caBundle"].as_str().map(str::to_owned),
        skip_verification: spec["insecureSkipTLSVerify"] == true,
        object: object.clone(),
    })
}

pub(crate) fn service_for(cluster: &Cluster, group: &str, version: &str) -> Option<Service> {
    parse(&cluster.get("apiservices.apiregistration.k8s.io", "", &format!("{version}.{group}"))?)
}

/// One exchange with the remote server, as `user`.
async fn exchange(
    cluster: &Arc<Cluster>,
    service: &Service,
    user: &User,
    mut request: http::Request<Full<Bytes>>,
) -> Result<http::Response<Incoming>, Unreachable> {
    let failed = |message: String| Unreachable { reason: "FailedDiscoveryCheck", message };
    let (host, port) = address(cluster, &service.namespace, &service.name, service.port)?;
    let tls = cluster.front_proxy.connector(service.ca_bundle.as_deref(), service.skip_verification).map_err(failed)?;
    let name = format!("{}.{}.svc", service.name, service.namespace);
    let server_name =
        rustls_pki_types::ServerName::try_from(name.clone()).map_err(|error| failed(error.to_string()))?;
    let connect = async {
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        tls.connect(server_name, stream).await
    };
    let at = format!("https://{host}:{port}{}", request.uri());
    let stream = match cluster.clock.timeout(cluster.clock.to_system(LIMIT), connect).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(failed(format!("failing or missing response from {at}: {error}"))),
        Err(_) => return Err(failed(format!("failing or missing response from {at}: context deadline exceeded"))),
    };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(error.to_string()))?;
    let stop = cluster.stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            _ = connection => {}
        }
    });
    let headers = request.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&name) {
        headers.insert(http::header::HOST, value);
    }
    name_user(headers, user);
    sender
        .send_request(request)
        .await
        .map_err(|error| failed(format!("failing or missing response from {at}: {error}")))
}

fn name_user(headers: &mut http::HeaderMap, user: &User) {
    let mut add = |name: &str, value: &str| {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    };
    add("x-remote-user", &user.name);
    if !user.uid.is_empty() {
        add("x-remote-uid", &user.uid);
    }
    for group in &user.groups {
        add("x-remote-group", group);
    }
    for (key, values) in &user.extra {
        let encoded = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC).to_string();
        for value in values {
            add(&format!("x-remote-extra-{encoded}"), value);
        }
    }
}

/// Carries a request to the remote server.
pub(crate) async fn proxy(cluster: &Arc<Cluster>, service: &Service, call: &Call) -> Reply {
    let query = call.query.encoded();
    let uri = if query.is_empty() { call.path.clone() } else { format!("{}?{query}", call.path) };
    let mut builder = http::Request::builder().method(call.method.clone()).uri(uri);
    for (name, value) in &call.headers {
        let own = name.as_str();
        let dropped = own.starts_with("x-remote-")
            || own.starts_with("impersonate-")
            || matches!(
                own,
                "authorization" | "connection" | "host" | "upgrade" | "transfer-encoding" | "content-length"
            );
        if !dropped {
            builder = builder.header(name, value);
        }
    }
    let Ok(request) = builder.body(Full::new(call.body.clone())) else {
        return Status::bad_request("the request cannot be carried on").into();
    };
    let response = match exchange(cluster, service, &call.user, request).await {
        Ok(response) => response,
        Err(unreachable) => {
            tracing::info!(
                group = service.group,
                reason = unreachable.reason,
                message = unreachable.message,
                "aggregated API is unavailable"
            );
            return Reply::text(503, "service unavailable\n");
        }
    };
    let code = response.status().as_u16();
    let content_type = response.headers().get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or("application/octet-stream").to_owned();
    let body = if call.query.is_true("watch") {
        let stream = response.into_body().into_data_stream();
        Body::Stream(
            stream
                .take_while(|chunk| std::future::ready(chunk.is_ok()))
                .filter_map(|chunk| async { chunk.ok() })
                .boxed(),
        )
    } else {
        match response.into_body().collect().await {
            Ok(body) => Body::Bytes(body.to_bytes()),
            Err(error) => return Status::unavailable(format!("error trying to reach service: {error}")).into(),
        }
    };
    Reply { code, content_type, body, warnings: Vec::new(), etag: None }
}

/// A remote server's answer, read to its end.
struct Answer {
    code: u16,
    content_type: String,
    etag: String,
    body: Bytes,
}

/// Asks a remote server for a document.
async fn call(
    cluster: &Arc<Cluster>,
    service: &Service,
    user: &User,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<Answer, Unreachable> {
    let failed = |message: String| Unreachable { reason: "FailedDiscoveryCheck", message };
    let mut request = http::Request::builder().method(Method::GET).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::new())).map_err(|error| failed(error.to_string()))?;
    let read = async {
        let response = exchange(cluster, service, user, request).await?;
        let text = |name| {
            let value = response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (content_type, etag) = (text(http::header::CONTENT_TYPE), text(http::header::ETAG));
        let code = response.status().as_u16();
        let body = Limited::new(response.into_body(), DISCOVERY_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| failed(error.to_string()))?;
        Ok(Answer { code, content_type, etag, body: body.to_bytes() })
    };
    let limit = cluster.clock.to_system(LIMIT);
    cluster.clock.timeout(limit, read).await.unwrap_or_else(|_| Err(failed(format!("no answer from {path}"))))
}

/// Whether the remote server answers for its version at all, asked as the real availability controller asks.
pub(crate) async fn answers(cluster: &Arc<Cluster>, service: &Service) -> Result<(), Unreachable> {
    let path = format!("/apis/{}/{}", service.group, service.version);
    let user = User::system_masters("system:kube-aggregator");
    let answer = call(cluster, service, &user, &path, &[]).await?;
    if answer.code == 200 {
        return Ok(());
    }
    let message = format!("bad status from {path}: {}", answer.code);
    Err(Unreachable { reason: "FailedDiscoveryCheck", message })
}
