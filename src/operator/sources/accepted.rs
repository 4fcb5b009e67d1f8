//! The spec of each ScaledObject that was in order last: it is in force until the next one is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keda::api::{ScaledObject, ScaledObjectSpec};

use crate::key::Key;
use crate::owner::{Revision, revision};

/// The specs.
#[derive(Default)]
pub(crate) struct Accepted(Mutex<HashMap<Key, Spec>>);

/// A spec that was found in order, and of which object and generation it was. It is needed only once that has another, so it is kept as
/// text, which takes a fraction of the room.
struct Spec {
    of: Revision,
    spec: Box<str>,
}

impl Spec {
    fn read(&self) -> Option<ScaledObjectSpec> {
        serde_json::from_str(&self.spec).ok()
    }
}

impl Accepted {
    /// The object is in order as it is.
    pub(crate) fn accept(&self, object: &ScaledObject) {
        let Ok(spec) = serde_json::to_string(&object.spec) else { return };
        self.lock().insert(Key::of(&object.metadata), Spec { of: revision(object), spec: spec.into() });
    }

    /// Somebody else scales the object's target: the last spec that was in order is in force no more if it has the same one.
    pub(crate) fn give_way(&self, object: &ScaledObject) {
        let key = Key::of(&object.metadata);
        let mut accepted = self.lock();
        let target = &object.spec.scale_target_ref;
        if accepted.get(&key).and_then(Spec::read).is_some_and(|spec| spec.scale_target_ref == *target) {
            accepted.remove(&key);
        }
    }

    /// The object with the spec that is in force: its own if that is in order, else the last one that was. `None` if none
    /// was since this process looks after the object: then nothing can be decided for it.
    pub(crate) fn in_force(&self, object: &Arc<ScaledObject>) -> Option<Arc<ScaledObject>> {
        let accepted = self.lock();
        let accepted = accepted.get(&Key::of(&object.metadata))?;
        let of = revision(&**object);
        if accepted.of == of {
            return Some(Arc::clone(object));
        }
        if accepted.of.0 != of.0 {
            return None;
        }
        let mut in_force = ScaledObject::clone(object);
        in_force.metadata.generation = accepted.of.1;
        in_force.spec = accepted.read()?;
        Some(Arc::new(in_force))
    }

    pub(crate) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Spec>> {
        // The map is consistent between any two of its operations, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
