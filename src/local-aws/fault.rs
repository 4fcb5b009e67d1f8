//! A service's refusal or failure, independent of the protocol that carries it.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// What a call failed with.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// The code as the query protocol spells it; the JSON protocols' spelling is derived where it differs.
    pub(crate) code: Cow<'static, str>,
    pub(crate) status: u16,
    pub(crate) message: String,
    /// Further members of a JSON error, such as EKS's `clusterName`.
    pub(crate) details: Map<String, Value>,
}

impl Fault {
    /// A fault with an HTTP status of its own.
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Cow::Borrowed(code), status, message: message.into(), details: Map::new() }
    }

    /// The caller's fault, status 400.
    pub(crate) fn sender(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    pub(crate) fn access_denied(message: impl Into<String>) -> Self {
        Self::new(403, "AccessDenied", message)
    }

    pub(crate) fn with_detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    /// Whether the caller is to blame, as opposed to the service.
    pub(crate) fn is_sender(&self) -> bool {
        self.status < 500
    }

    /// The error shape's name in the JSON protocols.
    pub(crate) fn json_name(&self) -> &str {
        let code = self.code.as_ref();
        match code {
            "AWS.SimpleQueueService.NonExistentQueue" => "QueueDoesNotExist",
            "QueueAlreadyExists" => "QueueNameExists",
            "InvalidClientTokenId" => "UnrecognizedClientException",
            "SignatureDoesNotMatch" => "InvalidSignatureException",
            "ExpiredToken" => "ExpiredTokenException",
            "AccessDenied" => "AccessDeniedException",
            "MissingAuthenticationToken" => "MissingAuthenticationTokenException",
            "IncompleteSignature" => "IncompleteSignatureException",
            "InvalidAction" => "UnknownOperationException",
            "ValidationError" => "ValidationException",
            "InvalidParameterValue" => "InvalidParameterValueException",
            "MissingParameter" => "MissingRequiredParameterException",
            "MalformedInput" => "SerializationException",
            other => other.strip_prefix("AWS.SimpleQueueService.").unwrap_or(other),
        }
    }

    /// The namespace of the error shape in SQS's JSON protocol: faults of the front come from elsewhere.
    pub(crate) fn is_of_front(&self) -> bool {
        matches!(
            self.code.as_ref(),
            "InvalidClientTokenId"
                | "SignatureDoesNotMatch"
                | "ExpiredToken"
                | "AccessDenied"
                | "MissingAuthenticationToken"
                | "IncompleteSignature"
                | "InvalidAction"
                | "ValidationError"
                | "InvalidParameterValue"
                | "MissingParameter"
                | "MalformedInput"
                | "InternalFailure"
        )
    }
}
