//! IAM's policy language: documents, matching, conditions and the decision.
//!
//! Pure: everything that a decision depends on is an argument. Written here rather than taken from a library because
//! each decision carries its trace (which statement did not match, and why), which `sluice verify` shows.
//! Semantics: IAM User Guide, "Policy evaluation logic" and "IAM JSON policy elements".

mod condition;
mod context;
mod decision;
mod document;
mod evaluation;
mod pattern;
mod question;
mod strings;
#[cfg(test)]
mod tests;

pub(crate) use context::Context;
pub(crate) use decision::{Decision, Layers, Refusal, decide};
pub(crate) use document::{Document, Kind, Size, compact};
pub(crate) use question::{Named, Principal, Question};
