//! Polls of many objects, spread over their interval: after a start, or a change of all of them, each is polled at once, and from
//! then on at a moment that its uid decides (`docs/rules.md#keda-moments-of-polls`).
//!
//! These moments lie on a grid that all objects share. A poll that comes alone finds the processor's caches filled by other
//! programs and takes several times the CPU of one that follows another; so do the server's part in it and the wake-ups.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use clock::{Clock, Moment};

/// The longest step of the grid, real time.
const STEP_MAX: Duration = Duration::from_secs(1);
/// A step is no longer than this part of the polling interval.
const STEPS_MIN: u32 = 20;
/// Fewer objects are polled at their interval from the first poll on, as with KEDA.
const OBJECTS_MIN: usize = 32;

/// When an object that was polled at `last` is polled again, `interval` later: at the nearest moment of the grid, so that a poll
/// that began late does not delay all that follow.
pub(crate) fn next(clock: &Clock, last: Moment, interval: Duration, polling: Duration) -> Moment {
    let step = (polling / STEPS_MIN).min(clock.to_system(STEP_MAX));
    last.plus(interval).nearest(step)
}

/// The time from an object's first poll to its second, where there are so many `objects`: a part of `polling` that its uid decides, a
/// tenth at least. Where there are few, nothing is to be spread, and it is all of it.
pub(crate) fn first_interval(uid: Option<&str>, polling: Duration, objects: usize) -> Duration {
    if objects < OBJECTS_MIN {
        return polling;
    }
    let mut hasher = DefaultHasher::new();
    uid.hash(&mut hasher);
    let share = hasher.finish() as f64 / u64::MAX as f64;
    polling.mul_f64(0.1 + 0.9 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_one_interval_are_polled_together_and_none_creeps() {
        let (clock, hands) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let origin = clock.moment();
        for (polling, step) in [(30, 1000), (5, 250), (1, 50)] {
            let polling = Duration::from_secs(polling);
            let mut moments = std::collections::BTreeSet::new();
            for number in 0..1000 {
                let first = first_interval(Some(&format!("uid-{number}")), polling, 1000);
                let second = next(&clock, origin, first, polling);
                moments.insert(second);
                // The poll begins a little late each time.
                let late = Duration::from_millis(step / 4);
                let third = next(&clock, second.plus(late), polling, polling);
                assert_eq!(next(&clock, third.plus(late), polling, polling), second.plus(2 * polling));
            }
            assert!(moments.len() <= polling.as_millis() as usize / step as usize + 1, "{}", moments.len());
        }
        drop(hands);
        // A step is a matter of the processor, so of real time.
        let (fast, hour) = (Clock::scaled(10.0), Duration::from_hours(1));
        assert_eq!(next(&fast, origin, Duration::from_secs(26), hour), origin.plus(Duration::from_secs(30)));
    }

    #[test]
    fn a_thousand_objects_that_begin_together_are_polled_evenly_from_then_on() {
        let polling = Duration::from_secs(30);
        let mut counts = [0; 30];
        for number in 0..1000 {
            let interval = first_interval(Some(&format!("uid-{number}")), polling, 1000);
            assert!(interval <= polling && interval >= polling / 10);
            counts[(interval.as_secs() as usize).min(29)] += 1;
        }
        let busiest = counts.iter().max().unwrap();
        assert!(*busiest < 80, "{counts:?}");
        assert_eq!(first_interval(Some("uid-1"), polling, 1000), first_interval(Some("uid-1"), polling, 1000));
    }

    #[test]
    fn a_few_objects_are_polled_at_their_interval_from_the_first_poll_on() {
        let polling = Duration::from_secs(75);
        for number in 0..31 {
            assert_eq!(first_interval(Some(&format!("uid-{number}")), polling, 31), polling);
        }
    }
}
