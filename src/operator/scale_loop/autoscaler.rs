//! The HPA that a ScaledObject owns, kept as `keda::hpa` builds it.
//!
//! Written by server-side apply, so an existing HPA of KEDA's is taken over without a gap, what others added stays, and what
//! is no longer wanted goes.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use keda::api::{GroupVersionKindResource, ScaledObject};
use keda::metric::Spec;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};

use crate::caches::Key;
use crate::context::Context;
use crate::error::{brief, is_not_found};

const FIELD_MANAGER: &str = "keda-operator";

/// Makes the HPA what it should be and returns its name. One under an earlier name is removed first, since two would
/// work against each other.
pub(super) async fn ensure(
    context: &Context,
    object: &ScaledObject,
    target: &GroupVersionKindResource,
    metrics: &[Spec],
) -> Result<String, String> {
    let wanted = keda::hpa::build(object, target, metrics).map_err(|error| error.to_string())?;
    let name = wanted.metadata.name.clone().unwrap_or_default();
    let before = object.status.as_ref().and_then(|status| status.hpa_name.as_deref());
    if let Some(before) = before.filter(|before| *before != name) {
        remove(context, object, before).await?;
    }
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api(context, object).patch(&name, &params, &Patch::Apply(&wanted)).await.map_err(|error| brief(&error))?;
    Ok(name)
}

/// Removes the HPA of that name, if it is there.
pub(super) async fn remove(context: &Context, object: &ScaledObject, name: &str) -> Result<(), String> {
    match api(context, object).delete(name, &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(error) if is_not_found(&error) => Ok(()),
        Err(error) => Err(format!("HPA {name} cannot be deleted: {}", brief(&error))),
    }
}

fn api(context: &Context, object: &ScaledObject) -> Api<HorizontalPodAutoscaler> {
    Api::namespaced(context.client.clone(), &Key::of(&object.metadata).namespace)
}
