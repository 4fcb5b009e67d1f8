//! The life of one ScaledJob: reconciled when it changes, polled at its interval, finalized when it goes
//! (`docs/rules.md#keda-scaledjobs`).
//!
//! One task per object, as for ScaledObjects. A poll makes Jobs and deletes those that are kept no longer; it never touches one that runs.
//! Only a new spec does, unless its rollout is gradual.

mod check;
mod error;
mod finalize;
mod poll;
mod work;

use std::sync::Arc;
use std::time::Duration;

use clock::Moment;
use keda::api::{ScaledJob, ScaledJobStatus};
use keda::event::Event;
use keda::job::Decision;
use keda::pause;
use kube::Resource;
use tokio_util::sync::CancellationToken;

use self::error::JobError;
use crate::backoff::{Backoff, PAUSE_MAX};
use crate::context::Context;
use crate::key::{Key, Reference};
use crate::owner::SCALED_JOB;
use crate::phase::{self, Checked, Observed, Phase};
use crate::spread;
use crate::status;
use crate::stop::unless_stopped;
use crate::wake::Wake;

/// The longest turn, real time. Each call in it has a limit of its own; this one is for all of them together.
const TURN_LIMIT: Duration = Duration::from_mins(5);

pub(crate) struct JobLoop {
    context: Arc<Context>,
    key: Key,
    stop: CancellationToken,
    /// Which object of that name all of this is about.
    uid: Option<String>,
    /// As the last write returned it; the cache may be behind.
    held: Option<Arc<ScaledJob>>,
    /// The object with the spec that was in order last: Jobs are made from it until the next one is.
    accepted: Option<Arc<ScaledJob>>,
    phase: Phase,
    /// Whether its triggers are read: it has been reported that this began.
    is_watching: bool,
    /// What the last check saw and found; `None` asks for another.
    checked: Option<Checked>,
    backoff: Backoff,
    decided: Option<Decision>,
    /// From the last poll to the next.
    interval: Duration,
}

impl JobLoop {
    pub(crate) fn new(context: Arc<Context>, key: Key, stop: CancellationToken) -> Self {
        Self {
            context,
            key,
            stop,
            uid: None,
            held: None,
            accepted: None,
            phase: Phase::Checking,
            is_watching: false,
            checked: None,
            backoff: Backoff::default(),
            decided: None,
            interval: Duration::ZERO,
        }
    }

    /// Runs until the object is gone or a shutdown began; after that nothing new is written.
    pub(crate) async fn run(mut self, wake: Arc<Wake>) {
        let stop = self.stop.clone();
        while !stop.is_cancelled() {
            if wake.is_again() {
                self.checked = None;
            }
            let Some(moment) = self.bounded_turn().await else { break };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = wake.woken() => {}
                () = self.context.clock.sleep_until(moment) => {}
            }
        }
    }

    /// A turn that ends. One that does not is dropped and tried again after a pause.
    async fn bounded_turn(&mut self) -> Option<Moment> {
        let clock = self.context.clock.clone();
        if let Ok(next) = clock.timeout(clock.to_system(TURN_LIMIT), Box::pin(self.turn())).await {
            return next;
        }
        tracing::warn!(scaled_job = %self.key, limit_seconds = TURN_LIMIT.as_secs(), "gave up what did not end");
        self.context.telemetry.object_failed(&self.reference());
        self.backoff.fail(clock.moment());
        Some(self.rest())
    }

    /// When the next turn is due; `None` once the object is gone or a shutdown began.
    async fn turn(&mut self) -> Option<Moment> {
        let stop = self.stop.clone();
        let Some(object) = self.latest() else {
            self.forget();
            return None;
        };
        if self.uid != object.metadata.uid {
            // Deleted and made again between two looks: nothing that is remembered holds for it.
            *self = Self::new(Arc::clone(&self.context), self.key.clone(), stop.clone());
            self.uid.clone_from(&object.metadata.uid);
        }
        if object.metadata.deletion_timestamp.is_some() {
            return unless_stopped(&stop, Box::pin(self.finalize(&object))).await;
        }
        if self.is_due(&object) {
            unless_stopped(&stop, Box::pin(self.check(&object))).await?;
        }
        let (Phase::Polling { last }, Some(object)) = (self.phase, self.in_force()) else { return Some(self.rest()) };
        let now = self.context.clock.moment();
        let polling = object.spec.polling();
        let due = last.map_or(now, |last| spread::next(&self.context.clock, last, self.interval, polling));
        if due > now {
            return Some(self.rest().min(due));
        }
        let late = self.context.clock.to_real(now.since(due)).as_secs_f64();
        self.context.telemetry.poll_late(&self.reference(), late);
        let first = || spread::first_interval(self.uid.as_deref(), polling);
        self.interval = if last.is_some() { polling } else { first() };
        self.phase = Phase::Polling { last: Some(now) };
        Box::pin(self.poll(&object)).await;
        Some(self.rest().min(spread::next(&self.context.clock, now, self.interval, polling)))
    }

    /// Whether the object is to be checked: it has changed, or a failed attempt is to be repeated.
    fn is_due(&self, object: &ScaledJob) -> bool {
        let now = self.context.clock.moment();
        let has_changed = self.checked.as_ref().is_none_or(|checked| {
            checked.observed != Observed::of(&object.metadata)
                || (checked.is_in_error && checked.inputs != self.inputs())
        });
        has_changed || self.backoff.until().is_some_and(|until| until <= now)
    }

    /// How often what the object's triggers were built from has changed.
    fn inputs(&self) -> u64 {
        self.context.caches.inputs.revision(&self.reference())
    }

    /// The object as it is now with the spec that was in order last, and the generation of that.
    fn in_force(&mut self) -> Option<Arc<ScaledJob>> {
        let (object, accepted) = (self.latest()?, self.accepted.as_ref()?);
        if object.metadata.generation == accepted.metadata.generation {
            return Some(object);
        }
        let mut in_force = ScaledJob::clone(&object);
        in_force.metadata.generation = accepted.metadata.generation;
        in_force.spec.clone_from(&accepted.spec);
        Some(Arc::new(in_force))
    }

    fn reference(&self) -> Reference {
        Reference { kind: SCALED_JOB, key: self.key.clone() }
    }

    /// When there is something to do even if nobody calls: the next attempt, if one is due.
    fn rest(&self) -> Moment {
        let far = self.context.clock.moment().plus(PAUSE_MAX);
        self.backoff.until().map_or(far, |until| until.min(far))
    }

    /// The object as it was written last or as the cache has it, whichever is newer.
    fn latest(&mut self) -> Option<Arc<ScaledJob>> {
        phase::newest(self.context.caches.scaled_jobs.get(&self.key), &mut self.held)
    }

    /// Writes the status. A failure is reported; whether there was one.
    async fn write(&mut self, object: &ScaledJob, wanted: &ScaledJobStatus) -> Result<(), JobError> {
        match status::write(&self.context.client, object, object.status.as_ref(), wanted).await {
            Ok(Some(written)) => self.held = Some(Arc::new(written)),
            Ok(None) => {}
            Err(error) => return Err(JobError::status(error)),
        }
        Ok(())
    }

    async fn publish(&self, object: &ScaledJob, event: Event) {
        self.context.recorder.publish(&object.object_ref(&()), event).await;
    }

    fn forget(&self) {
        self.context.sources.forget(&self.context, &self.reference());
    }
}

fn is_paused(object: &ScaledJob) -> bool {
    object.metadata.annotations.as_ref().is_some_and(pause::is_paused)
}

#[cfg(test)]
mod tests;
