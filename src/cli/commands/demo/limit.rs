//! `--max-hours`: how long a demo may keep a stack up before it takes it down, whatever is proved by then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clock::Clock;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::diagnostic::{Diagnostic, Outcome};
use crate::exit::Exit;
use crate::view::View;

/// How long the first two parts may last: what is up costs by the hour.
#[derive(Debug)]
pub(super) struct Limit {
    hours: f64,
    /// Cancelled by a signal, and when the time is over.
    pub(super) stop: CancellationToken,
    is_over: Arc<AtomicBool>,
    _ends_with_this: DropGuard,
}

impl Limit {
    /// Begins to count. `clock` is real time, or a test's.
    pub(super) fn begin(hours: f64, clock: &Clock, stop: &CancellationToken, view: &View) -> Self {
        let (stop, is_over) = (stop.child_token(), Arc::new(AtomicBool::new(false)));
        let counting = CancellationToken::new();
        let guard = counting.clone().drop_guard();
        let (token, over, clock, view) = (stop.clone(), is_over.clone(), clock.clone(), view.clone());
        tokio::spawn(counting.run_until_cancelled_owned(async move {
            clock.sleep(Duration::from_secs_f64(hours * 3600.0)).await;
            over.store(true, Ordering::Relaxed);
            let text = format!("{hours} hours are over (--max-hours): what is up is taken down");
            view.diagnostic(&Diagnostic::warning(text));
            token.cancel();
        }));
        Self { hours, stop, is_over, _ends_with_this: guard }
    }

    /// What came of the work: a part that the limit has ended was not interrupted by anybody.
    pub(super) fn applied_to<T>(&self, outcome: Outcome<T>) -> Outcome<T> {
        outcome.map_err(|wrong| {
            let is_cut_off = self.is_over.load(Ordering::Relaxed)
                && wrong.first().is_some_and(|first| first.exit == Exit::Interrupted);
            if !is_cut_off {
                return wrong;
            }
            let text = format!("nothing was proved within {} hours (--max-hours)", self.hours);
            vec![Diagnostic::error(text).help("look at what took so long above, or give it more hours")]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_lasts_longer_than_its_hours_is_ended_and_counts_as_failed() {
        let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let view = View::new(crate::arguments::Output::Json, true);
        let stop = CancellationToken::new();
        let limit = Limit::begin(1.5, &clock, &stop, &view);
        tokio::task::yield_now().await;
        let interrupted = || Err::<(), _>(vec![Diagnostic::interrupted("nothing was changed")]);
        handle.advance(Duration::from_mins(89));
        tokio::task::yield_now().await;
        assert!(!limit.stop.is_cancelled());
        assert_eq!(limit.applied_to(interrupted()).unwrap_err()[0].exit, Exit::Interrupted);
        handle.advance(Duration::from_mins(2));
        limit.stop.cancelled().await;
        let wrong = limit.applied_to(interrupted()).unwrap_err();
        assert!(wrong[0].exit == Exit::Failed && wrong[0].summary.contains("1.5 hours"), "{wrong:?}");
        // The duty to clean up has no such end, nor has anybody else's signal been given.
        assert!(!stop.is_cancelled());
    }
}
