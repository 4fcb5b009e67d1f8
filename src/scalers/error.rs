//! Why a trigger cannot be built or read.

use std::time::Duration;

/// A trigger's failure. The texts go into conditions, Events and logs, and hold no credential.
#[expect(clippy::error_impl_error, reason = "one error enum per crate, and it is called Error everywhere")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The type is not one of ours.
    #[error("no scaler found for type: {found}; this operator serves {}", served.join(", "))]
    UnknownType {
        /// The type of the trigger.
        found: String,
        /// Those that are.
        served: Vec<&'static str>,
    },
    /// The trigger cannot be used as it is written.
    #[error("error parsing {trigger} metadata: {problems}")]
    Metadata {
        /// The trigger's type.
        trigger: &'static str,
        /// All of them, joined by semicolons.
        problems: String,
    },
    /// What it lacks may come from an authentication that nobody has read yet.
    #[error("the {trigger} trigger can be built once its authentication is known; apply that")]
    OpenAuthentication {
        /// The trigger's type.
        trigger: &'static str,
    },
    /// AWS refused or failed.
    #[error("{what}: {cause}{note}")]
    Aws {
        /// What was read.
        what: String,
        /// AWS's answer.
        cause: aws::Error,
        /// How the identity was come by, where that helps; may be empty.
        note: String,
    },
    /// The cluster could not be looked at.
    #[error("{what}: {cause}")]
    Kubernetes {
        /// What was read.
        what: String,
        /// What the API server said.
        cause: String,
    },
    /// No answer in time.
    #[error("{what}: no answer within {} s; check that the endpoint can be reached from the operator", limit.as_secs())]
    TimedOut {
        /// What was read.
        what: String,
        /// How long was waited, real time.
        limit: Duration,
    },
    /// The answer lacks a number or holds something else in its place.
    #[error("{what}: {problem}")]
    Answer {
        /// What was read.
        what: String,
        /// What is wrong.
        problem: String,
    },
}

/// This crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
