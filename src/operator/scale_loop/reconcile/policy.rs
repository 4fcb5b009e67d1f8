//! What follows a failed reconcile.
//!
//! What can only heal by a change of the object, or of its `TriggerAuthentication` or the cluster-wide sibling, is not tried again before
//! such a change. All else may heal unseen and is tried again: the API server comes back, a target or a definition is created. A Secret, a
//! `ConfigMap`, a `ServiceAccount` or a template that changes is seen, but its watch may not be allowed.

use super::error::ReconcileError;

/// What follows a failed reconcile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::scale_loop) enum Policy {
    /// Nothing until something that is watched changes.
    AwaitChange,
    /// Another attempt after a pause; a change comes first.
    BackOff,
}

/// The policy for an error, by the step that failed.
pub(in crate::scale_loop) fn policy(error: &ReconcileError) -> Policy {
    match error {
        ReconcileError::Spec(_)
        | ReconcileError::PauseAnnotation(_)
        | ReconcileError::Metrics(keda::Error::MetricType { .. }) => Policy::AwaitChange,
        ReconcileError::Triggers(errors) if !errors.may_heal_unseen() => Policy::AwaitChange,
        ReconcileError::Triggers(_)
        | ReconcileError::Adopt(_)
        | ReconcileError::Target(_)
        // Who gives way is watched, but in the order of the watches, which may differ from that of the changes.
        | ReconcileError::Conflict(_)
        | ReconcileError::NoRequest { .. }
        | ReconcileError::LimitRanges(_)
        // The names of metrics may come from the target's environment.
        | ReconcileError::Metrics(_)
        | ReconcileError::FormerAutoscaler { .. }
        | ReconcileError::Autoscaler(_)
        | ReconcileError::Pause { .. }
        | ReconcileError::Status(_) => Policy::BackOff,
    }
}
