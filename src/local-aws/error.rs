//! Why the local AWS cloud could not start.

/// Why the local AWS cloud could not start.
#[expect(clippy::error_impl_error, reason = "one error enum per crate, and it is called Error everywhere")]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listener given in `Options` cannot be used.
    #[error("failed to use the listener of the local AWS endpoint: {0}; give a bound TCP listener")]
    Listener(#[source] std::io::Error),
    /// The certificates that issuers are trusted by cannot be used.
    #[error("failed to read the trust roots for OIDC issuers: {0}; give PEM certificates")]
    TrustRoots(String),
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
