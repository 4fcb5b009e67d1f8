//! The values that go into a decision and come out of it.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::api::Condition;
use crate::event::Event;
use crate::metric::Target;

/// What one external metric said in a poll.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reading {
    /// The trigger's name if it has one, else its type.
    pub trigger: String,
    /// The external metric's name.
    pub metric: String,
    /// What came of reading it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Reading {
    /// Whether it was read and lies above its activation threshold.
    pub fn is_active(&self) -> bool {
        matches!(&self.outcome, Outcome::Sample(sample) if sample.active)
    }

    /// Why it could not be read.
    pub fn error(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Sample(_) => None,
            Outcome::Failed(error) => Some(error),
        }
    }
}

/// A value or the reason why there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It was read.
    Sample(Sample),
    /// It was not.
    Failed(String),
}

/// A value that was read.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// The value that is compared and handed to the HPA.
    pub value: f64,
    /// What the HPA holds it at.
    pub target: Target,
    /// Whether the value is above the activation threshold.
    pub active: bool,
    /// The activation threshold.
    pub activation: f64,
    /// What the value is the sum of, for people: `visible 6, in flight 3`. May be empty.
    pub parts: Vec<(String, f64)>,
}

/// What is to be done to the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Action {
    /// Nothing: the HPA owns the count, or there is nothing to do.
    None,
    /// Scale from zero (or idle) up.
    Activate {
        /// Replicas now.
        from: i32,
        /// Replicas to set.
        to: i32,
    },
    /// Scale down to zero or idle.
    Deactivate {
        /// Replicas now.
        from: i32,
        /// Replicas to set.
        to: i32,
    },
    /// Scale up to the minimum while inactive.
    RaiseToMin {
        /// Replicas now.
        from: i32,
        /// Replicas to set.
        to: i32,
    },
    /// Inactive, but the cooldown is not over.
    KeepDuringCooldown {
        /// System time that is left of it, at least.
        #[serde(serialize_with = "seconds")]
        remaining: Duration,
    },
    /// A trigger could not be read, so nothing is scaled.
    HoldOnError,
    /// An annotation holds the target.
    HoldPaused {
        /// The count to hold it at, if the annotation names one.
        at: Option<i32>,
    },
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// One reason, in words, with its place in the chain from sample to action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind", content = "text")]
pub enum Why {
    /// What was read.
    Sample(String),
    /// What could not be read.
    Failure(String),
    /// How a number follows from it.
    Formula(String),
    /// The bound that changed the number.
    Limit(String),
    /// What is being waited for.
    Wait(String),
    /// A person's word: an annotation.
    Override(String),
    /// What is done.
    Action(String),
}

impl Why {
    /// The words.
    pub fn text(&self) -> &str {
        match self {
            Self::Sample(text)
            | Self::Failure(text)
            | Self::Formula(text)
            | Self::Limit(text)
            | Self::Wait(text)
            | Self::Override(text)
            | Self::Action(text) => text,
        }
    }
}

/// What one poll decided, why, and what is to be written about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The target as Events name it.
    pub target: String,
    /// Replicas when it was decided.
    pub current: i32,
    /// What is to be done.
    pub action: Action,
    /// Whether the object counts as active.
    pub active: bool,
    /// Whether a fallback is in force.
    pub falling_back: bool,
    /// What was read.
    pub readings: Vec<Reading>,
    /// The metric that a formula makes of them, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub composite: Option<Reading>,
    /// The replicas that these readings make the HPA want, before its tolerance, windows and policies; absent if
    /// one could not be read or the HPA reads something else too.
    pub wanted_by_hpa: Option<i32>,
    /// The metrics that are active, joined by semicolons.
    pub triggered_by: String,
    /// From the sample to the action.
    pub reasons: Vec<Why>,
    /// Conditions that differ from the status.
    #[serde(skip)]
    pub conditions: Vec<Condition>,
    /// To be written as `status.lastActiveTime` once the action is done.
    #[serde(skip)]
    pub last_active_time: Option<Timestamp>,
}

impl Decision {
    /// The replicas to set, if the target is to be scaled.
    pub fn scale_to(&self) -> Option<i32> {
        match self.action {
            Action::Activate { to, .. } | Action::Deactivate { to, .. } | Action::RaiseToMin { to, .. } => Some(to),
            Action::HoldPaused { at: Some(at) } if at != self.current => Some(at),
            _ => None,
        }
    }

    /// The Event that says how scaling went; raising to the minimum and holding a pause write none.
    pub fn event(&self, failure: Option<&str>) -> Option<Event> {
        let target = &self.target;
        match (&self.action, failure) {
            (Action::Activate { from, to }, None) => Some(Event::activated(target, *from, *to, &self.triggered_by)),
            (Action::Activate { from, to }, Some(error)) => Some(Event::activation_failed(target, *from, *to, error)),
            (Action::Deactivate { from, to }, None) => Some(Event::deactivated(target, *from, *to)),
            (Action::Deactivate { from, to }, Some(error)) => {
                Some(Event::deactivation_failed(target, *from, *to, error))
            }
            _ => None,
        }
    }

    /// All reasons in one line.
    pub fn reason(&self) -> String {
        self.reasons.iter().map(Why::text).collect::<Vec<_>>().join("; ")
    }

    /// Whether `other` says something else, durations and sample values apart: the test for a line in the log.
    pub fn differs(&self, other: &Self) -> bool {
        std::mem::discriminant(&self.action) != std::mem::discriminant(&other.action)
            || (self.current, self.active, self.falling_back, self.wanted_by_hpa)
                != (other.current, other.active, other.falling_back, other.wanted_by_hpa)
            || self.scale_to() != other.scale_to()
            || self.readings.iter().map(Reading::error).ne(other.readings.iter().map(Reading::error))
    }
}
