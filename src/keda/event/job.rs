//! The Events on ScaledJobs.

use super::Event;

impl Event {
    /// Ready became true.
    pub fn job_ready() -> Self {
        Self::normal("ScaledJobReady", "ScaledJob is ready for scaling")
    }

    /// The check of a ScaledJob failed.
    pub fn job_check_failed(message: impl Into<String>) -> Self {
        Self::warning("ScaledJobCheckFailed", message)
    }

    /// Finalizer or status could not be written.
    pub fn job_update_failed(message: impl Into<String>) -> Self {
        Self::warning("ScaledJobUpdateFailed", message)
    }

    /// The finalizer has done its work.
    pub fn job_deleted() -> Self {
        Self::normal("ScaledJobDeleted", "ScaledJob was deleted")
    }

    /// A pause began or ended.
    pub fn job_paused(is_paused: bool) -> Self {
        if is_paused {
            Self::normal("ScaledJobPaused", "ScaledJob is paused")
        } else {
            Self::normal("ScaledJobUnpaused", "pause annotation removed for ScaledJob")
        }
    }

    /// A trigger became active, or none is any more.
    pub fn job_active(is_active: bool) -> Self {
        if is_active {
            Self::normal("ScaledJobActive", "Scaling is performed because triggers are active")
        } else {
            Self::normal("ScaledJobInactive", "Scaling is not performed because triggers are not active")
        }
    }

    /// So many Jobs were made.
    pub fn jobs_created(count: usize) -> Self {
        Self::normal("KEDAJobsCreated", format!("Created {count} jobs"))
    }

    /// A Job could not be made.
    pub fn job_create_failed(prefix: &str, error: &str) -> Self {
        Self::warning("KEDAJobCreateFailed", format!("Failed to create job {prefix}: {error}"))
    }

    /// So many Jobs of an earlier spec are going to be deleted.
    pub fn rollout_started(count: usize) -> Self {
        let message = format!("Deleting {count} jobs owned by the previous version of the ScaledJob");
        Self::normal("ScaledJobRolloutCleanupStarted", message)
    }

    /// They are deleted.
    pub fn rollout_completed(count: usize) -> Self {
        let message = format!("Deleted {count} jobs owned by the previous version of the ScaledJob");
        Self::normal("ScaledJobRolloutCleanupCompleted", message)
    }

    /// One of them could not be deleted.
    pub fn rollout_failed(message: impl Into<String>) -> Self {
        Self::warning("ScaledJobRolloutCleanupFailed", message)
    }
}
