//! One call of a webhook: TLS to its address or to its Service's pods, a review there, a response back.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use url::Url;

use crate::cluster::Cluster;
use crate::cluster::address::address;
use crate::request::hooks::Hook;

/// Real seconds that a webhook has unless it says otherwise.
const TIMEOUT_SECONDS: u64 = 10;
/// Answers larger than this are not read.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A call that is under way.
pub(super) struct Call(Receiver<Result<Value, String>>);

impl Call {
    /// The response, or why there is none. Blocks; the call ends by itself.
    pub(super) fn wait(self) -> Result<Value, String> {
        self.0.recv().unwrap_or_else(|_| Err("failed to call webhook: the server is ending".to_owned()))
    }
}

/// Where a webhook is.
struct At {
    /// As messages show it.
    url: String,
    host: String,
    port: u16,
    /// What its certificate must be for.
    server_name: String,
    path: String,
}

pub(super) fn start(cluster: &Arc<Cluster>, hook: &Arc<Hook>, review: &Value, mutating: bool) -> Call {
    let (sender, receiver) = channel();
    let (cluster, hook, review) = (Arc::clone(cluster), Arc::clone(hook), review.clone());
    tokio::runtime::Handle::current().spawn(async move {
        // Nobody waits any more if the server is ending.
        let _ = sender.send(call(&cluster, &hook, &review, mutating).await);
    });
    Call(receiver)
}

async fn call(cluster: &Arc<Cluster>, hook: &Hook, review: &Value, mutating: bool) -> Result<Value, String> {
    let seconds = hook.spec["timeoutSeconds"].as_u64().unwrap_or(TIMEOUT_SECONDS);
    let at =
        find(cluster, &hook.spec["clientConfig"], seconds).map_err(|why| format!("failed to call webhook: {why}"))?;
    let failed = |why: String| format!("failed to call webhook: Post \"{}\": {why}", at.url);
    let limit = cluster.clock.to_system(Duration::from_secs(seconds));
    let answered = cluster.clock.timeout(limit, exchange(cluster, hook, &at, review)).await;
    let (code, body) = answered.unwrap_or_else(|_| Err("context deadline exceeded".to_owned())).map_err(failed)?;
    if !(200..300).contains(&code) {
        return Err(format!("failed to call webhook: {}", refusal(code, &body)));
    }
    let answer: Value = serde_json::from_slice(&body)
        .map_err(|error| format!("failed to call webhook: the answer is no JSON: {error}"))?;
    if let Some(other) = other_version(review, &answer) {
        return Err(format!("failed to call webhook: {other}"));
    }
    response(review, &answer, mutating).map_err(|why| format!("received invalid webhook response: {why}"))
}

/// What a client of Kubernetes says of an answer that is none.
fn refusal(code: u16, body: &[u8]) -> String {
    let status: Value = serde_json::from_slice(body).unwrap_or_default();
    if let (true, Some(message)) = (status["kind"] == "Status", status["message"].as_str()) {
        return message.to_owned();
    }
    let message = match code {
        400 => "the server rejected our request for an unknown reason",
        401 => "the server has asked for the client to provide credentials",
        403 => "unknown",
        404 => "the server could not find the requested resource",
        405 => "the server does not allow this method on the requested resource",
        409 => "the server reported a conflict",
        415 => "the body of the request was in an unknown format - accepted media types include: ",
        422 => "the server rejected our request due to an error in our request",
        429 => "the server has received too many requests and has asked us to try again later",
        503 => "the server is currently unable to handle the request",
        504 => {
            "the server was unable to return a response in the time allotted, but may still be processing the request"
        }
        500.. => "an error on the server (\"unknown\") has prevented the request from succeeding",
        _ => return format!("the server responded with the status code {code} but did not return more information"),
    };
    message.to_owned()
}

/// A review in the other known version cannot be read as the wanted one.
fn other_version(request: &Value, answer: &Value) -> Option<String> {
    let version = |review: &Value| {
        let version = review["apiVersion"].as_str().and_then(|text| text.strip_prefix("admission.k8s.io/"));
        version.filter(|version| matches!(*version, "v1" | "v1beta1")).map(str::to_owned)
    };
    let (wanted, got) = (version(request)?, version(answer)?);
    (wanted != got)
        .then(|| format!("converting ({got}.AdmissionReview) to ({wanted}.AdmissionReview): unknown conversion"))
}

/// The response of a review that answers `request`.
///
/// Source: `apiserver/pkg/admission/plugin/webhook/request` of Kubernetes.
fn response(request: &Value, answer: &Value, mutating: bool) -> Result<Value, String> {
    let response = &answer["response"];
    if response.is_null() {
        return Err("webhook response was absent".to_owned());
    }
    // The older version asks for no more.
    if request["apiVersion"] == "admission.k8s.io/v1beta1" {
        return Ok(response.clone());
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (wanted, got) = (text(&request["request"]["uid"]), text(&response["uid"]));
    if got != wanted {
        return Err(format!("expected response.uid=\"{wanted}\", got \"{got}\""));
    }
    if answer["kind"] != request["kind"] || answer["apiVersion"] != request["apiVersion"] {
        let shown = |review: &Value| format!("{}, Kind={}", text(&review["apiVersion"]), text(&review["kind"]));
        return Err(format!("expected webhook response of {}, got {}", shown(request), shown(answer)));
    }
    let patched = response["patch"].as_str().is_some_and(|patch| !patch.is_empty());
    match (mutating, patched, response["patchType"].as_str()) {
        (true, true, None) => Err("webhook returned response.patch but not response.patchType".to_owned()),
        (true, false, Some(_)) => Err("webhook returned response.patchType but not response.patch".to_owned()),
        (true, _, Some("")) => Err("webhook returned invalid response.patchType of \"\"".to_owned()),
        (false, true, _) => Err("validating webhook may not return response.patch".to_owned()),
        (false, false, Some(_)) => Err("validating webhook may not return response.patchType".to_owned()),
        _ => Ok(response.clone()),
    }
}

fn find(cluster: &Cluster, config: &Value, seconds: u64) -> Result<At, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let service = &config["service"];
    if service.is_object() {
        let (name, namespace) = (text(&service["name"]), text(&service["namespace"]));
        let port = service["port"].as_u64().unwrap_or(443);
        let path = format!("/{}", text(&service["path"]).trim_start_matches('/'));
        let server_name = format!("{name}.{namespace}.svc");
        let url = format!("https://{server_name}:{port}{path}?timeout={seconds}s");
        let (host, port) = address(cluster, &namespace, &name, port).map_err(|unreachable| {
            let why = match unreachable.reason {
                "ServiceNotFound" => format!("service \"{name}\" not found"),
                "MissingEndpoints" => format!("no endpoints available for service \"{name}\""),
                _ => unreachable.message,
            };
            format!("Post \"{url}\": {why}")
        })?;
        return Ok(At { url, host, port, server_name, path: format!("{path}?timeout={seconds}s") });
    }
    let mut url = Url::parse(&text(&config["url"])).map_err(|error| format!("the url cannot be read: {error}"))?;
    url.query_pairs_mut().append_pair("timeout", &format!("{seconds}s"));
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    let port = url.port_or_known_default().unwrap_or(443);
    Ok(At { url: url.to_string(), port, server_name: host.clone(), host, path })
}

async fn exchange(cluster: &Cluster, hook: &Hook, at: &At, review: &Value) -> Result<(u16, Bytes), String> {
    let bundle = hook.spec["clientConfig"]["caBundle"].as_str();
    let tls = cluster.front_proxy.connector(bundle, false)?;
    let name = rustls_pki_types::ServerName::try_from(at.server_name.clone()).map_err(|error| error.to_string())?;
    let stream = TcpStream::connect((at.host.as_str(), at.port))
        .await
        .map_err(|error| format!("dial tcp {}:{}: {error}", at.host, at.port))?;
    let stream = tls.connect(name, stream).await.map_err(|error| format!("tls: {error}"))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let request = http::Request::post(at.path.as_str())
        .header("host", format!("{}:{}", at.server_name, at.port))
        .header("content-type", "application/json")
        .header("accept", "application/json, */*")
        .header("user-agent", "kube-apiserver-admission")
        .body(Full::new(Bytes::from(review.to_string())))
        .map_err(|error| error.to_string())?;
    let answered = async {
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let code = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        Ok((code, body.map_err(|error| error.to_string())?.to_bytes()))
    };
    let answered = answered.await;
    connection.abort();
    answered
}
