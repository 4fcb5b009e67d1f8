//! The pauses between attempts at something that failed for a reason outside the object.

use std::time::Duration;

use clock::Moment;

/// The pause after the first failure, doubled with each failure in a row; system time.
pub(crate) const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause; system time.
pub(crate) const PAUSE_MAX: Duration = Duration::from_mins(1);

/// How many attempts in a row have failed, and when the next one is due.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    until: Option<Moment>,
}

impl Backoff {
    /// One more attempt has failed at `now`. Returns the pause before the next one.
    pub(crate) fn fail(&mut self, now: Moment) -> Duration {
        let pause = PAUSE_MIN.saturating_mul(1 << self.failures.min(16)).min(PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now.plus(pause));
        pause
    }

    /// Nothing is to be tried again.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    /// When the next attempt is due, if one is.
    pub(crate) fn until(&self) -> Option<Moment> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use clock::Clock;

    use super::*;

    #[test]
    fn pauses_double_from_a_second_to_a_minute_and_begin_again_after_a_success() {
        let now = Clock::real().moment();
        let mut backoff = Backoff::default();
        let seconds: Vec<_> = (0..9).map(|_| backoff.fail(now).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(backoff.until(), Some(now.plus(PAUSE_MAX)));
        backoff.reset();
        assert_eq!(backoff.until(), None);
        assert_eq!(backoff.fail(now), PAUSE_MIN);
    }
}
