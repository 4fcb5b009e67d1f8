//! What IAM keeps: roles, managed policies with their versions, OIDC providers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::policy::{Document, Named};

pub(crate) type Tags = BTreeMap<String, String>;

/// A policy document with its text.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) text: String,
    pub(super) document: Arc<Document>,
}

#[derive(Debug)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) path: String,
    pub(super) arn: String,
    pub(super) created_at: Timestamp,
    pub(super) trust: Written,
    pub(super) description: Option<String>,
    pub(super) max_session_seconds: i64,
    pub(super) inline: BTreeMap<String, Written>,
    /// The ARN of the managed policy that is its permissions boundary.
    pub(super) boundary: Option<String>,
    pub(super) attached: BTreeSet<String>,
    pub(super) tags: Tags,
    pub(super) last_used: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct Managed {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) path: String,
    pub(super) arn: String,
    pub(super) description: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) versions: BTreeMap<u32, Version>,
    pub(super) default_version: u32,
    pub(super) version_last: u32,
    pub(super) tags: Tags,
    pub(super) of_aws: bool,
}

#[derive(Debug)]
pub(super) struct Version {
    pub(super) written: Written,
    pub(super) created_at: Timestamp,
}

/// A registered OIDC provider.
#[derive(Debug, Clone)]
pub(crate) struct Provider {
    pub(crate) arn: String,
    /// Without the scheme.
    pub(super) url: String,
    pub(crate) client_ids: Vec<String>,
    pub(super) thumbprints: Vec<String>,
    pub(super) created_at: Timestamp,
    pub(super) tags: Tags,
}

/// What STS needs of a role.
pub(crate) struct AssumableRole {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) id: String,
    pub(crate) trust: Named,
    pub(crate) max_session_seconds: i64,
    pub(crate) tags: Tags,
}
