//! What was read from event sources lately, by source: polls, requests of the HPA and equal triggers of other objects that
//! come while a read is under way, or soon after it, share its answer.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clock::{Clock, Moment};
use jiff::Timestamp;
use tokio::sync::Mutex as AsyncMutex;

use crate::error::{Error, Result};

/// How long a failure answers for its source at the most, real time. It is never taken for longer than a value would be.
const FAILURE_AGE_MAX: Duration = Duration::from_secs(5);
/// What nobody has asked for during this real time is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(10);
/// Fewer sources than this are not swept.
const SWEPT_MIN: usize = 256;

/// All that an answer depends on: the trigger's type, the address, the caller, what is asked.
pub(crate) type Source = Vec<String>;
type Value = Arc<dyn Any + Send + Sync>;

/// The answers by source.
pub struct Reads {
    clock: Clock,
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    /// By source and the type of its answer.
    all: HashMap<(TypeId, Source), Slot>,
    /// Sources above which they are swept.
    swept_at: usize,
}

struct Slot {
    /// Held by who reads, so that one at a time does.
    last: Arc<AsyncMutex<Option<Kept>>>,
    wanted: Moment,
}

struct Kept {
    began: Moment,
    ended: Moment,
    at: Timestamp,
    answer: Result<Value>,
}

/// An answer, and when it was given.
pub(crate) struct Answer<T> {
    /// By the wall clock.
    pub(crate) at: Timestamp,
    /// What was read.
    pub(crate) value: Arc<T>,
}

impl Reads {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, slots: Mutex::default() }
    }

    /// What `fetch` gives for `source`, or gave at most `age` ago (system time), or is about to give to somebody who asked
    /// before.
    pub(crate) async fn get<T: Send + Sync + 'static>(
        &self,
        source: Source,
        age: Duration,
        fetch: impl Future<Output = Result<T>>,
    ) -> Result<Answer<T>> {
        let wanted_at = self.clock.moment();
        let slot = self.slot((TypeId::of::<T>(), source), wanted_at);
        let mut last = slot.lock().await;
        if let Some(kept) = last.as_ref().filter(|kept| self.is_answered(kept, wanted_at, age)) {
            return kept.answer();
        }
        let began = self.clock.moment();
        let answer = Box::pin(fetch).await.map(|value| Arc::new(value) as Value);
        last.insert(Kept { began, ended: self.clock.moment(), at: self.clock.now(), answer }).answer()
    }

    /// Whether what was read answers a question of the moment `wanted_at` for something not older than `age`. What was under way
    /// by then does.
    fn is_answered(&self, kept: &Kept, wanted_at: Moment, age: Duration) -> bool {
        let age_max = if kept.answer.is_ok() { age } else { age.min(self.clock.to_system(FAILURE_AGE_MAX)) };
        kept.ended > wanted_at || (!age_max.is_zero() && wanted_at.since(kept.began) <= age_max)
    }

    fn slot(&self, key: (TypeId, Source), wanted_at: Moment) -> Arc<AsyncMutex<Option<Kept>>> {
        let mut slots = self.lock();
        if slots.all.len() >= slots.swept_at.max(SWEPT_MIN) {
            let limit = self.clock.to_system(FORGOTTEN_AFTER);
            slots.all.retain(|_, slot| Arc::strong_count(&slot.last) > 1 || wanted_at.since(slot.wanted) <= limit);
            slots.swept_at = slots.all.len() * 2;
        }
        let slot = slots.all.entry(key).or_insert_with(|| Slot { last: Arc::default(), wanted: wanted_at });
        slot.wanted = wanted_at;
        Arc::clone(&slot.last)
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        // The map is consistent between any two of its operations, so a panic elsewhere does not spoil it.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn answer<T: Send + Sync + 'static>(&self) -> Result<Answer<T>> {
        let wrong = || Error::Answer { what: "a shared read".to_owned(), problem: "it has another type".to_owned() };
        // The type is part of the slot's key.
        let value = self.answer.clone()?.downcast::<T>().map_err(|_| wrong())?;
        Ok(Answer { at: self.at, value })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::future::join_all;

    use super::*;

    fn source(name: &str) -> Source {
        vec!["test".to_owned(), name.to_owned()]
    }

    fn down() -> Error {
        Error::TimedOut { what: "a queue".into(), limit: Duration::from_secs(20) }
    }

    #[tokio::test]
    async fn who_asks_while_a_read_is_under_way_shares_its_answer_a_failure_too() {
        let reads = Reads::new(Clock::real());
        for is_up in [true, false] {
            let calls = AtomicU32::new(0);
            let read = || {
                reads.get(source(&is_up.to_string()), Duration::ZERO, async {
                    calls.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    if is_up { Ok(7) } else { Err(down()) }
                })
            };
            let all = join_all([read(), read(), read()]).await;
            assert_eq!(calls.load(Ordering::Relaxed), 1);
            assert!(all.iter().all(|answer| answer.is_ok() == is_up));
            let _ = read().await;
            assert_eq!(calls.load(Ordering::Relaxed), 2, "who comes later and wants it fresh reads");
        }
    }

    #[tokio::test]
    async fn an_answer_counts_for_as_long_as_its_reader_says_and_a_failure_not_for_longer_than_5_s() {
        let (clock, hands) = Clock::manual(Timestamp::UNIX_EPOCH);
        let reads = Reads::new(clock);
        let calls = AtomicU32::new(0);
        let read = async |name: &str, age: u64, is_up: bool| {
            let fetch = async {
                calls.fetch_add(1, Ordering::Relaxed);
                if is_up { Ok(calls.load(Ordering::Relaxed)) } else { Err(down()) }
            };
            reads.get(source(name), Duration::from_secs(age), fetch).await.map(|answer| (*answer.value, answer.at))
        };
        let first = read("a", 20, true).await.unwrap();
        hands.advance(Duration::from_secs(15));
        assert_eq!(read("a", 20, true).await.unwrap(), first, "value and time are those of the read");
        assert_eq!(read("a", 10, true).await.unwrap().0, 2);
        assert_eq!(read("b", 20, true).await.unwrap().0, 3, "another source");
        read("down", 20, false).await.unwrap_err();
        hands.advance(Duration::from_secs(4));
        read("down", 20, true).await.unwrap_err();
        hands.advance(Duration::from_secs(2));
        assert_eq!(read("down", 20, true).await.unwrap().0, 5);
    }

    #[tokio::test]
    async fn a_reader_that_gives_up_leaves_the_read_to_the_next() {
        let reads = Reads::new(Clock::real());
        let hung = reads.get(source("a"), Duration::ZERO, std::future::pending::<Result<u8>>());
        let next = reads.get(source("a"), Duration::ZERO, async { Ok(1_u8) });
        let (hung, mut next) = (Box::pin(hung), Box::pin(next));
        let mut hung = Some(hung);
        assert!(futures::poll!(hung.as_mut().unwrap()).is_pending());
        assert!(futures::poll!(&mut next).is_pending());
        drop(hung.take());
        assert_eq!(*next.await.unwrap().value, 1);
    }

    #[tokio::test]
    async fn sources_that_nobody_asks_for_are_forgotten() {
        let (clock, hands) = Clock::manual(Timestamp::UNIX_EPOCH);
        let reads = Reads::new(clock);
        for number in 0..2000 {
            reads.get(source(&number.to_string()), Duration::ZERO, async { Ok(1_u8) }).await.unwrap();
            hands.advance(Duration::from_secs(3));
        }
        assert!(reads.lock().all.len() <= 2 * SWEPT_MIN, "{}", reads.lock().all.len());
    }
}
