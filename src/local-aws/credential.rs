//! What a stored access key is checked against, and whom it stands for.

use jiff::Timestamp;

use crate::caller::Caller;

/// What a stored credential is checked against.
#[derive(Clone)]
pub(crate) struct Credential {
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) caller: Caller,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("caller", &self.caller).finish_non_exhaustive()
    }
}
