//! Finalizers of (Cluster)TriggerAuthentications, and the objects that use them.
//!
//! Who uses one is derived from the caches each time, so a trigger that stops using it is taken off (KEDA 2.14 forgets to).

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::Arc;

use keda::api::{
    ClusterTriggerAuthentication, TriggerAuthentication, TriggerAuthenticationSpec, TriggerAuthenticationStatus,
};
use keda::event::Event;
use keda::validate;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio_util::sync::CancellationToken;

use crate::authentication::{CLUSTER_KIND, KIND};
use crate::caches::Change;
use crate::context::Context;
use crate::error::{brief, is_conflict, is_not_found};
use crate::finalizers;
use crate::key::Reference;
use crate::owner::{SCALED_JOB, SCALED_OBJECT};
use crate::stop::unless_stopped;

/// Keeps them until `stop`.
pub(crate) async fn run(context: Arc<Context>, stop: CancellationToken) {
    let mut changes = context.caches.subscribe();
    let mut due = all(&context);
    let mut seen = Seen::default();
    loop {
        let looking = async {
            for reference in &due {
                look(&context, reference, &mut seen).await;
            }
        };
        if unless_stopped(&stop, looking).await.is_none() {
            return;
        }
        due.clear();
        let Some(change) = unless_stopped(&stop, changes.recv()).await else { return };
        let mut change = change.map_err(|error| match error {
            RecvError::Closed => TryRecvError::Closed,
            RecvError::Lagged(count) => TryRecvError::Lagged(count),
        });
        // One look answers for all changes of one authentication that have come so far.
        loop {
            match change {
                Ok(Change::Credentials(reference) | Change::Consumers(reference)) => {
                    due.insert(reference);
                }
                Ok(
                    Change::ScaledObject(_)
                    | Change::ScaledJob(_)
                    | Change::Autoscaler(_)
                    | Change::Health(_)
                    | Change::Inputs { .. },
                ) => {}
                Err(TryRecvError::Lagged(_)) => due = all(&context),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Closed) => return,
            }
            change = changes.try_recv();
        }
    }
}

fn all(context: &Context) -> BTreeSet<Reference> {
    let caches = &context.caches;
    let own = caches.authentications.keys().into_iter().map(|key| Reference { kind: KIND, key });
    let cluster_wide = caches.cluster_authentications.keys().into_iter();
    own.chain(cluster_wide.map(|key| Reference { kind: CLUSTER_KIND, key })).collect()
}

/// What is remembered of each from look to look.
#[derive(Default)]
struct Seen {
    /// The generations that cannot be used and of which that has been reported.
    refused: HashMap<Reference, Option<i64>>,
    /// The generation of the last look.
    generations: HashMap<Reference, Option<i64>>,
}

/// Keeps one, if it is there, and reports what of it is not served.
async fn look(context: &Context, reference: &Reference, seen: &mut Seen) {
    let (caches, client) = (&context.caches, context.client.clone());
    if reference.kind == CLUSTER_KIND {
        if let Some(one) = caches.cluster_authentications.object(&reference.key) {
            keep::<ClusterTriggerAuthentication>(context, &Api::all(client), &one, reference, one.status.as_ref())
                .await;
            check(context, &*one, &one.spec.0, reference, seen).await;
        }
    } else if let Some(one) = caches.authentications.object(&reference.key) {
        let api = Api::namespaced(client, &reference.key.namespace);
        keep::<TriggerAuthentication>(context, &api, &one, reference, one.status.as_ref()).await;
        check(context, &*one, &one.spec, reference, seen).await;
    }
}

/// Reports a new generation, and once for each what keeps it from being used. Its users say it too, but it may have none yet.
async fn check<K>(context: &Context, object: &K, spec: &TriggerAuthenticationSpec, kept: &Reference, seen: &mut Seen)
where
    K: Resource<DynamicType = ()>,
{
    let generation = object.meta().generation;
    if seen.generations.insert(kept.clone(), generation).is_some_and(|before| before < generation) {
        let event = Event::authentication_updated(&kept.key.name);
        context.recorder.publish(&object.object_ref(&()), event).await;
    }
    let Err(error) = validate::authentication(kept.kind, &kept.key.name, spec) else {
        seen.refused.remove(kept);
        return;
    };
    if seen.refused.insert(kept.clone(), generation) != Some(generation) {
        let event = Event::authentication_failed(kept.kind == CLUSTER_KIND, error.to_string());
        context.recorder.publish(&object.object_ref(&()), event).await;
    }
}

async fn keep<K>(
    context: &Context,
    api: &Api<K>,
    object: &K,
    kept: &Reference,
    status: Option<&TriggerAuthenticationStatus>,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let Reference { kind, key } = kept;
    let params = PatchParams::default();
    let keeping = async {
        let is_held = finalizers::is_held(object.meta());
        let is_terminating = object.meta().deletion_timestamp.is_some();
        let is_cluster_wide = *kind == CLUSTER_KIND;
        let reference = object.object_ref(&());
        if is_terminating && is_held {
            context.recorder.publish(&reference, Event::authentication_deleted(is_cluster_wide)).await;
            return api.patch(&key.name, &params, &Patch::Merge(finalizers::removed(object.meta()))).await.map(drop);
        }
        if is_terminating {
            return Ok(());
        }
        if !is_held {
            api.patch(&key.name, &params, &Patch::Merge(finalizers::added(object.meta()))).await?;
            context.recorder.publish(&reference, Event::authentication_added(is_cluster_wide)).await;
        }
        let (objects, jobs) = (users(context, kept, SCALED_OBJECT), users(context, kept, SCALED_JOB));
        let known = status.map(|status| (status.scaledobjects.clone(), status.scaledjobs.clone()));
        if known.unwrap_or_default() == (objects.clone(), jobs.clone()) {
            return Ok(());
        }
        let patch = Patch::Merge(json!({ "status": { "scaledobjects": objects, "scaledjobs": jobs } }));
        api.patch_status(&key.name, &params, &patch).await.map(drop)
    };
    match keeping.await {
        Ok(()) => {}
        // The change that came between, or the end of the object, brings the next look.
        Err(error) if is_conflict(&error) || is_not_found(&error) => {}
        Err(error) => tracing::warn!(kind, authentication = %key, error = %brief(&error), "failed to keep the status"),
    }
}

/// The names of the objects of a kind that use it, as KEDA joins them; `None` if there are none.
fn users(context: &Context, reference: &Reference, kind: &str) -> Option<String> {
    let users = context.caches.users.of(reference).into_iter();
    let mut names: Vec<_> = users.filter(|user| user.kind == kind).map(|user| user.key.name.clone()).collect();
    names.sort();
    names.dedup();
    (!names.is_empty()).then(|| names.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{Server, until};

    const PATH: &str = "/apis/keda.sh/v1alpha1/namespaces/shop/triggerauthentications/keys";

    fn authentication(generation: i64, spec: &serde_json::Value) -> serde_json::Value {
        json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "TriggerAuthentication",
            "metadata": { "name": "keys", "namespace": "shop", "uid": "a", "generation": generation },
            "spec": spec,
        })
    }

    #[tokio::test]
    async fn what_is_not_served_is_reported_on_the_authentication_once() {
        let vault = json!({ "oauth2": { "clientId": "c", "tokenUrl": "https://t" } });
        let server = Server::start([(PATH, authentication(1, &vault))], |_| None);
        let context = server.watched().await;
        let stop = CancellationToken::new();
        let keeping = tokio::spawn(run(Arc::clone(&context), stop.clone()));
        let failures =
            || server.events().iter().filter(|event| event.starts_with("TriggerAuthenticationFailed")).count();
        until(|| failures() == 1).await;
        assert!(server.events().iter().any(|event| event.contains("oauth2 is not served")), "{:?}", server.events());
        // Its own finalizer comes by as a change; a new generation is another matter, and one in order is none.
        until(|| server.object(PATH).unwrap()["metadata"]["finalizers"].is_array()).await;
        server.put(PATH, authentication(2, &json!({ "filePath": "keys.json" })));
        until(|| failures() == 2).await;
        server.put(PATH, authentication(3, &json!({})));
        let updates = || {
            let wanted = "ClusterTriggerAuthenticationUpdated: ClusterTriggerAuthentication keys is updated";
            server.events().iter().filter(|event| event.contains(wanted)).count()
        };
        until(|| updates() >= 1).await;
        stop.cancel();
        keeping.await.unwrap();
        assert_eq!(failures(), 2);
    }
}
