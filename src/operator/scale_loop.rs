//! The life of one ScaledObject: reconciled when it changes, polled at its interval, finalized when it goes.
//!
//! One task per object, so polls and reconciles of an object never overlap. Nothing is kept that could not be read again:
//! cooldowns live in the status and survive a restart or a change of leader.

mod autoscaler;
mod finalize;
mod poll;
mod reconcile;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clock::Moment;
use keda::api::{ScaledObject, ScaledObjectStatus};
use keda::decision::Decision;
use keda::event::Event;
use kube::Resource;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::caches::Key;
use crate::context::Context;
use crate::error::brief;
use crate::status;

/// The first pause after a failed reconcile, doubled with each failure in a row; system time.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
/// The longest such pause.
const BACKOFF_MAX: Duration = Duration::from_mins(1);

/// Tells a loop that there may be something to do.
#[derive(Default)]
pub(crate) struct Wake {
    notify: Notify,
    again: AtomicBool,
}

impl Wake {
    /// `again`: something that the object depends on has changed, so it is to be reconciled in any case.
    pub(crate) fn up(&self, again: bool) {
        if again {
            self.again.store(true, Ordering::Release);
        }
        self.notify.notify_one();
    }
}

/// What a reconcile depends on in the object itself; the status is not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    uid: Option<String>,
    generation: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    is_leaving: bool,
}

impl Facts {
    fn of(object: &ScaledObject) -> Self {
        let metadata = &object.metadata;
        Self {
            uid: metadata.uid.clone(),
            generation: metadata.generation,
            labels: metadata.labels.clone(),
            annotations: metadata.annotations.clone(),
            is_leaving: metadata.deletion_timestamp.is_some(),
        }
    }
}

/// What a turn of the loop leaves to do.
enum Next {
    At(Moment),
    Gone,
}

pub(crate) struct ScaleLoop {
    context: Arc<Context>,
    key: Key,
    /// Which object of that name all of this is about.
    uid: Option<String>,
    /// As the last write returned it; the cache may be behind.
    held: Option<Arc<ScaledObject>>,
    /// What the last reconcile saw; `None` asks for another.
    reconciled: Option<Facts>,
    failures: u32,
    retry: Option<Moment>,
    /// Why the last reconcile failed.
    problem: Option<String>,
    /// Polling has begun: the object was in order at least once.
    is_polling: bool,
    polled: Option<Moment>,
    /// What is done once at the object's end has been done.
    is_ended: bool,
    decided: Option<Decision>,
}

impl ScaleLoop {
    pub(crate) fn new(context: Arc<Context>, key: Key) -> Self {
        Self {
            context,
            key,
            uid: None,
            held: None,
            reconciled: None,
            failures: 0,
            retry: None,
            problem: None,
            is_polling: false,
            polled: None,
            is_ended: false,
            decided: None,
        }
    }

    /// Runs until the object is gone or `stop` is cancelled; what was begun is finished first.
    pub(crate) async fn run(mut self, wake: Arc<Wake>, stop: CancellationToken) {
        loop {
            if wake.again.swap(false, Ordering::AcqRel) {
                self.reconciled = None;
            }
            let Next::At(moment) = self.turn().await else { break };
            tokio::select! {
                () = stop.cancelled() => break,
                () = wake.notify.notified() => {}
                () = self.context.clock.sleep_until(moment) => {}
            }
        }
    }

    async fn turn(&mut self) -> Next {
        let Some(object) = self.latest() else {
            self.forget();
            return Next::Gone;
        };
        if self.uid != object.metadata.uid {
            // Deleted and made again between two looks: nothing that is remembered holds for it.
            *self = Self::new(Arc::clone(&self.context), self.key.clone());
            self.uid.clone_from(&object.metadata.uid);
        }
        if object.metadata.deletion_timestamp.is_some() {
            return self.finalize(&object).await;
        }
        let now = self.context.clock.moment();
        if self.reconciled.as_ref() != Some(&Facts::of(&object)) && self.retry.is_none_or(|retry| retry <= now) {
            self.reconcile(&object).await;
        }
        let Some(object) = self.latest().filter(|_| self.is_polling) else { return Next::At(self.rest()) };
        let now = self.context.clock.moment();
        let due = self.polled.map_or(now, |polled| polled.plus(object.spec.polling()));
        if due <= now {
            let late = self.context.clock.to_real(now.since(due)).as_secs_f64();
            self.context.telemetry.poll_late(&self.key, late);
            self.polled = Some(now);
            self.poll(&object).await;
            return Next::At(self.rest().min(now.plus(object.spec.polling())));
        }
        Next::At(self.rest().min(due))
    }

    /// When there is something to do even if nobody calls: the retry, if one is due.
    fn rest(&self) -> Moment {
        let far = self.context.clock.moment().plus(BACKOFF_MAX);
        self.retry.map_or(far, |retry| retry.min(far))
    }

    /// The object as it was written last or as the cache has it, whichever is newer.
    fn latest(&mut self) -> Option<Arc<ScaledObject>> {
        let cached = self.context.caches.scaled_objects.get(&self.key);
        // Resource versions of one kind can be compared as numbers (Kubernetes KEP-5504).
        let version = |object: &ScaledObject| object.metadata.resource_version.as_ref()?.parse::<u64>().ok();
        let is_newer = |held: &ScaledObject, cached: &ScaledObject| {
            held.metadata.uid == cached.metadata.uid && version(held) > version(cached)
        };
        match (cached, &self.held) {
            (Some(cached), Some(held)) if is_newer(held, &cached) => Some(Arc::clone(held)),
            (cached, _) => {
                self.held = None;
                cached
            }
        }
    }

    /// Writes the status; a failure is told and leaves the rest to the next turn.
    async fn write(&mut self, object: &ScaledObject, wanted: &ScaledObjectStatus) -> bool {
        match status::write(&self.context.client, object, wanted).await {
            Ok(Some(written)) => {
                self.held = Some(Arc::new(written));
                true
            }
            Ok(None) => true,
            Err(error) => {
                let message = format!("the status of {} cannot be written: {}", self.key, brief(&error));
                self.publish(object, Event::update_failed(message)).await;
                self.context.telemetry.object_failed(&self.key);
                false
            }
        }
    }

    async fn publish(&self, object: &ScaledObject, event: Event) {
        self.context.recorder.publish(&object.object_ref(&()), event).await;
    }

    fn forget(&self) {
        if let Some(triggers) = self.context.sources.forget(&self.key) {
            triggers.retire(&self.context, &self.key);
        }
    }

    fn failed(&mut self) {
        let pause = BACKOFF_MIN.saturating_mul(1 << self.failures.min(16)).min(BACKOFF_MAX);
        self.failures = self.failures.saturating_add(1);
        self.retry = Some(self.context.clock.moment().plus(pause));
        self.reconciled = None;
    }
}

#[cfg(test)]
mod tests;
