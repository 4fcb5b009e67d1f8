//! The conditions of a ScaledObject, with KEDA's reasons (`docs/rules.md#keda-conditions`).

pub mod job;

use crate::api::{Condition, ConditionStatus};

/// Condition type: the object is well defined and its triggers can be read.
pub const READY: &str = "Ready";
/// Condition type: a trigger is active.
pub const ACTIVE: &str = "Active";
/// Condition type: a fallback is in force.
pub const FALLBACK: &str = "Fallback";
/// Condition type: scaling is paused by annotation.
pub const PAUSED: &str = "Paused";
/// Condition type: the HPA can work, as its own condition ScalingActive says. Not there before the HPA has said so.
pub const HPA_ACTIVE: &str = "HPAActive";

/// Reason of Active: nothing is active, and no cooldown is waited for.
pub const NOT_ACTIVE: &str = "ScalerNotActive";

use ConditionStatus::{False, True, Unknown};

fn condition(type_: &str, status: ConditionStatus, reason: &str, message: &str) -> Condition {
    Condition { type_: type_.into(), status, reason: reason.into(), message: message.into() }
}

/// The four conditions of an object that was never looked at.
pub fn initial() -> Vec<Condition> {
    let unknown = |type_| condition(type_, Unknown, "", "");
    vec![unknown(READY), unknown(ACTIVE), unknown(FALLBACK), condition(PAUSED, False, "", "")]
}

/// Whether all four are there.
pub fn complete(conditions: &[Condition]) -> bool {
    [READY, ACTIVE, FALLBACK, PAUSED].into_iter().all(|type_| find(conditions, type_).is_some())
}

/// The condition of a type.
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// The status of a condition; unknown if it is not there.
pub fn status(conditions: &[Condition], type_: &str) -> ConditionStatus {
    find(conditions, type_).map_or(Unknown, |condition| condition.status)
}

/// Puts `condition` in the place of the one of its type, or at the end. True if anything changed.
pub fn set(conditions: &mut Vec<Condition>, condition: Condition) -> bool {
    match conditions.iter_mut().find(|found| found.type_ == condition.type_) {
        Some(found) if *found == condition => false,
        Some(found) => {
            *found = condition;
            true
        }
        None => {
            conditions.push(condition);
            true
        }
    }
}

/// Ready: defined and readable.
pub fn ready() -> Condition {
    condition(READY, True, "ScaledObjectReady", "ScaledObject is defined correctly and is ready for scaling")
}

/// Ready while paused.
pub fn ready_paused() -> Condition {
    condition(READY, True, "ScaledObjectReady", "ScaledObject is paused")
}

/// Not ready: `what` failed, for instance "Triggers specification is not valid", because of `cause`.
pub fn check_failed(what: &str, cause: &str) -> Condition {
    condition(READY, False, "ScaledObjectCheckFailed", &format!("{what}: {cause}"))
}

/// Not ready: no trigger is active and one could not be read.
pub fn trigger_error(cause: &str) -> Condition {
    let message = format!("Triggers defined in ScaledObject are not working correctly: {cause}");
    condition(READY, False, "TriggerError", &message)
}

/// Readiness unknown: a trigger is active and another could not be read.
pub fn partial_trigger_error(cause: &str) -> Condition {
    let message = format!("Some triggers defined in ScaledObject are not working correctly: {cause}");
    condition(READY, Unknown, "PartialTriggerError", &message)
}

/// Not ready: the target's replicas could not be read.
pub fn no_current_replicas(cause: &str) -> Condition {
    condition(READY, False, "ErrorGettingCurrentReplicas", cause)
}

/// Active by a trigger, or `forced` by annotation.
pub fn active(forced: bool) -> Condition {
    let message = if forced {
        "Scaling is performed because the force-activation annotation is set"
    } else {
        "Scaling is performed because triggers are active"
    };
    condition(ACTIVE, True, "ScalerActive", message)
}

/// Not active.
pub fn inactive() -> Condition {
    condition(ACTIVE, False, NOT_ACTIVE, "Scaling is not performed because triggers are not active")
}

/// Not active any more, and waiting for the cooldown.
pub fn cooldown() -> Condition {
    condition(ACTIVE, False, "ScalerCooldown", "Scaler cooling down because triggers are not active")
}

/// Activity unknown, because the object's check failed.
pub fn activity_unknown() -> Condition {
    condition(ACTIVE, Unknown, "UnknownState", "ScaledObject check failed")
}

/// Whether a fallback is in force.
pub fn fallback(engaged: bool) -> Condition {
    if engaged {
        condition(FALLBACK, True, "FallbackExists", "At least one trigger is falling back on this scaled object")
    } else {
        condition(FALLBACK, False, "NoFallbackFound", "No fallbacks are active on this scaled object")
    }
}

/// What the HPA's condition ScalingActive means for the object (KEDA 2.20.2).
pub fn hpa_active(is_active: bool, reason: &str, message: &str) -> Condition {
    match reason {
        _ if is_active => condition(HPA_ACTIVE, True, "HPAActive", "HPA is actively scaling"),
        // At zero replicas the HPA rests, as it should.
        "ScalingDisabled" => condition(HPA_ACTIVE, True, reason, message),
        _ => {
            let reason = if reason.is_empty() { "HPAMetricsUnavailable" } else { reason };
            condition(HPA_ACTIVE, False, reason, &format!("HPA is not actively scaling: {message}"))
        }
    }
}

/// Paused by annotation, in both directions or in one.
pub fn paused() -> Condition {
    condition(PAUSED, True, "ScaledObjectPaused", "ScaledObject is paused")
}

/// No pause annotation any more.
pub fn unpaused() -> Condition {
    condition(PAUSED, False, "ScaledObjectUnpaused", "pause annotation removed for ScaledObject")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_replaces_by_type_and_reports_whether_it_changed() {
        let mut conditions = initial();
        assert!(complete(&conditions));
        assert!(set(&mut conditions, ready()));
        assert!(!set(&mut conditions, ready()));
        assert_eq!(conditions.len(), 4);
        assert_eq!(status(&conditions, READY), True);
        conditions.retain(|condition| condition.type_ != PAUSED);
        assert!(!complete(&conditions));
    }

    #[test]
    fn an_hpa_that_rests_at_zero_is_in_order_and_one_without_metrics_is_not() {
        let shown = |is_active, reason, message| {
            let found = hpa_active(is_active, reason, message);
            (found.status, found.reason, found.message)
        };
        let row = |status, reason: &str, message: &str| (status, reason.to_owned(), message.to_owned());
        assert_eq!(shown(true, "ValidMetricFound", "m"), row(True, "HPAActive", "HPA is actively scaling"));
        assert_eq!(shown(false, "ScalingDisabled", "at zero"), row(True, "ScalingDisabled", "at zero"));
        let failed = row(False, "FailedGetExternalMetric", "HPA is not actively scaling: no metric");
        assert_eq!(shown(false, "FailedGetExternalMetric", "no metric"), failed);
        assert_eq!(shown(false, "", "?").1, "HPAMetricsUnavailable");
    }

    #[test]
    fn a_condition_has_exactly_the_four_keys() {
        let keys: Vec<_> = serde_json::to_value(ready()).unwrap().as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["message", "reason", "status", "type"]);
        let invalid = serde_json::json!({ "type": "Ready", "status": "Perhaps" });
        assert_eq!(serde_json::from_value::<Condition>(invalid).unwrap().status, Unknown);
    }
}
