//! The generations of the workloads that may be targets: a count of replicas that was read at a generation holds until that is
//! another, since `spec.replicas` changes with no generation's change.
//!
//! Only Deployments and StatefulSets are watched, by their metadata alone. Of what is not watched, or may not be, nothing is
//! known, and it is read each time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::api::ObjectMeta;

use crate::key::{Key, Reference};

/// A workload's state: its uid, and its generation.
pub(crate) type Generation = (String, i64);

/// The generations as the watches have them.
#[derive(Debug, Default)]
pub(crate) struct Generations(Mutex<HashMap<Reference, Generation>>);

impl Generations {
    /// Takes in a workload as it is now, or that it is gone.
    pub(crate) fn learn(&self, kind: &'static str, key: &Key, metadata: Option<&ObjectMeta>) {
        let reference = Reference { kind, key: key.clone() };
        let state = metadata.and_then(|metadata| Some((metadata.uid.clone()?, metadata.generation?)));
        match state {
            Some(state) => self.lock().insert(reference, state),
            None => self.lock().remove(&reference),
        };
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
