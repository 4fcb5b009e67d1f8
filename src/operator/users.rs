//! Who uses which (Cluster)TriggerAuthentication: an index that follows the objects with triggers, so that a change of one finds
//! its users without a walk over all objects.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use keda::api::ScaleTriggers;

use crate::authentication::{CLUSTER_KIND, KIND};
use crate::few::Few;
use crate::key::{Key, Reference};
use crate::owner::Owner;

/// The index.
#[derive(Debug, Default)]
pub(crate) struct Users(Mutex<Index>);

#[derive(Debug, Default)]
struct Index {
    /// The authentications by user.
    references: HashMap<Reference, Few<Reference>>,
    /// The users by authentication.
    users: HashMap<Reference, Few<Reference>>,
}

impl Users {
    /// Takes in an object as it is now, or that it is gone. Returns the authentications that won or lost a user.
    pub(crate) fn learn(&self, key: &Reference, object: Option<&dyn Owner>) -> Vec<Reference> {
        let after = object.map(references).unwrap_or_default();
        let mut index = self.lock();
        let before = if after.is_empty() {
            index.references.remove(key)
        } else {
            index.references.insert(key.clone(), after.clone())
        };
        let before = before.unwrap_or_default();
        let (lost, won) = (before.without(&after), after.without(&before));
        for lost in &lost {
            if let Some(users) = index.users.get_mut(lost) {
                users.remove(key);
                if users.is_empty() {
                    index.users.remove(lost);
                }
            }
        }
        for won in &won {
            index.users.entry(won.clone()).or_default().insert(key.clone());
        }
        [lost, won].concat()
    }

    /// The objects that use it.
    pub(crate) fn of(&self, reference: &Reference) -> Vec<Reference> {
        self.lock().users.get(reference).into_iter().flatten().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Index> {
        // The maps are consistent between any two of their operations, so a panic elsewhere does not spoil them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The authentications that an object's triggers name. One that is being deleted uses none.
fn references(object: &dyn Owner) -> Few<Reference> {
    let metadata = object.metadata();
    if metadata.deletion_timestamp.is_some() {
        return Few::default();
    }
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    object.triggers().iter().filter_map(|trigger| reference(trigger, namespace)).collect()
}

/// The authentication that a trigger of an object in `namespace` names.
pub(crate) fn reference(trigger: &ScaleTriggers, namespace: &str) -> Option<Reference> {
    let named = trigger.authentication_ref.as_ref().filter(|reference| !reference.name.is_empty())?;
    match named.kind.as_deref().unwrap_or_default() {
        "" | KIND => Some(Reference { kind: KIND, key: Key::new(namespace, &named.name) }),
        CLUSTER_KIND => Some(Reference { kind: CLUSTER_KIND, key: Key::new("", &named.name) }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use keda::api::ScaledObject;
    use serde_json::{Value, json};

    use super::*;
    use crate::owner::SCALED_OBJECT;

    fn user() -> Reference {
        Reference { kind: SCALED_OBJECT, key: Key::new("shop", "orders") }
    }

    fn object(references: &Value) -> ScaledObject {
        let triggers = references
            .as_array()
            .unwrap()
            .iter()
            .map(|reference| json!({ "type": "aws-sqs-queue", "metadata": {}, "authenticationRef": reference }));
        serde_json::from_value(json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
            "metadata": { "name": "orders", "namespace": "shop" },
            "spec": { "scaleTargetRef": { "name": "orders" }, "triggers": triggers.collect::<Vec<_>>() }
        }))
        .unwrap()
    }

    fn own(name: &str) -> Reference {
        Reference { kind: KIND, key: Key::new("shop", name) }
    }

    fn shared(name: &str) -> Reference {
        Reference { kind: CLUSTER_KIND, key: Key::new("", name) }
    }

    #[test]
    fn users_of_an_authentication_are_found_by_kind_name_and_namespace() {
        let (users, key) = (Users::default(), user());
        let both = object(&json!([{ "name": "own" }, { "name": "all", "kind": CLUSTER_KIND }, { "name": "own" }]));
        let mut changed = users.learn(&key, Some(&both));
        changed.sort();
        assert_eq!(changed, [shared("all"), own("own")]);
        assert_eq!(users.of(&own("own")), std::slice::from_ref(&key));
        assert_eq!(users.of(&shared("all")), [key]);
        let elsewhere = Reference { kind: KIND, key: Key::new("other", "own") };
        for unused in [elsewhere, own("all"), shared("own")] {
            assert_eq!(users.of(&unused), [], "{unused}");
        }
    }

    #[test]
    fn only_what_won_or_lost_a_user_is_notified() {
        let (users, key) = (Users::default(), user());
        users.learn(&key, Some(&object(&json!([{ "name": "old" }, { "name": "kept" }]))));
        let mut changed = users.learn(&key, Some(&object(&json!([{ "name": "new" }, { "name": "kept" }]))));
        changed.sort();
        assert_eq!(changed, [own("new"), own("old")]);
        assert_eq!(users.learn(&key, Some(&object(&json!([{ "name": "new" }, { "name": "kept" }])))), []);
        let mut ending = object(&json!([{ "name": "new" }, { "name": "kept" }]));
        ending.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        assert_eq!(users.learn(&key, Some(&ending)).len(), 2);
        assert_eq!((users.of(&own("new")), users.learn(&key, None)), (vec![], vec![]));
        assert!(users.lock().users.is_empty() && users.lock().references.is_empty());
    }
}
