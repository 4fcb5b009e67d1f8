//! Step 6: the status that follows from a check.

use keda::api::{Condition, ConditionStatus, ScaledObject, ScaledObjectStatus};
use keda::conditions;

use super::autoscaler::Applied;
use super::{Found, ReconcileError};
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
        if found.pause.is_none() {
            status.paused_replica_count = None;
        }
    }
    match &found.autoscaler {
        None => {}
        Some(Applied::Absent) => status.hpa_name = None,
        Some(Applied::Present { name, metrics }) => {
            status.hpa_name = Some(name.clone());
            status.health.retain(|metric, _| metrics.contains(metric));
            status.external_metric_names.clone_from(metrics);
        }
    }
    for condition in conditions_after(&status, found, failed) {
        conditions::set(&mut status.conditions, condition);
    }
    status
}

fn conditions_after(status: &ScaledObjectStatus, found: &Found, failed: Option<&ReconcileError>) -> Vec<Condition> {
    if let Some(error) = failed {
        return vec![conditions::check_failed(error.step(), &error.cause()), conditions::activity_unknown()];
    }
    if found.pause.is_some() {
        return vec![conditions::ready_paused(), conditions::paused()];
    }
    let before = |type_| conditions::find(&status.conditions, type_);
    let was_paused = before(conditions::PAUSED).is_some_and(|before| before.status == ConditionStatus::True);
    // Whether triggers can be read is the polls' to say.
    let is_troubled = before(conditions::READY)
        .is_some_and(|before| matches!(before.reason.as_str(), "TriggerError" | "PartialTriggerError"));
    let ready = (!is_troubled).then(conditions::ready);
    ready.into_iter().chain(was_paused.then(conditions::unpaused)).collect()
}

/// Writes the status if it differs. The object as it is then, if anything was written.
pub(super) async fn write(
    context: &Context,
    object: &ScaledObject,
    wanted: &ScaledObjectStatus,
) -> Result<Option<ScaledObject>, ReconcileError> {
    status::write(&context.client, object, wanted).await.map_err(ReconcileError::status)
}
