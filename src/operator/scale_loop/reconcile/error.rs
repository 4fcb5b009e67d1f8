//! Why a reconcile failed: one variant a step.

use std::sync::Arc;

use keda::event::Event;

use crate::error::brief;
use crate::masters::Conflict;
use crate::sources::TriggersError;
use crate::target::TargetError;

/// The step that failed, with its cause. Shown as `<step>: <cause>`.
#[derive(Debug, Clone)]
pub(crate) enum ReconcileError {
    /// Finalizer and label could not be written.
    Adopt(Arc<kube::Error>),
    /// The spec breaks a rule.
    Spec(keda::Error),
    /// The pause annotation is no count.
    PauseAnnotation(keda::Error),
    /// The target is missing, cannot be scaled or cannot be read.
    Target(TargetError),
    /// Somebody else scales the target, or has the HPA.
    Conflict(Conflict),
    /// A container does not request what a trigger measures.
    NoRequest { resource: String, container: String },
    /// Whether the namespace has default requests could not be read.
    LimitRanges(Arc<kube::Error>),
    /// Triggers that cannot be built.
    Triggers(TriggersError),
    /// The triggers' metrics make no HPA.
    Metrics(keda::Error),
    /// The HPA under an earlier name could not be removed.
    FormerAutoscaler { name: String, source: Arc<kube::Error> },
    /// The HPA could not be written.
    Autoscaler(Arc<kube::Error>),
    /// The HPA of a paused object could not be removed.
    Pause { name: String, source: Arc<kube::Error> },
    /// The status could not be written.
    Status(Arc<kube::Error>),
}

impl ReconcileError {
    pub(super) fn adopt(source: kube::Error) -> Self {
        Self::Adopt(Arc::new(source))
    }

    pub(super) fn limit_ranges(source: kube::Error) -> Self {
        Self::LimitRanges(Arc::new(source))
    }

    pub(super) fn former_autoscaler(name: String, source: kube::Error) -> Self {
        Self::FormerAutoscaler { name, source: Arc::new(source) }
    }

    pub(super) fn autoscaler(source: kube::Error) -> Self {
        Self::Autoscaler(Arc::new(source))
    }

    pub(super) fn pause(name: String, source: kube::Error) -> Self {
        Self::Pause { name, source: Arc::new(source) }
    }

    pub(in crate::scale_loop) fn status(source: kube::Error) -> Self {
        Self::Status(Arc::new(source))
    }

    /// The step in KEDA's words, where KEDA has such a step.
    pub(super) fn step(&self) -> &'static str {
        match self {
            Self::Adopt(_) => "finalizer and label of ScaledObject cannot be written",
            Self::Spec(keda::Error::NoTarget) | Self::Target(_) => {
                "ScaledObject doesn't have correct scaleTargetRef specification"
            }
            Self::Spec(
                keda::Error::MinAboveMax { .. } | keda::Error::IdleNotBelowMin { .. } | keda::Error::TooSmall { .. },
            ) => "ScaledObject doesn't have correct Idle/Min/Max Replica Counts specification",
            Self::Spec(_) | Self::NoRequest { .. } | Self::LimitRanges(_) => {
                "ScaledObject doesn't have correct triggers specification"
            }
            Self::PauseAnnotation(_) => "ScaledObject doesn't have correct pause annotations",
            Self::Conflict(_) => "ScaledObject is not the only one to scale its target",
            Self::Triggers(_) | Self::Metrics(_) | Self::FormerAutoscaler { .. } | Self::Autoscaler(_) => {
                "failed to ensure HPA is correctly created for ScaledObject"
            }
            Self::Pause { .. } => "failed to pause ScaledObject",
            Self::Status(_) => "status of ScaledObject cannot be written",
        }
    }

    /// What went wrong in that step.
    pub(crate) fn cause(&self) -> String {
        match self {
            Self::Spec(error) | Self::PauseAnnotation(error) | Self::Metrics(error) => error.to_string(),
            Self::Target(error) => error.to_string(),
            Self::NoRequest { resource, container } => format!(
                "the scaledobject has a {resource} trigger but the container {container} doesn't have the {resource} \
                 request defined; set resources.requests.{resource} in the target's pod template"
            ),
            Self::LimitRanges(source) => format!("the LimitRanges of the namespace cannot be read: {}", brief(source)),
            Self::Conflict(conflict) => conflict.to_string(),
            Self::Triggers(error) => error.to_string(),
            Self::FormerAutoscaler { name, source } | Self::Pause { name, source } => {
                format!("HPA {name} cannot be deleted: {}", brief(source))
            }
            Self::Adopt(source) | Self::Autoscaler(source) | Self::Status(source) => brief(source),
        }
    }

    /// The Event that KEDA writes before the check's own, where the target is at fault.
    pub(in crate::scale_loop) fn target_event(&self) -> Option<Event> {
        match self {
            Self::Target(TargetError::Missing(_)) => Some(Event::check_failed("Target resource doesn't exist")),
            Self::Target(TargetError::NotScalable(_)) => {
                Some(Event::check_failed("Target resource doesn't expose /scale subresource"))
            }
            _ => None,
        }
    }

    /// Its Event.
    pub(in crate::scale_loop) fn event(&self) -> Event {
        match self {
            Self::Adopt(_) | Self::Status(_) => Event::update_failed(self.to_string()),
            _ => Event::check_failed(self.to_string()),
        }
    }
}

impl std::fmt::Display for ReconcileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.step(), self.cause())
    }
}

impl std::error::Error for ReconcileError {}
