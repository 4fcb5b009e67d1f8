//! Refusals.

use crate::fault::Fault;

pub(super) fn invalid(message: impl Into<String>) -> Fault {
    Fault::sender("InvalidParameterException", message)
}

pub(super) fn absent() -> Fault {
    Fault::sender("ResourceNotFoundException", "The specified log group does not exist.")
}
