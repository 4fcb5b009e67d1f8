//! Test service on loopback that speaks SQS's JSON protocol and STS's query protocol by script; and a cluster.

pub(crate) mod redis;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use clock::Clock;
use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::aws_identity::Identities;
use crate::context::{Context, Workload};
use crate::kubernetes::{Endpoints, Holder, Kubernetes, Pod};
use crate::services::Services;

/// One request as the service saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// `GetQueueAttributes`, `AssumeRole`, …
    pub(crate) operation: String,
    /// The access key that signed it; empty if it was not signed.
    pub(crate) key: String,
    pub(crate) body: String,
}

type Answer = (u16, String);
type Script = dyn Fn(&Seen) -> Answer + Send + Sync;

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    held: Arc<watch::Sender<Option<&'static str>>>,
}

#[derive(Clone)]
struct FakeService {
    seen: Arc<Mutex<Vec<Seen>>>,
    held: watch::Receiver<Option<&'static str>>,
    script: Arc<Script>,
}

impl Service {
    pub(crate) async fn start(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (held, receiver) = watch::channel(None);
        let service = FakeService { seen: Arc::clone(&seen), held: receiver, script: Arc::new(script) };
        let app = Router::new().fallback(answer).with_state(service);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, seen, held: Arc::new(held) }
    }

    /// Requests with `text` in their body get no answer until nothing is held any more.
    pub(crate) fn hold(&self, text: Option<&'static str>) {
        self.held.send_replace(text);
    }

    pub(crate) fn operations(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.operation).collect()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// An operator's session against this service, with keys of its own.
    pub(crate) async fn session(&self) -> aws::session::Session {
        let settings = aws::session::Settings {
            region: Some("ap-northeast-1".into()),
            endpoint_url: Some(self.url.clone()),
            ..aws::session::Settings::new("operator")
        };
        aws::session::Session::load(settings).await.unwrap().with_static_credentials("AKIAOPERATOR", "s", None)
    }
}

async fn answer(State(service): State<FakeService>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    let in_body = || body.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap_or_default();
    let operation = header("x-amz-target").rsplit_once('.').map_or_else(in_body, |(_, name)| name).to_owned();
    let signed = header("authorization").split_once("Credential=").map(|(_, rest)| rest);
    let key = signed.and_then(|rest| rest.split('/').next()).unwrap_or_default().to_owned();
    let seen = Seen { operation, key, body };
    service.seen.lock().unwrap().push(seen.clone());
    let _ = service.held.clone().wait_for(|held| held.is_none_or(|text| !seen.body.contains(text))).await;
    let (status, text) = (service.script)(&seen);
    (axum::http::StatusCode::from_u16(status).unwrap(), text).into_response()
}

pub(crate) fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A cluster that gives the same answer each time.
pub(crate) struct Cluster {
    answer: Result<Vec<Pod>, String>,
    endpoints: Vec<Endpoints>,
    data: Result<BTreeMap<String, String>, String>,
    requests: Mutex<Vec<(String, String)>>,
}

impl Cluster {
    pub(crate) fn new(answer: Result<Vec<Pod>, String>) -> Arc<Self> {
        Arc::new(Self { answer, endpoints: Vec::new(), data: Ok(BTreeMap::new()), requests: Mutex::default() })
    }

    pub(crate) fn with_endpoints(endpoints: Vec<Endpoints>) -> Arc<Self> {
        Arc::new(Self { answer: Ok(Vec::new()), endpoints, data: Ok(BTreeMap::new()), requests: Mutex::default() })
    }

    /// Its ConfigMaps and Secrets hold this.
    pub(crate) fn holding(data: Result<BTreeMap<String, String>, String>) -> Arc<Self> {
        Arc::new(Self { answer: Ok(Vec::new()), endpoints: Vec::new(), data, requests: Mutex::default() })
    }

    /// The namespaces with the selectors, Services or objects that were asked for.
    pub(crate) fn requests(&self) -> Vec<(String, String)> {
        self.requests.lock().unwrap().clone()
    }
}

impl Kubernetes for Cluster {
    fn pods<'a>(&'a self, namespace: &'a str, selector: &'a str) -> BoxFuture<'a, Result<Vec<Pod>, String>> {
        self.requests.lock().unwrap().push((namespace.to_owned(), selector.to_owned()));
        Box::pin(std::future::ready(self.answer.clone()))
    }

    fn endpoints<'a>(&'a self, namespace: &'a str, service: &'a str) -> BoxFuture<'a, Result<Vec<Endpoints>, String>> {
        self.requests.lock().unwrap().push((namespace.to_owned(), service.to_owned()));
        Box::pin(std::future::ready(Ok(self.endpoints.clone())))
    }

    fn data<'a>(
        &'a self,
        namespace: &'a str,
        holder: Holder,
        name: &'a str,
    ) -> BoxFuture<'a, Result<BTreeMap<String, String>, String>> {
        self.requests.lock().unwrap().push((namespace.to_owned(), format!("{holder:?} {name}")));
        Box::pin(std::future::ready(self.data.clone()))
    }
}

/// What a trigger of namespace `shop` is built from, with AWS's identities as given.
pub(crate) fn context_of(aws: Identities, cluster: Arc<Cluster>, clock: Clock) -> Context {
    Context {
        services: Arc::new(Services::new(aws, cluster, clock)),
        name: "orders".into(),
        namespace: "shop".into(),
        is_metric_source: false,
        environment: BTreeMap::new(),
        authentication: BTreeMap::new(),
        authentication_is_open: false,
        pod_identity: None,
        workload: Workload::default(),
    }
}

/// The same where AWS is where nobody listens.
pub(crate) async fn context_in(cluster: Arc<Cluster>, clock: Clock) -> Context {
    let settings = aws::session::Settings {
        region: Some("ap-northeast-1".into()),
        endpoint_url: Some("http://127.0.0.1:9".into()),
        ..aws::session::Settings::new("operator")
    };
    let session = aws::session::Session::load(settings).await.unwrap().with_static_credentials("AKIA", "s", None);
    context_of(Identities::new(session, None, clock.clone()), cluster, clock)
}

/// The same with an empty cluster.
pub(crate) async fn context_with(clock: Clock) -> Context {
    context_in(Cluster::new(Ok(vec![])), clock).await
}

/// GetQueueAttributes' answer.
pub(crate) fn attributes(pairs: &[(&str, &str)]) -> Answer {
    let map: serde_json::Map<_, _> = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    (200, serde_json::json!({ "Attributes": map }).to_string())
}

/// SQS's refusal.
pub(crate) fn sqs_denied() -> Answer {
    (403, r#"{"__type":"com.amazonaws.sqs#AccessDenied","message":"User is not authorized"}"#.into())
}

/// STS's refusal.
pub(crate) fn sts_denied() -> Answer {
    let text = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Not authorized to perform \
                it</Message></Error><RequestId>r</RequestId></ErrorResponse>";
    (403, text.into())
}

/// STS's answer to `operation` with the key `id`.
pub(crate) fn credentials(operation: &str, id: &str) -> Answer {
    let text = format!(
        "<{operation}Response><{operation}Result><Credentials><AccessKeyId>{id}</AccessKeyId>\
         <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration>\
         </Credentials></{operation}Result></{operation}Response>"
    );
    (200, text)
}

/// STS's answer to GetCallerIdentity.
pub(crate) fn caller_identity() -> Answer {
    let text = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::111122223333:assumed-role/r/KEDA\
                </Arn><UserId>u</UserId><Account>111122223333</Account></GetCallerIdentityResult>\
                </GetCallerIdentityResponse>";
    (200, text.into())
}

/// An HTTP endpoint by script.
pub(crate) struct Endpoint {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<String>>>,
    serving: tokio::task::AbortHandle,
}

impl Endpoint {
    /// Answers each request by its path and query, with status and body.
    pub(crate) async fn start(script: impl Fn(&str) -> Answer + Clone + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0", script).await
    }

    /// The same at that address.
    pub(crate) async fn at(address: &str, script: impl Fn(&str) -> Answer + Clone + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        let app = Router::new().fallback(move |request: axum::extract::Request| async move {
            let target = request.uri().to_string();
            let headers =
                request.headers().iter().map(|(name, value)| format!("\n{name}: {}", value.to_str().unwrap()));
            kept.lock().unwrap().push(std::iter::once(target.clone()).chain(headers).collect::<String>());
            let (status, text) = script(&target);
            (axum::http::StatusCode::from_u16(status).unwrap(), text)
        });
        let serving = tokio::spawn(async move { axum::serve(listener, app).await }).abort_handle();
        Self { url, seen, serving }
    }

    /// Nobody listens there any more.
    pub(crate) fn stop(self) {
        self.serving.abort();
    }

    /// Path, query and headers of the requests so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}
