//! Why the consumer cannot start.

/// The consumer was not started.
#[expect(clippy::error_impl_error, reason = "one error enum per crate, and it is called Error everywhere")]
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting makes no sense.
    #[error("worker setting {setting}: {problem}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What is wrong with it, and what to write instead.
        problem: String,
    },
    /// One message was to be taken, and it is back in the queue.
    #[error("the one message was not worked on and goes back to the queue")]
    Unsettled,
    /// There is no AWS session.
    #[error("the worker has no AWS session: {0}")]
    Session(#[from] aws::Error),
}

/// This crate's result.
pub type Result<T> = std::result::Result<T, Error>;
