//! The loop of one ScaledJob: what is done of it in each turn of its [`Life`] (`docs/rules.md#keda-scaledjobs`).
//!
//! A poll makes Jobs and deletes those that are kept no longer; it never touches one that runs. Only a new spec does, unless its rollout
//! is gradual.

mod check;
mod error;
mod poll;
mod work;

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use keda::api::{ScaledJob, ScaledJobStatus};
use keda::event::Event;
use keda::job::Decision;
use keda::pause;
use tokio_util::sync::CancellationToken;

use self::error::JobError;
use crate::caches::{Cache, Caches, Text};
use crate::context::Context;
use crate::key::Key;
use crate::life::{Kind, Life, Turns};
use crate::owner::SCALED_JOB;
use crate::status;

pub(crate) struct JobLoop {
    life: Life<ScaledJob>,
    /// The object with the spec that was in order last: Jobs are made from it until the next one is.
    accepted: Option<Text<ScaledJob>>,
    decided: Option<Decision>,
}

impl Kind for ScaledJob {
    const NAME: &'static str = SCALED_JOB;

    fn cache(caches: &Caches) -> &Cache<Text<Self>> {
        &caches.scaled_jobs
    }

    fn polling(&self) -> Duration {
        self.spec.polling()
    }
}

impl Deref for JobLoop {
    type Target = Life<ScaledJob>;

    fn deref(&self) -> &Self::Target {
        &self.life
    }
}

impl DerefMut for JobLoop {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.life
    }
}

impl Turns for JobLoop {
    type Kind = ScaledJob;

    const LIMIT: Duration = Duration::from_mins(5);

    fn new(context: Arc<Context>, key: Key, stop: CancellationToken) -> Self {
        Self { life: Life::new(context, key, stop), accepted: None, decided: None }
    }

    async fn check(&mut self, object: &Arc<ScaledJob>) {
        self.check_object(object).await;
    }

    /// The object as it is now with the spec that was in order last, and the generation of that.
    fn in_force(&mut self, object: &Arc<ScaledJob>) -> Option<Arc<ScaledJob>> {
        let accepted = self.accepted.as_ref()?;
        if object.metadata.generation == accepted.generation() {
            return Some(Arc::clone(object));
        }
        let mut in_force = ScaledJob::clone(object);
        in_force.metadata.generation = accepted.generation();
        in_force.spec = accepted.open().spec;
        Some(Arc::new(in_force))
    }

    async fn poll(&mut self, object: &ScaledJob) {
        self.poll_once(object).await;
    }

    async fn end(&mut self, object: &ScaledJob) {
        self.publish(object, Event::job_deleted()).await;
    }
}

impl JobLoop {
    /// Writes the status. A failure is reported; whether there was one.
    async fn write(&mut self, object: &ScaledJob, wanted: &ScaledJobStatus) -> Result<(), JobError> {
        match status::write(&self.context.client, object, object.status.as_ref(), wanted).await {
            Ok(Some(written)) => self.held = Some(Arc::new(written)),
            Ok(None) => {}
            Err(error) => return Err(JobError::status(error)),
        }
        Ok(())
    }
}

fn is_paused(object: &ScaledJob) -> bool {
    object.metadata.annotations.as_ref().is_some_and(pause::is_paused)
}

#[cfg(test)]
mod tests;
