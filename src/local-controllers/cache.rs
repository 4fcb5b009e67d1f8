//! What the controllers know of the cluster: one watched copy of every kind, and the writes that keep it fresh.
//!
//! Writes go through here too: the server's answer is put into the copy at once, so that a reconcile which follows its
//! own write reads it back and never acts twice on the same state (the reason for "expectations" elsewhere).

mod copy;
mod kind;
mod write;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use clock::Clock;
use local_apiserver::Client;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::discovery::{self, Discovered, Resource};
use crate::error::Result;
use crate::object::Key;
use kind::Kind;

/// Kinds that are not copied: nothing reconciles them, and there are many.
const UNWATCHED: [&str; 2] = ["events", "events.events.k8s.io"];
/// Kinds whose change means that there may be new kinds.
const KINDS_OF_KINDS: [&str; 2] =
    ["customresourcedefinitions.apiextensions.k8s.io", "apiservices.apiregistration.k8s.io"];
/// Real pause before discovery and watches are tried again.
const RETRY: Duration = Duration::from_millis(300);

/// An object appeared (`old` is none), changed, or went (`new` is none).
#[derive(Debug)]
pub(crate) struct Change {
    /// The kind, as [`Resource::id`] names it.
    pub(crate) id: String,
    pub(crate) old: Option<Arc<Value>>,
    pub(crate) new: Option<Arc<Value>>,
}

impl Change {
    /// The object after the change, or its last form.
    pub(crate) fn object(&self) -> Option<&Arc<Value>> {
        self.new.as_ref().or(self.old.as_ref())
    }
}

/// The watched copy of the cluster.
pub(crate) struct Cache {
    pub(crate) clock: Clock,
    /// Acts as the controller manager.
    pub(crate) client: Client,
    kinds: RwLock<BTreeMap<String, Arc<Kind>>>,
    /// The watches of kinds, those that have been stopped too: a kind that comes back waits for its predecessor's end, so
    /// that the end of the one is not taken for the end of the other's objects.
    watches: Mutex<BTreeMap<String, JoinHandle<()>>>,
    subscribers: Mutex<Vec<UnboundedSender<Arc<Change>>>>,
}

impl Cache {
    pub(crate) fn new(clock: Clock, client: Client) -> Arc<Self> {
        Arc::new(Self {
            clock,
            client,
            kinds: RwLock::default(),
            watches: Mutex::default(),
            subscribers: Mutex::default(),
        })
    }

    /// Every change from now on; to be called before [`Cache::run`] to see the first state as changes too.
    pub(crate) fn subscribe(&self) -> UnboundedReceiver<Arc<Change>> {
        let (sender, receiver) = unbounded_channel();
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    fn publish(&self, change: Change) {
        let change = Arc::new(change);
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|subscriber| subscriber.send(Arc::clone(&change)).is_ok());
    }

    pub(crate) fn get(&self, id: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.kind(id)?.get(&Key::new(namespace, name))
    }

    /// All objects of a kind, or those of one namespace.
    pub(crate) fn list(&self, id: &str, namespace: Option<&str>) -> Vec<Arc<Value>> {
        self.kind(id).map(|kind| kind.list(namespace)).unwrap_or_default()
    }

    /// Whether the first listing of this kind has been read.
    pub(crate) fn synced(&self, id: &str) -> bool {
        self.kind(id).is_some_and(|kind| kind.synced())
    }

    pub(crate) fn resources(&self) -> Vec<Resource> {
        let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        kinds.values().map(|kind| kind.resource.clone()).collect()
    }

    fn kind(&self, id: &str) -> Option<Arc<Kind>> {
        self.kinds.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Keeps the copy up to date until `stop`: discovers kinds, watches each, discovers again when kinds come and go.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut changes = self.subscribe();
        loop {
            match discovery::fetch(&self.client).await {
                Ok(found) => {
                    let incomplete = !found.failed.is_empty();
                    self.adopt(found, &stop);
                    if incomplete && !self.kinds_changed(&mut changes, &stop, Some(RETRY * 10)).await {
                        return;
                    }
                    if !incomplete && !self.kinds_changed(&mut changes, &stop, None).await {
                        return;
                    }
                }
                Err(error) => tracing::debug!(%error, "discovery failed; trying again"),
            }
            tokio::select! {
                () = self.pause(RETRY) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Waits for a change of kinds, at most `limit` real time; false when stopped.
    async fn kinds_changed(
        &self,
        changes: &mut UnboundedReceiver<Arc<Change>>,
        stop: &CancellationToken,
        limit: Option<Duration>,
    ) -> bool {
        let timer = async {
            match limit {
                Some(limit) => self.pause(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(timer);
        loop {
            tokio::select! {
                () = stop.cancelled() => return false,
                () = &mut timer => return true,
                change = changes.recv() => match change {
                    None => return false,
                    Some(change) if KINDS_OF_KINDS.contains(&change.id.as_str()) => return true,
                    Some(_) => {}
                },
            }
        }
    }

    /// Starts watching new kinds and stops watching gone ones; kinds of a group that failed discovery stay.
    fn adopt(self: &Arc<Self>, found: Discovered, stop: &CancellationToken) {
        let is_copied = |one: &Resource| one.can("list") && one.can("watch") && !UNWATCHED.contains(&one.id().as_str());
        let wanted: BTreeMap<String, Resource> =
            found.resources.into_iter().filter(is_copied).map(|one| (one.id(), one)).collect();
        let failed: Vec<String> = found.failed.into_iter().map(|(group_version, _)| group_version).collect();
        let mut kinds = self.kinds.write().unwrap_or_else(PoisonError::into_inner);
        kinds.retain(|id, kind| {
            let keep = wanted.get(id) == Some(&kind.resource) || failed.contains(&kind.resource.api_version());
            if !keep {
                kind.stop.cancel();
            }
            keep
        });
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, resource) in wanted {
            kinds.entry(id.clone()).or_insert_with(|| {
                let kind = Arc::new(Kind::new(resource, stop.child_token()));
                let (before, watch) = (watches.remove(&id), Arc::clone(&kind).watch(Arc::clone(self)));
                let after = async move {
                    if let Some(before) = before {
                        // Whether it ended well or not, it has ended.
                        let _ = before.await;
                    }
                    watch.await;
                };
                watches.insert(id, tokio::spawn(after));
                kind
            });
        }
    }

    /// A pause in real time, for retries that have nothing to do with the system's own pace.
    pub(crate) async fn pause(&self, real: Duration) {
        self.clock.sleep(self.clock.to_system(real)).await;
    }

    /// Discovery as it is now, aggregated groups included.
    pub(crate) async fn discover(&self) -> Result<Discovered> {
        discovery::fetch(&self.client).await
    }
}
