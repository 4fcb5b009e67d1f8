//! A scenario of a user's own, as its file describes it: load, faults and bounds, as plain values.

mod arrivals;
mod file;

use serde::{Deserialize, Serialize};

pub(crate) use arrivals::{Arrival, arrivals};
pub use file::{Read, read};

/// The scenario of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// What reports call it.
    pub name: String,
    /// One line about it.
    pub description: String,
    /// What happens to each workload, and what must hold of it. Never empty.
    pub parts: Vec<Part>,
    /// What breaks meanwhile.
    pub faults: Vec<Fault>,
}

impl Course {
    /// The names of its steps, in order.
    pub const STEPS: [&'static str; 4] = ["idle", "send", "settle", "hold"];
}

/// What happens to one workload, and what must hold of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The workload; the stack's first if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// What is sent. Never empty.
    pub load: Vec<Load>,
    /// What must hold.
    pub bounds: Bounds,
}

impl Part {
    /// How many messages it sends.
    pub fn messages(&self) -> usize {
        arrivals(&self.load, "").len()
    }

    /// Whether it sends messages that no worker is to succeed with.
    pub fn is_poisoned(&self) -> bool {
        self.load.iter().any(|load| load.work == Work::Fails)
    }

    /// The names of its steps, in order; without a bound on it, nobody waits how long it stays at zero.
    pub(crate) fn steps(&self) -> &'static [&'static str] {
        if self.bounds.stays_for.is_some() { &Course::STEPS } else { &Course::STEPS[..3] }
    }

    /// How long sending takes, in system seconds.
    pub(crate) fn sending_seconds(&self) -> f64 {
        arrivals(&self.load, "").last().map_or(0.0, |arrival| arrival.at.as_secs_f64())
    }
}

/// Messages of one shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// How they come.
    #[serde(flatten)]
    pub shape: Shape,
    /// How long after the beginning the first may come, in system seconds.
    pub after_seconds: f64,
    /// What becomes of the work on them.
    pub work: Work,
    /// The body, in which the message's number takes the place of `{n}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// How messages come. Rates are messages a second of system time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "shape", rename_all = "kebab-case")]
pub enum Shape {
    /// All at once.
    Burst {
        /// How many.
        messages: u32,
    },
    /// One after another.
    Steady {
        /// At this rate.
        rate: f64,
        /// For so long.
        seconds: f64,
    },
    /// At a rate that changes evenly.
    Ramp {
        /// The first rate.
        from: f64,
        /// The last one.
        to: f64,
        /// For so long.
        seconds: f64,
    },
    /// At random, independently of each other.
    Poisson {
        /// The mean rate.
        rate: f64,
        /// For so long.
        seconds: f64,
        /// The same seed gives the same times.
        seed: u64,
    },
}

/// What becomes of the work on a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// It succeeds.
    Succeeds,
    /// It fails so many times before it succeeds.
    FailsFirst(u32),
    /// It never succeeds: a poison message.
    Fails,
}

/// What must hold of a workload; each is a check of its own. Times are system seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// Never more replicas than these.
    pub never_above: Option<u32>,
    /// At most so many changes of the replicas.
    pub changes_at_most: Option<u32>,
    /// So many replicas are ready in time.
    pub reaches: Option<Reaches>,
    /// Empty queue and no replica so soon after the last message was sent.
    pub settles_within: Option<f64>,
    /// No replica for so long after that.
    pub stays_for: Option<f64>,
    /// Each message is deleted by one worker, once.
    pub every_message_once: bool,
    /// Replicas are taken away at their work, and no message is lost or done anew without having been handed back.
    pub graceful_scale_in: bool,
}

/// Replicas that must be ready in time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reaches {
    /// How many.
    pub replicas: u32,
    /// So soon after sending began.
    pub within_seconds: f64,
}

/// Something that breaks in the middle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// How long after the beginning of the load, in system seconds.
    pub after_seconds: f64,
    /// How long it lasts, where it lasts.
    pub lasts_seconds: f64,
    /// How late something is by it, where something is.
    pub late_seconds: f64,
    /// How many pods die, where pods do.
    pub pods: u32,
    /// Whose workers die; the stack's first workload if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
}

/// What can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Workers are deleted without grace.
    WorkersDie,
    /// The operator is deleted without grace.
    OperatorDies,
    /// STS gives nobody a role.
    StsDenies,
    /// SQS refuses calls because of their rate.
    SqsThrottles,
    /// The counts of queues stay as they were.
    CountsStale,
    /// Containers of new pods start late.
    PodsSlow,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::WorkersDie, Self::OperatorDies, Self::StsDenies, Self::SqsThrottles, Self::CountsStale, Self::PodsSlow];

    /// As a file names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::WorkersDie => "workers-die",
            Self::OperatorDies => "operator-dies",
            Self::StsDenies => "sts-denies",
            Self::SqsThrottles => "sqs-throttles",
            Self::CountsStale => "counts-stale",
            Self::PodsSlow => "pods-slow",
        }
    }

    /// Whether only a cloud can do it, while the others are done to the cluster by any client of it.
    pub fn is_of_the_cloud(self) -> bool {
        !matches!(self, Self::WorkersDie | Self::OperatorDies)
    }
}

/// One workload's part, as its evidence remembers it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Played {
    /// Load and bounds.
    pub part: Part,
    /// What breaks meanwhile, whichever workload it is about.
    pub faults: Vec<Fault>,
}
