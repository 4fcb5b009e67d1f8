//! Test API server in memory: a few objects, what was asked of it, and refusals by script.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use clock::Clock;
use http::{Request, Response};
use keda::api::ScaledObject;
use kube::Client;
use kube::client::Body;
use scalers::aws_identity::Identities;
use serde_json::{Value, json};

use crate::caches::Caches;
use crate::context::Context;
use crate::settings::Settings;

pub(crate) const SCALED_OBJECT: &str = "/apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects/orders";
pub(crate) const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/shop/deployments/orders";
pub(crate) const SECRET: &str = "/api/v1/namespaces/shop/secrets/queue";
pub(crate) const AUTOSCALERS: &str = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers";

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
}

impl Server {
    /// With these objects by path; `refuses` sees method and path.
    pub(crate) fn start<const N: usize>(
        objects: [(&str, Value); N],
        refuses: impl Fn(&str) -> Option<(u16, &'static str)> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let objects = objects.into_iter().map(|(path, object)| (path.to_owned(), object)).collect();
        Arc::new(Self { objects: Mutex::new(objects), calls: Mutex::default(), refuses: Box::new(refuses) })
    }

    /// The operator's handles on it. AWS is where nobody listens.
    pub(crate) async fn context(self: &Arc<Self>) -> Arc<Context> {
        let server = Arc::clone(self);
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = Arc::clone(&server);
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        let client = Client::new(service, "shop");
        let aws = aws::session::Settings {
            region: Some("eu-west-1".into()),
            endpoint_url: Some("http://127.0.0.1:9".into()),
            profile: None,
        };
        let session = aws::session::Session::load(aws).await.unwrap().with_static_credentials("AKIA", "s", None);
        let (settings, clock) = (Settings::default(), Clock::real());
        // The watches are not driven: what a test is about, it passes itself.
        let (caches, _watching) = Caches::new(&client, &settings);
        let identities = Arc::new(Identities::new(session, None, clock.clone()));
        Arc::new(Context::new(client, caches, identities, &settings, clock))
    }

    /// The object at a path.
    pub(crate) fn object(&self, path: &str) -> Option<Value> {
        self.objects.lock().unwrap().get(path).cloned()
    }

    /// Creates or replaces the object at a path.
    pub(crate) fn put(&self, path: &str, object: Value) {
        self.objects.lock().unwrap().insert(path.to_owned(), object);
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

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let line = format!("{} {}", request.method(), request.uri().path());
        let body = request.into_body().collect_bytes().await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        self.calls.lock().unwrap().push(Call { line: line.clone(), body: body.clone() });
        let answer = match (self.refuses)(&line) {
            Some((code, message)) => Err((code, message.to_owned())),
            None => self.carried_out(&line, &body),
        };
        let (code, value) = match answer {
            Ok(value) => (200, value),
            Err((code, message)) => {
                let reason = if code == 404 { "NotFound" } else { "Refused" };
                (
                    code,
                    json!({ "kind": "Status", "status": "Failure", "code": code, "message": message, "reason": reason }),
                )
            }
        };
        Response::builder().status(code).body(Body::from(value.to_string().into_bytes())).unwrap()
    }

    fn carried_out(&self, line: &str, body: &Value) -> Result<Value, (u16, String)> {
        let (method, path) = line.split_once(' ').unwrap();
        let (path, part) = match path.rsplit_once('/') {
            Some((path, part @ ("scale" | "status"))) => (path, part),
            _ => (path, ""),
        };
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
            ("POST", _) => Ok(body.clone()),
            ("DELETE", _) => objects.remove(path).ok_or_else(missing),
            _ => {
                let object = objects.entry(path.to_owned()).or_insert_with(|| json!({}));
                json_patch::merge(object, body);
                Ok(object.clone())
            }
        }
    }
}

fn scale(object: &Value) -> Value {
    json!({
        "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": object["metadata"],
        "spec": { "replicas": object["spec"]["replicas"] },
    })
}
