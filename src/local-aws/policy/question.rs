//! What a policy is asked, by whom, and the policy itself.

use std::sync::Arc;

use super::context::Context;
use super::document::Document;

/// Who asks, in the forms that a `Principal` element may name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Principal {
    /// The user's ARN, or the session's and its role's.
    pub(crate) arns: Vec<String>,
    /// The account of those ARNs.
    pub(crate) account: Option<String>,
    /// The identity provider's ARN, for a web identity.
    pub(crate) federated: Option<String>,
    /// Such as `eks.amazonaws.com`.
    pub(crate) service: Option<String>,
}

/// What a policy is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) principal: &'a Principal,
    pub(crate) context: &'a Context,
}

/// A policy with the name that a trace calls it by.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) document: Arc<Document>,
}
