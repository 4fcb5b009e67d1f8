//! Objects that are kept as text, which takes a fraction of the room of their fields; it is read once in each turn.

use std::marker::PhantomData;
use std::sync::Arc;

use kube::Resource;
use kube::api::ObjectMeta;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::store::Cache;
use crate::key::Key;

/// An object as JSON.
pub(crate) struct Text<K> {
    pub(super) version: Version,
    json: Box<[u8]>,
    of: PhantomData<fn() -> K>,
}

/// An object as those see it who depend on its spec. A (Cluster)TriggerAuthentication's credentials change with nothing else, in
/// particular not with its status, which the operator writes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    uid: Option<Box<str>>,
    generation: Option<i64>,
    is_terminating: bool,
}

impl Version {
    fn of(metadata: &ObjectMeta) -> Self {
        Self {
            uid: metadata.uid.as_deref().map(Box::from),
            generation: metadata.generation,
            is_terminating: metadata.deletion_timestamp.is_some(),
        }
    }
}

/// What was read last, and of which text.
pub(crate) type Opened<K> = Option<(Arc<Text<K>>, Arc<K>)>;

impl<K> Text<K>
where
    K: Resource + Serialize + DeserializeOwned,
{
    pub(crate) fn of(object: &K) -> Self {
        let json = serde_json::to_vec(object).expect("what was read from JSON can be written as such");
        Self { version: Version::of(object.meta()), json: json.into(), of: PhantomData }
    }

    pub(crate) fn generation(&self) -> Option<i64> {
        self.version.generation
    }

    pub(crate) fn open(&self) -> K {
        serde_json::from_slice(&self.json).expect("what was written as JSON can be read")
    }
}

impl<K> Cache<Text<K>>
where
    K: Resource + Serialize + DeserializeOwned,
{
    pub(crate) fn object(&self, key: &Key) -> Option<Arc<K>> {
        self.object_after(key, &mut None)
    }

    /// The object; what was read `last` if the text is still the same.
    pub(crate) fn object_after(&self, key: &Key, last: &mut Opened<K>) -> Option<Arc<K>> {
        let text = self.get(key)?;
        if let Some((of, object)) = last
            && Arc::ptr_eq(of, &text)
        {
            return Some(Arc::clone(object));
        }
        let object = Arc::new(text.open());
        *last = Some((text, Arc::clone(&object)));
        Some(object)
    }
}

#[cfg(test)]
mod tests {
    use keda::api::ScaledObject;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_opened_is_what_was_kept() {
        let object: ScaledObject = serde_json::from_value(json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
            "metadata": {
                "name": "orders", "namespace": "shop", "uid": "u", "generation": 3, "resourceVersion": "7",
                "labels": { "team": "a" }, "annotations": { "note": "\"quoted\"\n" }, "finalizers": ["f"],
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {
                "scaleTargetRef": { "name": "orders" }, "pollingInterval": 5,
                "advanced": { "horizontalPodAutoscalerConfig": { "behavior": { "scaleDown": {
                    "stabilizationWindowSeconds": 60, "policies": [{ "type": "Percent", "value": 50, "periodSeconds": 15 }]
                } } } },
                "triggers": [{ "type": "cron", "metadata": { "start": "0 8 * * *" }, "authenticationRef": { "name": "keys" } }],
                "fallback": { "failureThreshold": 3, "replicas": 2 },
            },
            "status": {
                "conditions": [{ "type": "Ready", "status": "True" }], "externalMetricNames": ["s0-cron"],
                "lastActiveTime": "2026-01-01T00:00:00.000001Z",
                "health": { "s0-cron": { "numberOfFailures": 1, "status": "Failing" } },
            },
        }))
        .unwrap();
        let text = Text::of(&object);
        assert_eq!(text.open(), object);
        assert_eq!((text.generation(), text.version == Version::of(&object.metadata)), (Some(3), true));
    }
}
