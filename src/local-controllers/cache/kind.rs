//! The watched copy of one kind: list, watch from there, list again when the watch breaks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::copy::{Copy, Step};
use super::{Cache, Change};
use crate::discovery::Resource;
use crate::object::{Key, items, text, version};

/// Real pause before a broken watch is taken up again.
const RETRY: Duration = Duration::from_millis(200);

pub(super) struct Kind {
    pub(super) resource: Resource,
    pub(super) stop: CancellationToken,
    copy: Mutex<Copy>,
    synced: AtomicBool,
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

    /// Takes in the answer to a write, which may come before the watch says the same, or long after.
    pub(super) fn learn(&self, cache: &Cache, object: Value) {
        self.change(cache, |copy| copy.learn(object));
    }

    /// Changes the copy. Published under its lock: subscribers see the changes of an object in the copy's order.
    fn change(&self, cache: &Cache, change: impl FnOnce(&mut Copy) -> Vec<Step>) {
        let mut copy = self.copy();
        for (old, new) in change(&mut copy) {
            cache.publish(Change { id: self.resource.id(), old, new });
        }
    }

    /// Lists and watches until stopped; then everything in the copy counts as gone.
    pub(super) async fn watch(self: Arc<Self>, cache: Arc<Cache>) {
        while !self.stop.is_cancelled() {
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = self.follow(&cache) => {}
            }
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = cache.pause(RETRY) => {}
            }
        }
        self.change(&cache, Copy::end);
    }

    /// One listing and the watch that follows it, until the watch ends or reports an error (410 Gone among them).
    async fn follow(&self, cache: &Cache) {
        let path = self.resource.collection("");
        let listing = match cache.client.list(&path).await {
            Ok(listing) => listing,
            Err(status) => {
                tracing::debug!(kind = self.resource.id(), error = status.message(), "failed to list; trying again");
                return;
            }
        };
        let objects = items(&listing, "/items").iter().map(|object| self.typed(object.clone())).collect();
        self.change(cache, |copy| copy.replace(version(&listing), objects));
        self.synced.store(true, Ordering::Release);
        let query = format!("resourceVersion={}&allowWatchBookmarks=true", text(&listing, "/metadata/resourceVersion"));
        let Ok(events) = cache.client.watch(&path, &query).await else { return };
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            match event.kind {
                "ADDED" | "MODIFIED" => self.change(cache, |copy| copy.see(self.typed(event.object))),
                "DELETED" => self.change(cache, |copy| copy.see_gone(&event.object)),
                "BOOKMARK" => self.copy().observe(version(&event.object)),
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
