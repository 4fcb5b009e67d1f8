//! The watched copy of one kind: list, watch from there, list again when the watch breaks.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Change, World};
use crate::discovery::Resource;
use crate::object::{Key, items, text, uid, version};

/// How many deleted objects are remembered, so that a late answer does not bring one back.
const TOMBSTONES_MAX: usize = 2048;
/// Real pause before a broken watch is taken up again.
const RETRY: Duration = Duration::from_millis(200);

pub(super) struct Kind {
    pub(super) resource: Resource,
    pub(super) stop: CancellationToken,
    copy: Mutex<Copy>,
    synced: AtomicBool,
}

#[derive(Default)]
struct Copy {
    objects: BTreeMap<Key, Arc<Value>>,
    tombstones: VecDeque<String>,
}

impl Kind {
    pub(super) fn new(resource: Resource, stop: CancellationToken) -> Self {
        Self { resource, stop, copy: Mutex::default(), synced: AtomicBool::new(false) }
    }

    fn copy(&self) -> MutexGuard<'_, Copy> {
        self.copy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Value>> {
        self.copy().objects.get(key).cloned()
    }

    pub(super) fn list(&self, namespace: Option<&str>) -> Vec<Arc<Value>> {
        let copy = self.copy();
        let inside = |key: &Key| namespace.is_none_or(|namespace| key.namespace == namespace);
        copy.objects.iter().filter(|(key, _)| inside(key)).map(|(_, object)| Arc::clone(object)).collect()
    }

    pub(super) fn synced(&self) -> bool {
        self.synced.load(Ordering::Acquire)
    }

    /// Takes in an object unless the copy is as new or the object is known to be gone.
    pub(super) fn put(&self, world: &World, object: Value) {
        let (key, object) = (Key::of(&object), Arc::new(object));
        let mut copy = self.copy();
        if copy.tombstones.iter().any(|gone| gone == uid(&object)) {
            return;
        }
        let old = copy.objects.get(&key).cloned();
        if old.as_ref().is_some_and(|old| version(old) >= version(&object)) {
            return;
        }
        copy.objects.insert(key, Arc::clone(&object));
        // Published under the lock: subscribers see changes of an object in the copy's order.
        match old {
            Some(old) if uid(&old) != uid(&object) => {
                world.publish(Change { id: self.resource.id(), old: Some(old), new: None });
                world.publish(Change { id: self.resource.id(), old: None, new: Some(object) });
            }
            old => world.publish(Change { id: self.resource.id(), old, new: Some(object) }),
        }
    }

    /// Forgets an object that is gone.
    pub(super) fn drop_object(&self, world: &World, object: &Value) {
        let mut copy = self.copy();
        copy.tombstones.push_back(uid(object).to_owned());
        if copy.tombstones.len() > TOMBSTONES_MAX {
            copy.tombstones.pop_front();
        }
        let key = Key::of(object);
        if copy.objects.get(&key).is_some_and(|known| uid(known) == uid(object))
            && let Some(old) = copy.objects.remove(&key)
        {
            world.publish(Change { id: self.resource.id(), old: Some(old), new: None });
        }
    }

    /// Takes in a whole listing: what it lacks is gone, unless it was written after the listing.
    fn replace(&self, world: &World, listing: &Value, objects: Vec<Value>) {
        let listed = version(listing);
        let gone: Vec<Arc<Value>> = {
            let present: std::collections::BTreeSet<&str> = objects.iter().map(uid).collect();
            let copy = self.copy();
            let missing = |object: &&Arc<Value>| !present.contains(uid(object)) && version(object) <= listed;
            copy.objects.values().filter(missing).cloned().collect()
        };
        for object in gone {
            self.drop_object(world, &object);
        }
        for object in objects {
            self.put(world, object);
        }
        self.synced.store(true, Ordering::Release);
    }

    /// Lists and watches until stopped; then everything in the copy counts as gone.
    pub(super) async fn watch(self: Arc<Self>, world: Arc<World>) {
        while !self.stop.is_cancelled() {
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = self.follow(&world) => {}
            }
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = world.pause(RETRY) => {}
            }
        }
        for object in self.list(None) {
            self.drop_object(&world, &object);
        }
    }

    /// One listing and the watch that follows it, until the watch ends or reports an error (410 Gone among them).
    async fn follow(&self, world: &World) {
        let path = self.resource.collection("");
        let listing = match world.client.list(&path).await {
            Ok(listing) => listing,
            Err(status) => {
                tracing::debug!(kind = self.resource.id(), error = status.message(), "failed to list; trying again");
                return;
            }
        };
        let objects = items(&listing, "/items").iter().map(|object| self.typed(object.clone())).collect();
        self.replace(world, &listing, objects);
        let query = format!("resourceVersion={}&allowWatchBookmarks=true", text(&listing, "/metadata/resourceVersion"));
        let Ok(events) = world.client.watch(&path, &query).await else { return };
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            match event.kind {
                "ADDED" | "MODIFIED" => self.put(world, self.typed(event.object)),
                "DELETED" => self.drop_object(world, &event.object),
                "ERROR" => return,
                _ => {}
            }
        }
    }

    /// Items of a list need not name their kind; ours always do.
    fn typed(&self, mut object: Value) -> Value {
        if text(&object, "/kind").is_empty() {
            object["apiVersion"] = self.resource.api_version().into();
            object["kind"] = self.resource.kind.as_str().into();
        }
        object
    }
}
