//! The Kubernetes Events that KEDA writes on its objects: reasons and texts (`docs/rules.md#keda-events`).

mod job;

use serde::Serialize;

/// The component that reports them.
pub const COMPONENT: &str = "keda-operator";

/// Normal or Warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// As it should be.
    Normal,
    /// Somebody should look.
    Warning,
}

/// One event, still to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Normal or Warning.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// KEDA's reason.
    pub reason: &'static str,
    /// The text.
    pub message: String,
}

impl Event {
    fn normal(reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind: Kind::Normal, reason, message: message.into() }
    }

    fn warning(reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind: Kind::Warning, reason, message: message.into() }
    }

    /// The scale loop of an object began.
    pub fn watch_started() -> Self {
        Self::normal("KEDAScalersStarted", "Started scalers watch")
    }

    /// A trigger's scaler was built.
    pub fn scaler_built(trigger_type: &str) -> Self {
        Self::normal("KEDAScalersStarted", format!("Scaler {trigger_type} is built"))
    }

    /// The scale loop of an object ended.
    pub fn watch_stopped() -> Self {
        Self::normal("KEDAScalersStopped", "Stopped scalers watch")
    }

    /// Ready became true.
    pub fn ready() -> Self {
        Self::normal("ScaledObjectReady", "ScaledObject is ready for scaling")
    }

    /// A pause began, in one direction or in both.
    pub fn paused() -> Self {
        Self::normal("ScaledObjectPaused", "ScaledObject is paused")
    }

    /// A pause ended.
    pub fn unpaused() -> Self {
        Self::normal("ScaledObjectUnpaused", "pause annotation removed for ScaledObject")
    }

    /// A fallback came into force, or is in force no more.
    pub fn fallback(engaged: bool) -> Self {
        if engaged {
            Self::normal("ScaledObjectFallbackActivated", "ScaledObject fallback is active")
        } else {
            Self::normal("ScaledObjectFallbackDeactivated", "ScaledObject fallback is no longer active")
        }
    }

    /// The check of an object failed.
    pub fn check_failed(message: impl Into<String>) -> Self {
        Self::warning("ScaledObjectCheckFailed", message)
    }

    /// A status could not be written.
    pub fn update_failed(message: impl Into<String>) -> Self {
        Self::warning("ScaledObjectUpdateFailed", message)
    }

    /// The finalizer has done its work.
    pub fn deleted() -> Self {
        Self::normal("ScaledObjectDeleted", "ScaledObject was deleted")
    }

    /// A scaler could not be built or read.
    pub fn scaler_failed(message: impl Into<String>) -> Self {
        Self::warning("KEDAScalerFailed", message)
    }

    /// A trigger whose value counts in a formula could not be built or read.
    pub fn metric_source_failed(message: impl Into<String>) -> Self {
        Self::warning("KEDAMetricSourceFailed", message)
    }

    /// A TriggerAuthentication was seen for the first time.
    pub fn authentication_added(cluster: bool) -> Self {
        let (reason, kind) = if cluster {
            ("ClusterTriggerAuthenticationAdded", "ClusterTriggerAuthentication")
        } else {
            ("TriggerAuthenticationAdded", "TriggerAuthentication")
        };
        Self::normal(reason, format!("New {kind} configured"))
    }

    /// What a TriggerAuthentication says has changed. KEDA names the cluster-wide kind for both.
    pub fn authentication_updated(name: &str) -> Self {
        let message = format!("ClusterTriggerAuthentication {name} is updated");
        Self::normal("ClusterTriggerAuthenticationUpdated", message)
    }

    /// A TriggerAuthentication cannot be used as it is.
    pub fn authentication_failed(cluster: bool, message: impl Into<String>) -> Self {
        let reason = if cluster { "ClusterTriggerAuthenticationFailed" } else { "TriggerAuthenticationFailed" };
        Self::warning(reason, message)
    }

    /// A TriggerAuthentication was deleted.
    pub fn authentication_deleted(cluster: bool) -> Self {
        let (reason, kind) = if cluster {
            ("ClusterTriggerAuthenticationDeleted", "ClusterTriggerAuthentication")
        } else {
            ("TriggerAuthenticationDeleted", "TriggerAuthentication")
        };
        Self::normal(reason, format!("{kind} was deleted"))
    }

    pub(crate) fn activated(target: &str, from: i32, to: i32, by: &str) -> Self {
        Self::normal("KEDAScaleTargetActivated", format!("Scaled {target} from {from} to {to}, triggered by {by}"))
    }

    pub(crate) fn activation_failed(target: &str, from: i32, to: i32, error: &str) -> Self {
        let message = format!("Failed to scale {target} from {from} to {to}: {error}");
        Self::warning("KEDAScaleTargetActivationFailed", message)
    }

    pub(crate) fn deactivated(target: &str, from: i32, to: i32) -> Self {
        Self::normal("KEDAScaleTargetDeactivated", format!("Deactivated {target} from {from} to {to}"))
    }

    pub(crate) fn deactivation_failed(target: &str, from: i32, to: i32, error: &str) -> Self {
        let message = format!("Failed to deactivate {target} from {from} to {to}: {error}");
        Self::warning("KEDAScaleTargetDeactivationFailed", message)
    }
}
