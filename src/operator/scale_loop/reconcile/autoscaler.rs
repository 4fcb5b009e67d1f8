//! Steps 4 and 5: the HPA that a ScaledObject owns, built by `keda::hpa` and applied.
//!
//! Written by server-side apply, so an existing HPA of KEDA's is taken over without a gap, what others added stays, and what
//! is no longer wanted goes. While the object is paused there is none.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use keda::api::ScaledObject;
use keda::naming;
use keda::pause::Pause;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};

use super::ReconcileError;
use super::dereference::Target;
use crate::caches::Key;
use crate::context::Context;
use crate::error::is_not_found;

const FIELD_MANAGER: &str = "keda-operator";

/// The HPA as it should be.
pub(super) enum Wanted {
    /// None of this name.
    Absent(String),
    /// This one, for external metrics of these names.
    Present(Box<HorizontalPodAutoscaler>, Vec<String>),
}

/// The HPA as it is now.
#[derive(Debug)]
pub(super) enum Applied {
    Absent,
    Present { name: String, metrics: Vec<String> },
}

/// Builds the triggers and from their metrics the HPA; for a paused object neither is needed.
pub(super) async fn build(
    context: &Context,
    object: &ScaledObject,
    target: &Target,
    pause: Option<Pause>,
) -> Result<Wanted, ReconcileError> {
    if pause.is_some() {
        let before = object.status.as_ref().and_then(|status| status.hpa_name.clone());
        return Ok(Wanted::Absent(before.unwrap_or_else(|| naming::hpa(object))));
    }
    let triggers = context.sources.of(context, object).await;
    let metrics = triggers.specs().map_err(ReconcileError::Triggers)?;
    let built = keda::hpa::build(object, &target.resource, &metrics).map_err(ReconcileError::Metrics)?;
    Ok(Wanted::Present(Box::new(built), metrics.into_iter().map(|metric| metric.name).collect()))
}

/// Makes the HPA what it should be. One under an earlier name is removed first, since two would work against each other.
pub(super) async fn apply(context: &Context, object: &ScaledObject, wanted: Wanted) -> Result<Applied, ReconcileError> {
    let api: Api<HorizontalPodAutoscaler> =
        Api::namespaced(context.client.clone(), &Key::of(&object.metadata).namespace);
    let (wanted, metrics) = match wanted {
        Wanted::Absent(name) => {
            remove(&api, &name).await.map_err(|source| ReconcileError::pause(name, source))?;
            return Ok(Applied::Absent);
        }
        Wanted::Present(wanted, metrics) => (wanted, metrics),
    };
    let name = wanted.metadata.name.clone().unwrap_or_default();
    let before = object.status.as_ref().and_then(|status| status.hpa_name.as_deref());
    if let Some(before) = before.filter(|before| *before != name) {
        remove(&api, before).await.map_err(|source| ReconcileError::former_autoscaler(before.to_owned(), source))?;
    }
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(&name, &params, &Patch::Apply(&wanted)).await.map_err(ReconcileError::autoscaler)?;
    Ok(Applied::Present { name, metrics })
}

/// Removes the HPA of that name, if it is there.
async fn remove(api: &Api<HorizontalPodAutoscaler>, name: &str) -> kube::Result<()> {
    match api.delete(name, &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(error) if is_not_found(&error) => Ok(()),
        Err(error) => Err(error),
    }
}
