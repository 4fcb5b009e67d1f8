//! Kubernetes Events: written once, counted up when they repeat.
//!
//! Core `v1` Events, because that is what KEDA 2.14 writes and what `kubectl describe` groups by source
//! (`docs/rules.md#keda-events`).

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::time::Duration;

use clock::{Clock, Moment};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event as Object, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use keda::event::{COMPONENT, Event, Kind};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use crate::error::brief;

/// A repetition within this real time is counted on the same object; about as long as an API server keeps Events is too long.
const AGGREGATION_WINDOW: Duration = Duration::from_mins(10);
/// Different events that are remembered for counting.
const REMEMBERED_MAX: usize = 4096;

/// Writes Events about objects.
pub(crate) struct Recorder {
    client: Client,
    clock: Clock,
    instance: String,
    written: Mutex<HashMap<u64, Written>>,
}

struct Written {
    name: String,
    count: i32,
    at: Moment,
}

impl Recorder {
    pub(crate) fn new(client: Client, clock: Clock, instance: &str) -> Self {
        Self { client, clock, instance: instance.to_owned(), written: Mutex::default() }
    }

    /// Writes `event` about `object`. A failure is logged only: Events are for people, nothing depends on them.
    pub(crate) async fn publish(&self, object: &ObjectReference, event: Event) {
        match event.kind {
            Kind::Normal => tracing::info!(object = name(object), reason = event.reason, "{}", event.message),
            Kind::Warning => tracing::warn!(object = name(object), reason = event.reason, "{}", event.message),
        }
        let namespace = object.namespace.clone().unwrap_or_else(|| "default".to_owned());
        let api: Api<Object> = Api::namespaced(self.client.clone(), &namespace);
        let key = key(object, &event);
        if let Some((name, count)) = self.repeated(key) {
            let patch = json!({ "count": count, "lastTimestamp": Time(self.clock.now()) });
            match api.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await {
                Ok(_) => return,
                Err(error) => {
                    tracing::debug!(error = %brief(&error), "failed to count a repeated event; writing a new one");
                }
            }
        }
        let created = self.render(object, &namespace, &event, self.clock.now());
        match api.create(&PostParams::default(), &created).await {
            Ok(created) => self.remember(key, created.metadata.name.unwrap_or_default()),
            Err(error) => {
                tracing::warn!(object = name(object), reason = event.reason, error = %brief(&error), "failed to write an event");
            }
        }
    }

    /// Name and new count of the Event that says the same, if it is recent.
    fn repeated(&self, key: u64) -> Option<(String, i32)> {
        let mut written = self.written.lock().ok()?;
        let found = written.get_mut(&key)?;
        if self.clock.to_real(self.clock.elapsed(found.at)) > AGGREGATION_WINDOW {
            return None;
        }
        found.count += 1;
        found.at = self.clock.moment();
        Some((found.name.clone(), found.count))
    }

    fn remember(&self, key: u64, name: String) {
        let Ok(mut written) = self.written.lock() else { return };
        if written.len() >= REMEMBERED_MAX {
            written.retain(|_, event| self.clock.to_real(self.clock.elapsed(event.at)) <= AGGREGATION_WINDOW);
        }
        written.insert(key, Written { name, count: 1, at: self.clock.moment() });
    }

    fn render(&self, object: &ObjectReference, namespace: &str, event: &Event, now: Timestamp) -> Object {
        Object {
            metadata: ObjectMeta {
                name: Some(format!("{}.{:x}", name(object), now.as_nanosecond())),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            involved_object: object.clone(),
            reason: Some(event.reason.to_owned()),
            message: Some(event.message.chars().take(1024).collect()),
            type_: Some(match event.kind {
                Kind::Normal => "Normal".to_owned(),
                Kind::Warning => "Warning".to_owned(),
            }),
            count: Some(1),
            first_timestamp: Some(Time(now)),
            last_timestamp: Some(Time(now)),
            source: Some(EventSource { component: Some(COMPONENT.to_owned()), host: None }),
            reporting_component: Some(COMPONENT.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            ..Object::default()
        }
    }
}

fn name(object: &ObjectReference) -> &str {
    object.name.as_deref().unwrap_or_default()
}

fn key(object: &ObjectReference, event: &Event) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&object.uid, &object.namespace, &object.name, event.reason, &event.message).hash(&mut hasher);
    hasher.finish()
}
