//! Why a server does not start.

use crate::status::Status;

/// Why a server could not start.
#[expect(clippy::error_impl_error, reason = "one error enum per crate, and it is called Error everywhere")]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listener cannot be used.
    #[error("failed to use the API server's listener: {0}; choose another port")]
    Listener(#[source] std::io::Error),
    /// The serving certificate or its key is unusable.
    #[error("failed to load the API server's certificate: {0}; pass a PEM certificate with its own PEM key")]
    Certificate(String),
    /// Keys of the cluster's own could not be made.
    #[error("failed to make the cluster's signing keys: {0}")]
    Keys(String),
    /// The bootstrap objects were refused.
    #[error("failed to store a bootstrap object: {0}")]
    Bootstrap(Status),
}

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
