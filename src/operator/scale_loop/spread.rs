//! Polls of many objects, spread over their interval: after a start, or a change of all of them, each is polled at once, and from
//! then on at moments of its own.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// The time from an object's first poll to its second, a part of `polling` that its uid decides: a tenth at least.
pub(super) fn first_interval(uid: Option<&str>, polling: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    uid.hash(&mut hasher);
    let share = hasher.finish() as f64 / u64::MAX as f64;
    polling.mul_f64(0.1 + 0.9 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_objects_that_begin_together_are_polled_evenly_from_then_on() {
        let polling = Duration::from_secs(30);
        let mut counts = [0; 30];
        for number in 0..1000 {
            let interval = first_interval(Some(&format!("uid-{number}")), polling);
            assert!(interval <= polling && interval >= polling / 10);
            counts[(interval.as_secs() as usize).min(29)] += 1;
        }
        let busiest = counts.iter().max().unwrap();
        assert!(*busiest < 80, "{counts:?}");
        assert_eq!(first_interval(Some("uid-1"), polling), first_interval(Some("uid-1"), polling));
    }
}
