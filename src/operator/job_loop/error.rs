//! Why the check of a ScaledJob failed, or what follows a poll could not be done.

use std::sync::Arc;

use keda::event::Event;

use crate::error::brief;
use crate::sources::TriggersError;

/// The step that failed, with its cause. Shown as `<step>: <cause>`.
#[derive(Debug, Clone)]
pub(super) enum JobError {
    /// The finalizer could not be written.
    Adopt(Arc<kube::Error>),
    /// The spec breaks a rule.
    Spec(keda::Error),
    /// The Jobs of an earlier spec could not be listed.
    List(Arc<kube::Error>),
    /// One of them could not be deleted.
    Rollout { job: String, source: Arc<kube::Error> },
    /// Triggers that cannot be built.
    Triggers(TriggersError),
    /// The status could not be written.
    Status(Arc<kube::Error>),
}

impl JobError {
    pub(super) fn adopt(source: kube::Error) -> Self {
        Self::Adopt(Arc::new(source))
    }

    pub(super) fn list(source: kube::Error) -> Self {
        Self::List(Arc::new(source))
    }

    pub(super) fn rollout(job: String, source: kube::Error) -> Self {
        Self::Rollout { job, source: Arc::new(source) }
    }

    pub(super) fn status(source: kube::Error) -> Self {
        Self::Status(Arc::new(source))
    }

    /// The step, in KEDA's words where it has such a step.
    pub(super) fn step(&self) -> &'static str {
        match self {
            Self::Adopt(_) => "finalizer of ScaledJob cannot be written",
            Self::Spec(keda::Error::JobMetricType(_)) => "Cannot set metricType in ScaledJob triggers",
            Self::Spec(
                keda::Error::NoTriggers { .. }
                | keda::Error::DuplicateTriggerName { .. }
                | keda::Error::CachedMetricsUnsupported(_),
            ) => "ScaledJob doesn't have correct triggers specification",
            Self::Spec(keda::Error::Resource { .. }) | Self::Triggers(_) => {
                "Failed to ensure ScaledJob is correctly created"
            }
            Self::Spec(_) => "ScaledJob doesn't have a correct specification",
            Self::List(_) => "Cannot get list of Jobs owned by this scaledJob",
            Self::Rollout { .. } => "Not able to delete the Jobs of the previous version",
            Self::Status(_) => "status of ScaledJob cannot be written",
        }
    }

    /// What went wrong in that step.
    pub(super) fn cause(&self) -> String {
        match self {
            Self::Spec(error) => error.to_string(),
            Self::Triggers(error) => error.to_string(),
            Self::Rollout { job, source } => format!("Job {job} cannot be deleted: {}", brief(source)),
            Self::Adopt(source) | Self::List(source) | Self::Status(source) => brief(source),
        }
    }

    /// Its Event.
    pub(super) fn event(&self) -> Event {
        match self {
            Self::Adopt(_) | Self::Status(_) => Event::job_update_failed(self.to_string()),
            _ => Event::job_check_failed(self.to_string()),
        }
    }

    /// Whether it may heal without a change that is seen.
    pub(super) fn may_heal_unseen(&self) -> bool {
        match self {
            Self::Spec(_) => false,
            Self::Triggers(errors) => errors.may_heal_unseen(),
            Self::Adopt(_) | Self::List(_) | Self::Rollout { .. } | Self::Status(_) => true,
        }
    }
}

impl std::fmt::Display for JobError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.step(), self.cause())
    }
}

impl std::error::Error for JobError {}
