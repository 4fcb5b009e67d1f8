//! What is kept of one kind's objects, and the watch that keeps it fresh. Only what is used of an object is kept, since there may be ten
//! thousand of them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::join_all;
use futures::{FutureExt, StreamExt};
use kube::api::ObjectMeta;
use kube::core::NamespaceResourceScope;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use tokio::sync::watch;

use crate::client::WATCH_SECONDS;
use crate::error::brief;
use crate::key::Key;

/// Hears of what is kept of an object as it was and as it is now; nothing where it was not there, or is gone. The cache knows by then.
pub(super) type Notify<T> = Box<dyn FnMut(&Key, Option<&Arc<T>>, Option<&Arc<T>>) + Send>;

/// One kind's objects in the watched namespaces.
pub(crate) struct Cache<T> {
    kept: Arc<Mutex<HashMap<Key, Kept<T>>>>,
    /// How many watches have not listed yet what there is.
    unlisted: watch::Receiver<usize>,
}

impl<T> Clone for Cache<T> {
    fn clone(&self) -> Self {
        Self { kept: Arc::clone(&self.kept), unlisted: self.unlisted.clone() }
    }
}

/// What is kept of an object.
struct Kept<T> {
    /// A digest of its resource version.
    version: u64,
    of: Arc<T>,
}

impl<T> Kept<T> {
    fn new(metadata: &ObjectMeta, keep: impl FnOnce() -> T) -> Self {
        let mut hasher = DefaultHasher::new();
        metadata.resource_version.hash(&mut hasher);
        Self { version: hasher.finish(), of: Arc::new(keep()) }
    }
}

impl<T> Cache<T> {
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<T>> {
        self.lock().get(key).map(|kept| Arc::clone(&kept.of))
    }

    pub(crate) fn has(&self, key: &Key) -> bool {
        self.lock().contains_key(key)
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// The keys of all.
    pub(crate) fn keys(&self) -> Vec<Key> {
        self.lock().keys().cloned().collect()
    }

    pub(super) async fn ready(&self) {
        // An error means that the watches have ended, and with them the process.
        let _ = self.unlisted.clone().wait_for(|unlisted| *unlisted == 0).await;
    }

    /// All objects of a namespace, or of all, are these. Returns what has changed: what was there, and what is.
    fn replace(&self, namespace: Option<&str>, listed: HashMap<Key, Kept<T>>) -> Vec<Replaced<T>> {
        let mut kept = self.lock();
        let is_gone = |key: &Key| namespace.is_none_or(|here| here == key.namespace) && !listed.contains_key(key);
        let gone: Vec<_> = kept.keys().filter(|key| is_gone(key)).cloned().collect();
        let mut changed = Vec::new();
        for key in gone {
            let before = kept.remove(&key).map(|before| before.of);
            changed.push((key, before, None));
        }
        for (key, now) in listed {
            let before = kept.get(&key);
            if before.is_some_and(|before| before.version == now.version) {
                continue;
            }
            let of = Arc::clone(&now.of);
            let before = kept.insert(key.clone(), now).map(|before| before.of);
            changed.push((key, before, Some(of)));
        }
        changed
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Kept<T>>> {
        // The map is consistent between any two of its operations, so a panic elsewhere does not spoil it.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Replaced<T> = (Key, Option<Arc<T>>, Option<Arc<T>>);

/// Where a watch looks: a namespace, or all of them.
pub(super) struct Scope<K> {
    namespace: Option<String>,
    api: Api<K>,
}

/// All namespaces, or these.
pub(super) fn scopes<K>(client: &Client, namespaces: &[String]) -> Vec<Scope<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    if namespaces.is_empty() {
        return vec![everywhere(client)];
    }
    let one = |namespace: &String| Scope {
        namespace: Some(namespace.clone()),
        api: Api::namespaced(client.clone(), namespace),
    };
    namespaces.iter().map(one).collect()
}

/// The whole cluster.
pub(super) fn everywhere<K: Resource<DynamicType = ()>>(client: &Client) -> Scope<K> {
    Scope { namespace: None, api: Api::all(client.clone()) }
}

/// A cache of what `keep` makes of each object that has the label, and the future that keeps it fresh; that never ends.
pub(super) fn watched<K, T>(
    scopes: Vec<Scope<K>>,
    label: Option<&str>,
    keep: fn(K) -> T,
    notify: &dyn Fn() -> Notify<T>,
) -> (Cache<T>, impl Future<Output = ()> + Send + use<K, T>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
    T: Send + Sync + 'static,
{
    let (listed, unlisted) = watch::channel(scopes.len());
    let cache = Cache { kept: Arc::default(), unlisted };
    let listed = Arc::new(listed);
    let config = watcher::Config::default().timeout(WATCH_SECONDS);
    let config = label.map_or(config.clone(), |label| config.labels(label));
    let follow = |scope| {
        let first = {
            let listed = Arc::clone(&listed);
            move || listed.send_modify(|unlisted| *unlisted -= 1)
        };
        drain(scope, config.clone(), cache.clone(), keep, notify(), first).boxed()
    };
    let watches: Vec<_> = scopes.into_iter().map(follow).collect();
    (cache, async move { drop(join_all(watches).await) })
}

/// Notifies of each object that has changed, also while the watch was down: what is listed anew is compared with what was known.
async fn drain<K, T>(
    scope: Scope<K>,
    config: watcher::Config,
    cache: Cache<T>,
    keep: fn(K) -> T,
    mut notify: Notify<T>,
    first: impl FnOnce() + Send,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut events = std::pin::pin!(watcher(scope.api, config).default_backoff());
    let mut listed = HashMap::new();
    let mut first = Some(first);
    let kept = |object: K| {
        let metadata = object.meta().clone();
        (Key::of(&metadata), Kept::new(&metadata, || keep(object)))
    };
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Apply(object)) => {
                let (key, now) = kept(object);
                let of = Arc::clone(&now.of);
                let before = cache.lock().insert(key.clone(), now);
                notify(&key, before.as_ref().map(|before| &before.of), Some(&of));
            }
            Ok(watcher::Event::Delete(object)) => {
                let key = Key::of(object.meta());
                let before = cache.lock().remove(&key);
                notify(&key, before.as_ref().map(|before| &before.of), None);
            }
            Ok(watcher::Event::Init) => listed.clear(),
            Ok(watcher::Event::InitApply(object)) => {
                let (key, now) = kept(object);
                listed.insert(key, now);
            }
            Ok(watcher::Event::InitDone) => {
                for (key, before, now) in cache.replace(scope.namespace.as_deref(), std::mem::take(&mut listed)) {
                    notify(&key, before.as_ref(), now.as_ref());
                }
                if let Some(first) = first.take() {
                    first();
                }
            }
            Err(error) => failed(&K::kind(&()), &error),
        }
    }
}

fn failed(kind: &str, error: &watcher::Error) {
    let cause = match error {
        watcher::Error::InitialListFailed(cause)
        | watcher::Error::WatchStartFailed(cause)
        | watcher::Error::WatchFailed(cause) => brief(cause),
        watcher::Error::WatchError(status) => format!("{} ({})", status.message, status.reason),
        other @ watcher::Error::NoResourceVersion => other.to_string(),
    };
    tracing::warn!(kind, error = %cause, "watch failed; trying again");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(version: u64, of: &'static str) -> Kept<&'static str> {
        Kept { version, of: Arc::new(of) }
    }

    #[test]
    fn a_list_replaces_what_was_kept_of_its_namespace_and_says_what_has_changed() {
        let cache = Cache { kept: Arc::default(), unlisted: watch::channel(0).1 };
        let key = |namespace: &str, name: &str| Key::new(namespace, name);
        let shop = [("same", 1, "a"), ("changed", 1, "b"), ("gone", 1, "c")];
        cache.replace(None, shop.map(|(name, version, of)| (key("shop", name), kept(version, of))).into());
        cache.replace(Some("other"), [(key("other", "same"), kept(1, "d"))].into());
        let listed = [("same", 1, "a"), ("changed", 2, "B"), ("new", 1, "e")];
        let listed = listed.map(|(name, version, of)| (key("shop", name), kept(version, of))).into();
        let mut changed: Vec<_> = cache
            .replace(Some("shop"), listed)
            .into_iter()
            .map(|(key, before, now)| (key.name.clone(), before.map(|one| *one), now.map(|one| *one)))
            .collect();
        changed.sort();
        let expected = [("changed", Some("b"), Some("B")), ("gone", Some("c"), None), ("new", None, Some("e"))];
        assert_eq!(changed, expected.map(|(name, before, now)| (name.to_owned(), before, now)));
        assert_eq!(cache.keys().len(), 4, "the other namespace is another watch's");
        assert_eq!(cache.get(&key("shop", "changed")).as_deref(), Some(&"B"));
        assert!(cache.has(&key("other", "same")) && !cache.has(&key("shop", "gone")));
    }
}
