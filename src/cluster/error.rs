//! What can go wrong between us and a cluster.

/// Failures of this crate. Messages hold no credentials.
#[derive(Debug, thiserror::Error)]
#[expect(clippy::error_impl_error, reason = "one error enum per crate, and it is called Error everywhere")]
pub enum Error {
    /// The cluster does not exist (yet).
    #[error("the cluster does not exist; run `sluice up` first")]
    NoCluster,
    /// The caller's closure could not find the cluster, or gave no token.
    #[error("failed to find the way into the cluster: {0}")]
    Locate(String),
    /// The kubeconfig cannot be used.
    #[error("failed to use the kubeconfig{location}: {cause}; name an existing file and one of its contexts")]
    Kubeconfig {
        /// File and context, as ` FILE (context NAME)`, or empty for the default.
        location: String,
        /// Why.
        cause: String,
    },
    /// No answer, or none that is Kubernetes's.
    #[error(
        "failed to reach the Kubernetes API at {server} to {action}: {cause}; check that it runs and that this machine may connect to it"
    )]
    Unreachable {
        /// Server's URL.
        server: String,
        /// What was tried.
        action: String,
        /// Why.
        cause: String,
    },
    /// The API server refused.
    #[error("the Kubernetes API refused to {action}: {message} ({reason}, {code}){next_step}")]
    Refused {
        /// What was tried.
        action: String,
        /// The server's text.
        message: String,
        /// The server's reason.
        reason: String,
        /// HTTP status.
        code: u16,
        /// `; …` or empty.
        next_step: &'static str,
    },
    /// The server does not know the kind.
    #[error(
        "the cluster does not know the kind {kind} of {api_version}; its CustomResourceDefinition is missing or not established"
    )]
    UnknownKind {
        /// API version.
        api_version: String,
        /// Kind.
        kind: String,
    },
    /// A wait took too long.
    #[error("gave up waiting for {what} after {seconds} s: {last}")]
    Deadline {
        /// What was awaited.
        what: String,
        /// System time waited.
        seconds: u64,
        /// What was seen last, and what to do.
        last: String,
    },
    /// Waiting longer does not help.
    #[error("{what} will not come by waiting: {why}")]
    Hopeless {
        /// What was awaited.
        what: String,
        /// Why it does not come.
        why: String,
    },
    /// The run was asked to end.
    #[error("interrupted while waiting for {what}; the next run goes on from there")]
    Interrupted {
        /// What was awaited.
        what: String,
    },
    /// An object of this name is somebody else's.
    #[error("{object} exists and belongs to {owner}; remove it or choose another name")]
    Foreign {
        /// Address.
        object: String,
        /// To whom it seems to belong.
        owner: String,
    },
    /// What is not the stack's would go with it, and nobody has said that it may.
    #[error("{object} holds what is not this stack's and came after the plan was made: {}; nothing of it was removed, run the command again", .holds.join(", "))]
    Holds {
        /// Address.
        object: String,
        /// What it holds, for people.
        holds: Vec<String>,
    },
    /// The object is no Kubernetes object.
    #[error("the manifest of {object} lacks {field}; this is a bug of the caller")]
    Manifest {
        /// Address or kind.
        object: String,
        /// Missing field.
        field: &'static str,
    },
}

impl Error {
    /// An error of the client while doing `action`.
    pub(crate) fn from_kube(server: &str, action: &str, error: &kube::Error) -> Self {
        if let kube::Error::Service(inner) = error
            && let Some(own) = inner.downcast_ref::<Self>().and_then(Self::sign_in)
        {
            return own;
        }
        match error {
            kube::Error::Api(status) => Self::Refused {
                action: action.to_owned(),
                message: status.message.clone(),
                reason: status.reason.clone(),
                code: status.code,
                next_step: match status.code {
                    401 => "; the credentials are not accepted (any more)",
                    403 => "; give the caller this right, or use another identity",
                    409 | 422 => "; compare the object in the cluster with the plan",
                    _ => "",
                },
            },
            other => Self::Unreachable { server: server.to_owned(), action: action.to_owned(), cause: chain(other) },
        }
    }

    /// The error again if it is one of signing in, which a renewing client gives as its own.
    fn sign_in(&self) -> Option<Self> {
        match self {
            Self::NoCluster => Some(Self::NoCluster),
            Self::Locate(text) => Some(Self::Locate(text.clone())),
            Self::Kubeconfig { location, cause } => {
                Some(Self::Kubeconfig { location: location.clone(), cause: cause.clone() })
            }
            _ => None,
        }
    }

    /// HTTP status if the server refused.
    pub fn code(&self) -> Option<u16> {
        if let Self::Refused { code, .. } = self { Some(*code) } else { None }
    }

    /// Whether the same call may succeed in a moment without anybody changing anything.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { code, .. } => matches!(code, 429 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }

    /// Whether no usable answer came at all.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

/// The innermost causes in one line; the outermost text alone is often only "service error".
fn chain(error: &dyn std::error::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        // Outer texts often contain the inner ones.
        texts.retain(|outer| !text.contains(outer.as_str()));
        if !texts.iter().any(|outer| outer.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    texts.join(": ")
}
