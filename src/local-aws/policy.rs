//! IAM's policy language: documents, matching, conditions and the decision.
//!
//! Pure: everything that a decision depends on is an argument. Written here rather than taken from a library because
//! each decision carries its trace (which statement did not match, and why), which `sluice verify` shows.
//! Semantics: IAM User Guide, "Policy evaluation logic" and "IAM JSON policy elements".

mod condition;
mod decision;
mod document;
mod evaluation;
mod pattern;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(crate) use decision::{Decision, Layers, Refusal, decide};
pub(crate) use document::{Document, Kind, Size, compact};

/// The request's context: condition keys in lower case, each with its values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    pub(crate) fn set(&mut self, key: &str, value: impl Into<String>) {
        self.0.insert(key.to_lowercase(), vec![value.into()]);
    }

    pub(crate) fn set_all(&mut self, key: &str, values: Vec<String>) {
        self.0.insert(key.to_lowercase(), values);
    }

    pub(crate) fn get(&self, key: &str) -> Option<&[String]> {
        self.0.get(&key.to_lowercase()).map(Vec::as_slice)
    }
}

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
    pub(crate) document: std::sync::Arc<Document>,
}
