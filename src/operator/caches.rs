//! Local copies of the objects that are read all the time, kept fresh by watches.

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use keda::api::{ClusterTriggerAuthentication, Condition, ScaledJob, ScaledObject, TriggerAuthentication};
use keda::conditions;
use keda::naming::{SCALED_JOB_LABEL, SCALED_OBJECT_LABEL};
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

use crate::authentication::{CLUSTER_KIND, KIND};
use crate::client::WATCH_SECONDS;
use crate::error::brief;
use crate::inputs::Inputs;
use crate::jobs::Jobs;
use crate::key::{Key, Reference};
use crate::masters::Masters;
use crate::owner::{Owner, SCALED_JOB, SCALED_OBJECT};
use crate::settings::Settings;
use crate::users::Users;

/// What has changed in the cluster. Consumers that fall behind must look at everything again.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    ScaledObject(Key),
    ScaledJob(Key),
    /// The HPA of that ScaledObject was changed by somebody in a way that matters, or is gone; or who else claims its target.
    Autoscaler(Key),
    /// The HPA of that ScaledObject can work now, or cannot any more; or its requests have put a fallback in force or ended it.
    Health(Key),
    /// What the triggers of that object were built from has changed: the values, or only the pod template of its workload.
    Inputs {
        user: Reference,
        are_values: bool,
    },
    /// What a (Cluster)TriggerAuthentication says has changed, or it came, is being deleted or went.
    Credentials(Reference),
    /// Something else about it has changed: its finalizers, its status, who uses it.
    Consumers(Reference),
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
    pub(crate) scaled_jobs: Cache<ScaledJob>,
    /// The Jobs of ScaledJobs.
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) authentications: Cache<TriggerAuthentication>,
    pub(crate) cluster_authentications: Cache<ClusterTriggerAuthentication>,
    autoscalers: Cache<HorizontalPodAutoscaler>,
    /// Who uses which authentication.
    pub(crate) users: Arc<Users>,
    /// Who may scale what.
    pub(crate) masters: Arc<Masters>,
    /// What triggers were built from, and since when a target is as it is.
    pub(crate) inputs: Arc<Inputs>,
    changes: broadcast::Sender<Change>,
    /// Whether each cache holds everything. A store itself wakes only one of those who wait for it.
    is_synced: tokio::sync::watch::Receiver<bool>,
}

/// What a (Cluster)TriggerAuthentication is to the triggers that use it: their credentials change with nothing else, in
/// particular not with its status, which the operator writes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    uid: Option<String>,
    generation: Option<i64>,
    is_terminating: bool,
}

impl Version {
    fn of(metadata: &ObjectMeta) -> Self {
        Self {
            uid: metadata.uid.clone(),
            generation: metadata.generation,
            is_terminating: metadata.deletion_timestamp.is_some(),
        }
    }
}

impl Caches {
    /// The caches and the future that keeps them fresh; it never ends.
    pub(crate) fn new(client: &Client, settings: &Settings) -> (Self, impl Future<Output = ()> + use<>) {
        let (changes, _) = broadcast::channel(4096);
        let namespaces = &settings.watch_namespaces;
        let (users, masters) = (Arc::new(Users::default()), Arc::new(Masters::default()));
        let (scaled_objects, first) = watch(&apis(client, namespaces), &|| {
            notify_of_scaled_objects(changes.clone(), Arc::clone(&users), Arc::clone(&masters))
        });
        let (authentications, second) =
            watch(&apis(client, namespaces), &|| notify_of_authentications(changes.clone(), KIND));
        let cluster_wide = [Api::all(client.clone())];
        let (cluster_authentications, third) =
            watch(&cluster_wide, &|| notify_of_authentications(changes.clone(), CLUSTER_KIND));
        let (autoscalers, fourth) =
            watch(&apis(client, namespaces), &|| notify_of_autoscalers(changes.clone(), Arc::clone(&masters)));
        let announcing = changes.clone();
        let inputs = Arc::new(Inputs::new(move |user, are_values| {
            let _ = announcing.send(Change::Inputs { user, are_values });
        }));
        let fifth = inputs.follow(client, settings);
        let (scaled_jobs, sixth) =
            watch(&apis(client, namespaces), &|| notify_of_scaled_jobs(changes.clone(), Arc::clone(&users)));
        let jobs = Arc::new(Jobs::default());
        let seventh = watch_jobs(&apis::<Job>(client, namespaces), &jobs);
        let (synced, is_synced) = tokio::sync::watch::channel(false);
        let caches = Self {
            scaled_objects,
            scaled_jobs,
            jobs,
            authentications,
            cluster_authentications,
            autoscalers,
            users,
            masters,
            inputs,
            changes,
            is_synced,
        };
        let filled = caches.clone();
        let filling = async move {
            filled.scaled_objects.ready().await;
            filled.scaled_jobs.ready().await;
            filled.authentications.ready().await;
            filled.cluster_authentications.ready().await;
            filled.autoscalers.ready().await;
            let _ = synced.send(true);
        };
        (caches, async move {
            tokio::join!(first, second, third, fourth, fifth, sixth, seventh, filling);
        })
    }

    /// Something has changed that no watch sees.
    pub(crate) fn announce(&self, change: Change) {
        let _ = self.changes.send(change);
    }

    /// Changes from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Returns once each cache holds everything that the API server has, for whoever waits.
    pub(crate) async fn synced(&self) {
        // An error means that the watches have ended, and with them the process.
        let _ = self.is_synced.clone().wait_for(|is_synced| *is_synced).await;
    }

    /// Whether that object with triggers is there.
    pub(crate) fn has_owner(&self, reference: &Reference) -> bool {
        if reference.kind == SCALED_JOB {
            self.scaled_jobs.get(&reference.key).is_some()
        } else {
            self.scaled_objects.get(&reference.key).is_some()
        }
    }

    /// Whether an HPA of that name is beside the object.
    pub(crate) fn has_autoscaler(&self, object: &ScaledObject, name: &str) -> bool {
        let Key { namespace, .. } = Key::of(&object.metadata);
        self.autoscalers.get(&Key { namespace, name: name.to_owned() }).is_some()
    }

    /// What the HPA of a ScaledObject says of itself, as a condition of the object; `None` before it says anything.
    pub(crate) fn hpa_active(&self, object: &ScaledObject) -> Option<Condition> {
        let name = object.status.as_ref()?.hpa_name.as_deref()?;
        let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
        health(self.autoscalers.get(&Key::new(namespace, name))?.as_ref())
    }

    /// The version of a (Cluster)TriggerAuthentication; `None` if there is none.
    pub(crate) fn version(&self, reference: &Reference) -> Option<Version> {
        if reference.kind == CLUSTER_KIND {
            self.cluster_authentications.get(&reference.key).map(|found| Version::of(&found.metadata))
        } else {
            self.authentications.get(&reference.key).map(|found| Version::of(&found.metadata))
        }
    }
}

/// Hears of an object as it is now, or that it is gone. The cache knows by then.
type Notify<K> = Box<dyn FnMut(&Key, Option<&K>) + Send>;

fn notify_of_scaled_objects(
    changes: broadcast::Sender<Change>,
    users: Arc<Users>,
    masters: Arc<Masters>,
) -> Notify<ScaledObject> {
    Box::new(move |key, object| {
        for peer in masters.learn_object(key, object) {
            let _ = changes.send(Change::Autoscaler(peer));
        }
        let user = Reference { kind: SCALED_OBJECT, key: key.clone() };
        for reference in users.learn(&user, object.map(|object| object as &dyn Owner)) {
            let _ = changes.send(Change::Consumers(reference));
        }
        let _ = changes.send(Change::ScaledObject(key.clone()));
    })
}

fn notify_of_scaled_jobs(changes: broadcast::Sender<Change>, users: Arc<Users>) -> Notify<ScaledJob> {
    Box::new(move |key, object| {
        let user = Reference { kind: SCALED_JOB, key: key.clone() };
        for reference in users.learn(&user, object.map(|object| object as &dyn Owner)) {
            let _ = changes.send(Change::Consumers(reference));
        }
        let _ = changes.send(Change::ScaledJob(key.clone()));
    })
}

fn notify_of_authentications<K: Resource<DynamicType = ()> + 'static>(
    changes: broadcast::Sender<Change>,
    kind: &'static str,
) -> Notify<K> {
    let mut versions = HashMap::new();
    Box::new(move |key, object| {
        let after = object.map(|object| Version::of(object.meta()));
        let before = match &after {
            Some(version) => versions.insert(key.clone(), version.clone()),
            None => versions.remove(key),
        };
        let reference = Reference { kind, key: key.clone() };
        let has_changed = before != after;
        let _ = changes.send(if has_changed { Change::Credentials(reference) } else { Change::Consumers(reference) });
    })
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

fn watch<K>(apis: &[Api<K>], notify: &dyn Fn() -> Notify<K>) -> (Cache<K>, impl Future<Output = ()> + use<K>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (mut stores, mut streams) = (Vec::new(), Vec::new());
    for api in apis {
        let (reader, writer) = store();
        stores.push(reader);
        let config = watcher::Config::default().timeout(WATCH_SECONDS);
        let events = watcher(api.clone(), config).default_backoff();
        // Who wrote which field is of no use here, and is often longer than the rest.
        let events = events.modify(|object| object.meta_mut().managed_fields = None).reflect(writer);
        streams.push(drain(events, notify()));
    }
    (Cache(stores), async move { stream::iter(streams).for_each_concurrent(None, |part| part).await })
}

/// Follows the Jobs of ScaledJobs.
fn watch_jobs(apis: &[Api<Job>], into: &Arc<Jobs>) -> impl Future<Output = ()> + use<> {
    let config = || watcher::Config::default().timeout(WATCH_SECONDS).labels(SCALED_JOB_LABEL);
    let streams: Vec<_> = apis
        .iter()
        .map(|api| {
            let events = watcher(api.clone(), config()).default_backoff();
            let into = Arc::clone(into);
            drain(events, Box::new(move |key: &Key, job: Option<&Job>| into.learn(key, job)))
        })
        .collect();
    async move { stream::iter(streams).for_each_concurrent(None, |part| part).await }
}

/// Notifies of each object that has changed, also while the watch was down: what is listed anew is compared with what was known.
async fn drain<K: Resource<DynamicType = ()>>(
    events: impl Stream<Item = watcher::Result<watcher::Event<K>>>,
    mut notify: Notify<K>,
) {
    let mut events = std::pin::pin!(events);
    let (mut known, mut listed) = (HashMap::new(), HashMap::new());
    let version = |object: &K| object.meta().resource_version.clone();
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Apply(object)) => {
                let key = Key::of(object.meta());
                known.insert(key.clone(), version(&object));
                notify(&key, Some(&object));
            }
            Ok(watcher::Event::Delete(object)) => {
                let key = Key::of(object.meta());
                known.remove(&key);
                notify(&key, None);
            }
            Ok(watcher::Event::Init) => listed.clear(),
            Ok(watcher::Event::InitApply(object)) => {
                listed.insert(Key::of(object.meta()), object);
            }
            Ok(watcher::Event::InitDone) => {
                let now: HashMap<_, _> = listed.iter().map(|(key, object)| (key.clone(), version(object))).collect();
                let before = std::mem::replace(&mut known, now);
                for key in before.keys().filter(|key| !listed.contains_key(*key)) {
                    notify(key, None);
                }
                for (key, object) in listed.drain().filter(|(key, object)| before.get(key) != Some(&version(object))) {
                    notify(&key, Some(&object));
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

/// What is known of an HPA, to distinguish what has changed.
#[derive(Clone, PartialEq)]
struct Known {
    content: u64,
    owner: Option<Key>,
    health: Option<Condition>,
}

/// Changes of HPAs; of their status only whether they can work.
fn notify_of_autoscalers(changes: broadcast::Sender<Change>, masters: Arc<Masters>) -> Notify<HorizontalPodAutoscaler> {
    let mut known: HashMap<Key, Known> = HashMap::new();
    Box::new(move |key, object| {
        let mut touched = masters.learn_autoscaler(key, object);
        let after =
            object.map(|object| Known { content: content(object), owner: owner(object), health: health(object) });
        let before = match after.clone() {
            Some(after) => known.insert(key.clone(), after),
            None => known.remove(key),
        };
        if let Some(Known { owner: Some(owner), health, .. }) = &after
            && before.as_ref().is_none_or(|before| before.health != *health)
        {
            let _ = changes.send(Change::Health(owner.clone()));
        }
        let is = |known: &Option<Known>| known.as_ref().map(|known| (known.content, known.owner.clone()));
        if is(&before) != is(&after) {
            touched.extend(before.into_iter().chain(after).filter_map(|known| known.owner));
        }
        for owner in touched {
            let _ = changes.send(Change::Autoscaler(owner));
        }
    })
}

/// The ScaledObject that it is labelled with.
fn owner(object: &HorizontalPodAutoscaler) -> Option<Key> {
    let name = object.metadata.labels.as_ref()?.get(SCALED_OBJECT_LABEL)?;
    Some(Key::new(object.metadata.namespace.as_deref().unwrap_or_default(), name))
}

/// What it says of itself in its condition ScalingActive.
fn health(object: &HorizontalPodAutoscaler) -> Option<Condition> {
    let conditions = object.status.as_ref()?.conditions.as_ref()?;
    let said = conditions.iter().find(|condition| condition.type_ == "ScalingActive")?;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Some(conditions::hpa_active(said.status == "True", &text(&said.reason), &text(&said.message)))
}

fn content(object: &HorizontalPodAutoscaler) -> u64 {
    let mut hasher = DefaultHasher::new();
    let spec = serde_json::to_string(&object.spec).unwrap_or_default();
    (&object.metadata.uid, &object.metadata.labels, &object.metadata.annotations, spec).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use clock::Clock;
    use futures::future::join_all;

    use crate::scripted::{Server, soon};
    use crate::settings::Settings;

    #[tokio::test]
    async fn everybody_who_waits_for_the_caches_is_woken() {
        let server = Server::start([], |_| None);
        let (context, watching) = server.handles(Clock::real(), &Settings::default()).await;
        let waiting = [(); 3].map(|()| {
            let context = std::sync::Arc::clone(&context);
            tokio::spawn(async move { context.caches.synced().await })
        });
        // Each has begun to wait.
        tokio::task::yield_now().await;
        let _watching = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(watching));
        soon(join_all(waiting)).await;
    }
}
