//! What a check has found out.

use serde::Serialize;

use crate::error::Error;

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// What the caller may do.
    Rights,
    /// Whether the region has EKS on Fargate.
    Region,
    /// Whether EKS makes clusters of the version.
    Version,
    /// Subnets, zones, the way out, names.
    Network,
    /// How much the account may have.
    Quotas,
    /// Whether the image is there, for the nodes' architecture.
    Image,
    /// Whether what exists leaves the stack's names free.
    Names,
    /// What a cluster of the user's allows.
    Cluster,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is as it must be.
    Fine,
    /// It may be right or wrong: nobody could look.
    Unchecked,
    /// It will fail.
    Problem,
}

/// One thing that was found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked.
    pub check: Check,
    /// How it ended.
    pub outcome: Outcome,
    /// What was found, for people.
    pub text: String,
    /// What to do.
    pub repair: Option<String>,
}

impl Finding {
    /// It is as it must be.
    pub fn fine(check: Check, text: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Fine, text: text.into(), repair: None }
    }

    /// It will fail, and what to do.
    pub fn problem(check: Check, text: impl Into<String>, repair: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Problem, text: text.into(), repair: Some(repair.into()) }
    }

    /// Nobody could look at `what`, and why.
    pub fn unchecked(check: Check, what: &str, why: impl std::fmt::Display) -> Self {
        let text = format!("{what} could not be checked: {why}");
        Self { check, outcome: Outcome::Unchecked, text, repair: None }
    }

    /// Whether it will fail.
    pub fn is_problem(&self) -> bool {
        self.outcome == Outcome::Problem
    }

    /// A read that failed: a problem where the same right is needed later, otherwise a check that was not made.
    pub(super) fn of_read(check: Check, what: &str, error: &Error, needed_for: Option<&str>) -> Self {
        let Some(later) = needed_for.filter(|_| error.is_refused()) else { return Self::unchecked(check, what, error) };
        Self::problem(
            check,
            format!("{what} could not be checked: {error}"),
            format!("allow it: {later} needs the same right; `sluice policy` prints all that is needed"),
        )
    }
}
