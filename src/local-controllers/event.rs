//! Events, with repetitions counted instead of written again, as client-go's recorder does.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use local_apiserver::PatchType;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::cache::Cache;
use crate::object::{Key, name, namespace, second, text, uid};

/// How many different events are remembered for counting.
const REMEMBERED_MAX: usize = 1024;

/// Normal or Warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    Normal,
    Warning,
}

/// Writes events in the name of one component.
#[derive(Clone)]
pub(crate) struct Recorder {
    cache: Arc<Cache>,
    component: &'static str,
    seen: Arc<Mutex<BTreeMap<String, (Key, u64)>>>,
}

impl Recorder {
    pub(crate) fn new(cache: &Arc<Cache>, component: &'static str) -> Self {
        Self { cache: Arc::clone(cache), component, seen: Arc::default() }
    }

    pub(crate) async fn normal(&self, about: &Value, reason: &str, message: &str) {
        self.write(about, Severity::Normal, reason, message, "").await;
    }

    pub(crate) async fn warning(&self, about: &Value, reason: &str, message: &str) {
        self.write(about, Severity::Warning, reason, message, "").await;
    }

    /// An event about one container of a pod.
    pub(crate) async fn container(&self, pod: &Value, field: &str, severity: Severity, reason: &str, message: &str) {
        self.write(pod, severity, reason, message, field).await;
    }

    /// Events are help for people: failing to write one (a namespace being deleted refuses them) fails nothing else.
    async fn write(&self, about: &Value, severity: Severity, reason: &str, message: &str, field: &str) {
        let identity = format!("{}/{}/{field}/{reason}/{message}", namespace(about), uid(about));
        let at = self.cache.clock.now();
        let now = second(at);
        // Held until the event is written: of two that say the same at once, the second counts the first.
        let mut seen = self.seen.lock().await;
        if seen.len() > REMEMBERED_MAX {
            seen.clear();
        }
        let known = seen.get_mut(&identity).map(|(key, count)| {
            *count += 1;
            (key.clone(), *count)
        });
        if let Some((key, count)) = known {
            let path = format!("/api/v1/namespaces/{}/events/{}", key.namespace, key.name);
            let again = json!({"count": count, "lastTimestamp": now});
            if self.cache.client.patch(&path, PatchType::Merge, &again).await.is_ok() {
                return;
            }
        }
        let event = self.build(about, severity, reason, message, field, at);
        let path = format!("/api/v1/namespaces/{}/events", namespace(&event));
        match self.cache.client.create(&path, &event).await {
            Ok(_) => drop(seen.insert(identity, (Key::of(&event), 1))),
            Err(status) => tracing::trace!(reason, error = status.message(), "failed to write an event"),
        }
    }

    fn build(
        &self,
        about: &Value,
        severity: Severity,
        reason: &str,
        message: &str,
        field: &str,
        at: Timestamp,
    ) -> Value {
        let now = second(at);
        let of_event = if namespace(about).is_empty() { "default" } else { namespace(about) };
        let mut object = json!({
            "apiVersion": text(about, "/apiVersion"), "kind": text(about, "/kind"), "name": name(about),
            "uid": uid(about), "resourceVersion": text(about, "/metadata/resourceVersion"),
        });
        if !namespace(about).is_empty() {
            object["namespace"] = namespace(about).into();
        }
        if !field.is_empty() {
            object["fieldPath"] = field.into();
        }
        json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"namespace": of_event, "name": format!("{}.{:x}", name(about), at.as_nanosecond())},
            "involvedObject": object, "reason": reason, "message": message,
            "type": match severity { Severity::Normal => "Normal", Severity::Warning => "Warning" },
            "source": {"component": self.component}, "reportingComponent": self.component, "reportingInstance": "",
            "firstTimestamp": now, "lastTimestamp": now, "count": 1,
        })
    }
}
