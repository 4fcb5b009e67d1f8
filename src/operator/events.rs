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
/// The count of an Event that comes again and again is written when it has doubled, and once in this real time: what fails at every poll
/// costs no call at every poll.
const COUNTED_EVERY: Duration = Duration::from_mins(1);
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
    /// The count that the Event shows, and since when.
    shown: i32,
    shown_at: Moment,
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
        let repeated = self.repeated(key);
        if let Some((name, count)) = repeated {
            let Some(name) = name else { return };
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

    /// The new count of the Event that says the same, if it is recent; and its name, if the count is to be written now.
    fn repeated(&self, key: u64) -> Option<(Option<String>, i32)> {
        let mut written = self.written.lock().ok()?;
        let found = written.get_mut(&key)?;
        if self.clock.to_real(self.clock.elapsed(found.at)) > AGGREGATION_WINDOW {
            return None;
        }
        found.count += 1;
        found.at = self.clock.moment();
        let is_due = found.count >= found.shown.saturating_mul(2)
            || self.clock.to_real(self.clock.elapsed(found.shown_at)) >= COUNTED_EVERY;
        if is_due {
            (found.shown, found.shown_at) = (found.count, found.at);
        }
        Some((is_due.then(|| found.name.clone()), found.count))
    }

    fn remember(&self, key: u64, name: String) {
        let Ok(mut written) = self.written.lock() else { return };
        if written.len() >= REMEMBERED_MAX {
            written.retain(|_, event| self.clock.to_real(self.clock.elapsed(event.at)) <= AGGREGATION_WINDOW);
        }
        let now = self.clock.moment();
        written.insert(key, Written { name, count: 1, at: now, shown: 1, shown_at: now });
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

#[cfg(test)]
mod tests {
    use crate::scripted::Server;

    use super::*;

    #[tokio::test]
    async fn an_event_that_comes_at_every_poll_costs_few_calls_and_its_count_is_right() {
        let server = Server::start([], |_| None);
        let (clock, time) = Clock::manual(Timestamp::UNIX_EPOCH);
        let recorder = Recorder::new(server.client(), clock, "operator-0");
        let object =
            ObjectReference { name: Some("orders".into()), namespace: Some("shop".into()), ..Default::default() };
        let publish = async || recorder.publish(&object, Event::scaler_failed("no queue")).await;
        for _ in 0..30 {
            publish().await;
        }
        let counts = || server.event_counts();
        assert_eq!(counts(), [1, 2, 4, 8, 16]);
        time.advance(COUNTED_EVERY);
        publish().await;
        assert_eq!(counts(), [1, 2, 4, 8, 16, 31]);
        time.advance(AGGREGATION_WINDOW);
        time.advance(COUNTED_EVERY);
        publish().await;
        assert_eq!(counts().last(), Some(&1), "another one begins");
    }
}
