//! How old a value may be for whom, so that a poll and the HPA's requests around it share a call of the source
//! (`docs/rules.md#keda-age-of-a-value`).

use std::time::Duration;

/// No value that is older is taken for one of now; system time.
const AGE_MAX: Duration = Duration::from_secs(20);
/// The same where a poll may have to wake a target up; system time.
const IDLE_AGE_MAX: Duration = Duration::from_secs(1);

/// For a request of the HPA, and for a poll of an object that is active: a poll each 30 s and a request each 15 s make two calls
/// a minute.
pub(crate) fn shared(polling: Duration) -> Duration {
    (polling * 2 / 3).min(AGE_MAX)
}

/// For a poll of an object that is not active: only what others read just now.
pub(crate) fn idle(polling: Duration) -> Duration {
    (polling / 10).min(IDLE_AGE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_younger_than_the_polling_interval() {
        let seconds = Duration::from_secs;
        assert_eq!([1, 15, 30, 300].map(|polling| shared(seconds(polling)).as_millis()), [666, 10_000, 20_000, 20_000]);
        assert_eq!([1, 15, 300].map(|polling| idle(seconds(polling)).as_millis()), [100, 1000, 1000]);
    }
}
