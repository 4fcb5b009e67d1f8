//! The life of one ScaledObject: reconciled when it changes, polled at its interval, finalized when it goes.
//!
//! One task per object, so polls and reconciles of an object never overlap. Nothing is kept that could not be read again:
//! cooldowns live in the status and survive a restart or a change of leader.

mod activity;
mod finalize;
mod mirror;
mod poll;
mod pushes;
mod reconcile;
mod scale;
mod settle;

use std::sync::Arc;
use std::time::Duration;

use clock::Moment;
use keda::api::{ScaledObject, ScaledObjectStatus};
use keda::decision::Decision;
use keda::event::Event;
use keda::pause;
use kube::Resource;
use tokio_util::sync::CancellationToken;

use self::activity::Activity;
use self::pushes::Pushes;
use self::reconcile::ReconcileError;
use self::scale::Counted;
use crate::backoff::{Backoff, PAUSE_MAX};
use crate::context::Context;
use crate::key::{Key, Reference};
use crate::owner::SCALED_OBJECT;
use crate::phase::{self, Checked, Observed, Phase};
use crate::spread;
use crate::status;
use crate::stop::unless_stopped;
use crate::wake::Wake;

/// What a turn of the loop leaves to do.
enum Next {
    At(Moment),
    Gone,
    /// A shutdown began meanwhile.
    Stopped,
}

/// The longest turn, real time. Each call in it has a limit of its own; this one is for all of them together.
const TURN_LIMIT: Duration = Duration::from_mins(2);

pub(crate) struct ScaleLoop {
    context: Arc<Context>,
    key: Key,
    stop: CancellationToken,
    /// Which object of that name all of this is about.
    uid: Option<String>,
    /// As the last write returned it; the cache may be behind.
    held: Option<Arc<ScaledObject>>,
    phase: Phase,
    /// Whether its triggers are read: it has been reported that this began.
    is_watching: bool,
    /// What the last reconcile saw and found; `None` asks for another.
    checked: Option<Checked>,
    backoff: Backoff,
    decided: Option<Decision>,
    /// The target's replicas as they were read last.
    counted: Option<Counted>,
    /// From the last poll to the next.
    interval: Duration,
    activity: Activity,
    /// What triggers say without being polled.
    pushes: Pushes,
}

impl ScaleLoop {
    pub(crate) fn new(context: Arc<Context>, key: Key, stop: CancellationToken) -> Self {
        Self {
            context,
            key,
            stop,
            uid: None,
            held: None,
            phase: Phase::Checking,
            is_watching: false,
            checked: None,
            backoff: Backoff::default(),
            decided: None,
            counted: None,
            interval: Duration::ZERO,
            activity: Activity::default(),
            pushes: Pushes::default(),
        }
    }

    /// Runs until the object is gone or a shutdown began. Once it has begun, nothing new is written: what is being read or
    /// checked is dropped, since the next leader does it anew; a decision that is being carried out is finished.
    pub(crate) async fn run(mut self, wake: Arc<Wake>) {
        let stop = self.stop.clone();
        while !stop.is_cancelled() {
            if wake.is_again() {
                self.checked = None;
            }
            let Next::At(moment) = self.bounded_turn().await else { break };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = wake.woken() => {}
                () = self.pushes.next() => {}
                () = self.context.clock.sleep_until(moment) => {}
            }
        }
    }

    /// A turn that ends. One that does not is dropped and tried again after a pause.
    async fn bounded_turn(&mut self) -> Next {
        let clock = self.context.clock.clone();
        if let Ok(next) = clock.timeout(clock.to_system(TURN_LIMIT), Box::pin(self.turn())).await {
            return next;
        }
        tracing::warn!(scaled_object = %self.key, limit_seconds = TURN_LIMIT.as_secs(), "gave up what did not end");
        self.context.telemetry.object_failed(&self.reference());
        self.backoff.fail(clock.moment());
        Next::At(self.rest())
    }

    async fn turn(&mut self) -> Next {
        let stop = self.stop.clone();
        let Some(object) = self.latest() else {
            self.forget();
            return Next::Gone;
        };
        if self.uid != object.metadata.uid {
            // Deleted and made again between two looks: nothing that is remembered holds for it.
            *self = Self::new(Arc::clone(&self.context), self.key.clone(), stop.clone());
            self.uid.clone_from(&object.metadata.uid);
        }
        if object.metadata.deletion_timestamp.is_some() {
            return unless_stopped(&stop, Box::pin(self.finalize(&object))).await.unwrap_or(Next::Stopped);
        }
        if self.is_due(&object) && unless_stopped(&stop, Box::pin(self.reconcile(&object))).await.is_none() {
            return Next::Stopped;
        }
        let Phase::Polling { last } = self.phase else { return Next::At(self.rest()) };
        let Some(object) = self.latest().and_then(|object| self.in_force(&object)) else {
            return Next::At(self.rest());
        };
        let now = self.context.clock.moment();
        let polling = object.spec.polling();
        let regular = |last| spread::next(&self.context.clock, last, self.interval, polling);
        let due = last.map_or(now, |last| self.pushes.due(last).unwrap_or_else(|| regular(last)));
        if due <= now {
            let late = self.context.clock.to_real(now.since(due)).as_secs_f64();
            self.context.telemetry.poll_late(&self.reference(), late);
            let first = || spread::first_interval(self.uid.as_deref(), polling);
            self.interval = if last.is_some() { polling } else { first() };
            self.phase = Phase::Polling { last: Some(now) };
            self.pushes.answered();
            Box::pin(self.poll(&object)).await;
            self.mirror().await;
            // A poll may find that the object is to be reconciled.
            let regular = spread::next(&self.context.clock, now, self.interval, polling);
            let next = if self.checked.is_none() { now } else { regular };
            return Next::At(self.rest().min(next));
        }
        self.mirror().await;
        Next::At(self.rest().min(due))
    }

    /// Whether the object is to be reconciled: it has changed, or a failed attempt is to be repeated.
    fn is_due(&self, object: &ScaledObject) -> bool {
        let now = self.context.clock.moment();
        let has_changed = self.checked.as_ref().is_none_or(|checked| {
            // What is in order is built anew by its next reading.
            checked.observed != Observed::of(&object.metadata)
                || (checked.is_in_error && checked.inputs != self.inputs())
        });
        has_changed || self.backoff.until().is_some_and(|until| until <= now)
    }

    /// How often what the object's triggers were built from has changed.
    fn inputs(&self) -> u64 {
        self.context.caches.inputs.revision(&self.reference())
    }

    /// The object as polls go by it. A spec that is not in order decides nothing: the HPA is still that of the last one that
    /// was, and so are the polls. A pause holds whatever the spec is.
    fn in_force(&self, object: &Arc<ScaledObject>) -> Option<Arc<ScaledObject>> {
        if self.is_paused(object) { Some(Arc::clone(object)) } else { self.context.sources.accepted.in_force(object) }
    }

    #[expect(clippy::unused_self, reason = "read as a question about the loop's object")]
    fn is_paused(&self, object: &ScaledObject) -> bool {
        let annotations = object.metadata.annotations.as_ref();
        annotations.is_some_and(|annotations| !matches!(pause::requested(annotations), Ok(None)))
    }

    fn reference(&self) -> Reference {
        Reference { kind: SCALED_OBJECT, key: self.key.clone() }
    }

    /// Whether the last reconcile failed.
    fn is_in_error(&self) -> bool {
        self.checked.as_ref().is_some_and(|checked| checked.is_in_error)
    }

    /// When there is something to do even if nobody calls: the next attempt, if one is due.
    fn rest(&self) -> Moment {
        let far = self.context.clock.moment().plus(PAUSE_MAX);
        self.backoff.until().map_or(far, |until| until.min(far))
    }

    /// The object as it was written last or as the cache has it, whichever is newer.
    fn latest(&mut self) -> Option<Arc<ScaledObject>> {
        phase::newest(self.context.caches.scaled_objects.get(&self.key), &mut self.held)
    }

    /// Writes the status; a failure is reported and leaves the rest to the next turn.
    async fn write(&mut self, object: &ScaledObject, wanted: &ScaledObjectStatus) {
        match status::write(&self.context.client, object, object.status.as_ref(), wanted).await {
            Ok(Some(written)) => self.held = Some(Arc::new(written)),
            Ok(None) => {}
            Err(error) => {
                self.publish(object, ReconcileError::status(error).event()).await;
                self.context.telemetry.object_failed(&self.reference());
            }
        }
    }

    async fn publish(&self, object: &ScaledObject, event: Event) {
        self.context.recorder.publish(&object.object_ref(&()), event).await;
    }

    fn forget(&self) {
        self.context.sources.forget(&self.context, &self.reference());
    }
}

#[cfg(test)]
mod tests;
