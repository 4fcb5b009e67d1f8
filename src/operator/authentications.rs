//! Finalizers and consumers of (Cluster)TriggerAuthentications.
//!
//! Who uses one is derived from the caches each time, so a trigger that stops using it is taken off (KEDA 2.14 forgets to).

use std::fmt::Debug;
use std::sync::Arc;

use keda::api::{ClusterTriggerAuthentication, TriggerAuthentication, TriggerAuthenticationStatus};
use keda::event::Event;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio_util::sync::CancellationToken;

use crate::authentication::{CLUSTER_KIND, KIND};
use crate::caches::Key;
use crate::context::Context;
use crate::controller::uses;
use crate::error::{brief, is_conflict, is_not_found};
use crate::finalizers;
use crate::stop::unless_stopped;

/// Keeps them until `stop`.
pub(crate) async fn run(context: Arc<Context>, stop: CancellationToken) {
    let mut changes = context.caches.subscribe();
    loop {
        if unless_stopped(&stop, look(&context)).await.is_none() {
            return;
        }
        let change = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            change = changes.recv() => change,
        };
        if let Err(RecvError::Closed) = change {
            return;
        }
        // One look answers for all changes that have come so far.
        while !matches!(changes.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
    }
}

async fn look(context: &Context) {
    for one in context.caches.authentications.all() {
        let api = Api::namespaced(context.client.clone(), one.metadata.namespace.as_deref().unwrap_or_default());
        keep::<TriggerAuthentication>(context, &api, &one, KIND, one.status.as_ref()).await;
    }
    for one in context.caches.cluster_authentications.all() {
        let api = Api::all(context.client.clone());
        keep::<ClusterTriggerAuthentication>(context, &api, &one, CLUSTER_KIND, one.status.as_ref()).await;
    }
}

async fn keep<K>(context: &Context, api: &Api<K>, object: &K, kind: &str, status: Option<&TriggerAuthenticationStatus>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let key = Key::of(object.meta());
    let params = PatchParams::default();
    let kept = async {
        let is_held = finalizers::is_held(object.meta());
        let is_terminating = object.meta().deletion_timestamp.is_some();
        let is_cluster_wide = kind == CLUSTER_KIND;
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
        let users = users(context, kind, &key);
        if status.and_then(|status| status.scaledobjects.clone()) == users {
            return Ok(());
        }
        let patch = Patch::Merge(json!({ "status": { "scaledobjects": users } }));
        api.patch_status(&key.name, &params, &patch).await.map(drop)
    };
    match kept.await {
        Ok(()) => {}
        // The change that came between, or the end of the object, brings the next look.
        Err(error) if is_conflict(&error) || is_not_found(&error) => {}
        Err(error) => tracing::warn!(kind, authentication = %key, error = %brief(&error), "failed to keep the status"),
    }
}

/// The names of the ScaledObjects that use it, as KEDA joins them; `None` if there are none.
fn users(context: &Context, kind: &str, authentication: &Key) -> Option<String> {
    let objects = context.caches.scaled_objects.all();
    let using = objects
        .iter()
        .filter(|object| object.metadata.deletion_timestamp.is_none() && uses(object, kind, authentication));
    let mut names: Vec<_> = using.map(|object| Key::of(&object.metadata).name).collect();
    names.sort();
    names.dedup();
    (!names.is_empty()).then(|| names.join(","))
}
