//! Local copies of the objects that are read all the time, kept fresh by watches.

mod autoscaler;
mod store;
mod text;

use std::future::Future;
use std::sync::Arc;

use keda::api::{ClusterTriggerAuthentication, Condition, ScaledJob, ScaledObject, TriggerAuthentication};
use keda::naming::{self, SCALED_JOB_LABEL};
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::broadcast;

use self::autoscaler::Autoscaler;
pub(crate) use self::store::Cache;
use self::store::{Notify, everywhere, scopes, watched};
pub(crate) use self::text::{Opened, Text, Version};
use crate::authentication::{CLUSTER_KIND, KIND};
use crate::inputs::Inputs;
use crate::jobs::{self, Jobs};
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

/// All caches.
#[derive(Clone)]
pub(crate) struct Caches {
    pub(crate) scaled_objects: Cache<Text<ScaledObject>>,
    pub(crate) scaled_jobs: Cache<Text<ScaledJob>>,
    /// The Jobs of ScaledJobs.
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) authentications: Cache<Text<TriggerAuthentication>>,
    pub(crate) cluster_authentications: Cache<Text<ClusterTriggerAuthentication>>,
    autoscalers: Cache<Autoscaler>,
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

impl Caches {
    /// The caches and the future that keeps them fresh; it never ends.
    pub(crate) fn new(client: &Client, settings: &Settings) -> (Self, impl Future<Output = ()> + use<>) {
        let (changes, _) = broadcast::channel(4096);
        let namespaces = &settings.watch_namespaces;
        let (users, masters) = (Arc::new(Users::default()), Arc::new(Masters::default()));
        let (scaled_objects, first) = watched(scopes(client, namespaces), None, slim, &|| {
            notify_of_scaled_objects(changes.clone(), Arc::clone(&users), Arc::clone(&masters))
        });
        let (authentications, second) =
            watched(scopes(client, namespaces), None, slim, &|| notify_of_authentications(changes.clone(), KIND));
        let (cluster_authentications, third) =
            watched(vec![everywhere(client)], None, slim, &|| notify_of_authentications(changes.clone(), CLUSTER_KIND));
        let (autoscalers, fourth) = watched(scopes(client, namespaces), None, Autoscaler::of, &|| {
            notify_of_autoscalers(changes.clone(), Arc::clone(&masters))
        });
        let announcing = changes.clone();
        let inputs = Arc::new(Inputs::new(move |user, are_values| {
            let _ = announcing.send(Change::Inputs { user, are_values });
        }));
        let fifth = inputs.follow(client, settings);
        let (scaled_jobs, sixth) = watched(scopes(client, namespaces), None, slim, &|| {
            notify_of_scaled_jobs(changes.clone(), Arc::clone(&users))
        });
        let jobs = Arc::new(Jobs::default());
        let (_, seventh) = watched(scopes(client, namespaces), Some(SCALED_JOB_LABEL), jobs::Kept::of, &|| {
            let jobs = Arc::clone(&jobs);
            Box::new(move |key, before, now| jobs.learn(key, before, now))
        });
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
            self.scaled_jobs.has(&reference.key)
        } else {
            self.scaled_objects.has(&reference.key)
        }
    }

    /// Whether an HPA of that name is beside the object.
    pub(crate) fn has_autoscaler(&self, object: &ScaledObject, name: &str) -> bool {
        self.autoscalers.has(&Key::new(&Key::of(&object.metadata).namespace, name))
    }

    /// What the HPA of a ScaledObject says of itself, as a condition of the object; `None` before it says anything.
    pub(crate) fn hpa_active(&self, object: &ScaledObject) -> Option<Condition> {
        let name = object.status.as_ref()?.hpa_name.as_deref()?;
        let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
        self.autoscalers.get(&Key::new(namespace, name))?.health.clone()
    }

    /// The version of a (Cluster)TriggerAuthentication; `None` if there is none.
    pub(crate) fn version(&self, reference: &Reference) -> Option<Version> {
        if reference.kind == CLUSTER_KIND {
            self.cluster_authentications.get(&reference.key).map(|found| found.version.clone())
        } else {
            self.authentications.get(&reference.key).map(|found| found.version.clone())
        }
    }
}

/// The version of what is kept of an object, if it is there.
fn version<K>(object: Option<&Arc<Text<K>>>) -> Option<&Version> {
    object.map(|object| &object.version)
}

fn notify_of_scaled_objects(
    changes: broadcast::Sender<Change>,
    users: Arc<Users>,
    masters: Arc<Masters>,
) -> Notify<Text<ScaledObject>> {
    Box::new(move |key, before, now| {
        // What it claims and uses is of its spec; most changes are of its status, and cost no reading.
        if version(before) != version(now) {
            let object = now.map(|object| object.open());
            for peer in masters.learn_object(key, object.as_ref()) {
                let _ = changes.send(Change::Autoscaler(peer));
            }
            let user = Reference { kind: SCALED_OBJECT, key: key.clone() };
            for reference in users.learn(&user, object.as_ref().map(|object| object as &dyn Owner)) {
                let _ = changes.send(Change::Consumers(reference));
            }
        }
        let _ = changes.send(Change::ScaledObject(key.clone()));
    })
}

fn notify_of_scaled_jobs(changes: broadcast::Sender<Change>, users: Arc<Users>) -> Notify<Text<ScaledJob>> {
    Box::new(move |key, before, now| {
        if version(before) != version(now) {
            let object = now.map(|object| object.open());
            let user = Reference { kind: SCALED_JOB, key: key.clone() };
            for reference in users.learn(&user, object.as_ref().map(|object| object as &dyn Owner)) {
                let _ = changes.send(Change::Consumers(reference));
            }
        }
        let _ = changes.send(Change::ScaledJob(key.clone()));
    })
}

fn notify_of_authentications<K: 'static>(changes: broadcast::Sender<Change>, kind: &'static str) -> Notify<Text<K>> {
    Box::new(move |key, before, now| {
        let reference = Reference { kind, key: key.clone() };
        let has_changed = version(before) != version(now);
        let _ = changes.send(if has_changed { Change::Credentials(reference) } else { Change::Consumers(reference) });
    })
}

/// Changes of HPAs; of their status only whether they can work.
fn notify_of_autoscalers(changes: broadcast::Sender<Change>, masters: Arc<Masters>) -> Notify<Autoscaler> {
    Box::new(move |key, before, now| {
        let mut touched = masters.learn_autoscaler(key, now.and_then(|now| now.claim.clone()));
        let health = |one: Option<&Arc<Autoscaler>>| one.and_then(|one| one.health.clone());
        if let Some(owner) = now.and_then(|now| now.owner(key))
            && (before.is_none() || health(before) != health(now))
        {
            let _ = changes.send(Change::Health(owner));
        }
        let is = |one: Option<&Arc<Autoscaler>>| one.map(|one| one.content);
        if is(before) != is(now) {
            touched.extend(before.into_iter().chain(now).filter_map(|one| one.owner(key)));
        }
        for owner in touched {
            let _ = changes.send(Change::Autoscaler(owner));
        }
    })
}

/// Without what is of no use here and is often longer than the rest: who wrote which field, and what kubectl applied last.
fn slim<K: Resource + Serialize + DeserializeOwned>(mut object: K) -> Text<K> {
    let metadata = object.meta_mut();
    metadata.managed_fields = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(naming::LAST_APPLIED);
    }
    Text::of(&object)
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
