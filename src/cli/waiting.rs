//! A wait as a person sees it: a line every ten seconds of real time, with what is waited for, for how long, and the reason
//! that was given last. In JSON the same is an event of the type `waiting`.
//!
//! A person waits in real time, whatever the pace of the stack's clock. Every wait of every command comes through here:
//! single ones by [`during`], the steps of a run and of a scenario by [`Due`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clock::{Clock, Moment};
use serde_json::json;

use crate::screen::Seen;
use crate::spelled::spelled;
use crate::view::{View, Weight};

/// How often a wait is reported, in real time; Terraform's pace.
const EVERY: Duration = Duration::from_secs(10);
/// How often it is looked whether a line is due.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

/// When the next line of a wait is due.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    clock: Clock,
    begun: Moment,
    /// How many lines are behind.
    said: u32,
}

impl Due {
    /// A wait that begins now. `clock` is real time, or a test's.
    pub(crate) fn new(clock: &Clock) -> Self {
        Self { clock: clock.clone(), begun: clock.moment(), said: 0 }
    }

    /// How long it lasts, in real time.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.elapsed(self.begun)
    }

    /// How long it lasts, if a line is due; then the next one is due in ten seconds. Lines that nobody took in time are
    /// not made up for.
    pub(crate) fn take(&mut self) -> Option<Duration> {
        let elapsed = self.elapsed();
        if elapsed < EVERY * (self.said + 1) {
            return None;
        }
        self.said = u32::try_from(elapsed.as_secs() / EVERY.as_secs()).unwrap_or(u32::MAX - 1);
        Some(elapsed)
    }
}

/// The reason why a wait goes on, as it was given last. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reason(Arc<Mutex<String>>);

impl Reason {
    /// Gives a reason.
    pub(crate) fn give(&self, reason: impl Into<String>) {
        // A panic elsewhere while it was held leaves a whole text.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reason.into();
    }

    fn last(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What `work` gives; while it lasts, `what` is said to be waited for.
pub(crate) fn during<'a, T: 'a>(
    view: &'a View,
    what: &'a str,
    work: impl Future<Output = T> + 'a,
) -> impl Future<Output = T> + 'a {
    // On the heap: what is waited for may be large, and waits stand within each other.
    let work = Box::pin(work);
    async move { with_reason(view, what, &Reason::default(), work).await }
}

/// The same for work that gives reasons.
pub(crate) async fn with_reason<T>(
    view: &View,
    what: &str,
    reason: &Reason,
    work: impl Future<Output = T> + Unpin,
) -> T {
    let say = |elapsed: Duration, last: &str| {
        let reason = (!last.is_empty()).then_some(last);
        view.event("waiting", json!({ "what": what, "real_seconds": elapsed.as_secs_f64(), "reason": reason }));
        view.aside_dim(&line(what, elapsed, None, last));
    };
    view.see(|| Seen::Waiting(Some(what.to_owned())));
    let done = watched(&Clock::real(), reason, say, work).await;
    view.see(|| Seen::Waiting(None));
    done
}

async fn watched<T>(clock: &Clock, reason: &Reason, say: impl Fn(Duration, &str), work: impl Future<Output = T>) -> T {
    let mut due = Due::new(clock);
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = clock.sleep(LOOK) => {
                if let Some(elapsed) = due.take() {
                    say(elapsed, &reason.last());
                }
            }
        }
    }
}

/// What a line of a wait weighs: where a view is brief, one a minute is enough.
pub(crate) fn weight(elapsed: Duration) -> Weight {
    let into_minute = elapsed.as_secs() % 60;
    if elapsed >= Duration::from_mins(1) && into_minute < EVERY.as_secs() { Weight::Usual } else { Weight::Minor }
}

/// `WHAT... [20s elapsed, USUAL] REASON`.
pub(crate) fn line(what: &str, elapsed: Duration, usual: Option<&str>, reason: &str) -> String {
    let space = if reason.is_empty() { "" } else { " " };
    let usual = usual.map(|usual| format!(", {usual}")).unwrap_or_default();
    format!("{what}... [{} elapsed{usual}]{space}{reason}", spelled(elapsed))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[tokio::test]
    async fn work_that_lasts_is_reported_every_ten_seconds_with_its_last_reason() {
        let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let (reason, said) = (Reason::default(), RefCell::new(Vec::new()));
        let say = |elapsed, reason: &str| said.borrow_mut().push(line("LocalStack starts", elapsed, None, reason));
        let work = async {
            for second in 1..=25 {
                if second == 15 {
                    reason.give("it does not answer yet");
                }
                handle.advance(Duration::from_secs(1));
                // Whoever sleeps on the clock is woken before the next second.
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
            }
            7
        };
        assert_eq!(watched(&clock, &reason, say, work).await, 7);
        assert_eq!(
            *said.borrow(),
            ["LocalStack starts... [10s elapsed]", "LocalStack starts... [20s elapsed] it does not answer yet"]
        );
    }

    #[test]
    fn lines_that_were_missed_are_not_made_up_for() {
        let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let mut due = Due::new(&clock);
        handle.advance(Duration::from_secs(95));
        assert_eq!(due.take().map(spelled).as_deref(), Some("1m35s"));
        assert_eq!(due.take(), None);
        handle.advance(Duration::from_secs(5));
        assert!(due.take().is_some());
    }
}
