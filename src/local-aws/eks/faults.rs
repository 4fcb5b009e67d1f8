//! EKS's refusals.

use crate::fault::Fault;
use crate::request::Request;

pub(super) fn not_found(message: impl Into<String>) -> Fault {
    Fault::new(404, "ResourceNotFoundException", message)
}

pub(super) fn in_use(message: impl Into<String>) -> Fault {
    Fault::new(409, "ResourceInUseException", message)
}

pub(super) fn invalid(message: impl Into<String>) -> Fault {
    Fault::sender("InvalidParameterException", message)
}

/// The refusal of a method and path that no operation has.
pub(super) fn unknown(request: &Request) -> Fault {
    Fault::new(404, "InvalidAction", format!("The local EKS has no operation {} {}", request.method, request.path))
}

/// EKS's refusal of what goes over a quota.
pub(super) fn limit(message: String) -> Fault {
    Fault::sender("ResourceLimitExceededException", message)
}
