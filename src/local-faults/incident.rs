//! Incidents: faults that begin while the cloud runs and are over after a while, as somebody says who plays a scenario.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clock::{Clock, Moment};

/// One sort of incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Incident {
    /// STS gives nobody a role.
    StsDenies,
    /// SQS refuses all calls because of their rate.
    SqsThrottles,
    /// The counts of queues stay as they were.
    CountsStale,
    /// Containers of new pods start late.
    PodsSlow,
}

impl Incident {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::StsDenies, Self::SqsThrottles, Self::CountsStale, Self::PodsSlow];

    /// As a request names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::StsDenies => "sts-denies",
            Self::SqsThrottles => "sqs-throttles",
            Self::CountsStale => "counts-stale",
            Self::PodsSlow => "pods-slow",
        }
    }

    /// What happens, for people.
    pub fn about(self) -> &'static str {
        match self {
            Self::StsDenies => "STS refuses AssumeRole and AssumeRoleWithWebIdentity",
            Self::SqsThrottles => "SQS answers every call with RequestThrottled",
            Self::CountsStale => "GetQueueAttributes answers with the counts of when it was first called",
            Self::PodsSlow => "containers of a new pod start so many seconds late",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// The incidents of one cloud. Clones are of the same.
#[derive(Debug, Clone)]
pub struct Incidents {
    clock: Clock,
    begun: Arc<Mutex<BTreeMap<Incident, Course>>>,
}

#[derive(Debug)]
struct Course {
    since: Moment,
    lasts: Duration,
    by: Duration,
    struck: u64,
}

/// What an incident does to one call or pod.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strike {
    /// When the incident began.
    pub since: Moment,
    /// How late something is by it.
    pub by: Duration,
}

impl Incidents {
    /// None so far.
    pub fn new(clock: Clock) -> Self {
        Self { clock, begun: Arc::default() }
    }

    fn begun(&self) -> MutexGuard<'_, BTreeMap<Incident, Course>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one now, in place of an earlier one of its sort. Both times are the system's.
    pub fn begin(&self, incident: Incident, lasts: Duration, by: Duration) {
        let course = Course { since: self.clock.moment(), lasts, by, struck: 0 };
        self.begun().insert(incident, course);
    }

    /// What the incident does now, if it lasts; counted.
    pub fn strike(&self, incident: Incident) -> Option<Strike> {
        let mut begun = self.begun();
        let course = begun.get_mut(&incident)?;
        if self.clock.elapsed(course.since) >= course.lasts {
            return None;
        }
        course.struck += 1;
        Some(Strike { since: course.since, by: course.by })
    }

    /// How often the last one of this sort has struck; `None` if none was begun.
    pub fn struck(&self, incident: Incident) -> Option<u64> {
        self.begun().get(&incident).map(|course| course.struck)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_strikes_while_it_lasts_and_is_counted() {
        let (clock, handle) = Clock::manual("2026-11-28T00:00:00Z".parse().unwrap());
        let incidents = Incidents::new(clock);
        assert!(incidents.strike(Incident::PodsSlow).is_none() && incidents.struck(Incident::PodsSlow).is_none());
        incidents.begin(Incident::PodsSlow, Duration::from_mins(1), Duration::from_secs(7));
        handle.advance(Duration::from_secs(59));
        assert_eq!(incidents.strike(Incident::PodsSlow).unwrap().by, Duration::from_secs(7));
        assert!(incidents.strike(Incident::StsDenies).is_none());
        handle.advance(Duration::from_secs(1));
        assert!(incidents.strike(Incident::PodsSlow).is_none());
        assert_eq!(incidents.struck(Incident::PodsSlow), Some(1));
        assert!(Incident::ALL.into_iter().all(|one| Incident::named(one.name()) == Some(one)));
    }
}
