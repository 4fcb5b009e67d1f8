//! Proves by the documents alone what an identity of a cluster reaches in AWS: ServiceAccount, token, trust, role, action on a queue.
//!
//! Entry point: [`prove`] judges one [`Wanted`] chain by [`Facts`], which come from what is declared or from what is there.
//! Documents are evaluated by IAM's rules within one account: a matching `Deny` refuses, else a matching `Allow` of the identity or
//! of the resource permits, and a permissions boundary limits (IAM User Guide, "Policy evaluation logic").
//!
//! Invariants: nothing is called; what cannot be judged from the documents, such as a condition on the time of day, is
//! [`Finding::Unclear`] and never taken for a permission. Policies of an organisation (SCP, RCP) and of a session are not seen.

mod chain;
mod condition;
mod document;
mod error;
mod evaluation;
mod pattern;

pub use chain::{Facts, Link, Provider, Role, ServiceAccount, Wanted, prove};
pub use document::Document;
pub use error::{Error, Result};
pub use evaluation::Finding;
