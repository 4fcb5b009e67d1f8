//! The copy of one kind's objects. Pure: what a watch says and what writes answer come in, changes come out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::object::{Key, uid, version};

/// An object before and after.
pub(super) type Step = (Option<Arc<Value>>, Option<Arc<Value>>);

#[derive(Default)]
pub(super) struct Copy {
    pub(super) objects: BTreeMap<Key, Arc<Value>>,
    /// The watch has said everything up to this resource version. An answer to a write that is not newer says nothing
    /// new: what it is about is in the copy, or has changed since, or is gone.
    observed: u64,
}

impl Copy {
    pub(super) fn observe(&mut self, version: u64) {
        self.observed = self.observed.max(version);
    }

    /// The answer to a write.
    pub(super) fn learn(&mut self, object: Value) -> Vec<Step> {
        if version(&object) > self.observed { self.put(object) } else { Vec::new() }
    }

    /// What the watch says of an object that is there.
    pub(super) fn see(&mut self, object: Value) -> Vec<Step> {
        self.observe(version(&object));
        self.put(object)
    }

    /// The last state of an object that the watch says is gone.
    pub(super) fn see_gone(&mut self, object: &Value) -> Vec<Step> {
        self.observe(version(object));
        self.remove(object)
    }

    /// A whole listing as of `listed`: what it lacks is gone, unless it was written after the listing.
    pub(super) fn replace(&mut self, listed: u64, objects: Vec<Value>) -> Vec<Step> {
        let present: BTreeSet<&str> = objects.iter().map(uid).collect();
        let missing = |object: &&Arc<Value>| !present.contains(uid(object)) && version(object) <= listed;
        let gone: Vec<Arc<Value>> = self.objects.values().filter(missing).cloned().collect();
        let mut steps: Vec<Step> = gone.iter().flat_map(|object| self.remove(object)).collect();
        steps.extend(objects.into_iter().flat_map(|object| self.put(object)));
        self.observe(listed);
        steps
    }

    /// The kind is not followed any more; late answers to writes say nothing either.
    pub(super) fn end(&mut self) -> Vec<Step> {
        self.observed = u64::MAX;
        std::mem::take(&mut self.objects).into_values().map(|object| (Some(object), None)).collect()
    }

    /// Takes in an object unless the copy is as new.
    fn put(&mut self, object: Value) -> Vec<Step> {
        let (key, object) = (Key::of(&object), Arc::new(object));
        if self.objects.get(&key).is_some_and(|old| version(old) >= version(&object)) {
            return Vec::new();
        }
        match self.objects.insert(key, Arc::clone(&object)) {
            Some(old) if uid(&old) != uid(&object) => vec![(Some(old), None), (None, Some(object))],
            old => vec![(old, Some(object))],
        }
    }

    fn remove(&mut self, object: &Value) -> Vec<Step> {
        let key = Key::of(object);
        if self.objects.get(&key).is_none_or(|known| uid(known) != uid(object)) {
            return Vec::new();
        }
        self.objects.remove(&key).map(|old| (Some(old), None)).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(uid: &str, version: u64) -> Value {
        json!({"metadata": {"name": "a", "uid": uid, "resourceVersion": version.to_string()}})
    }

    fn known(copy: &Copy) -> Vec<(&str, u64)> {
        copy.objects.values().map(|found| (uid(found), version(found))).collect()
    }

    #[test]
    fn a_late_answer_brings_nothing_back() {
        let mut copy = Copy::default();
        // The answer to the creation comes after a listing that was made when the object was gone already.
        copy.replace(7, vec![]);
        assert!(copy.learn(object("one", 5)).is_empty());
        assert_eq!(known(&copy), []);
        // An answer that is ahead of the watch counts, and the watch's older word does not undo it.
        copy.learn(object("two", 9));
        copy.see_gone(&object("one", 8));
        assert_eq!(known(&copy), [("two", 9)]);
        // It goes, and comes back under its name; an old answer is of the first.
        assert!(copy.see(object("two", 9)).is_empty());
        copy.see_gone(&object("two", 10));
        copy.learn(object("two", 9));
        assert_eq!(known(&copy), []);
        copy.see(object("three", 11));
        copy.learn(object("two", 10));
        assert_eq!(known(&copy), [("three", 11)]);
        // What was written after a listing stays; what the listing lacks otherwise does not.
        copy.learn(object("three", 15));
        assert!(copy.replace(14, vec![]).is_empty());
        assert_eq!(copy.replace(16, vec![]).len(), 1);
    }

    #[test]
    fn another_object_of_the_name_is_the_end_of_the_first() {
        let mut copy = Copy::default();
        copy.see(object("one", 1));
        let steps: Vec<(bool, bool)> =
            copy.see(object("two", 3)).iter().map(|(old, new)| (old.is_some(), new.is_some())).collect();
        assert_eq!(steps, [(true, false), (false, true)]);
        assert_eq!(copy.end().len(), 1);
        assert!(copy.learn(object("two", 4)).is_empty());
    }
}
