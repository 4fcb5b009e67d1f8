//! Records in the order of time, although some come later than they were made.

use jiff::{SignedDuration, Timestamp};
use verify::Record;

/// How long a record is kept for others that happened before it: a log is read a little later than it was written. Where it
/// is seen to be read later than that, records are kept for as long.
const HOLD: SignedDuration = SignedDuration::from_millis(400);
/// They are not kept for longer.
const HOLD_MAX: SignedDuration = SignedDuration::from_secs(3);
/// For as long nothing is shown at first, since logs take a moment until they are followed.
const FIRST: SignedDuration = SignedDuration::from_secs(1);

/// Records in order of time, until each has waited long enough.
pub(super) struct Held {
    /// When it may be shown, and what.
    records: Vec<(Timestamp, Record)>,
    first: Timestamp,
    hold: SignedDuration,
}

impl Held {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { records: Vec::new(), first: now + FIRST, hold: HOLD }
    }

    pub(super) fn put(&mut self, record: Record, now: Timestamp) {
        self.hold = self.hold.max(now.duration_since(record.time)).min(HOLD_MAX);
        let index = self.records.partition_point(|(_, other)| other.time <= record.time);
        self.records.insert(index, (self.first.max(now + self.hold), record));
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.records.iter().map(|(due, _)| *due).min()
    }

    /// What has waited long enough, and whatever happened before that.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Record> {
        let last = self.records.iter().rposition(|(due, _)| *due <= now);
        self.records.drain(..last.map_or(0, |last| last + 1)).map(|(_, record)| record).collect()
    }

    pub(super) fn rest(self) -> impl Iterator<Item = Record> {
        self.records.into_iter().map(|(_, record)| record)
    }
}

#[cfg(test)]
mod tests {
    use verify::{Counts, Observation, Source};

    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(milliseconds).unwrap()
    }

    fn record(milliseconds: i64) -> Record {
        let counts = Counts { visible: 0, in_flight: 0, delayed: 0 };
        Record { time: at(milliseconds), source: Source::Queue, observation: Observation::Queue(counts) }
    }

    #[test]
    fn what_comes_late_is_shown_in_the_order_of_time_and_once() {
        let times = |records: Vec<Record>| records.iter().map(|one| one.time.as_millisecond()).collect::<Vec<_>>();
        let mut held = Held::new(at(0));
        held.put(record(100), at(100));
        assert!(held.due(at(999)).is_empty(), "logs take a moment");
        assert_eq!(times(held.due(at(1000))), [100]);
        held.put(record(2000), at(2000));
        held.put(record(1500), at(2200));
        assert!(held.due(at(2399)).is_empty());
        // The older one goes with the newer, though it came later.
        assert_eq!((held.next_due(), times(held.due(at(2400)))), (Some(at(2400)), vec![1500, 2000]));
        // A log is read 700 ms late: from now on it is waited for as long.
        held.put(record(3000), at(3000));
        assert_eq!(held.next_due(), Some(at(3700)));
        held.put(record(3100), at(90_000));
        assert_eq!((times(held.rest().collect()), HOLD_MAX.as_secs()), (vec![3000, 3100], 3));
    }
}
