//! What IAM is asked during one call.

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

/// What IAM was asked during one call, in order, if anybody wants to know.
#[derive(Debug, Default)]
pub(crate) struct Questions(Option<Mutex<Vec<Value>>>);

impl Questions {
    pub(crate) fn kept(are_kept: bool) -> Self {
        Self(are_kept.then(Mutex::default))
    }

    pub(crate) fn add(&self, action: &str, resource: &str, is_allowed: bool) {
        let Some(kept) = &self.0 else { return };
        let question = json!({ "action": action, "resource": resource, "allowed": is_allowed });
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(question);
    }

    /// All of them; none are left.
    pub(crate) fn take(&self) -> Vec<Value> {
        let kept =
            self.0.as_ref().map(|kept| std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner)));
        kept.unwrap_or_default()
    }
}
