//! Local copies of the objects that are read all the time, kept fresh by watches.

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use keda::api::{ClusterTriggerAuthentication, ScaledObject, TriggerAuthentication};
use keda::naming::SCALED_OBJECT_LABEL;
use kube::api::ObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store, store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fmt::Debug;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use tokio::sync::broadcast;

use crate::client::WATCH_SECONDS;
use crate::error::brief;
use crate::settings::Settings;

/// Namespace and name of an object; the namespace is empty for cluster-wide kinds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    pub(crate) fn of(metadata: &ObjectMeta) -> Self {
        Self {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What has changed in the cluster. Consumers that fall behind must look at everything again.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    ScaledObject(Key),
    /// The HPA of that ScaledObject was changed by somebody in a way that matters, or is gone.
    Autoscaler(Key),
    Authentication(Key),
    ClusterAuthentication(Key),
}

/// One kind's objects in the watched namespaces.
#[derive(Clone)]
pub(crate) struct Cache<K: Resource<DynamicType = ()> + Clone + 'static>(Vec<Store<K>>);

impl<K> Cache<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<K>> {
        let mut reference = ObjectRef::<K>::new(&key.name);
        if !key.namespace.is_empty() {
            reference = reference.within(&key.namespace);
        }
        self.0.iter().find_map(|store| store.get(&reference))
    }

    pub(crate) fn all(&self) -> Vec<Arc<K>> {
        self.0.iter().flat_map(Store::state).collect()
    }

    async fn ready(&self) {
        for store in &self.0 {
            // An error means that the watch has ended, and with it the process.
            let _ = store.wait_until_ready().await;
        }
    }
}

/// All caches.
#[derive(Clone)]
pub(crate) struct Caches {
    pub(crate) scaled_objects: Cache<ScaledObject>,
    pub(crate) authentications: Cache<TriggerAuthentication>,
    pub(crate) cluster_authentications: Cache<ClusterTriggerAuthentication>,
    changes: broadcast::Sender<Change>,
}

impl Caches {
    /// The caches and the future that keeps them fresh; it never ends.
    pub(crate) fn new(client: &Client, settings: &Settings) -> (Self, impl Future<Output = ()> + use<>) {
        let (changes, _) = broadcast::channel(4096);
        let namespaces = &settings.watch_namespaces;
        let (scaled_objects, first) = watch(&apis(client, namespaces), &changes, Change::ScaledObject);
        let (authentications, second) = watch(&apis(client, namespaces), &changes, Change::Authentication);
        let cluster_wide = [Api::all(client.clone())];
        let (cluster_authentications, third) = watch(&cluster_wide, &changes, Change::ClusterAuthentication);
        let fourth = watch_autoscalers(apis(client, namespaces), changes.clone());
        let caches = Self { scaled_objects, authentications, cluster_authentications, changes };
        (caches, async move {
            tokio::join!(first, second, third, fourth);
        })
    }

    /// Changes from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Returns once each cache holds everything that the API server has.
    pub(crate) async fn synced(&self) {
        self.scaled_objects.ready().await;
        self.authentications.ready().await;
        self.cluster_authentications.ready().await;
    }
}

fn apis<K>(client: &Client, namespaces: &[String]) -> Vec<Api<K>>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
{
    if namespaces.is_empty() {
        return vec![Api::all(client.clone())];
    }
    namespaces.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect()
}

fn watch<K>(
    apis: &[Api<K>],
    changes: &broadcast::Sender<Change>,
    change: fn(Key) -> Change,
) -> (Cache<K>, impl Future<Output = ()> + use<K>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (mut stores, mut streams) = (Vec::new(), Vec::new());
    for api in apis {
        let (reader, writer) = store();
        stores.push(reader);
        let events =
            watcher(api.clone(), watcher::Config::default().timeout(WATCH_SECONDS)).default_backoff().reflect(writer);
        streams.push(drain(events, changes.clone(), change));
    }
    (Cache(stores), async move { stream::iter(streams).for_each_concurrent(None, |part| part).await })
}

async fn drain<K: Resource<DynamicType = ()>>(
    events: impl Stream<Item = watcher::Result<watcher::Event<K>>>,
    changes: broadcast::Sender<Change>,
    change: fn(Key) -> Change,
) {
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Apply(object) | watcher::Event::Delete(object)) => {
                let _ = changes.send(change(Key::of(object.meta())));
            }
            // What vanished while the watch was down is known by its name only through the cache: an empty key says "look".
            Ok(watcher::Event::InitDone) => {
                let _ = changes.send(change(Key::new("", "")));
            }
            Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => {}
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

/// Changes of HPAs that belong to a ScaledObject, without what the HPA controller writes into their status.
async fn watch_autoscalers(apis: Vec<Api<HorizontalPodAutoscaler>>, changes: broadcast::Sender<Change>) {
    let config = watcher::Config::default().timeout(WATCH_SECONDS).labels(SCALED_OBJECT_LABEL);
    let streams = apis.into_iter().map(|api| watcher(api, config.clone()).default_backoff().boxed());
    let mut events = stream::select_all(streams);
    let mut known = HashMap::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                let content = content(&object);
                if known.insert(Key::of(&object.metadata), content) != Some(content) {
                    let _ = changes.send(Change::Autoscaler(owner(&object)));
                }
            }
            Ok(watcher::Event::Delete(object)) => {
                known.remove(&Key::of(&object.metadata));
                let _ = changes.send(Change::Autoscaler(owner(&object)));
            }
            Ok(watcher::Event::Init | watcher::Event::InitDone) => {}
            Err(error) => failed("HorizontalPodAutoscaler", &error),
        }
    }
}

fn owner(object: &HorizontalPodAutoscaler) -> Key {
    let labels = object.metadata.labels.as_ref();
    let name = labels.and_then(|labels| labels.get(SCALED_OBJECT_LABEL)).map_or("", String::as_str);
    Key::new(object.metadata.namespace.as_deref().unwrap_or_default(), name)
}

fn content(object: &HorizontalPodAutoscaler) -> u64 {
    let mut hasher = DefaultHasher::new();
    let spec = serde_json::to_string(&object.spec).unwrap_or_default();
    (&object.metadata.uid, &object.metadata.labels, &object.metadata.annotations, spec).hash(&mut hasher);
    hasher.finish()
}
