//! What a webhook is shown: an operation, and the object before and after it.

use serde_json::Value;

/// What happens to an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event<'a> {
    /// `CREATE`, `UPDATE` or `DELETE`.
    pub(crate) operation: &'static str,
    pub(crate) old: Option<&'a Value>,
    pub(crate) object: Option<&'a Value>,
}
