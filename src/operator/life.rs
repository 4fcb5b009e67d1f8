//! The life of one object with triggers, turn by turn, whatever its kind: checked when it changes, polled at its interval, finalized
//! when it goes.
//!
//! One task per object, so polls and checks of an object never overlap. Nothing is kept that could not be read again: cooldowns live
//! in the status and survive a restart or a change of leader.

mod finalize;

use std::fmt::Debug;
use std::ops::DerefMut;
use std::sync::Arc;
use std::time::Duration;

use clock::Moment;
use keda::event::Event;
use kube::Resource;
use kube::core::NamespaceResourceScope;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::backoff::{Backoff, PAUSE_MAX};
use crate::caches::{Cache, Caches, Opened, Text};
use crate::context::Context;
use crate::key::{Key, Reference};
use crate::owner::Owner;
use crate::phase::{self, Checked, Observed, Phase};
use crate::spread;
use crate::stop::unless_stopped;
use crate::wake::Wake;

/// A kind of objects that live so.
pub(crate) trait Kind:
    Owner
    + Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + 'static
{
    /// As manifests have it.
    const NAME: &'static str;

    fn cache(caches: &Caches) -> &Cache<Text<Self>>;

    /// The time between two polls.
    fn polling(&self) -> Duration;
}

/// What is remembered of one object from turn to turn.
pub(crate) struct Life<K> {
    pub(crate) context: Arc<Context>,
    pub(crate) key: Key,
    pub(crate) stop: CancellationToken,
    /// Which object of that name all of this is about.
    uid: Option<String>,
    /// As the last write returned it; the cache may be behind.
    pub(crate) held: Option<Arc<K>>,
    /// As the cache has it; for one turn.
    opened: Opened<K>,
    pub(crate) phase: Phase,
    /// Whether its triggers are read: it has been reported that this began.
    pub(crate) is_watching: bool,
    /// What the last check saw and found; `None` asks for another.
    pub(crate) checked: Option<Checked>,
    pub(crate) backoff: Backoff,
    /// From the last poll to the next.
    interval: Duration,
    /// When the next poll is due, if it is known.
    due: Option<Moment>,
}

impl<K: Kind> Life<K> {
    pub(crate) fn new(context: Arc<Context>, key: Key, stop: CancellationToken) -> Self {
        Self {
            context,
            key,
            stop,
            uid: None,
            held: None,
            opened: None,
            phase: Phase::Checking,
            is_watching: false,
            checked: None,
            backoff: Backoff::default(),
            interval: Duration::ZERO,
            due: None,
        }
    }

    pub(crate) fn reference(&self) -> Reference {
        Reference { kind: K::NAME, key: self.key.clone() }
    }

    /// The object as it was written last or as the cache has it, whichever is newer.
    pub(crate) fn latest(&mut self) -> Option<Arc<K>> {
        let cached = K::cache(&self.context.caches).object_after(&self.key, &mut self.opened);
        phase::newest(cached, &mut self.held)
    }

    /// Whether the object is to be checked: it has changed, or a failed attempt is to be repeated.
    pub(crate) fn is_due(&self, object: &K) -> bool {
        let now = self.context.clock.moment();
        let has_changed = self.checked.as_ref().is_none_or(|checked| {
            // What is in order is built anew by its next reading.
            checked.observed != Observed::of(object.meta()) || (checked.is_in_error && checked.inputs != self.inputs())
        });
        has_changed || self.backoff.until().is_some_and(|until| until <= now)
    }

    /// How often what the object's triggers were built from has changed.
    fn inputs(&self) -> u64 {
        self.context.caches.inputs.revision(&self.reference())
    }

    /// A check that saw the object so.
    pub(crate) fn check_of(&self, object: &K, is_in_error: bool) -> Checked {
        Checked { observed: Observed::of(object.meta()), is_in_error, inputs: self.inputs() }
    }

    /// Whether the last check failed.
    pub(crate) fn is_in_error(&self) -> bool {
        self.checked.as_ref().is_some_and(|checked| checked.is_in_error)
    }

    /// One more attempt has failed. Returns the pause before the next one.
    pub(crate) fn back_off(&mut self) -> Duration {
        self.backoff.fail(self.context.clock.moment())
    }

    /// When there is something to do even if nobody calls: the next attempt, if one is due.
    fn rest(&self) -> Moment {
        let far = self.context.clock.moment().plus(PAUSE_MAX);
        self.backoff.until().map_or(far, |until| until.min(far))
    }

    /// When the poll after the one at `last` is due.
    fn next(&self, last: Moment, polling: Duration) -> Moment {
        spread::next(&self.context.clock, last, self.interval, polling)
    }

    /// A poll begins that was due then.
    fn begin_poll(&mut self, due: Moment, polling: Duration) {
        let (clock, now) = (&self.context.clock, self.context.clock.moment());
        let late = clock.to_real(now.since(due)).as_secs_f64();
        self.context.telemetry.poll_late(&self.reference(), late);
        let is_first = matches!(self.phase, Phase::Polling { last: None });
        self.interval = if is_first { self.first_interval(polling) } else { polling };
        self.phase = Phase::Polling { last: Some(now) };
    }

    fn first_interval(&self, polling: Duration) -> Duration {
        let caches = &self.context.caches;
        let objects = caches.scaled_objects.count() + caches.scaled_jobs.count();
        spread::first_interval(self.uid.as_deref(), polling, objects)
    }

    /// Reports that triggers are read no more, if they were.
    pub(crate) async fn stop_watching(&mut self, object: &K) {
        if std::mem::take(&mut self.is_watching) {
            self.publish(object, Event::watch_stopped()).await;
        }
    }

    pub(crate) async fn publish(&self, object: &K, event: Event) {
        self.context.recorder.publish(&object.object_ref(&()), event).await;
    }

    pub(crate) fn forget(&self) {
        self.context.sources.forget(&self.context, &self.reference());
    }
}

/// What a kind does in its turns.
pub(crate) trait Turns: DerefMut<Target = Life<Self::Kind>> + Send + Sized {
    type Kind: Kind;

    /// The longest turn, real time. Each call in it has a limit of its own; this one is for all of them together.
    const LIMIT: Duration;

    fn new(context: Arc<Context>, key: Key, stop: CancellationToken) -> Self;

    /// Looks whether the object is in order, and makes of it what follows.
    fn check(&mut self, object: &Arc<Self::Kind>) -> impl Future<Output = ()> + Send;

    /// The object as polls go by it; `None` if nothing can be decided for it.
    fn in_force(&mut self, object: &Arc<Self::Kind>) -> Option<Arc<Self::Kind>>;

    fn poll(&mut self, object: &Self::Kind) -> impl Future<Output = ()> + Send;

    /// What is done after a poll, and where none was due.
    fn settled(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// What is done once at the object's end, before its finalizer goes.
    fn end(&mut self, object: &Self::Kind) -> impl Future<Output = ()> + Send;

    /// Does that, and removes the finalizer.
    fn finalize(&mut self, object: &Self::Kind) -> impl Future<Output = ()> + Send {
        finalize::finalize(self, object)
    }

    /// Returns once something calls for a poll before its time.
    fn called(&mut self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// When a poll is due for that, if one is; `last`: when it was polled last.
    fn call_due(&self, _last: Moment) -> Option<Moment> {
        None
    }

    /// A poll begins that answers it.
    fn answer(&mut self) {}

    /// Runs until the object is gone or a shutdown began. Once it has begun, nothing new is written: what is being read or
    /// checked is dropped, since the next leader does it anew; a decision that is being carried out is finished.
    fn run(mut self, wake: Arc<Wake>) -> impl Future<Output = ()> + Send {
        async move {
            let (stop, clock) = (self.stop.clone(), self.context.clock.clone());
            while !stop.is_cancelled() {
                if wake.is_again() {
                    self.checked = None;
                }
                let Some(moment) = self.turn().await else { break };
                tokio::select! {
                    biased;
                    () = stop.cancelled() => break,
                    () = wake.woken() => {}
                    () = self.called() => {}
                    () = clock.sleep_until(moment) => {}
                }
            }
        }
    }

    /// A turn that ends; when the next one is due, `None` once the object is gone or a shutdown began. One that does not end is
    /// dropped and tried again after a pause.
    fn turn(&mut self) -> impl Future<Output = Option<Moment>> + Send {
        async move {
            let (context, stop) = (Arc::clone(&self.context), self.stop.clone());
            let clock = &context.clock;
            let is_due = self.latest().is_some_and(|object| is_there(&*object) && self.is_due(&object));
            // Of ten thousand objects that are to be checked most wait here: so that takes no room, and is no part of the turn.
            let _permit = if is_due {
                self.opened = None;
                Some(unless_stopped(&stop, context.reconciles.acquire()).await?.ok()?)
            } else if self.due.is_some_and(|due| due <= clock.moment()) {
                // A source that does not answer keeps nobody from others for longer.
                let wait = clock.timeout(clock.to_system(POLL_WAIT), context.polls.acquire());
                unless_stopped(&stop, wait).await?.ok().and_then(Result::ok)
            } else {
                None
            };
            let turn = Box::pin(self.unbounded_turn(is_due));
            let ended = clock.timeout(clock.to_system(Self::LIMIT), turn).await;
            self.opened = None;
            if let Ok(next) = ended {
                return next;
            }
            tracing::warn!(object = %self.reference(), limit_seconds = Self::LIMIT.as_secs(), "gave up what did not end");
            context.telemetry.object_failed(&self.reference());
            self.back_off();
            Some(self.rest())
        }
    }

    /// `may_check`: a permit to check the object is held.
    fn unbounded_turn(&mut self, may_check: bool) -> impl Future<Output = Option<Moment>> + Send {
        async move {
            let stop = self.stop.clone();
            let Some(object) = self.latest() else {
                self.forget();
                return None;
            };
            if self.uid != object.meta().uid {
                // Deleted and made again between two looks: nothing that is remembered holds for it.
                *self = Self::new(Arc::clone(&self.context), self.key.clone(), stop.clone());
                self.uid.clone_from(&object.meta().uid);
            }
            if !is_there(&*object) {
                unless_stopped(&stop, Box::pin(self.finalize(&object))).await?;
                return Some(self.rest());
            }
            if self.is_due(&object) {
                if !may_check {
                    // It has changed since the turn began.
                    return Some(self.context.clock.moment());
                }
                unless_stopped(&stop, Box::pin(self.check(&object))).await?;
            }
            let Phase::Polling { last } = self.phase else { return Some(self.rest()) };
            let Some(object) = self.latest().and_then(|object| self.in_force(&object)) else {
                return Some(self.rest());
            };
            let now = self.context.clock.moment();
            let polling = object.polling();
            let regular = |last| self.call_due(last).unwrap_or_else(|| self.next(last, polling));
            let mut due = last.map_or(now, regular);
            if due <= now {
                self.begin_poll(due, polling);
                self.answer();
                Box::pin(self.poll(&object)).await;
                // A poll may find that the object is to be checked.
                due = if self.checked.is_none() { now } else { self.next(now, polling) };
            }
            self.settled().await;
            self.due = Some(due);
            Some(self.rest().min(due))
        }
    }
}

/// The longest wait of a poll until others have ended, real time.
const POLL_WAIT: Duration = Duration::from_millis(300);

/// Whether it is not being deleted.
fn is_there(object: &impl Owner) -> bool {
    object.metadata().deletion_timestamp.is_none()
}
