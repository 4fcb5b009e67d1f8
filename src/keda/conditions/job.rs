//! The conditions of a ScaledJob, where their words differ from those of a ScaledObject.

use super::{ACTIVE, PAUSED, READY, condition};
use crate::api::Condition;
use crate::api::ConditionStatus::{False, True, Unknown};

/// Ready: defined and readable.
pub fn ready() -> Condition {
    condition(READY, True, "ScaledJobReady", "ScaledJob is defined correctly and is ready for scaling")
}

/// Ready while paused.
pub fn ready_paused() -> Condition {
    condition(READY, True, "ScaledJobReady", "ScaledJob is paused, skipping reconcile loop")
}

/// Not ready: `what` failed because of `cause`.
pub fn check_failed(what: &str, cause: &str) -> Condition {
    condition(READY, False, "ScaledJobCheckFailed", &format!("{what}: {cause}"))
}

/// Not ready, or not known to be: a trigger could not be read. `is_active`: another one is active.
pub fn trigger_error(is_active: bool, cause: &str) -> Condition {
    if is_active {
        let message = format!("Some triggers defined in ScaledJob are not working correctly: {cause}");
        condition(READY, Unknown, "PartialTriggerError", &message)
    } else {
        let message = format!("Triggers defined in ScaledJob are not working correctly: {cause}");
        condition(READY, False, "TriggerError", &message)
    }
}

/// Activity unknown, because the object's check failed.
pub fn activity_unknown() -> Condition {
    condition(ACTIVE, Unknown, "UnknownState", "ScaledJob check failed")
}

/// Paused by annotation, or no more.
pub fn paused(is_paused: bool) -> Condition {
    if is_paused {
        condition(PAUSED, True, "ScaledJobPaused", "ScaledJob is paused")
    } else {
        condition(PAUSED, False, "ScaledJobUnpaused", "pause annotation removed for ScaledJob")
    }
}
