//! The loop that all controllers share: changes become keys, keys wait in a queue, each is reconciled and, when that
//! fails, tried again after a growing pause.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clock::{Clock, Moment};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use crate::cache::{Cache, Change};
use crate::error::Result;

/// First real pause after a failure; doubles with each further one.
const RETRY_FIRST: Duration = Duration::from_millis(10);
/// Longest real pause after failures.
const RETRY_LAST: Duration = Duration::from_secs(15);

/// One controller: what concerns it, and what it does about it.
pub(crate) trait Controller: Send + Sync + 'static {
    /// What is reconciled.
    type Key: Ord + Clone + std::fmt::Display + Send + Sync + 'static;
    /// Names the controller in the log.
    const NAME: &'static str;
    /// How many keys are worked on at the same time.
    const WORKERS: usize = 1;

    /// The keys to reconcile after a change, each after a pause (zero: at once).
    fn concerns(&self, change: &Change) -> Vec<(Self::Key, Duration)>;

    /// Brings what exists one step nearer to what the key's object asks for; gives the pause after which it is to be
    /// looked at again even if nothing changes.
    fn reconcile(&self, key: &Self::Key) -> impl Future<Output = Result<Option<Duration>>> + Send;
}

/// Keys with the moment at which each is due.
pub(crate) struct Queue<K> {
    clock: Clock,
    state: Mutex<State<K>>,
    changed: Notify,
}

struct State<K> {
    due: BTreeMap<K, Moment>,
    /// Those of them that nobody works on, the earliest first.
    idle: BTreeSet<(Moment, K)>,
    active: BTreeSet<K>,
    failures: BTreeMap<K, u32>,
}

impl<K: Ord + Clone> Queue<K> {
    pub(crate) fn new(clock: Clock) -> Self {
        let state =
            State { due: BTreeMap::new(), idle: BTreeSet::new(), active: BTreeSet::new(), failures: BTreeMap::new() };
        Self { clock, state: Mutex::new(state), changed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes `key` due after a pause in system time, or earlier if it is already.
    pub(crate) fn add(&self, key: K, after: Duration) {
        let moment = self.clock.moment().plus(after);
        let mut state = self.state();
        let before = state.due.get(&key).copied();
        if before.is_some_and(|before| before <= moment) {
            return;
        }
        state.due.insert(key.clone(), moment);
        if state.active.contains(&key) {
            return;
        }
        if let Some(before) = before {
            state.idle.remove(&(before, key.clone()));
        }
        state.idle.insert((moment, key));
        drop(state);
        self.changed.notify_one();
    }

    /// The next key that is due and not being worked on; it counts as active until [`Queue::done`].
    pub(crate) async fn next(&self) -> K {
        loop {
            let now = self.clock.moment();
            let earliest = {
                let mut state = self.state();
                let earliest = state.idle.first().map(|(moment, _)| *moment);
                if earliest.is_some_and(|moment| moment <= now)
                    && let Some((_, key)) = state.idle.pop_first()
                {
                    state.due.remove(&key);
                    state.active.insert(key.clone());
                    return key;
                }
                earliest
            };
            match earliest {
                Some(moment) => tokio::select! {
                    () = self.clock.sleep_until(moment) => {}
                    () = self.changed.notified() => {}
                },
                None => self.changed.notified().await,
            }
        }
    }

    /// Ends the work on `key`; after a failure it becomes due again after a growing pause, which is returned.
    pub(crate) fn done(&self, key: K, failed: bool) -> Option<Duration> {
        let mut state = self.state();
        state.active.remove(&key);
        if let Some(moment) = state.due.get(&key).copied() {
            state.idle.insert((moment, key.clone()));
        }
        let pause = if failed {
            let count = state.failures.entry(key.clone()).or_insert(0);
            let pause = RETRY_FIRST.saturating_mul(1 << (*count).min(16)).min(RETRY_LAST);
            *count += 1;
            Some(self.clock.to_system(pause))
        } else {
            state.failures.remove(&key);
            None
        };
        drop(state);
        self.changed.notify_one();
        if let Some(pause) = pause {
            self.add(key, pause);
        }
        pause
    }
}

/// Runs a controller until `stop`. It sees every change since this call, not only since the first poll.
pub(crate) fn run<C: Controller>(
    controller: C,
    cache: &Cache,
    stop: CancellationToken,
) -> impl Future<Output = ()> + Send + use<C> {
    let (changes, clock) = (cache.subscribe(), cache.clock.clone());
    work_off(controller, clock, changes, stop)
}

async fn work_off<C: Controller>(
    controller: C,
    clock: Clock,
    mut changes: UnboundedReceiver<Arc<Change>>,
    stop: CancellationToken,
) {
    let queue = Queue::new(clock);
    let mut working = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            change = changes.recv() => match change {
                Some(change) => controller.concerns(&change).into_iter().for_each(|(key, after)| queue.add(key, after)),
                None => return,
            },
            Some(()) = working.next(), if !working.is_empty() => {}
            key = queue.next(), if working.len() < C::WORKERS => working.push(work(&controller, &queue, key)),
        }
    }
}

async fn work<C: Controller>(controller: &C, queue: &Queue<C::Key>, key: C::Key) {
    match controller.reconcile(&key).await {
        Ok(again) => {
            queue.done(key.clone(), false);
            if let Some(after) = again {
                queue.add(key, after);
            }
        }
        Err(error) => {
            if error.is_conflict() {
                tracing::trace!(controller = C::NAME, %key, %error, "outdated; trying again");
            } else {
                tracing::debug!(controller = C::NAME, %key, %error, "failed; trying again");
            }
            queue.done(key, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[tokio::test]
    async fn a_key_in_work_waits_for_its_own_end() {
        let (clock, handle) = Clock::manual(Timestamp::UNIX_EPOCH);
        let queue = Queue::new(clock);
        queue.add("a", Duration::ZERO);
        assert_eq!(queue.next().await, "a");
        queue.add("a", Duration::ZERO);
        queue.add("b", Duration::from_secs(5));
        handle.advance(Duration::from_secs(5));
        assert_eq!(queue.next().await, "b");
        queue.done("a", false);
        assert_eq!(queue.next().await, "a");
    }

    #[tokio::test]
    async fn keys_come_in_the_order_of_their_moments_and_the_earliest_of_one_counts() {
        let (clock, handle) = Clock::manual(Timestamp::UNIX_EPOCH);
        let queue = Queue::new(clock);
        for (key, after) in [("late", 9), ("early", 5), ("late", 3), ("early", 7)] {
            queue.add(key, Duration::from_secs(after));
        }
        handle.advance(Duration::from_secs(10));
        assert_eq!([queue.next().await, queue.next().await], ["late", "early"]);
        assert!(queue.state().idle.is_empty() && queue.state().due.is_empty());
    }

    #[test]
    fn failures_pause_longer_each_time_and_success_forgets_them() {
        let queue = Queue::new(Clock::real());
        let pauses: Vec<_> = (0..3).filter_map(|_| queue.done("a", true)).collect();
        assert_eq!(pauses, [10, 20, 40].map(Duration::from_millis));
        queue.done("a", false);
        assert_eq!(queue.done("a", true), Some(RETRY_FIRST));
    }
}
