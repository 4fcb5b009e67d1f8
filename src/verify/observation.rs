//! What can be observed: the kinds of records of an evidence file.

mod redaction;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who made an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The scenario itself: its steps and what it sent.
    #[serde(rename = "story")]
    Scenario,
    /// The queue's counts.
    Queue,
    /// The dead-letter queue's counts.
    DeadLetterQueue,
    /// The workload's Deployment.
    Deployment,
    /// The HPA.
    Hpa,
    /// The ScaledObject.
    ScaledObject,
    /// The ScaledJob, where Jobs do the work.
    ScaledJob,
    /// Its Jobs.
    Jobs,
    /// The workload's pods.
    Pods,
    /// The operator's pods.
    OperatorPods,
    /// Kubernetes Events of the workload's namespace.
    Events,
    /// The operator's log.
    OperatorLog,
    /// The workers' logs.
    WorkerLog,
    /// The AWS endpoint's list of refused requests.
    Denials,
}

impl Source {
    /// What it looks at, with its article.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Scenario => "the scenario",
            Self::Queue => "the queue",
            Self::DeadLetterQueue => "the dead-letter queue",
            Self::Deployment => "the Deployment",
            Self::Hpa => "the HPA",
            Self::ScaledObject => "the ScaledObject",
            Self::ScaledJob => "the ScaledJob",
            Self::Jobs => "the Jobs",
            Self::Pods => "the pods",
            Self::OperatorPods => "the operator's pods",
            Self::Events => "the Events",
            Self::OperatorLog => "the operator's log",
            Self::WorkerLog => "the workers' logs",
            Self::Denials => "the refused requests",
        }
    }
}

/// One observation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Real time: when it was seen, or for log lines when they were written.
    pub time: Timestamp,
    /// Who saw it.
    pub source: Source,
    /// What was seen.
    #[serde(flatten)]
    pub observation: Observation,
}

/// What was seen. A failed read is an observation of its own and never a zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "payload", rename_all = "kebab-case")]
pub enum Observation {
    /// A step of the scenario began or ended.
    Step(Step),
    /// Messages were sent; their ids.
    Sent {
        /// As the queue gave them.
        message_ids: Vec<String>,
    },
    /// Those of the messages sent that no worker is to succeed with; their ids.
    Poison {
        /// As the queue gave them.
        message_ids: Vec<String>,
    },
    /// A fault of the scenario began, or was over.
    Fault(FaultSeen),
    /// A queue's counts.
    Queue(Counts),
    /// A Deployment's replicas.
    Deployment(Replicas),
    /// An HPA's status.
    Hpa(Hpa),
    /// A ScaledObject's status, or a ScaledJob's.
    ScaledObject(ScaledObject),
    /// All Jobs of a ScaledJob at one moment.
    Jobs {
        /// Sorted by name.
        jobs: Vec<Job>,
    },
    /// All pods of a Deployment or of Jobs at one moment.
    Pods {
        /// Sorted by name.
        pods: Vec<Pod>,
    },
    /// A Kubernetes Event.
    Event(KubernetesEvent),
    /// The operator decided something.
    Decision(Decision),
    /// A worker finished with a message.
    Receipt(Receipt),
    /// A log line at level WARN or ERROR.
    Trouble {
        /// The pod that wrote it.
        pod: String,
        /// The line's text.
        message: String,
    },
    /// A log was read to its end.
    LogEnded {
        /// The pod.
        pod: String,
        /// Lines read.
        lines: u64,
    },
    /// The AWS endpoint refused a request.
    Denial(Denial),
    /// The API server says that the object does not exist.
    Absent {
        /// The object.
        what: String,
    },
    /// Somebody looked into why pods do not run, or why a step failed.
    Diagnosis(Diagnosis),
    /// The observation failed: nothing is known for this moment.
    Failure {
        /// What was to be read.
        what: String,
        /// The error's text.
        error: String,
    },
}

/// A step of a scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub state: StepState,
    /// What it waits for, or how it ended.
    pub detail: String,
    /// How long it may take, in system time.
    pub deadline_seconds: f64,
}

/// Where a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// Begun.
    Started,
    /// Its condition held.
    Reached,
    /// Its deadline passed first.
    Missed,
    /// Given up: interrupted, or waiting did not help any more.
    Stopped,
}

impl Step {
    /// How a step ends that a person, or whoever ended the process, did not let go on.
    pub const INTERRUPTED: &str = "interrupted";

    /// Whether it ended so.
    pub fn is_interrupted(&self) -> bool {
        self.state == StepState::Stopped && self.detail == Self::INTERRUPTED
    }
}

/// A fault that the scenario plays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultSeen {
    /// As the scenario file names it.
    pub name: String,
    /// Where it is.
    pub state: FaultState,
    /// What was done, or why nothing was.
    pub detail: String,
    /// How many pods died of it, or how many calls or pods it has struck; known when it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub struck: Option<u64>,
}

/// Where a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultState {
    /// Begun.
    Begun,
    /// Over.
    Over,
    /// It could not be played.
    Failed,
}

/// A queue's approximate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Ready to be received.
    pub visible: u64,
    /// Received and not yet deleted.
    pub in_flight: u64,
    /// Not yet visible.
    pub delayed: u64,
}

impl Counts {
    /// All messages.
    pub fn total(&self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }
}

/// A Deployment's replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replicas {
    /// `spec.replicas`: what was decided.
    pub desired: u32,
    /// `status.replicas`: pods that exist.
    pub current: u32,
    /// `status.readyReplicas`.
    pub ready: u32,
}

/// An HPA's status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hpa {
    /// `status.desiredReplicas`; absent before the first sync.
    pub desired: Option<u32>,
    /// `status.currentReplicas`.
    pub current: Option<u32>,
    /// `spec.minReplicas`.
    pub min: Option<u32>,
    /// `spec.maxReplicas`.
    pub max: Option<u32>,
    /// External metrics as served: name to value text.
    pub metrics: BTreeMap<String, String>,
    /// Its conditions.
    pub conditions: Vec<Condition>,
}

/// A condition of any object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// For example `Ready`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// A word.
    #[serde(default)]
    pub reason: String,
    /// A sentence.
    #[serde(default)]
    pub message: String,
}

/// A ScaledObject's status, or a ScaledJob's, which has the same conditions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScaledObject {
    /// Its conditions.
    pub conditions: Vec<Condition>,
    /// `status.lastActiveTime`, whole seconds.
    pub last_active: Option<Timestamp>,
    /// `status.externalMetricNames`.
    pub metric_names: Vec<String>,
}

impl ScaledObject {
    /// The status of a condition, if it is there.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// Whether the condition is there and `True`.
    pub fn is(&self, kind: &str) -> bool {
        self.condition(kind).is_some_and(|condition| condition.status == "True")
    }
}

/// A Job at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub state: JobState,
}

/// What became of a Job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// It has not ended.
    Running,
    /// It ended well.
    Complete,
    /// It failed.
    Failed,
}

/// Jobs by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// They have not ended.
    pub running: u32,
    /// They ended well and are kept.
    pub complete: u32,
    /// They failed and are kept.
    pub failed: u32,
}

impl JobCounts {
    /// Counts them.
    pub fn of(jobs: &[Job]) -> Self {
        let count = |state| jobs.iter().filter(|job| job.state == state).count() as u32;
        Self { running: count(JobState::Running), complete: count(JobState::Complete), failed: count(JobState::Failed) }
    }

    /// As replicas: a Job that runs is one that was decided and is there.
    pub(crate) fn replicas(self) -> Replicas {
        Replicas { desired: self.running, current: self.running, ready: self.running }
    }
}

/// A pod at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// `status.phase`.
    pub phase: String,
    /// Condition Ready.
    pub ready: bool,
    /// Sum over its containers.
    pub restarts: u32,
    /// It is being deleted.
    pub terminating: bool,
    /// The reason why a container waits, if one does.
    pub waiting: Option<String>,
}

impl Decision {
    /// The Jobs that a ScaledJob's decision makes; `None` of a decision about replicas.
    pub fn jobs(&self) -> Option<u64> {
        self.decision.get("create")?.as_u64()
    }
}

impl Pod {
    /// Neither ended nor ending.
    pub fn is_live(&self) -> bool {
        !self.terminating && self.phase != "Succeeded" && self.phase != "Failed"
    }
}

/// A Kubernetes Event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubernetesEvent {
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A word.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// `Kind/name` of what it is about.
    pub object: String,
    /// How often it happened.
    pub count: u64,
    /// When it last happened by its own account: to the second, or finer where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// A decision as the operator logged it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Namespace of the ScaledObject.
    pub namespace: String,
    /// Name of the ScaledObject.
    pub name: String,
    /// Replicas before.
    pub from: Option<i64>,
    /// Replicas decided; equal to `from` if nothing is to change.
    pub to: Option<i64>,
    /// Why, in the operator's words.
    pub reason: String,
    /// The whole decision: sample, formula, limits.
    #[serde(default)]
    pub decision: Value,
}

/// A worker's receipt for one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// `deleted`, `failed` or `returned`.
    pub outcome: String,
    /// The message.
    pub message_id: String,
    /// How often it had been received.
    #[serde(default)]
    pub receive_count: u64,
    /// When work began, real time.
    pub started_at: Timestamp,
    /// When it ended, real time.
    pub finished_at: Timestamp,
    /// Who worked.
    pub pod: String,
}

/// What there was to see of a Deployment when its pods did not run, or a step failed. Credentials are taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The Deployment, as `Deployment namespace/name`.
    pub about: String,
    /// Why waiting for its pods does not help, if that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hopeless: Option<String>,
    /// Reasons of pods, the last Warning, the end of a log: one line each.
    pub evidence: Vec<String>,
    /// What to look at next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A request that an identity policy refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// Who asked.
    pub principal: String,
    /// What for, for example `sts:AssumeRoleWithWebIdentity`.
    pub action: String,
    /// On what.
    pub resource: String,
    /// Which statement of which policy of which role refused it, in the endpoint's words.
    pub reason: String,
}
