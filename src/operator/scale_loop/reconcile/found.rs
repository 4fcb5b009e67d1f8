//! What a reconcile knows of its object, step by step.

use keda::pause::Pause;

use super::autoscaler::Applied;
use super::dereference::Target;

/// What the annotations ask for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Annotated {
    /// Not known: nobody has looked, or they make no sense.
    #[default]
    Unknown,
    Scaling,
    /// Scaling is held in one direction; the loop and the HPA go on.
    OneWay,
    Pause(Pause),
}

/// What the steps of a check have found until one failed or all were done.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) annotated: Annotated,
    pub(super) target: Option<Target>,
    pub(super) autoscaler: Option<Applied>,
}

impl Found {
    /// Whether the HPA is as it should be.
    pub(super) fn has_autoscaler(&self) -> bool {
        matches!(self.autoscaler, Some(Applied::Present { .. }))
    }

    pub(super) fn is_paused(&self) -> bool {
        matches!(self.annotated, Annotated::Pause(_))
    }
}
