//! What can go wrong in a controller, and whether that is worth a word.

use local_apiserver::Status;

/// Failures of controllers and of the node agent; each is retried by whoever runs the failing part.
#[expect(clippy::error_impl_error, reason = "one error enum per crate, and it is called Error everywhere")]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused or failed a request.
    #[error("{action}: {message}", message = .status.message())]
    Api {
        /// What was being done, as a fragment: "failed to create pods.v1".
        action: String,
        /// The server's answer.
        status: Box<Status>,
    },
    /// A file or folder of a pod could not be written.
    #[error("failed to write {path}: {source}; check space and permissions of the state folder")]
    File {
        /// The file concerned.
        path: std::path::PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// An object lacks something that its controller cannot do without.
    #[error("{0}")]
    Invalid(String),
}

/// Results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn api(action: impl Into<String>) -> impl FnOnce(Status) -> Self {
        move |status| Self::Api { action: action.into(), status: Box::new(status) }
    }

    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::File { path: path.to_owned(), source }
    }

    fn status(&self) -> Option<&Status> {
        if let Self::Api { status, .. } = self { Some(status) } else { None }
    }

    /// A refusal in the server's own words, any other failure in ours.
    pub(crate) fn reason(&self) -> String {
        self.status().map_or_else(|| self.to_string(), |status| status.message().to_owned())
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.status().is_some_and(Status::is_not_found)
    }

    pub(crate) fn is_already_exists(&self) -> bool {
        self.status().is_some_and(Status::is_already_exists)
    }

    /// A write on top of an outdated copy: the next try reads again, so nobody needs to hear of it.
    pub(crate) fn is_conflict(&self) -> bool {
        self.status().is_some_and(Status::is_conflict)
    }
}
