//! Why a document cannot be evaluated.

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

/// What is wrong with a document.
#[expect(clippy::error_impl_error, reason = "one error enum per crate, and it is called Error everywhere")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is no policy document.
    #[error("{document} cannot be read: {problem}")]
    Document {
        /// Which one.
        document: String,
        /// What it should be and is not.
        problem: String,
    },
}
