//! The objects and their history: collections (one per resource) behind one lock, one growing resource version.
//!
//! Invariants: a stored object is never changed in place; every change has a revision of its own; the lock is never
//! held across an await.

mod history;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clock::Clock;
use serde_json::Value;
use tokio::sync::watch;

use history::Window;

/// A stored object.
pub(crate) type Object = Arc<Value>;

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
struct Collection {
    objects: BTreeMap<(String, String), Object>,
    history: VecDeque<Change>,
    trimmed: u64,
    changed: watch::Sender<u64>,
}

impl Default for Collection {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), history: VecDeque::new(), trimmed: 0, changed: watch::Sender::new(0) }
    }
}

#[derive(Debug, Default)]
struct Inner {
    revision: u64,
    collections: HashMap<String, Collection>,
    window: Window,
}

impl Inner {
    /// Notes a change of a collection, and forgets what nobody may count on any more.
    fn record(&mut self, collection: &str, change: Change, clock: &Clock) {
        let revision = change.revision;
        self.revision = revision;
        // The old state was counted when it was new; the last state of a removal is a state of its own.
        let state = change.new.as_ref().or(change.old.as_ref());
        self.window.admit(collection, state.map(AsRef::as_ref), clock);
        let held = self.collections.entry(collection.to_owned()).or_default();
        held.history.push_back(change);
        held.changed.send_replace(revision);
        while let Some(collection) = self.window.expired(clock) {
            // A collection's changes leave in the order in which they came, as those of all collections do.
            if let Some(collection) = self.collections.get_mut(&*collection)
                && let Some(dropped) = collection.history.pop_front()
            {
                collection.trimmed = dropped.revision;
            }
        }
    }
}

/// The store as it is while its lock is held.
pub(crate) struct View<'a>(&'a Inner);

impl View<'_> {
    pub(crate) fn get(&self, collection: &str, namespace: &str, name: &str) -> Option<&Object> {
        self.0.collections.get(collection)?.objects.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// The revision of the collection's last change; zero before the first.
    pub(crate) fn changed(&self, collection: &str) -> u64 {
        self.0.collections.get(collection).map_or(0, |collection| *collection.changed.borrow())
    }
}

/// All objects of one cluster.
#[derive(Debug)]
pub(crate) struct Store {
    inner: Mutex<Inner>,
    clock: Clock,
}

impl Store {
    /// An empty one, which forgets old changes by `clock`.
    pub(crate) fn new(clock: Clock) -> Self {
        Self { inner: Mutex::default(), clock }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn revision(&self) -> u64 {
        self.lock().revision
    }

    pub(crate) fn get(&self, collection: &str, namespace: &str, name: &str) -> Option<Object> {
        let inner = self.lock();
        inner.collections.get(collection)?.objects.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// All objects (of one namespace), in order of namespace and name, with the revision they were read at.
    pub(crate) fn list(&self, collection: &str, namespace: Option<&str>) -> (Vec<Object>, u64) {
        let inner = self.lock();
        let objects = inner.collections.get(collection).map_or_else(Vec::new, |collection| match namespace {
            None => collection.objects.values().cloned().collect(),
            Some(ns) => collection
                .objects
                .range((ns.to_owned(), String::new())..)
                .take_while(|((at, _), _)| at == ns)
                .map(|(_, object)| object.clone())
                .collect(),
        });
        (objects, inner.revision)
    }

    /// All objects of a collection, with the revision of the collection's last change.
    pub(crate) fn snapshot(&self, collection: &str) -> (Vec<Object>, u64) {
        let inner = self.lock();
        let objects =
            inner.collections.get(collection).map_or_else(Vec::new, |held| held.objects.values().cloned().collect());
        (objects, View(&inner).changed(collection))
    }

    /// The revision of the collection's last change; zero before the first.
    pub(crate) fn changed(&self, collection: &str) -> u64 {
        View(&self.lock()).changed(collection)
    }

    pub(crate) fn insert(&self, collection: &str, namespace: &str, name: &str, value: Value) -> Result<Object, Stale> {
        self.insert_if(collection, namespace, name, value, |_| true)
    }

    /// Stores a new object if `holds` is true in the very moment of the write; [`Stale::Changed`] if it is not.
    pub(crate) fn insert_if(
        &self,
        collection: &str,
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
        let held = inner.collections.entry(collection.to_owned()).or_default();
        if held.objects.contains_key(&key) {
            return Err(Stale::Exists);
        }
        stamp(&mut value, revision);
        let object = Arc::new(value);
        held.objects.insert(key, object.clone());
        inner.record(collection, Change { revision, old: None, new: Some(object.clone()) }, &self.clock);
        Ok(object)
    }

    /// Replaces `old` by `value`; refused when the stored object is another one.
    pub(crate) fn replace(&self, collection: &str, old: &Object, mut value: Value) -> Result<Object, Stale> {
        let mut inner = self.lock();
        let revision = inner.revision + 1;
        let held = inner.collections.get_mut(collection).ok_or(Stale::Gone)?;
        let slot = held.objects.get_mut(&key_of(old)).ok_or(Stale::Gone)?;
        if !Arc::ptr_eq(slot, old) {
            return Err(Stale::Changed);
        }
        stamp(&mut value, revision);
        let object = Arc::new(value);
        *slot = object.clone();
        inner.record(collection, Change { revision, old: Some(old.clone()), new: Some(object.clone()) }, &self.clock);
        Ok(object)
    }

    /// Removes `old`; the answer is its last state, `last`, stamped with the revision of the removal.
    pub(crate) fn remove(&self, collection: &str, old: &Object, mut last: Value) -> Result<Object, Stale> {
        let mut inner = self.lock();
        let revision = inner.revision + 1;
        let held = inner.collections.get_mut(collection).ok_or(Stale::Gone)?;
        let key = key_of(old);
        match held.objects.get(&key) {
            None => return Err(Stale::Gone),
            Some(stored) if !Arc::ptr_eq(stored, old) => return Err(Stale::Changed),
            Some(_) => held.objects.remove(&key),
        };
        stamp(&mut last, revision);
        let last = Arc::new(last);
        inner.record(collection, Change { revision, old: Some(last.clone()), new: None }, &self.clock);
        Ok(last)
    }

    /// All objects (of one namespace) as they were at an earlier revision, in order of namespace and name.
    pub(crate) fn list_at(
        &self,
        collection: &str,
        namespace: Option<&str>,
        revision: u64,
    ) -> Result<Vec<Object>, TooOld> {
        let inner = self.lock();
        let Some(collection) = inner.collections.get(collection) else { return Ok(Vec::new()) };
        if revision < collection.trimmed {
            return Err(TooOld { oldest: collection.trimmed });
        }
        let mut objects = collection.objects.clone();
        let later = collection.history.partition_point(|change| change.revision <= revision);
        for change in collection.history.range(later..).rev() {
            let Some(key) = change.old.as_ref().or(change.new.as_ref()).map(|object| key_of(object)) else { continue };
            match &change.old {
                Some(old) => objects.insert(key, old.clone()),
                None => objects.remove(&key),
            };
        }
        // A removal notes the last state under its own revision; as it was, it is found where it was written.
        for change in collection.history.range(..later) {
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
    pub(crate) fn changes_since(&self, collection: &str, revision: u64) -> Result<Vec<Change>, TooOld> {
        let inner = self.lock();
        let Some(collection) = inner.collections.get(collection) else { return Ok(Vec::new()) };
        if revision < collection.trimmed {
            return Err(TooOld { oldest: collection.trimmed });
        }
        let from = collection.history.partition_point(|change| change.revision <= revision);
        Ok(collection.history.range(from..).cloned().collect())
    }

    /// The names of all collections.
    #[cfg(test)]
    pub(crate) fn collections(&self) -> Vec<String> {
        self.lock().collections.keys().cloned().collect()
    }

    /// Wakes whenever the collection changes.
    pub(crate) fn subscribe(&self, collection: &str) -> watch::Receiver<u64> {
        self.lock().collections.entry(collection.to_owned()).or_default().changed.subscribe()
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
        let store = Store::new(Clock::real());
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
        let store = Store::new(Clock::real());
        let one = store.insert("pods", "a", "x", object("x")).unwrap();
        let two = store.replace("pods", &one, object("x")).unwrap();
        assert_eq!(two["metadata"]["resourceVersion"], "2");
        assert_eq!(store.replace("pods", &one, object("x")), Err(Stale::Changed));
        store.remove("pods", &two, (*two).clone()).unwrap();
        let seen: Vec<u64> = store.changes_since("pods", 1).unwrap().iter().map(|c| c.revision).collect();
        assert_eq!(seen, [2, 3]);
    }

    #[test]
    fn pages_and_watches_go_on_after_many_changes_until_their_time_is_over() {
        let (clock, handle) = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
        let store = Store::new(clock);
        for number in 0..3 {
            store.insert("configmaps", "a", &number.to_string(), object(&number.to_string())).unwrap();
        }
        let mut busy = store.insert("configmaps", "a", "busy", object("busy")).unwrap();
        let first_page = store.revision();
        for _ in 0..5000 {
            busy = store.replace("configmaps", &busy, object("busy")).unwrap();
        }
        // Another kind's changes take nothing away from this one's.
        store.insert("pods", "a", "x", object("x")).unwrap();
        handle.advance(history::KEPT_FOR);
        store.insert("pods", "a", "y", object("y")).unwrap();
        assert_eq!(store.list_at("configmaps", None, first_page).unwrap().len(), 4);
        assert_eq!(store.changes_since("configmaps", first_page).unwrap().len(), 5000);
        handle.advance(std::time::Duration::from_secs(1));
        store.insert("secrets", "a", "z", object("z")).unwrap();
        let oldest = first_page + 5000;
        assert_eq!(store.changes_since("configmaps", first_page).unwrap_err(), TooOld { oldest });
        assert_eq!(store.list_at("configmaps", None, first_page).unwrap_err(), TooOld { oldest });
        // What is up to date needs no history.
        assert!(store.changes_since("configmaps", oldest).unwrap().is_empty());
        assert_eq!(store.list("configmaps", None).0.len(), 4);
    }

    #[test]
    fn large_changes_are_forgotten_before_their_time_and_the_memory_is_bounded() {
        let store = Store::new(Clock::real());
        let big = |name: &str| json!({"metadata": {"name": name, "namespace": "a"}, "data": "x".repeat(1 << 20)});
        let mut object = store.insert("configmaps", "a", "big", big("big")).unwrap();
        for _ in 0..(history::BYTES_MAX >> 20) {
            object = store.replace("configmaps", &object, big("big")).unwrap();
        }
        let oldest = store.changes_since("configmaps", 0).unwrap_err().oldest;
        let kept = store.changes_since("configmaps", oldest).unwrap();
        assert!(kept.len() << 20 <= history::BYTES_MAX && kept.len() > 100, "{}", kept.len());
        // Even one that is larger than everything together is there for those who wait for it.
        let huge = json!({"metadata": {"name": "huge", "namespace": "a"}, "data": "x".repeat(history::BYTES_MAX)});
        let before = store.revision();
        store.insert("secrets", "a", "huge", huge).unwrap();
        assert_eq!(store.changes_since("secrets", before).unwrap().len(), 1);
    }
}
