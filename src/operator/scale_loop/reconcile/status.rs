//! Step 7: the status that follows from a check.

use keda::api::{Condition, ConditionStatus, ScaleTriggers, ScaledObject, ScaledObjectStatus};
use keda::conditions;
use keda::naming::COMPOSITE_METRIC;
use keda::pause::Pause;
use keda::resource;

use super::autoscaler::Applied;
use super::error::ReconcileError;
use super::found::{Annotated, Found};
use crate::context::Context;
use crate::status;

/// The status of `object` after a check that found `found` and `failed` with an error, if with any.
pub(super) fn after(object: &ScaledObject, found: &Found, failed: Option<&ReconcileError>) -> ScaledObjectStatus {
    let mut status = object.status.clone().unwrap_or_default();
    if !conditions::complete(&status.conditions) {
        status.conditions = conditions::initial();
    }
    if let Some(target) = &found.target {
        status.scale_target_kind = Some(target.resource.scale_target_kind());
        status.scale_target_gvkr = Some(target.resource.clone());
        status.original_replica_count.get_or_insert(target.replicas);
    }
    if matches!(found.annotated, Annotated::Scaling | Annotated::OneWay | Annotated::Pause(Pause::AsIs)) {
        status.paused_replica_count = None;
    }
    let named = |names: String| Some(names).filter(|names| !names.is_empty());
    status.triggers_types = named(ScaleTriggers::types(&object.spec.triggers));
    status.authentications_types = named(ScaleTriggers::authentications(&object.spec.triggers));
    if object.spec.fallback.is_none() {
        // One that comes later counts from zero.
        status.health.clear();
    }
    match &found.autoscaler {
        None => {}
        Some(Applied::Absent) => {
            status.hpa_name = None;
            status.composite_scaler_name = None;
            // Nothing can be known of an HPA that is not there.
            status.conditions.retain(|condition| condition.type_ != conditions::HPA_ACTIVE);
        }
        Some(Applied::Present { name, metrics }) => {
            status.hpa_name = Some(name.clone());
            let formula = object.spec.scaling_modifiers();
            status.composite_scaler_name = formula.map(|_| COMPOSITE_METRIC.to_owned());
            status.health.retain(|metric, _| metrics.contains(metric));
            status.triggers_activity.retain(|metric, _| metrics.contains(metric));
            status.external_metric_names.clone_from(metrics);
            // Those of single containers are not listed, as in KEDA.
            let resources = resource::of(&object.spec.triggers).unwrap_or_default().into_iter();
            status.resource_metric_names =
                resources.filter(|resource| resource.container.is_none()).map(|resource| resource.name).collect();
        }
    }
    for condition in conditions_after(&status, found, failed) {
        conditions::set(&mut status.conditions, condition);
    }
    status
}

fn conditions_after(status: &ScaledObjectStatus, found: &Found, failed: Option<&ReconcileError>) -> Vec<Condition> {
    let before = |type_| conditions::find(&status.conditions, type_);
    let was_paused = before(conditions::PAUSED).is_some_and(|before| before.status == ConditionStatus::True);
    // Whether it is paused is the annotations' to say, whatever else was found.
    let paused = match found.annotated {
        Annotated::Pause(_) | Annotated::OneWay => Some(conditions::paused()),
        Annotated::Scaling => was_paused.then(conditions::unpaused),
        Annotated::Unknown => None,
    };
    if let Some(error) = failed {
        let failed = conditions::check_failed(error.step(), &error.cause());
        // With an HPA the object is polled, and the polls know its activity.
        let unknown = (!found.has_autoscaler()).then(conditions::activity_unknown);
        return std::iter::once(failed).chain(unknown).chain(paused).collect();
    }
    if found.is_paused() {
        return paused.into_iter().chain([conditions::ready_paused()]).collect();
    }
    // Whether triggers can be read is the polls' to say.
    let is_troubled = before(conditions::READY)
        .is_some_and(|before| matches!(before.reason.as_str(), "TriggerError" | "PartialTriggerError"));
    let ready = (!is_troubled).then(conditions::ready);
    ready.into_iter().chain(paused).collect()
}

/// Writes the status if it differs. The object as it is then, if anything was written.
pub(super) async fn write(
    context: &Context,
    object: &ScaledObject,
    wanted: &ScaledObjectStatus,
) -> Result<Option<ScaledObject>, ReconcileError> {
    status::write(&context.client, object, object.status.as_ref(), wanted).await.map_err(ReconcileError::status)
}
