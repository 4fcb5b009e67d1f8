//! The buckets of tokens by which EC2 limits how often each of its actions may be called. All callers of an account and region
//! share them, so that a caller may find one empty that it has hardly used.
//!
//! Sizes and rates: EC2 Developer Guide, "Request throttling for the Amazon EC2 API", "Request token bucket sizes and refill rates".

use std::collections::BTreeMap;

use clock::Moment;

/// How many tokens an action's bucket holds, and how many come each second.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Size {
    capacity: f64,
    per_second: f64,
}

const fn size(capacity: f64, per_second: f64) -> Size {
    Size { capacity, per_second }
}

const NON_MUTATING: Size = size(100.0, 20.0);
const MUTATING: Size = size(50.0, 5.0);
/// Of the actions that are served here, those with a bucket of their own size.
const UNCATEGORIZED: [(&str, Size); 4] = [
    ("CreateNatGateway", size(10.0, 1.0)),
    ("CreateTags", size(100.0, 10.0)),
    ("DeleteNatGateway", size(10.0, 1.0)),
    ("DeleteTags", size(100.0, 10.0)),
];

fn size_of(action: &str) -> Size {
    let own = UNCATEGORIZED.iter().find(|(name, _)| *name == action).map(|(_, size)| *size);
    let is_look = ["Describe", "List", "Search", "Get"].iter().any(|beginning| action.starts_with(beginning));
    own.unwrap_or(if is_look { NON_MUTATING } else { MUTATING })
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    /// When tokens last came.
    filled: Moment,
}

/// Those that were used so far, by action.
#[derive(Debug, Default)]
pub(super) struct Buckets(BTreeMap<String, Bucket>);

impl Buckets {
    /// Takes a token for a call of this action; whether there was one.
    pub(super) fn take(&mut self, action: &str, now: Moment) -> bool {
        let bucket = self.filled(action, now);
        let is_allowed = bucket.tokens >= 1.0;
        if is_allowed {
            bucket.tokens -= 1.0;
        }
        is_allowed
    }

    /// Others have used all of the tokens of this action.
    pub(super) fn empty(&mut self, action: &str, now: Moment) {
        *self.filled(action, now) = Bucket { tokens: 0.0, filled: now };
    }

    /// The bucket with what has come since: a set number each second, up to its size.
    fn filled(&mut self, action: &str, now: Moment) -> &mut Bucket {
        let Size { capacity, per_second } = size_of(action);
        let bucket = self.0.entry(action.to_owned()).or_insert(Bucket { tokens: capacity, filled: now });
        let seconds = now.since(bucket.filled).as_secs();
        bucket.filled = bucket.filled.plus(std::time::Duration::from_secs(seconds));
        bucket.tokens = std::time::Duration::from_secs(seconds).as_secs_f64().mul_add(per_second, bucket.tokens);
        bucket.tokens = bucket.tokens.min(capacity);
        bucket
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// How many calls pass at one moment.
    fn passes(buckets: &mut Buckets, action: &str, now: Moment) -> usize {
        (0..1000).take_while(|_| buckets.take(action, now)).count()
    }

    #[test]
    fn each_action_has_as_many_calls_as_its_bucket_and_then_as_many_as_come() {
        let (clock, handle) = clock::Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let mut buckets = Buckets::default();
        // Action, size, and what comes in one second.
        let all = [
            ("DescribeVpcs", 100, 20),
            ("CreateVpc", 50, 5),
            ("DeleteRoute", 50, 5),
            ("CreateNatGateway", 10, 1),
            ("DeleteNatGateway", 10, 1),
            ("CreateTags", 100, 10),
            ("DeleteTags", 100, 10),
        ];
        for (action, size, _) in all {
            assert_eq!(passes(&mut buckets, action, clock.moment()), size, "{action}");
        }
        handle.advance(Duration::from_millis(999));
        assert!(all.iter().all(|(action, ..)| !buckets.take(action, clock.moment())));
        handle.advance(Duration::from_millis(1));
        for (action, _, rate) in all {
            assert_eq!(passes(&mut buckets, action, clock.moment()), rate, "{action}");
        }
        // It never holds more than its size.
        handle.advance(Duration::from_hours(1));
        assert_eq!(passes(&mut buckets, "DescribeVpcs", clock.moment()), 100);
    }

    #[test]
    fn what_others_have_emptied_fills_again() {
        let (clock, handle) = clock::Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let mut buckets = Buckets::default();
        buckets.empty("CreateNatGateway", clock.moment());
        assert!(!buckets.take("CreateNatGateway", clock.moment()));
        assert!(buckets.take("CreateVpc", clock.moment()), "each action has its own");
        handle.advance(Duration::from_secs(1));
        assert_eq!(passes(&mut buckets, "CreateNatGateway", clock.moment()), 1);
    }
}
