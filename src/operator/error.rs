//! Why the operator could not start or had to stop. What goes wrong with one ScaledObject is reported in its status instead.

use std::net::SocketAddr;

/// What ends the operator.
#[expect(clippy::error_impl_error, reason = "one error enum per crate, and it is called Error everywhere")]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An environment variable has a value that makes no sense.
    #[error("{name}={value:?} is not {wanted}; correct the variable in the Deployment of the operator")]
    Setting {
        /// The variable.
        name: String,
        /// What it was.
        value: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// No way to a Kubernetes API server is configured.
    #[error("failed to find the Kubernetes API server: {0}; run in a pod with a ServiceAccount, or set KUBECONFIG")]
    Configuration(#[source] Box<kube::config::InferConfigError>),
    /// The API client could not be made, or a call that start-up depends on failed.
    #[error("failed to {step}: {}", brief(source))]
    Kubernetes {
        /// What was attempted.
        step: &'static str,
        /// Why it failed.
        source: Box<kube::Error>,
    },
    /// A port could not be bound.
    #[error("failed to listen on {address} for {purpose}: {source}; is another operator using the address?")]
    Listen {
        /// What the port is for.
        purpose: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Certificates could not be made or read.
    #[error("failed to {step}: {cause}")]
    Certificate {
        /// What was attempted.
        step: &'static str,
        /// Why it failed.
        cause: String,
    },
    /// Another replica leads, or the lease could not be renewed in time.
    #[error("lost the leader lease {lease}; the process ends so that a fresh one can take part in the election")]
    LeadershipLost {
        /// Namespace and name of the lease.
        lease: String,
    },
    /// A part that should run for ever ended.
    #[error("{0} ended unexpectedly")]
    Ended(&'static str),
}

/// The operator's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn setting(name: &str, value: &str, wanted: &'static str) -> Self {
        Self::Setting { name: name.to_owned(), value: value.to_owned(), wanted }
    }

    pub(crate) fn kubernetes(step: &'static str) -> impl Fn(kube::Error) -> Self {
        move |source| Self::Kubernetes { step, source: Box::new(source) }
    }

    pub(crate) fn certificate<E: std::fmt::Display>(step: &'static str) -> impl Fn(E) -> Self {
        move |cause| Self::Certificate { step, cause: cause.to_string() }
    }
}

/// A Kubernetes error as one line for people: the API server's own message where there is one.
pub(crate) fn brief(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} ({})", status.message, status.reason),
        other => other.to_string(),
    }
}

/// Whether the API server said that the object, or its kind, does not exist; the latter by a bare page without a Status.
pub(crate) fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// Whether the API server refused a write because the object changed meanwhile, or exists already.
pub(crate) fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_conflict() || status.is_already_exists())
}
