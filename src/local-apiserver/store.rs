//! The objects and their history: shelves (one per resource) behind one lock, one growing resource version.
//!
//! Invariants: a stored object is never changed in place; every change has a revision of its own; the lock is never
//! held across an await.

#![expect(clippy::similar_names, reason = "the lint takes `shelf`, the word for it here, for `self`")]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

/// A stored object.
pub(crate) type Object = Arc<Value>;

/// Changes kept per shelf for watchers that fall behind.
const HISTORY_MAX: usize = 1024;

/// One change of one object.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) revision: u64,
    pub(crate) old: Option<Object>,
    pub(crate) new: Option<Object>,
}

/// A watcher asked for changes that are no longer kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooOld {
    pub(crate) oldest: u64,
}

/// The stored object is not the one that the writer had read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stale {
    Gone,
    Changed,
    Exists,
}

#[derive(Debug)]
struct Shelf {
    objects: BTreeMap<(String, String), Object>,
    history: VecDeque<Change>,
    trimmed: u64,
    changed: watch::Sender<u64>,
}

impl Default for Shelf {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), history: VecDeque::new(), trimmed: 0, changed: watch::Sender::new(0) }
    }
}

impl Shelf {
    fn record(&mut self, change: Change) {
        let revision = change.revision;
        self.history.push_back(change);
        if self.history.len() > HISTORY_MAX
            && let Some(dropped) = self.history.pop_front()
        {
            self.trimmed = dropped.revision;
        }
        self.changed.send_replace(revision);
    }
}

#[derive(Debug, Default)]
struct Inner {
    revision: u64,
    shelves: HashMap<String, Shelf>,
}

/// The store as it is while its lock is held.
pub(crate) struct View<'a>(&'a Inner);

impl View<'_> {
    pub(crate) fn get(&self, shelf: &str, namespace: &str, name: &str) -> Option<&Object> {
        self.0.shelves.get(shelf)?.objects.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// The revision of the shelf's last change; zero before the first.
    pub(crate) fn changed(&self, shelf: &str) -> u64 {
        self.0.shelves.get(shelf).map_or(0, |shelf| *shelf.changed.borrow())
    }
}

/// All objects of one cluster.
#[derive(Debug, Default)]
pub(crate) struct Store(Mutex<Inner>);

impl Store {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn revision(&self) -> u64 {
        self.lock().revision
    }

    pub(crate) fn get(&self, shelf: &str, namespace: &str, name: &str) -> Option<Object> {
        let inner = self.lock();
        inner.shelves.get(shelf)?.objects.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// All objects (of one namespace), in order of namespace and name, with the revision they were read at.
    pub(crate) fn list(&self, shelf: &str, namespace: Option<&str>) -> (Vec<Object>, u64) {
        let inner = self.lock();
        let objects = inner.shelves.get(shelf).map_or_else(Vec::new, |shelf| match namespace {
            None => shelf.objects.values().cloned().collect(),
            Some(ns) => shelf
                .objects
                .range((ns.to_owned(), String::new())..)
                .take_while(|((at, _), _)| at == ns)
                .map(|(_, object)| object.clone())
                .collect(),
        });
        (objects, inner.revision)
    }

    /// All objects of a shelf, with the revision of the shelf's last change.
    pub(crate) fn snapshot(&self, shelf: &str) -> (Vec<Object>, u64) {
        let inner = self.lock();
        let objects = inner.shelves.get(shelf).map_or_else(Vec::new, |held| held.objects.values().cloned().collect());
        (objects, View(&inner).changed(shelf))
    }

    /// The revision of the shelf's last change; zero before the first.
    pub(crate) fn changed(&self, shelf: &str) -> u64 {
        View(&self.lock()).changed(shelf)
    }

    pub(crate) fn insert(&self, shelf: &str, namespace: &str, name: &str, value: Value) -> Result<Object, Stale> {
        self.insert_if(shelf, namespace, name, value, |_| true)
    }

    /// Stores a new object if `holds` is true in the very moment of the write; [`Stale::Changed`] if it is not.
    pub(crate) fn insert_if(
        &self,
        shelf: &str,
        namespace: &str,
        name: &str,
        mut value: Value,
        holds: impl FnOnce(&View<'_>) -> bool,
    ) -> Result<Object, Stale> {
        let mut inner = self.lock();
        if !holds(&View(&inner)) {
            return Err(Stale::Changed);
        }
        let revision = inner.revision + 1;
        let key = (namespace.to_owned(), name.to_owned());
        let shelf = inner.shelves.entry(shelf.to_owned()).or_default();
        if shelf.objects.contains_key(&key) {
            return Err(Stale::Exists);
        }
        stamp(&mut value, revision);
        let object = Arc::new(value);
        shelf.objects.insert(key, object.clone());
        shelf.record(Change { revision, old: None, new: Some(object.clone()) });
        inner.revision = revision;
        Ok(object)
    }

    /// Replaces `old` by `value`; refused when the stored object is another one.
    pub(crate) fn replace(&self, shelf: &str, old: &Object, mut value: Value) -> Result<Object, Stale> {
        let mut inner = self.lock();
        let revision = inner.revision + 1;
        let shelf = inner.shelves.get_mut(shelf).ok_or(Stale::Gone)?;
        let slot = shelf.objects.get_mut(&key_of(old)).ok_or(Stale::Gone)?;
        if !Arc::ptr_eq(slot, old) {
            return Err(Stale::Changed);
        }
        stamp(&mut value, revision);
        let object = Arc::new(value);
        *slot = object.clone();
        shelf.record(Change { revision, old: Some(old.clone()), new: Some(object.clone()) });
        inner.revision = revision;
        Ok(object)
    }

    /// Removes `old`; the answer is its last state, `last`, stamped with the revision of the removal.
    pub(crate) fn remove(&self, shelf: &str, old: &Object, mut last: Value) -> Result<Object, Stale> {
        let mut inner = self.lock();
        let revision = inner.revision + 1;
        let shelf = inner.shelves.get_mut(shelf).ok_or(Stale::Gone)?;
        let key = key_of(old);
        match shelf.objects.get(&key) {
            None => return Err(Stale::Gone),
            Some(stored) if !Arc::ptr_eq(stored, old) => return Err(Stale::Changed),
            Some(_) => shelf.objects.remove(&key),
        };
        stamp(&mut last, revision);
        let last = Arc::new(last);
        shelf.record(Change { revision, old: Some(last.clone()), new: None });
        inner.revision = revision;
        Ok(last)
    }

    /// All objects (of one namespace) as they were at an earlier revision, in order of namespace and name.
    pub(crate) fn list_at(&self, shelf: &str, namespace: Option<&str>, revision: u64) -> Result<Vec<Object>, TooOld> {
        let inner = self.lock();
        let Some(shelf) = inner.shelves.get(shelf) else { return Ok(Vec::new()) };
        if revision < shelf.trimmed {
            return Err(TooOld { oldest: shelf.trimmed });
        }
        let mut objects = shelf.objects.clone();
        let later = shelf.history.partition_point(|change| change.revision <= revision);
        for change in shelf.history.range(later..).rev() {
            let Some(key) = change.old.as_ref().or(change.new.as_ref()).map(|object| key_of(object)) else { continue };
            match &change.old {
                Some(old) => objects.insert(key, old.clone()),
                None => objects.remove(&key),
            };
        }
        // A removal notes the last state under its own revision; as it was, it is found where it was written.
        for change in shelf.history.range(..later) {
            let Some(new) = &change.new else { continue };
            if let Some(held) =
                objects.get_mut(&key_of(new)).filter(|held| held["metadata"]["uid"] == new["metadata"]["uid"])
            {
                *held = new.clone();
            }
        }
        let here = |object: &&Object| namespace.is_none_or(|ns| object["metadata"]["namespace"].as_str() == Some(ns));
        Ok(objects.values().filter(here).cloned().collect())
    }

    /// Changes after `revision`, oldest first.
    pub(crate) fn changes_since(&self, shelf: &str, revision: u64) -> Result<Vec<Change>, TooOld> {
        let inner = self.lock();
        let Some(shelf) = inner.shelves.get(shelf) else { return Ok(Vec::new()) };
        if revision < shelf.trimmed {
            return Err(TooOld { oldest: shelf.trimmed });
        }
        let from = shelf.history.partition_point(|change| change.revision <= revision);
        Ok(shelf.history.range(from..).cloned().collect())
    }

    /// The names of all shelves.
    #[cfg(test)]
    pub(crate) fn shelves(&self) -> Vec<String> {
        self.lock().shelves.keys().cloned().collect()
    }

    /// Wakes whenever the shelf changes.
    pub(crate) fn subscribe(&self, shelf: &str) -> watch::Receiver<u64> {
        self.lock().shelves.entry(shelf.to_owned()).or_default().changed.subscribe()
    }
}

fn stamp(value: &mut Value, revision: u64) {
    value["metadata"]["resourceVersion"] = revision.to_string().into();
}

fn key_of(object: &Value) -> (String, String) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    (text("namespace"), text("name"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_earlier_revision_can_be_listed_while_its_changes_are_kept() {
        let store = Store::default();
        let texts = |revision: u64| -> Vec<(String, String)> {
            let text = |object: &Object, field: &str| object["metadata"][field].as_str().unwrap().to_owned();
            let list = store.list_at("pods", Some("a"), revision).unwrap();
            list.iter().map(|object| (text(object, "name"), text(object, "resourceVersion"))).collect()
        };
        let one = store.insert("pods", "a", "x", object("x")).unwrap();
        let two = store.replace("pods", &one, object("x")).unwrap();
        store.insert("pods", "a", "y", object("y")).unwrap();
        store.remove("pods", &two, (*two).clone()).unwrap();
        let named = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect()
        };
        assert_eq!(texts(1), named(&[("x", "1")]));
        assert_eq!(texts(2), named(&[("x", "2")]));
        assert_eq!(texts(3), named(&[("x", "2"), ("y", "3")]));
        assert_eq!(texts(4), named(&[("y", "3")]));
    }

    use super::*;
    use serde_json::json;

    fn object(name: &str) -> Value {
        json!({"metadata": {"name": name, "namespace": "a"}})
    }

    #[test]
    fn revisions_grow_and_history_replays_every_change() {
        let store = Store::default();
        let one = store.insert("pods", "a", "x", object("x")).unwrap();
        let two = store.replace("pods", &one, object("x")).unwrap();
        assert_eq!(two["metadata"]["resourceVersion"], "2");
        assert_eq!(store.replace("pods", &one, object("x")), Err(Stale::Changed));
        store.remove("pods", &two, (*two).clone()).unwrap();
        let seen: Vec<u64> = store.changes_since("pods", 1).unwrap().iter().map(|c| c.revision).collect();
        assert_eq!(seen, [2, 3]);
    }

    #[test]
    fn a_watcher_that_fell_too_far_behind_is_told_so() {
        let store = Store::default();
        for number in 0..=HISTORY_MAX {
            store.insert("pods", "a", &number.to_string(), object(&number.to_string())).unwrap();
        }
        assert_eq!(store.changes_since("pods", 0).unwrap_err(), TooOld { oldest: 1 });
        assert_eq!(store.changes_since("pods", 1).unwrap().len(), HISTORY_MAX);
    }
}
