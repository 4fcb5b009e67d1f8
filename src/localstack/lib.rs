//! LocalStack as a container: started once for a stack, found again by its name, removed at the end; and what answers at an
//! endpoint that the user names instead.
//!
//! Entry points: [`start`], [`remove`], [`services`].
//!
//! Invariants: a container is ours only by its name and labels; what answers otherwise than LocalStack does is an error.
//!
//! This crate must not know stacks, resources or clusters.

mod container;
mod health;

pub use container::{Container, remove, start};
pub use health::services;

/// The image that is started if none is named: the last one that runs without a token
/// (`docs/rules.md#localstack-the-last-free-image`).
pub const IMAGE_DEFAULT: &str = "localstack/localstack:4.14.0";

/// Why there is no LocalStack.
#[derive(Debug, thiserror::Error)]
#[expect(clippy::error_impl_error, reason = "one error enum per crate, and it is called Error everywhere")]
pub enum Error {
    /// No Docker daemon, or it refused.
    #[error(
        "failed to {step} the LocalStack container: {cause}; start Docker, or name a running LocalStack with --endpoint"
    )]
    Docker {
        /// start, find or remove.
        step: &'static str,
        /// What the daemon or the way to it said.
        cause: String,
    },
    /// The image's reference cannot be used.
    #[error("{0:?} is no image with a tag; write NAME:TAG, such as {IMAGE_DEFAULT}")]
    Image(String),
    /// Nothing answers.
    #[error("nothing answers at {endpoint}: {cause}; check the endpoint, and that LocalStack runs")]
    Unreachable {
        /// The endpoint.
        endpoint: String,
        /// What the connection said.
        cause: String,
    },
    /// Something else answers.
    #[error("{endpoint} is not LocalStack: {cause}; name the endpoint that serves /_localstack/health")]
    Foreign {
        /// The endpoint.
        endpoint: String,
        /// What it answered.
        cause: String,
    },
    /// It does not get ready.
    #[error("LocalStack at {endpoint} is not ready after {seconds} s: {last}")]
    NotReady {
        /// The endpoint.
        endpoint: String,
        /// How long was waited.
        seconds: u64,
        /// What was seen last.
        last: String,
    },
}

/// This crate's result.
pub type Result<T> = std::result::Result<T, Error>;
