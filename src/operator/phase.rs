//! Where an object with triggers is in its life, and what its last reconcile saw.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use clock::Moment;
use keda::naming::LAST_APPLIED;
use kube::Resource;
use kube::api::ObjectMeta;

/// Where the object is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It was never in order since this loop began, so it is not polled.
    Checking,
    /// It was in order at least once and is polled at its interval. `last`: the last poll's start; `None` polls at once.
    Polling { last: Option<Moment> },
    /// It is being deleted, and what is done once at its end has been done.
    Ended,
}

/// What the last reconcile saw of the object, and whether a step failed.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) observed: Observed,
    pub(crate) is_in_error: bool,
    /// How often what its triggers were built from had changed.
    pub(crate) inputs: u64,
}

/// What a reconcile depends on in the object itself; the status is not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Observed {
    uid: Option<String>,
    generation: Option<i64>,
    /// A digest of the labels and annotations.
    notes: u64,
    is_terminating: bool,
}

impl Observed {
    pub(crate) fn of(metadata: &ObjectMeta) -> Self {
        Self {
            uid: metadata.uid.clone(),
            generation: metadata.generation,
            notes: notes(metadata),
            is_terminating: metadata.deletion_timestamp.is_some(),
        }
    }
}

/// What kubectl applied last is left out: the caches do not have it, and what matters of it is in the object.
fn notes(metadata: &ObjectMeta) -> u64 {
    let mut hasher = DefaultHasher::new();
    metadata.labels.iter().flatten().for_each(|label| label.hash(&mut hasher));
    hasher.write_u8(0);
    let annotations = metadata.annotations.iter().flatten();
    annotations.filter(|(key, _)| *key != LAST_APPLIED).for_each(|annotation| annotation.hash(&mut hasher));
    hasher.finish()
}

/// The object as it was written last or as the cache has it, whichever is newer. What is older is held no longer.
pub(crate) fn newest<K: Resource>(cached: Option<Arc<K>>, held: &mut Option<Arc<K>>) -> Option<Arc<K>> {
    // Resource versions of one kind can be compared as numbers (Kubernetes KEP-5504).
    let version = |object: &K| object.meta().resource_version.as_ref()?.parse::<u64>().ok();
    let is_newer = |held: &K, cached: &K| held.meta().uid == cached.meta().uid && version(held) > version(cached);
    match (cached, held.as_ref()) {
        (Some(cached), Some(held)) if is_newer(held, &cached) => Some(Arc::clone(held)),
        (cached, _) => {
            *held = None;
            cached
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_and_annotations_count_and_what_kubectl_remembers_does_not() {
        let observed = |labels: serde_json::Value, annotations: serde_json::Value| {
            let metadata = json!({ "name": "orders", "labels": labels, "annotations": annotations });
            Observed::of(&serde_json::from_value(metadata).unwrap())
        };
        let plain = observed(json!({}), json!({}));
        assert_eq!(plain, observed(json!(null), json!(null)));
        assert_eq!(plain, observed(json!({}), json!({ LAST_APPLIED: "{}" })));
        assert_ne!(plain, observed(json!({ "team": "a" }), json!({})));
        assert_ne!(observed(json!({ "team": "a" }), json!({})), observed(json!({}), json!({ "team": "a" })));
        assert_ne!(observed(json!({ "team": "a" }), json!({})), observed(json!({ "team": "b" }), json!({})));
    }
}
