//! What a check says: how it ended, what was seen, what should be.

use serde::{Deserialize, Serialize};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The evidence shows that it holds.
    Pass,
    /// The evidence shows that it does not hold, or nothing was seen at all.
    Fail,
    /// The run ended before it could be seen; something else failed first.
    Inconclusive,
    /// Nothing that the check is about can be seen of this consumer, or with these settings; it says nothing either way.
    NotApplicable,
}

/// What one check says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The check's name.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen, with numbers and times.
    pub saw: String,
    /// What should be seen.
    pub expected: String,
    /// What there was to see of the cause, one line each, where it was looked into.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// What to look at next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A check before it has its name: outcome and what was seen.
pub(crate) type Finding = (Outcome, String);

pub(crate) fn pass(saw: impl Into<String>) -> Finding {
    (Outcome::Pass, saw.into())
}

pub(crate) fn fail(saw: impl Into<String>) -> Finding {
    (Outcome::Fail, saw.into())
}

pub(crate) fn inconclusive(saw: impl Into<String>) -> Finding {
    (Outcome::Inconclusive, saw.into())
}

pub(crate) fn not_applicable(saw: impl Into<String>) -> Finding {
    (Outcome::NotApplicable, saw.into())
}

/// The early return of a check for which something is missing.
pub(crate) type Evaluated = Result<Finding, Finding>;
