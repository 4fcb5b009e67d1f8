//! The generations of the workloads that may be targets: a count of replicas that was read at a generation holds until that is
//! another, since `spec.replicas` changes with no generation's change.
//!
//! Only Deployments and StatefulSets are watched, by their metadata alone ([`crate::inputs`] does it). Of what is not watched, or
//! may not be, nothing is known, and it is read each time.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::api::ObjectMeta;

use crate::key::Reference;

/// A workload's state: its uid, and its generation.
pub(crate) type Generation = (String, i64);

/// The generations as the watches have them.
#[derive(Debug, Default)]
pub(crate) struct Generations(Mutex<HashMap<Reference, Generation>>);

impl Generations {
    /// Takes in a workload as it is now, or that it is gone.
    pub(crate) fn learn(&self, workload: &Reference, metadata: Option<&ObjectMeta>) {
        let state = metadata.and_then(|metadata| Some((metadata.uid.clone()?, metadata.generation?)));
        match state {
            Some(state) => self.lock().insert(workload.clone(), state),
            None => self.lock().remove(workload),
        };
    }

    /// All workloads of a kind, in one namespace or in all, are these.
    pub(crate) fn learn_all(&self, kind: &str, namespace: Option<&str>, listed: &BTreeSet<Reference>) {
        let is_meant = |one: &Reference| one.kind == kind && namespace.is_none_or(|within| one.key.namespace == within);
        self.lock().retain(|one, _| !is_meant(one) || listed.contains(one));
    }

    /// The generation of a workload; `None` if nothing is known of it.
    pub(crate) fn of(&self, reference: &Reference) -> Option<Generation> {
        self.lock().get(reference).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Reference, Generation>> {
        // The map is consistent between any two of its operations, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;

    #[test]
    fn what_a_list_does_not_have_is_not_known_any_more() {
        let generations = Generations::default();
        let workload = |kind, namespace| Reference { kind, key: Key::new(namespace, "orders") };
        let all = [("Deployment", "shop"), ("Deployment", "other"), ("StatefulSet", "shop")];
        let all = all.map(|(kind, namespace)| workload(kind, namespace));
        let metadata = ObjectMeta { uid: Some("uid".to_owned()), generation: Some(1), ..ObjectMeta::default() };
        let known = || all.each_ref().map(|one| generations.of(one).is_some());
        for one in &all {
            generations.learn(one, Some(&metadata));
        }
        assert_eq!(known(), [true; 3]);
        generations.learn_all("Deployment", Some("shop"), &BTreeSet::new());
        assert_eq!(known(), [false, true, true]);
        generations.learn_all("Deployment", None, &BTreeSet::from([all[1].clone()]));
        assert_eq!(known(), [false, true, true]);
        generations.learn(&all[2], None);
        assert_eq!(known(), [false, true, false]);
    }
}
