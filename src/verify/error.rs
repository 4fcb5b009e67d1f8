//! What can go wrong outside the checks: a check that fails is no error.

use std::path::PathBuf;

/// Why a run could not be made or evaluated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(clippy::error_impl_error, reason = "one error enum per crate, and it is called Error everywhere")]
pub enum Error {
    /// The evidence file could not be made or written.
    #[error("failed to write evidence to {path}: {source}; choose another folder or make room")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The evidence file could not be read.
    #[error("failed to read evidence from {path}: {source}; give the file that `sluice verify` wrote")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A line of the evidence file is not what this version writes.
    #[error("failed to understand line {line} of {path}: {reason}; the file was changed or written by another version")]
    Evidence {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Lines of the evidence file are not what was written.
    #[error(
        "the evidence in {path} was changed after it was written, at {broken}, or by a line before that was removed or added; \
         evaluate the file that `sluice verify` wrote"
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// The lines, in words.
        broken: String,
    },
    /// No scenario has this name.
    #[error("failed to find a scenario called {0:?}; scenarios: tutorial, jobs")]
    Scenario(String),
    /// There is nothing to put load on.
    #[error("failed to run scenario {0}: the workload has no queue to send to; choose one that has")]
    NoQueue(String),
    /// Nothing could be read from the cluster.
    #[error("failed to read {what}: {reason}; check that the stack is up")]
    Cluster {
        /// What was to be read.
        what: String,
        /// Why not.
        reason: String,
    },
    /// The chart or another part of the report could not be made.
    #[error("failed to make {what} of the report: {reason}")]
    Report {
        /// The part.
        what: &'static str,
        /// Why not.
        reason: String,
    },
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
