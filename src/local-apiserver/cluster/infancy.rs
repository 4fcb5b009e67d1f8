//! What is late or refused while a cluster is new, as its faults want it. Without faults everything works at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clock::{Clock, Moment};
use jiff::Timestamp;
use local_faults::{Faults, Kind};
use local_server::Gate;
use serde_json::Value;

/// A cluster's first minutes.
#[derive(Debug)]
pub(crate) struct Infancy {
    faults: Faults,
    cluster: String,
    clock: Clock,
    /// Closed while the endpoint is late.
    pub(crate) gate: Gate,
    /// Since when EKS says that it is ACTIVE.
    active: Mutex<Option<Moment>>,
    sign_ins: AtomicU64,
}

impl Infancy {
    pub(super) fn new(faults: Faults, cluster: &str, clock: Clock) -> Self {
        let gate = Gate::new(!faults.has(Kind::EndpointLate));
        let (cluster, active, sign_ins) = (cluster.to_owned(), Mutex::default(), AtomicU64::default());
        Self { faults, cluster, clock, gate, active, sign_ins }
    }

    /// EKS says from now on that the cluster is ACTIVE. Gives how long its endpoint takes no connections from then on, the first
    /// time.
    pub(crate) fn activate(&self) -> Option<Duration> {
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        active.is_none().then(|| {
            *active = Some(self.clock.moment());
            self.endpoint_late()
        })
    }

    fn endpoint_late(&self) -> Duration {
        self.faults.lasts(Kind::EndpointLate, &self.cluster)
    }

    /// Whether the API server that takes this request does not know the access entries yet: every second one, for a while after
    /// the endpoint answers.
    pub(crate) fn forgets_access(&self) -> bool {
        let lasts = self.faults.lasts(Kind::AccessLate, &self.cluster);
        if lasts.is_zero() {
            return false;
        }
        let active = *self.active.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = active.is_some_and(|since| self.clock.elapsed(since) < self.endpoint_late() + lasts);
        is_new && self.sign_ins.fetch_add(1, Ordering::Relaxed).is_multiple_of(2)
    }

    /// Whether the identity webhook's cache does not hold the ServiceAccount yet.
    pub(crate) fn forgets_identity(&self, account: &Value) -> bool {
        let metadata = &account["metadata"];
        let of = format!("{}/{}", metadata["namespace"].as_str().unwrap_or_default(), metadata["name"]);
        let lasts = self.faults.lasts(Kind::IdentityLate, &of);
        let made = metadata["creationTimestamp"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        !lasts.is_zero() && made.is_some_and(|made| self.clock.since(made) < lasts)
    }
}
