//! What is done to a resource.

use serde::{Deserialize, Serialize};

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is as it should be (perhaps it enters the state only now).
    NoOp,
    /// It does not exist and is made.
    Create,
    /// It is changed in place.
    Update,
    /// It is deleted and made again.
    Replace,
    /// It is removed.
    Delete,
    /// It was to be removed and stays, because it holds what is not the stack's; so does the state's record of it.
    Keep,
    /// It is gone, or goes with what contains it: only the state's record is dropped.
    Forget,
}
