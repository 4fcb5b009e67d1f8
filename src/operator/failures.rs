//! What requests of the HPA found, until the next poll counts it in the status.
//!
//! Each replica answers for metrics and knows its own answers; only the leader writes. So a fallback comes into force after as many
//! failures as polls and the leader's requests make together, as in KEDA since 2.19, and never waits for a status to be written.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clock::{Clock, Moment};
use keda::api::HealthStatus;
use keda::fallback::Since;

use crate::key::Key;

/// What was found longer ago, system time, is not counted any more: others may have been asked since.
const KEPT: Duration = Duration::from_mins(5);

/// By metric, and when the last one was.
type Found = BTreeMap<String, (Since, Moment)>;

/// The counts by ScaledObject.
pub(crate) struct Failures {
    clock: Clock,
    counts: Mutex<HashMap<Key, Found>>,
}

impl Failures {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, counts: Mutex::default() }
    }

    /// One request for a metric was answered, or could not be.
    pub(crate) fn record(&self, key: &Key, metric: &str, success: bool) {
        let now = self.clock.moment();
        let mut counts = self.lock();
        let (since, at) =
            counts.entry(key.clone()).or_default().entry(metric.to_owned()).or_insert((Since::default(), now));
        if now.since(*at) > KEPT {
            *since = Since::default();
        }
        since.record(success);
        *at = now;
    }

    /// The health of an object's metrics with what was found since.
    pub(crate) fn counted(&self, key: &Key, health: &BTreeMap<String, HealthStatus>) -> BTreeMap<String, HealthStatus> {
        let found = self.lock().get(key).cloned().unwrap_or_default();
        self.fold(found, health)
    }

    /// The same, and it is counted here no more.
    pub(crate) fn take(&self, key: &Key, health: &BTreeMap<String, HealthStatus>) -> BTreeMap<String, HealthStatus> {
        let found = self.lock().remove(key).unwrap_or_default();
        self.fold(found, health)
    }

    pub(crate) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    fn fold(&self, found: Found, health: &BTreeMap<String, HealthStatus>) -> BTreeMap<String, HealthStatus> {
        let mut health = health.clone();
        let now = self.clock.moment();
        for (metric, (since, _)) in found.into_iter().filter(|(_, (_, at))| now.since(*at) <= KEPT) {
            since.fold(&mut health, &metric);
        }
        health
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Found>> {
        // The map is consistent between any two of its operations, so a panic elsewhere does not spoil it.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
