//! Step 6, for `cpu` and `memory` triggers: the containers whose use is measured request the resource, since without that
//! there is nothing that a utilization could be a part of. KEDA's webhook has the rule (`docs/rules.md#keda-cpu-and-memory`).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, LimitRange};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use keda::api::ScaledObject;
use keda::quantity::is_positive;
use keda::resource::{self, Resource};
use kube::Api;
use kube::api::ListParams;

use super::error::ReconcileError;
use crate::context::Context;
use crate::key::Key;
use crate::target::Target;

/// Passes if each container that counts has a request or a limit, or gets one from a LimitRange of its namespace.
pub(crate) async fn check(context: &Context, object: &ScaledObject) -> Result<(), ReconcileError> {
    let resources = resource::of(&object.spec.triggers).map_err(ReconcileError::Spec)?;
    if resources.is_empty() {
        return Ok(());
    }
    let target = Target::resolve(&context.client, object).await.map_err(ReconcileError::Target)?;
    if target.resource.group != "apps" || !matches!(target.resource.kind.as_str(), "Deployment" | "StatefulSet") {
        return Ok(());
    }
    let template = target.pod_template().await.map_err(ReconcileError::Target)?;
    let containers = template.and_then(|template| template.spec).map(|pods| pods.containers).unwrap_or_default();
    for resource in &resources {
        let Some(container) = containers.iter().find(|container| lacks(container, resource)) else { continue };
        if !has_default(context, object, &resource.name).await? {
            let (resource, container) = (resource.name.clone(), container.name.clone());
            return Err(ReconcileError::NoRequest { resource, container });
        }
    }
    Ok(())
}

/// Whether the container counts for the metric and says nothing of the resource.
fn lacks(container: &Container, resource: &Resource) -> bool {
    let counts = resource.container.as_ref().is_none_or(|name| *name == container.name);
    let given = container.resources.as_ref();
    let has = |given: Option<&BTreeMap<String, Quantity>>| is_given(given, &resource.name);
    counts
        && !has(given.and_then(|given| given.requests.as_ref()))
        && !has(given.and_then(|given| given.limits.as_ref()))
}

async fn has_default(context: &Context, object: &ScaledObject, name: &str) -> Result<bool, ReconcileError> {
    let ranges: Api<LimitRange> = Api::namespaced(context.client.clone(), &Key::of(&object.metadata).namespace);
    let ranges = ranges.list(&ListParams::default()).await.map_err(ReconcileError::limit_ranges)?;
    let mut limits = ranges.items.iter().flat_map(|range| range.spec.iter().flat_map(|spec| &spec.limits));
    Ok(limits.any(|limit| {
        limit.type_ == "Container"
            && (is_given(limit.default_request.as_ref(), name) || is_given(limit.default.as_ref(), name))
    }))
}

fn is_given(quantities: Option<&BTreeMap<String, Quantity>>, name: &str) -> bool {
    quantities.and_then(|quantities| quantities.get(name)).is_some_and(|quantity| is_positive(&quantity.0))
}
