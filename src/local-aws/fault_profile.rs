//! The faults of the profile, at the front: what answers a call in a service's place while something is late or busy.
//!
//! A call is described by [`Subject`] once; [`Profile::instead`] says what answers it in place of the service, and
//! [`Profile::after`] keeps what happened, from which later answers follow. The services themselves know nothing of it, except
//! for how long their states last (`eks::lifecycle`). Without faults nothing is kept.

mod buckets;
mod eks;
mod foreign;
mod iam;
mod incidents;
mod journal;
mod queues;
mod subject;

use std::sync::{Mutex, MutexGuard, PoisonError};

use buckets::Buckets;
use clock::Clock;
use local_faults::{Faults, Incidents, Kind};
use serde_json::Value;

pub(crate) use foreign::roles as foreign_roles;
pub(crate) use journal::Mark;
use journal::{Journal, Stale};
pub(crate) use subject::Subject;

use crate::fault::Fault;
use crate::request::Service;

/// The faults, and what happened so far that they depend on.
pub(crate) struct Profile {
    faults: Faults,
    incidents: Incidents,
    stale: Mutex<Stale>,
    region: String,
    clock: Clock,
    journal: Mutex<Journal>,
    buckets: Mutex<Buckets>,
}

impl Profile {
    pub(crate) fn new(faults: Faults, incidents: Incidents, region: &str, clock: Clock) -> Self {
        Self {
            faults,
            incidents,
            stale: Mutex::default(),
            region: region.to_owned(),
            clock,
            journal: Mutex::default(),
            buckets: Mutex::default(),
        }
    }

    /// What may begin while the cloud runs.
    pub(crate) fn incidents(&self) -> &Incidents {
        &self.incidents
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What answers the call in the service's place; `None` if nothing does.
    pub(crate) fn instead(&self, subject: &Subject) -> Option<Result<Value, Fault>> {
        if let Some(fault) = self.refused(subject) {
            return Some(Err(fault));
        }
        if self.faults.is_empty() {
            return None;
        }
        if let Some(fault) = self.throttled(subject) {
            return Some(Err(fault));
        }
        match subject.service {
            Service::Iam => self.iam(subject).map(Err),
            Service::Eks => self.eks(subject).map(Err),
            Service::Sqs => self.queues(subject),
            Service::Sts
            | Service::Ecr
            | Service::Tagging
            | Service::CloudwatchLogs
            | Service::Ec2
            | Service::Quotas => None,
        }
    }

    /// Keeps what a call has done; gives the answer as the caller gets it.
    pub(crate) fn after(&self, subject: &Subject, answer: Result<Value, Fault>) -> Result<Value, Fault> {
        let answer = answer.map(|answer| self.aged(subject, answer));
        if self.faults.is_empty() {
            return answer;
        }
        if answer.is_ok() {
            self.keep(subject);
        }
        answer.map_err(|fault| self.in_other_form(subject, fault))
    }

    /// Keeps what has happened to the thing called `of`.
    pub(crate) fn happened(&self, mark: Mark, of: &str) {
        if !self.faults.is_empty() {
            let now = self.clock.moment();
            self.journal().set(mark, of, now);
        }
    }

    fn keep(&self, subject: &Subject) {
        let now = self.clock.moment();
        let mut journal = self.journal();
        for (mark, of) in subject.marks() {
            journal.set(mark, of, now);
        }
        if let (Service::Iam, "DeleteRole", Some(role)) = (subject.service, subject.operation.as_str(), &subject.role) {
            journal.forget(role);
        }
    }

    /// Whether it is still so soon after `mark` that the fault lasts for the thing called `of`.
    fn is_within(&self, kind: Kind, mark: Mark, of: &str) -> bool {
        let lasts = self.faults.lasts(kind, of);
        self.since(mark, of).is_some_and(|elapsed| elapsed < lasts)
    }

    /// How long ago it happened.
    fn since(&self, mark: Mark, of: &str) -> Option<std::time::Duration> {
        let moment = self.journal().get(mark, of)?;
        Some(self.clock.elapsed(moment))
    }

    /// Whether the fault strikes now, of the times that it could for the thing called `of`.
    fn strikes(&self, kind: Kind, of: &str, of_times: u64) -> bool {
        if !self.faults.has(kind) {
            return false;
        }
        let nth = self.journal().count(kind, of);
        self.faults.strikes(kind, of, nth, of_times)
    }

    /// Up to three calls of one operation in a row; EC2 documents how its limits work, and has them.
    fn throttled(&self, subject: &Subject) -> Option<Fault> {
        const IN_A_ROW: u64 = 3;
        const OF_TIMES: u64 = 12;
        let services = [Service::Iam, Service::Eks, Service::Ec2, Service::CloudwatchLogs];
        if !services.contains(&subject.service) || !self.faults.has(Kind::Throttling) {
            return None;
        }
        let operation = &subject.operation;
        let nth = self.journal().count(Kind::Throttling, operation);
        let strikes = |nth: u64| self.faults.strikes(Kind::Throttling, operation, nth, OF_TIMES);
        let is_refused = match subject.service {
            Service::Ec2 => self.lacks_tokens(operation, strikes(nth)),
            _ => strikes(nth / IN_A_ROW),
        };
        is_refused.then(|| match subject.service {
            Service::Eks => Fault::new(429, "ThrottlingException", "Rate exceeded"),
            Service::CloudwatchLogs => Fault::sender("ThrottlingException", "Rate exceeded"),
            // EC2 API Reference, "Request throttling for the Amazon EC2 API".
            Service::Ec2 => Fault::new(503, "RequestLimitExceeded", "Request limit exceeded."),
            _ => Fault::sender("Throttling", "Rate exceeded"),
        })
    }

    /// Whether EC2 has no token left for a call; `others_took_all` before it.
    fn lacks_tokens(&self, action: &str, others_took_all: bool) -> bool {
        let now = self.clock.moment();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if others_took_all {
            buckets.empty(action, now);
        }
        !buckets.take(action, now)
    }
}
