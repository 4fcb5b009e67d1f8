//! The audit log: one `audit.k8s.io/v1` Event a line, at the level `Metadata`, as `kube-apiserver --audit-log-path` writes
//! it with the stage `RequestReceived` omitted.
//!
//! Requests by socket and those of programs of this process are logged alike. A watch has two events: one when it begins
//! and one when it ends. Annotations are absent.

use clock::Clock;
use futures::stream::StreamExt;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use local_server::Lines;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::request::{Body, Query, Reply, Target};
use crate::user::User;

/// What a request is before anybody has authenticated it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) method: &'a Method,
    /// Path and query.
    pub(crate) uri: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) source: &'a str,
}

/// The event of one request, which is written when the request is answered.
#[derive(Debug)]
pub(crate) struct Entry {
    lines: Lines,
    clock: Clock,
    event: Value,
}

impl Entry {
    /// `None` where nothing is logged.
    pub(crate) fn begin(cluster: &Cluster, head: Head<'_>) -> Option<Self> {
        let lines = cluster.audit.clone()?;
        let clock = cluster.clock.clone();
        let (path, query) = head.uri.split_once('?').unwrap_or((head.uri, ""));
        let target = Target::parse(path);
        let method = head.method.as_str().to_lowercase();
        let verb = target.as_ref().map_or(method.as_str(), |target| target.verb(head.method, &Query::parse(query)));
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let mut event = json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata",
            "auditID": uuid::Uuid::new_v4().to_string(), "stage": "ResponseComplete", "requestURI": head.uri,
            "verb": verb, "user": {}, "sourceIPs": [head.source],
            "userAgent": header("user-agent").unwrap_or_default(), "requestReceivedTimestamp": micros(clock.now()),
        });
        if let Some(target) = &target {
            event["objectRef"] = reference(target);
        }
        if let Some(name) = header("impersonate-user") {
            event["impersonatedUser"] = json!({ "username": name });
        }
        Some(Self { lines, clock, event })
    }

    /// Names the user that the authenticators found.
    pub(crate) fn by(&mut self, user: &User) {
        let mut value = json!({ "username": user.name, "groups": user.groups });
        if !user.uid.is_empty() {
            value["uid"] = json!(user.uid);
        }
        if !user.extra.is_empty() {
            value["extra"] = json!(user.extra);
        }
        self.event["user"] = value;
    }

    /// Writes the event of a reply. That of a stream is written at its start, and again when the stream ends.
    pub(crate) fn finish(mut self, reply: Reply) -> Reply {
        self.event["responseStatus"] = response(&reply);
        match reply.body {
            Body::Json(_) | Body::Bytes(_) => {
                if self.event["verb"] == "create"
                    && let Body::Json(object) = &reply.body
                {
                    self.name_created(object);
                }
                self.write("ResponseComplete");
                reply
            }
            Body::Events(events) => {
                let end = self.started();
                let events = events.inspect(move |_| held(&end)).boxed();
                Reply { body: Body::Events(events), ..reply }
            }
            Body::Stream(stream) => {
                let end = self.started();
                let stream = stream.inspect(move |_| held(&end)).boxed();
                Reply { body: Body::Stream(stream), ..reply }
            }
        }
    }

    /// The name of a new object stands in its body only.
    fn name_created(&mut self, object: &Value) {
        let name = &object["metadata"]["name"];
        if name.is_string() && self.event["objectRef"].is_object() && self.event["objectRef"]["name"].is_null() {
            self.event["objectRef"]["name"] = name.clone();
        }
    }

    fn started(mut self) -> End {
        self.write("ResponseStarted");
        End(self)
    }

    fn write(&mut self, stage: &str) {
        self.event["stage"] = json!(stage);
        self.event["stageTimestamp"] = json!(micros(self.clock.now()));
        self.lines.write(self.event.to_string());
    }
}

/// Writes the last event of a stream when the stream is dropped.
struct End(Entry);

/// Keeps the value in a stream's closure.
fn held(_: &End) {}

impl Drop for End {
    fn drop(&mut self) {
        self.0.write("ResponseComplete");
    }
}

fn reference(target: &Target) -> Value {
    let parts = [
        ("resource", &target.plural),
        ("namespace", &target.namespace),
        ("name", &target.name),
        ("apiGroup", &target.group),
        ("apiVersion", &target.version),
        ("subresource", &target.subresource),
    ];
    let given = parts.into_iter().filter(|(_, value)| !value.is_empty());
    Value::Object(given.map(|(name, value)| (name.to_owned(), json!(value))).collect())
}

fn response(reply: &Reply) -> Value {
    let mut status = json!({ "metadata": {}, "code": reply.code });
    if let Body::Json(value) = &reply.body
        && value["kind"] == "Status"
    {
        for field in ["status", "reason", "message"] {
            if value[field].is_string() {
                status[field] = value[field].clone();
            }
        }
    }
    status
}

/// As a MicroTime.
fn micros(time: Timestamp) -> String {
    format!("{time:.6}")
}
