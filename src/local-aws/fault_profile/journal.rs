//! What happened, as far as faults depend on it.

use std::collections::BTreeMap;

use clock::Moment;
use local_faults::Kind;
use serde_json::Value;

/// Something that happened to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    RoleMade,
    RoleChanged,
    PolicyPut,
    PolicyTakenOff,
    /// Of a cluster.
    Active,
    QueueMade,
    QueueDeleted,
}

/// Counts by queue and attribute, with the beginning of the incident in which they were first read.
pub(super) type Stale = BTreeMap<(String, String), (Moment, Value)>;

/// The last time of each, and how often faults could have struck.
#[derive(Debug, Default)]
pub(super) struct Journal {
    moments: BTreeMap<(String, Mark), Moment>,
    counts: BTreeMap<(String, Kind), u64>,
}

impl Journal {
    pub(super) fn set(&mut self, mark: Mark, of: &str, now: Moment) {
        self.moments.insert((of.to_owned(), mark), now);
    }

    pub(super) fn get(&self, mark: Mark, of: &str) -> Option<Moment> {
        self.moments.get(&(of.to_owned(), mark)).copied()
    }

    /// Everything that this happened to, and when.
    pub(super) fn all(&self, mark: Mark) -> Vec<(String, Moment)> {
        let of_mark = self.moments.iter().filter(|((_, other), _)| *other == mark);
        of_mark.map(|((of, _), moment)| (of.clone(), *moment)).collect()
    }

    /// What is gone starts anew when it comes again.
    pub(super) fn forget(&mut self, of: &str) {
        self.moments.retain(|(other, _), _| other != of);
    }

    /// How often the fault could have struck before, for this thing.
    pub(super) fn count(&mut self, kind: Kind, of: &str) -> u64 {
        let count = self.counts.entry((of.to_owned(), kind)).or_default();
        *count += 1;
        *count - 1
    }
}
