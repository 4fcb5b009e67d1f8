//! What can go wrong when talking to AWS, with the operation, the service's code and the next step in the text.

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An AWS call or its preparation failed. Never holds a credential.
#[expect(clippy::error_impl_error, reason = "one error enum per crate, and it is called Error everywhere")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The service answered with an error.
    #[error("{operation} failed: {code}: {message}{}", next_step(code))]
    Service {
        /// `Service:Operation`, for example `sqs:GetQueueAttributes`.
        operation: &'static str,
        /// The service's error code.
        code: String,
        /// The service's message.
        message: String,
        /// The HTTP status.
        status: u16,
    },
    /// No answer came.
    #[error("{operation} got no answer: {message}; check the network, the region and AWS_ENDPOINT_URL")]
    Unreachable {
        /// `Service:Operation`.
        operation: &'static str,
        /// What the connection said.
        message: String,
    },
    /// There are no usable credentials.
    #[error(
        "{operation} has no usable credentials: {message}; set AWS_PROFILE, AWS_ACCESS_KEY_ID or AWS_WEB_IDENTITY_TOKEN_FILE, or sign in again"
    )]
    Credentials {
        /// `Service:Operation`.
        operation: &'static str,
        /// What the provider chain said.
        message: String,
    },
    /// The answer does not hold what its definition promises.
    #[error("the answer to {operation} cannot be used: {message}")]
    Answer {
        /// `Service:Operation`.
        operation: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// The call could not be made from what was given.
    #[error("{operation} cannot be called: {message}")]
    Request {
        /// `Service:Operation`.
        operation: &'static str,
        /// What is wrong.
        message: String,
    },
    /// Nobody says which region is meant.
    #[error("session cannot be called: no region is set; set AWS_REGION, the profile's region or the stack's region")]
    NoRegion,
}

impl Error {
    /// The service's error code, if a service answered.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Service { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether the caller got no identity, so that the call itself was not made.
    pub fn is_of_identity(&self) -> bool {
        match self {
            Self::Credentials { .. } => true,
            Self::Service { operation, .. } => operation.starts_with("sts:"),
            Self::Unreachable { .. } | Self::Answer { .. } | Self::Request { .. } | Self::NoRegion => false,
        }
    }

    /// Whether the caller may not do this; it says nothing of what exists.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Service { status: 403, .. })
            || matches!(self.code(), Some("AccessDenied" | "AccessDeniedException"))
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Service { code, status, .. } => *status >= 500 || *status == 429 || is_throttling(code),
            Self::Unreachable { .. } => true,
            Self::Credentials { .. } | Self::Answer { .. } | Self::Request { .. } | Self::NoRegion => false,
        }
    }

    /// Whether IAM said that something still hangs on what was to be deleted.
    pub(crate) fn is_delete_conflict(&self) -> bool {
        self.code().is_some_and(|code| code.starts_with("DeleteConflict"))
    }

    /// Whether the service said that what was to be made exists already.
    pub(crate) fn is_already_there(&self) -> bool {
        const ALREADY_THERE: [&str; 3] =
            ["EntityAlreadyExists", "EntityAlreadyExistsException", "ResourceAlreadyExistsException"];
        self.code().is_some_and(|code| ALREADY_THERE.contains(&code))
    }

    /// Whether the service said that the thing does not exist. A refused look is not one of these.
    pub fn is_not_found(&self) -> bool {
        const NOT_FOUND: [&str; 8] = [
            "NatGatewayNotFound",
            "NoSuchEntity",
            "NoSuchEntityException",
            "NotFoundException",
            "ResourceNotFoundException",
            "RepositoryNotFoundException",
            "QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
        ];
        match self {
            // EKS says so in this form as well (terraform-provider-aws, eks/cluster.go).
            Self::Service { code, message, .. } if code == "ClientException" => {
                message.contains("No cluster found for name")
            }
            // EC2 has a code for each kind (EC2 API Reference, "Error codes").
            Self::Service { code, .. } if code.starts_with("Invalid") && code.ends_with("ID.NotFound") => true,
            Self::Service { code, .. } => NOT_FOUND.contains(&code.as_str()),
            _ => false,
        }
    }

    /// Whether a service refused by exactly this code.
    pub(crate) fn has_code(&self, wanted: &str) -> bool {
        matches!(self, Self::Service { code, .. } if code == wanted)
    }

    pub(crate) fn answer(operation: &'static str, message: impl Into<String>) -> Self {
        Self::Answer { operation, message: message.into() }
    }

    /// Turns the SDK's error of any operation into ours.
    pub(crate) fn from_sdk<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        if let SdkError::ServiceError(context) = error {
            let status = context.raw().status().as_u16();
            let bare = format!("HTTP {status}");
            let code = context.err().code().unwrap_or(&bare);
            // Over the query-compatible protocol codes may come with their older prefix or suffix.
            let code = code.rsplit('#').next().unwrap_or(code);
            let message = context.err().message().unwrap_or("the service gave no message");
            return Self::Service { operation, code: code.to_owned(), message: message.to_owned(), status };
        }
        if let Some(inner) = find::<Self>(error) {
            return inner.clone();
        }
        let message = chain(error);
        if find::<CredentialsError>(error).is_some() {
            return Self::Credentials { operation, message };
        }
        match error {
            SdkError::ConstructionFailure(_) => Self::Request { operation, message },
            SdkError::ResponseError(_) => Self::Answer { operation, message },
            _ => Self::Unreachable { operation, message },
        }
    }
}

impl From<Error> for provision::Failure {
    fn from(error: Error) -> Self {
        Self::new(error)
    }
}

pub(crate) fn is_throttling(code: &str) -> bool {
    const THROTTLING: [&str; 8] = [
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "RequestTimeout",
    ];
    THROTTLING.contains(&code)
}

fn next_step(code: &str) -> &'static str {
    match code {
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "UnauthorizedException" => {
            "; allow the action in a policy of this identity (or of the role's trust policy)"
        }
        "ExpiredToken" | "ExpiredTokenException" => "; the temporary credentials have expired: sign in again",
        "InvalidClientTokenId" | "UnrecognizedClientException" => {
            "; the access key is not known there: check the profile"
        }
        "SignatureDoesNotMatch" => {
            "; the secret key does not belong to the access key, or this machine's clock is wrong"
        }
        "ResourceLimitExceededException"
        | "ServiceQuotaExceededException"
        | "LimitExceeded"
        | "LimitExceededException" => {
            "; a quota of the account is used up: remove what is not needed, or ask for more in Service Quotas"
        }
        "UnsupportedAvailabilityZoneException" => "; take subnets in other zones (cluster.subnets in stack.yaml)",
        "InvalidIdentityToken" => {
            "; the web identity token is not accepted: check its audience and the role's OIDC provider"
        }
        _ => "",
    }
}

fn find<'a, T: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a T> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// The texts of an error and its causes, repeated ones left out.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut cause = Some(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
        cause = error.source();
    }
    texts.join(": ")
}
