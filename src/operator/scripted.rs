//! Test API server in memory: a few objects with their watches, what was asked of it, and refusals by script.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clock::Clock;
use http::{Request, Response};
use keda::api::ScaledObject;
use kube::Client;
use kube::client::Body;
use scalers::aws_identity::Identities;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::caches::Caches;
use crate::context::Context;
use crate::settings::Settings;
use crate::telemetry::Telemetry;

pub(crate) const SCALED_OBJECT: &str = "/apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects/orders";
pub(crate) const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/shop/deployments/orders";
pub(crate) const SECRET: &str = "/api/v1/namespaces/shop/secrets/queue";
pub(crate) const AUTOSCALERS: &str = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers";

/// What comes of `what`, which a test waits for and which must come.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    Clock::real().timeout(SOON, what).await.expect("it did not come")
}

/// Returns once `is_so`, which must come.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    soon(async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// How long a test waits for what must come, on a machine that is busy with others.
const SOON: Duration = Duration::from_mins(1);

/// One request: its method and path, such as `PUT /apis/…/scale`, and its body.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) line: String,
    pub(crate) body: Value,
}

/// The status and message for a request that is refused.
type Refusal = dyn Fn(&str) -> Option<(u16, &'static str)> + Send + Sync;

/// The API server.
pub(crate) struct Server {
    objects: Mutex<BTreeMap<String, Value>>,
    calls: Mutex<Vec<Call>>,
    refuses: Box<Refusal>,
    /// Requests whose path begins so are never answered.
    silent: Mutex<Option<&'static str>>,
    /// What happened to objects, for watches: the path, the kind of event and the object.
    history: Mutex<Vec<(String, &'static str, Value)>>,
    happened: Notify,
}

/// The versions that watches see begin here, above those that objects are given.
const FIRST_VERSION: usize = 1000;

impl Server {
    /// With these objects by path; `refuses` sees method and path.
    pub(crate) fn start<const N: usize>(
        objects: [(&str, Value); N],
        refuses: impl Fn(&str) -> Option<(u16, &'static str)> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let objects = objects.into_iter().map(|(path, object)| (path.to_owned(), object)).collect();
        Arc::new(Self {
            objects: Mutex::new(objects),
            calls: Mutex::default(),
            refuses: Box::new(refuses),
            silent: Mutex::default(),
            history: Mutex::default(),
            happened: Notify::new(),
        })
    }

    /// A client of it.
    pub(crate) fn client(self: &Arc<Self>) -> Client {
        let server = Arc::clone(self);
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = Arc::clone(&server);
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        Client::new(service, "shop")
    }

    /// The operator's handles on it, with caches that are never filled: what a test is about, it passes itself.
    pub(crate) async fn context(self: &Arc<Self>) -> Arc<Context> {
        self.handles(Clock::real(), &Settings::default()).await.0
    }

    /// The operator's handles on it with caches that follow it.
    pub(crate) async fn watched(self: &Arc<Self>) -> Arc<Context> {
        self.watched_as(Clock::real(), &Settings::default()).await
    }

    /// The same with other settings.
    pub(crate) async fn watched_with(self: &Arc<Self>, settings: &Settings) -> Arc<Context> {
        self.watched_as(Clock::real(), settings).await
    }

    /// The same by a clock of the test's.
    pub(crate) async fn watched_by(self: &Arc<Self>, clock: Clock) -> Arc<Context> {
        self.watched_as(clock, &Settings::default()).await
    }

    async fn watched_as(self: &Arc<Self>, clock: Clock, settings: &Settings) -> Arc<Context> {
        let (context, watching) = self.handles(clock, settings).await;
        tokio::spawn(watching);
        context.caches.synced().await;
        context
    }

    /// The operator's handles on it, and what fills their caches.
    pub(crate) async fn handles(
        self: &Arc<Self>,
        clock: Clock,
        settings: &Settings,
    ) -> (Arc<Context>, impl Future<Output = ()> + use<>) {
        let client = self.client();
        // AWS is where nobody listens.
        let aws = aws::session::Settings {
            region: Some("eu-west-1".into()),
            endpoint_url: Some("http://127.0.0.1:9".into()),
            ..aws::session::Settings::new("operator")
        };
        let session = aws::session::Session::load(aws).await.unwrap().with_static_credentials("AKIA", "s", None);
        let (caches, watching) = Caches::new(&client, settings);
        let identities = Identities::new(session, None, clock.clone());
        let telemetry = Arc::new(Telemetry::new());
        (Arc::new(Context::new(client, caches, identities, settings, clock, telemetry)), watching)
    }

    /// From now on, answers no request whose path begins so, as if its connection had died without a word.
    pub(crate) fn silence(&self, path: Option<&'static str>) {
        *self.silent.lock().unwrap() = path;
    }

    /// The object at a path.
    pub(crate) fn object(&self, path: &str) -> Option<Value> {
        self.objects.lock().unwrap().get(path).cloned()
    }

    /// Creates or replaces the object at a path.
    pub(crate) fn put(&self, path: &str, mut object: Value) {
        object["metadata"]["resourceVersion"] = self.next_version().to_string().into();
        let event = if self.object(path).is_some() { "MODIFIED" } else { "ADDED" };
        self.objects.lock().unwrap().insert(path.to_owned(), object.clone());
        self.happen(path, event, object);
    }

    /// Creates so many running pods in namespace `shop`. Each selector matches all of them.
    pub(crate) fn put_pods(&self, count: usize) {
        for number in 0..count {
            let pod = json!({ "metadata": { "name": number.to_string() }, "status": { "phase": "Running" } });
            self.put(&format!("/api/v1/namespaces/shop/pods/{number}"), pod);
        }
    }

    /// Removes the object at a path.
    pub(crate) fn remove(&self, path: &str) {
        let removed = self.objects.lock().unwrap().remove(path).unwrap();
        self.happen(path, "DELETED", removed);
    }

    fn happen(&self, path: &str, event: &'static str, object: Value) {
        self.history.lock().unwrap().push((path.to_owned(), event, object));
        self.happened.notify_waiters();
    }

    /// The ScaledObject as it is now.
    pub(crate) fn scaled_object(&self) -> ScaledObject {
        serde_json::from_value(self.object(SCALED_OBJECT).unwrap()).unwrap()
    }

    /// What was asked so far, Events aside.
    pub(crate) fn calls(&self) -> Vec<Call> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|call| !call.line.contains("/events")).cloned().collect()
    }

    /// The writes among them, by method and path.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.line).filter(|line| !line.starts_with("GET")).collect()
    }

    /// Reasons and messages of the Events that were written.
    pub(crate) fn events(&self) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        let events = calls.iter().filter(|call| call.line.starts_with("POST") && call.line.ends_with("/events"));
        let text = |event: &Call, key: &str| event.body[key].as_str().unwrap_or_default().to_owned();
        events.map(|event| format!("{}: {}", text(event, "reason"), text(event, "message"))).collect()
    }

    /// The counts of Events, in the order in which they were written.
    pub(crate) fn event_counts(&self) -> Vec<i64> {
        let calls = self.calls.lock().unwrap();
        let events = calls.iter().filter(|call| call.line.contains("/events"));
        events.filter_map(|call| call.body["count"].as_i64()).collect()
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let line = format!("{} {}", request.method(), request.uri().path());
        let query = request.uri().query().unwrap_or_default().to_owned();
        if query.contains("watch=true") {
            return self.watch(request.uri().path(), &query).await;
        }
        let body = request.into_body().collect_bytes().await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        self.calls.lock().unwrap().push(Call { line: line.clone(), body: body.clone() });
        let silent = *self.silent.lock().unwrap();
        if silent.is_some_and(|begin| line.split_once(' ').is_some_and(|(_, path)| path.starts_with(begin))) {
            std::future::pending::<()>().await;
        }
        let answer = match (self.refuses)(&line) {
            Some((code, message)) => Err((code, message.to_owned())),
            None => self.carried_out(&line, &body),
        };
        if let (Ok(value), false) = (&answer, line.starts_with("GET")) {
            self.send_event(&line, value);
        }
        let (code, value) = match answer {
            Ok(value) => (200, value),
            Err((code, message)) => {
                let reason = match code {
                    404 => "NotFound",
                    409 => "Conflict",
                    _ => "Refused",
                };
                (
                    code,
                    json!({ "kind": "Status", "status": "Failure", "code": code, "message": message, "reason": reason }),
                )
            }
        };
        Response::builder().status(code).body(Body::from(value.to_string().into_bytes())).unwrap()
    }

    /// What a write did to an object, for watches.
    fn send_event(&self, line: &str, value: &Value) {
        let (method, path) = line.split_once(' ').unwrap();
        let path = path.strip_suffix("/status").or_else(|| path.strip_suffix("/scale")).unwrap_or(path);
        match method {
            "DELETE" => self.happen(path, "DELETED", value.clone()),
            _ => {
                if let Some(object) = self.object(path) {
                    self.happen(path, "MODIFIED", object);
                }
            }
        }
    }

    /// The events of a collection after a version, as soon as there are any.
    async fn watch(&self, collection: &str, query: &str) -> Response<Body> {
        let after = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "resourceVersion");
        let after = after.and_then(|(_, value)| value.parse::<usize>().ok()).unwrap_or(0).max(FIRST_VERSION);
        loop {
            let happened = self.happened.notified();
            let mut text = String::new();
            for (number, (path, event, object)) in self.history.lock().unwrap().iter().enumerate() {
                if number + FIRST_VERSION >= after && is_in(path, collection) {
                    let mut object = object.clone();
                    object["metadata"]["resourceVersion"] = (number + FIRST_VERSION + 1).to_string().into();
                    text += &json!({ "type": event, "object": object }).to_string();
                    text.push('\n');
                }
            }
            if !text.is_empty() {
                return Response::new(Body::from(text.into_bytes()));
            }
            happened.await;
        }
    }

    fn next_version(&self) -> usize {
        FIRST_VERSION + self.history.lock().unwrap().len() + 1
    }

    fn list(&self, collection: &str) -> Option<Value> {
        let is_collection = matches!(
            collection.rsplit('/').next(),
            Some(
                "scaledobjects"
                    | "scaledjobs"
                    | "jobs"
                    | "triggerauthentications"
                    | "clustertriggerauthentications"
                    | "horizontalpodautoscalers"
                    | "pods"
                    | "secrets"
                    | "configmaps"
                    | "serviceaccounts"
                    | "deployments"
                    | "statefulsets"
            )
        );
        let objects = self.objects.lock().unwrap();
        let items: Vec<_> =
            objects.iter().filter(|(path, _)| is_in(path, collection)).map(|(_, object)| object).collect();
        let version = FIRST_VERSION + self.history.lock().unwrap().len();
        is_collection.then(|| json!({ "metadata": { "resourceVersion": version.to_string() }, "items": items }))
    }

    fn carried_out(&self, line: &str, body: &Value) -> Result<Value, (u16, String)> {
        let (method, path) = line.split_once(' ').unwrap();
        let (path, part) = match path.rsplit_once('/') {
            Some((path, part @ ("scale" | "status"))) => (path, part),
            _ => (path, ""),
        };
        if method == "GET"
            && let Some(list) = self.list(path)
        {
            return Ok(list);
        }
        let mut objects = self.objects.lock().unwrap();
        let missing = || (404, format!("{path} not found"));
        match (method, part) {
            ("GET", "scale") => objects.get(path).map(scale).ok_or_else(missing),
            ("PUT", "scale") => {
                let object = objects.get_mut(path).ok_or_else(missing)?;
                object["spec"]["replicas"] = body["spec"]["replicas"].clone();
                Ok(scale(object))
            }
            ("GET", _) => objects.get(path).cloned().ok_or_else(missing),
            ("POST", _) if path.ends_with("/subjectaccessreviews") => {
                // What may be had is a list of an object in the collection's place.
                let wanted = &body["spec"]["resourceAttributes"]["resource"];
                let may = |review: &Value| review["allowed"].as_array().is_some_and(|list| list.contains(wanted));
                let mut review = body.clone();
                review["status"] = json!({ "allowed": objects.get(path).is_some_and(may) });
                Ok(review)
            }
            // What is given is an object in the token's place.
            ("POST", _) if path.ends_with("/token") => objects.get(path).cloned().ok_or_else(missing),
            ("POST", _) => {
                if let Some(name) = body["metadata"]["name"].as_str().filter(|_| !path.ends_with("/events")) {
                    objects.insert(format!("{path}/{name}"), body.clone());
                }
                Ok(body.clone())
            }
            ("DELETE", _) => objects.remove(path).ok_or_else(missing),
            _ => {
                let object = objects.entry(path.to_owned()).or_insert_with(|| json!({}));
                json_patch::merge(object, body);
                // The one that its event has, so that an answer is newer than what the caches had before.
                object["metadata"]["resourceVersion"] = self.next_version().to_string().into();
                Ok(object.clone())
            }
        }
    }
}

/// Whether an object's path lies in a collection, of one namespace or of all.
fn is_in(path: &str, collection: &str) -> bool {
    let Some((parent, _)) = path.rsplit_once('/') else { return false };
    if parent == collection {
        return true;
    }
    // `/apis/GROUP/VERSION/namespaces/NAMESPACE/PLURAL` lies in `/apis/GROUP/VERSION/PLURAL`.
    parent.split_once("/namespaces/").is_some_and(|(root, rest)| {
        rest.split_once('/').is_some_and(|(_, plural)| format!("{root}/{plural}") == collection)
    })
}

fn scale(object: &Value) -> Value {
    json!({
        "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": object["metadata"],
        "spec": { "replicas": object["spec"]["replicas"] },
    })
}
