//! The state of a run at one moment, folded from its records: what the scenario waits on and live views show.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::hopeless::{self, Standing};
use crate::observation::{
    Counts, Decision, Hpa, Job, JobCounts, Observation, Pod, Record, Replicas, ScaledObject, Source, Step,
};
use crate::refusal::{self, Refusal};

/// The latest value of everything, and for how many reads in a row things were at zero.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// The queue's counts.
    pub queue: Option<Counts>,
    /// The Deployment's replicas.
    pub deployment: Option<Replicas>,
    /// The HPA.
    pub hpa: Option<Hpa>,
    /// The Jobs, where Jobs do the work.
    pub jobs: Option<JobCounts>,
    /// Names of the Jobs that were there before the messages were sent.
    earlier_jobs: BTreeSet<String>,
    /// Names of the Jobs that were made after it.
    pub made_jobs: BTreeSet<String>,
    /// The most Jobs that have run at once since then.
    pub most_jobs: u32,
    /// The ScaledObject or the ScaledJob.
    pub scaled_object: Option<ScaledObject>,
    /// The workload's pods.
    pub pods: Option<Vec<Pod>>,
    /// Reads in a row that saw no live pod of the workload: those of Jobs that ended stay with them.
    pub lifeless_reads: usize,
    /// The scenario's current step.
    pub step: Option<Step>,
    /// Ids of the messages that the scenario sent.
    pub sent: Vec<String>,
    /// Ids of those of them that no worker is to succeed with.
    pub poison: BTreeSet<String>,
    /// Ids of all messages for which a worker wrote a receipt `deleted`.
    pub deleted: BTreeSet<String>,
    /// The operator's last decision about this workload.
    pub decision: Option<(Timestamp, Decision)>,
    /// A refusal that has not been recovered from.
    pub refusal: Option<Refusal>,
    /// Why waiting for pods does not help any more: by Deployment, with its name.
    pub(crate) lost: BTreeMap<Source, String>,
    /// What is definite in every read of a source.
    pub(crate) standing: BTreeMap<Source, Standing>,
    /// Failed observations so far.
    pub failures: usize,
    /// What cannot be read now, and why: the last read of the source failed.
    pub unreadable: BTreeMap<Source, String>,
    /// Successful reads in a row that saw zero; reset by any other read and by a failed one.
    pub zeros: BTreeMap<Source, usize>,
    /// When the first and the last of these reads were made.
    pub zero_spans: BTreeMap<Source, (Timestamp, Timestamp)>,
}

impl Snapshot {
    /// Takes in one record.
    pub fn apply(&mut self, record: &Record) {
        match &record.observation {
            Observation::Failure { error, .. } => drop(self.unreadable.insert(record.source, error.clone())),
            Observation::Diagnosis(_) => {}
            _ => drop(self.unreadable.remove(&record.source)),
        }
        match &record.observation {
            Observation::Step(step) => self.step = Some(step.clone()),
            Observation::Sent { message_ids } => self.sent.extend(message_ids.iter().cloned()),
            Observation::Queue(counts) => {
                if record.source == Source::Queue {
                    self.queue = Some(*counts);
                }
                self.count_zero(record, counts.total() == 0);
            }
            Observation::Deployment(replicas) => {
                self.deployment = Some(*replicas);
                self.count_zero(record, replicas.desired == 0 && replicas.current == 0);
            }
            Observation::Jobs { jobs } => self.take_jobs(record, jobs),
            Observation::Hpa(hpa) => self.hpa = Some(hpa.clone()),
            Observation::ScaledObject(object) => self.scaled_object = Some(object.clone()),
            Observation::Pods { pods } => {
                if record.source == Source::Pods {
                    self.pods = Some(pods.clone());
                    let is_lifeless = !pods.iter().any(Pod::is_live);
                    self.lifeless_reads = if is_lifeless { self.lifeless_reads + 1 } else { 0 };
                }
                self.count_zero(record, pods.is_empty());
            }
            Observation::Decision(decision) => self.decision = Some((record.time, decision.clone())),
            Observation::Receipt(receipt) if receipt.outcome == "deleted" => {
                self.deleted.insert(receipt.message_id.clone());
            }
            Observation::Failure { .. } | Observation::Absent { .. } => {
                self.failures += usize::from(matches!(record.observation, Observation::Failure { .. }));
                self.zeros.remove(&record.source);
                self.zero_spans.remove(&record.source);
                self.forget(record.source);
            }
            Observation::Diagnosis(diagnosis) => {
                if let Some(why) = &diagnosis.hopeless {
                    self.lost.insert(record.source, format!("{}: {why}", diagnosis.about));
                }
            }
            Observation::Poison { message_ids } => self.poison.extend(message_ids.iter().cloned()),
            Observation::Receipt(_)
            | Observation::Fault(_)
            | Observation::Event(_)
            | Observation::Trouble { .. }
            | Observation::LogEnded { .. }
            | Observation::Denial(_) => {}
        }
        refusal::fold(&mut self.refusal, record);
        hopeless::fold(&mut self.standing, record);
    }

    /// Whether queue, Deployment and pods have all been seen at zero `reads` times in a row.
    pub fn is_idle(&self, reads: usize) -> bool {
        [Source::Queue, Source::Deployment, Source::Pods].iter().all(|source| self.zero_reads(*source) >= reads)
    }

    /// Whether the queue has been seen empty `reads` times in a row, and no Job and none of their pods running.
    pub fn is_at_rest(&self, reads: usize) -> bool {
        let is_zero = |source: &Source| self.zero_reads(*source) >= reads;
        [Source::Queue, Source::Jobs].iter().all(is_zero) && self.lifeless_reads >= reads
    }

    fn take_jobs(&mut self, record: &Record, jobs: &[Job]) {
        let counts = JobCounts::of(jobs);
        let names = jobs.iter().map(|job| job.name.clone());
        if self.sent.is_empty() {
            self.earlier_jobs.extend(names);
        } else {
            self.made_jobs.extend(names.filter(|name| !self.earlier_jobs.contains(name)));
            self.most_jobs = self.most_jobs.max(counts.running);
        }
        self.jobs = Some(counts);
        self.count_zero(record, counts.running == 0);
    }

    /// What cannot be read now, and why, in one line.
    pub fn blindness(&self) -> Option<String> {
        let shown = [
            Source::Queue,
            Source::Deployment,
            Source::Hpa,
            Source::ScaledObject,
            Source::ScaledJob,
            Source::Jobs,
            Source::Pods,
        ];
        let unread: Vec<_> = shown.into_iter().filter_map(|one| Some((one, self.unreadable.get(&one)?))).collect();
        let (_, why) = unread.first()?;
        let names: Vec<_> = unread.iter().map(|(source, _)| source.noun()).collect();
        Some(format!("cannot read {}: {why}", names.join(", ")))
    }

    /// What keeps pods from running and the ScaledObject from being ready, as they say it, once each.
    pub fn trouble(&self) -> Vec<String> {
        let pods = self.pods.iter().flatten().filter(|pod| pod.is_live());
        let pods = pods.filter_map(|pod| Some(format!("{}: {}", pod.name, pod.waiting.as_ref()?)));
        let ready = self.scaled_object.as_ref().and_then(|object| object.condition("Ready"));
        let ready = ready.filter(|ready| ready.status != "True" && !ready.message.is_empty());
        pods.chain(ready.map(|ready| format!("ScaledObject not ready: {}", ready.message))).collect()
    }

    /// Reads in a row that saw zero.
    pub fn zero_reads(&self, source: Source) -> usize {
        self.zeros.get(&source).copied().unwrap_or(0)
    }

    /// Messages sent by the scenario that no worker has deleted so far.
    pub fn outstanding(&self) -> usize {
        self.sent.iter().filter(|id| !self.deleted.contains(*id) && !self.poison.contains(*id)).count()
    }

    /// For how long, in real time, every read has seen zero.
    pub fn zero_for(&self, source: Source) -> Option<Duration> {
        let (first, last) = self.zero_spans.get(&source)?;
        Duration::try_from(last.duration_since(*first)).ok()
    }

    fn count_zero(&mut self, record: &Record, is_zero: bool) {
        let source = record.source;
        if is_zero {
            *self.zeros.entry(source).or_default() += 1;
            self.zero_spans.entry(source).or_insert((record.time, record.time)).1 = record.time;
        } else {
            self.zeros.remove(&source);
            self.zero_spans.remove(&source);
        }
    }

    /// After a failed read the old value is not known to hold any more.
    fn forget(&mut self, source: Source) {
        match source {
            Source::Queue => self.queue = None,
            Source::Deployment => self.deployment = None,
            Source::Hpa => self.hpa = None,
            Source::ScaledObject | Source::ScaledJob => self.scaled_object = None,
            Source::Jobs => self.jobs = None,
            Source::Pods => (self.pods, self.lifeless_reads) = (None, 0),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{queue, record};
    use crate::observation::JobState;

    #[test]
    fn a_failed_read_is_no_zero_and_breaks_the_row() {
        let mut snapshot = Snapshot::default();
        for second in 0..2 {
            snapshot.apply(&record(f64::from(second), Source::Queue, queue(0, 0)));
        }
        assert_eq!(snapshot.zero_reads(Source::Queue), 2);
        assert_eq!(snapshot.zero_for(Source::Queue), Some(Duration::from_millis(100)));
        let failure = Observation::Failure { what: "queue".into(), error: "timed out".into() };
        snapshot.apply(&record(2.0, Source::Queue, failure));
        assert_eq!((snapshot.zero_reads(Source::Queue), snapshot.queue, snapshot.failures), (0, None, 1));
        assert_eq!(snapshot.zero_for(Source::Queue), None);
        assert_eq!(snapshot.blindness().as_deref(), Some("cannot read the queue: timed out"));
        snapshot.apply(&record(3.0, Source::Queue, queue(0, 0)));
        assert_eq!(snapshot.blindness(), None);
    }

    #[test]
    fn jobs_rest_when_queue_jobs_and_pods_have_all_been_read_so_often_enough() {
        let mut snapshot = Snapshot::default();
        let job = |state| Observation::Jobs { jobs: vec![Job { name: "a".into(), state }] };
        let ended = Pod {
            name: "a-b".into(),
            phase: "Succeeded".into(),
            ready: false,
            restarts: 0,
            terminating: false,
            waiting: None,
        };
        let mut look = |second: f64, state, pods: Observation| {
            snapshot.apply(&record(second, Source::Queue, queue(0, 0)));
            snapshot.apply(&record(second, Source::Jobs, job(state)));
            snapshot.apply(&record(second, Source::Pods, pods));
            snapshot.is_at_rest(2)
        };
        let resting = Observation::Pods { pods: vec![ended.clone()] };
        let failed = Observation::Failure { what: "pods".into(), error: "timed out".into() };
        let live = Observation::Pods { pods: vec![Pod { phase: "Running".into(), ..ended }] };
        assert!(!look(0.0, JobState::Running, resting.clone()) && !look(1.0, JobState::Complete, resting.clone()));
        assert!(look(2.0, JobState::Complete, resting.clone()));
        assert!(!look(3.0, JobState::Complete, failed) && !look(4.0, JobState::Complete, resting.clone()));
        assert!(look(5.0, JobState::Complete, resting) && !look(6.0, JobState::Complete, live));
    }
}
