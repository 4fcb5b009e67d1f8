//! Steps 4 and 5: the HPA that a ScaledObject owns, built by `keda::hpa` and applied.
//!
//! Written by server-side apply, so an existing HPA is taken over without a gap, and what is no longer wanted goes, whoever
//! wrote it ([`takeover`]). While the object is paused there is none.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use keda::api::ScaledObject;
use keda::naming;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};

use super::dereference::Target;
use super::error::ReconcileError;
use super::takeover::{self, FIELD_MANAGER, Reach};
use crate::context::Context;
use crate::error::is_not_found;
use crate::key::Key;
use crate::sources::TriggersError;

/// The HPA as it should be, for external metrics of these names.
pub(super) struct Wanted {
    hpa: Box<HorizontalPodAutoscaler>,
    metrics: Vec<String>,
    /// Triggers that cannot be built. The HPA stands for the others.
    pub(super) broken: Option<TriggersError>,
}

/// The HPA as it is now.
#[derive(Debug)]
pub(super) enum Applied {
    Absent,
    Present { name: String, metrics: Vec<String> },
}

/// Builds the triggers and from their metrics the HPA. One trigger that cannot be built does not keep the others from theirs; without any
/// there is no HPA.
pub(super) async fn build(context: &Context, object: &ScaledObject, target: &Target) -> Result<Wanted, ReconcileError> {
    let triggers = context.sources.of(context, object);
    let (metrics, broken) = triggers.specs(context, object).await;
    let broken = match broken {
        Some(broken) if broken.len() == object.spec.triggers.len() => return Err(ReconcileError::Triggers(broken)),
        broken => broken,
    };
    let built = keda::hpa::build(object, &target.resource, &metrics).map_err(ReconcileError::Metrics)?;
    Ok(Wanted { hpa: Box::new(built), metrics: metrics.into_iter().map(|metric| metric.name).collect(), broken })
}

/// Makes the HPA what it should be. One under an earlier name is removed first, since two would work against each other.
pub(super) async fn apply(context: &Context, object: &ScaledObject, wanted: Wanted) -> Result<Applied, ReconcileError> {
    let Wanted { hpa, metrics, broken: _ } = wanted;
    let api = api(context, object);
    let name = hpa.metadata.name.clone().unwrap_or_default();
    let before = object.status.as_ref().and_then(|status| status.hpa_name.as_deref());
    if let Some(before) = before.filter(|before| *before != name && !context.caches.masters.is_foreign(object, before))
    {
        remove(&api, before).await.map_err(|source| ReconcileError::former_autoscaler(before.to_owned(), source))?;
    }
    let is_foreign = context.caches.masters.is_foreign(object, &name);
    write(&api, &name, &hpa, is_foreign).await.map_err(ReconcileError::autoscaler)?;
    Ok(Applied::Present { name, metrics })
}

/// Applies the HPA. What others own of it goes: all if it `is_foreign`, else what they have no say in.
async fn write(
    api: &Api<HorizontalPodAutoscaler>,
    name: &str,
    hpa: &HorizontalPodAutoscaler,
    is_foreign: bool,
) -> kube::Result<()> {
    // Before it is ours by its owner: whoever is interrupted here finds it foreign again.
    if is_foreign && let Some(found) = api.get_opt(name).await? {
        takeover::claim(api, &found, Reach::Whole).await?;
    }
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let applied = api.patch(name, &params, &Patch::Apply(hpa)).await?;
    if takeover::claim(api, &applied, Reach::Spec).await? {
        api.patch(name, &params, &Patch::Apply(hpa)).await?;
    }
    Ok(())
}

/// Removes the HPA of a paused object. One of its name that belongs to somebody else stays.
pub(super) async fn remove_paused(context: &Context, object: &ScaledObject) -> Result<Applied, ReconcileError> {
    let before = object.status.as_ref().and_then(|status| status.hpa_name.clone());
    let name = before.clone().unwrap_or_else(|| naming::hpa(object));
    // One that we have just made may not be in the cache yet, but then it is in the status.
    let is_there = before.is_some() || context.caches.has_autoscaler(object, &name);
    if is_there && !context.caches.masters.is_foreign(object, &name) {
        remove(&api(context, object), &name).await.map_err(|source| ReconcileError::pause(name, source))?;
    }
    Ok(Applied::Absent)
}

fn api(context: &Context, object: &ScaledObject) -> Api<HorizontalPodAutoscaler> {
    Api::namespaced(context.client.clone(), &Key::of(&object.metadata).namespace)
}

/// Removes the HPA of that name, if it is there.
async fn remove(api: &Api<HorizontalPodAutoscaler>, name: &str) -> kube::Result<()> {
    match api.delete(name, &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(error) if is_not_found(&error) => Ok(()),
        Err(error) => Err(error),
    }
}
