//! One connection to a server for all triggers that read it as the same user: opened at its first use, and again after it
//! was lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clock::Clock;
use futures::future::BoxFuture;
use tokio::sync::Mutex as AsyncMutex;

use crate::error::{Error, Result};

/// Why a connection could not be opened or used.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What is wrong and what to do about it, without credentials.
    pub(crate) problem: String,
    /// Whether the connection is of no use any more.
    pub(crate) is_lost: bool,
}

/// A connection that is kept.
pub(crate) struct Link<C> {
    kept: Mutex<Option<Arc<C>>>,
    /// Held by who opens it, so that one at a time does.
    opening: AsyncMutex<()>,
}

impl<C> Default for Link<C> {
    fn default() -> Self {
        Self { kept: Mutex::new(None), opening: AsyncMutex::new(()) }
    }
}

impl<C> Link<C> {
    /// Makes a call on the connection, within `limit` of real time with all that it takes to open it. A connection that was
    /// open before and proves to be lost is opened anew once: its server may have been started again meanwhile.
    pub(crate) async fn call<'a, T>(
        &self,
        (clock, limit): (&Clock, Duration),
        what: &str,
        open: impl Fn() -> BoxFuture<'a, Result<C, Failure>>,
        call: impl Fn(Arc<C>) -> BoxFuture<'a, Result<T, Failure>>,
    ) -> Result<T> {
        let used = Mutex::new(None);
        let calling = async {
            let (link, was_open) = self.opened(&open).await?;
            *lock(&used) = Some(Arc::clone(&link));
            match self.called(link, &call).await {
                Err(failure) if failure.is_lost && was_open => {
                    let (link, _) = self.opened(&open).await?;
                    *lock(&used) = Some(Arc::clone(&link));
                    self.called(link, &call).await
                }
                answer => answer,
            }
        };
        if let Ok(answer) = clock.timeout(clock.to_system(limit), calling).await {
            return answer.map_err(|Failure { problem, .. }| Error::Answer { what: what.to_owned(), problem });
        }
        // One that is silent answers nobody else either.
        if let Some(link) = lock(&used).take() {
            self.forget(&link);
        }
        Err(Error::TimedOut { what: what.to_owned(), limit })
    }

    async fn called<'a, T>(
        &self,
        link: Arc<C>,
        call: &impl Fn(Arc<C>) -> BoxFuture<'a, Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let answer = call(Arc::clone(&link)).await;
        if matches!(&answer, Err(failure) if failure.is_lost) {
            self.forget(&link);
        }
        answer
    }

    /// The connection, and whether it was open before.
    async fn opened<'a>(
        &self,
        open: &impl Fn() -> BoxFuture<'a, Result<C, Failure>>,
    ) -> Result<(Arc<C>, bool), Failure> {
        if let Some(link) = lock(&self.kept).clone() {
            return Ok((link, true));
        }
        let _alone = self.opening.lock().await;
        if let Some(link) = lock(&self.kept).clone() {
            return Ok((link, true));
        }
        let link = Arc::new(open().await?);
        *lock(&self.kept) = Some(Arc::clone(&link));
        Ok((link, false))
    }

    fn forget(&self, link: &Arc<C>) {
        let mut kept = lock(&self.kept);
        if kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, link)) {
            *kept = None;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is in there is replaced as a whole, so a panic elsewhere does not spoil it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::future::join_all;

    use super::*;

    const LIMIT: Duration = Duration::from_hours(1);

    fn failed(is_lost: bool) -> Failure {
        Failure { problem: "down".to_owned(), is_lost }
    }

    #[tokio::test]
    async fn all_share_one_connection_that_is_opened_anew_when_it_was_lost() {
        let (clock, link, opened) = (Clock::real(), Link::default(), AtomicU32::new(0));
        let open = || -> BoxFuture<'_, _> {
            Box::pin(async {
                tokio::task::yield_now().await;
                Ok(opened.fetch_add(1, Ordering::Relaxed))
            })
        };
        let number = |number: Arc<u32>| -> BoxFuture<'_, _> { Box::pin(async move { Ok(*number) }) };
        let all = join_all((0..5).map(|_| link.call((&clock, LIMIT), "it", open, number))).await;
        assert!(all.iter().all(|answer| *answer == Ok(0)), "{all:?}");
        let dead = |number: Arc<u32>| -> BoxFuture<'_, _> {
            Box::pin(async move { if *number == 0 { Err(failed(true)) } else { Ok(*number) } })
        };
        assert_eq!(link.call((&clock, LIMIT), "it", open, dead).await, Ok(1));
        let refused = |_: Arc<u32>| -> BoxFuture<'_, Result<u32, _>> { Box::pin(async { Err(failed(false)) }) };
        let error = link.call((&clock, LIMIT), "it", open, refused).await.unwrap_err();
        assert_eq!(error.to_string(), "it: down");
        assert_eq!(link.call((&clock, LIMIT), "it", open, number).await, Ok(1), "what refuses is not lost");
        let down = |_: Arc<u32>| -> BoxFuture<'_, Result<u32, _>> { Box::pin(async { Err(failed(true)) }) };
        link.call((&clock, LIMIT), "it", open, down).await.unwrap_err();
        assert_eq!(opened.load(Ordering::Relaxed), 3, "it is opened anew once a call");
    }

    #[tokio::test]
    async fn a_connection_that_is_silent_is_given_up() {
        let (clock, hands) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let (link, opened) = (Link::default(), AtomicU32::new(0));
        let open = || -> BoxFuture<'_, _> { Box::pin(async { Ok(opened.fetch_add(1, Ordering::Relaxed)) }) };
        let silent = |_: Arc<u32>| -> BoxFuture<'_, Result<u32, _>> { Box::pin(std::future::pending()) };
        let mut call = Box::pin(link.call((&clock, LIMIT), "it", open, silent));
        assert!(futures::poll!(&mut call).is_pending());
        hands.advance(LIMIT);
        assert_eq!(call.await, Err(Error::TimedOut { what: "it".to_owned(), limit: LIMIT }));
        let number = |number: Arc<u32>| -> BoxFuture<'_, _> { Box::pin(async move { Ok(*number) }) };
        assert_eq!(link.call((&clock, LIMIT), "it", open, number).await, Ok(1));
    }
}
