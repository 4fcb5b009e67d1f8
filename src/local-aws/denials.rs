//! The last refusals with their reasons, for whoever has to explain them.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

const KEPT_MAX: usize = 500;

/// One refusal. Holds names and reasons, never credentials.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Denial {
    pub(crate) at: Timestamp,
    pub(crate) principal: String,
    pub(crate) action: String,
    pub(crate) resource: String,
    /// The message that the caller got.
    pub(crate) message: String,
    /// Which statement of which policy did not allow or did deny, and why.
    pub(crate) reasons: Vec<String>,
}

/// A ring of refusals.
#[derive(Debug, Default)]
pub(crate) struct Denials(VecDeque<Denial>);

impl Denials {
    pub(crate) fn push(&mut self, denial: Denial) {
        tracing::info!(
            principal = denial.principal,
            action = denial.action,
            resource = denial.resource,
            reasons = denial.reasons.join("; "),
            "access denied"
        );
        if self.0.len() == KEPT_MAX {
            self.0.pop_front();
        }
        self.0.push_back(denial);
    }

    /// Those at or after `since`, oldest first.
    pub(crate) fn since(&self, since: Option<Timestamp>) -> Value {
        let recent: Vec<_> = self.0.iter().filter(|one| since.is_none_or(|since| one.at >= since)).collect();
        json!({ "denials": recent })
    }
}
