//! Who makes a call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::policy::{Named, Principal};
use crate::questions::Questions;

/// The authenticated caller.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    User {
        name: String,
        arn: String,
        id: String,
    },
    Session(Arc<RoleSession>),
    UserSession(Arc<UserSession>),
    /// An unsigned call.
    Anonymous,
}

/// A role that was assumed.
#[derive(Debug)]
pub(crate) struct RoleSession {
    pub(crate) role_name: String,
    pub(crate) role_arn: String,
    pub(crate) role_id: String,
    pub(crate) session_name: String,
    /// `arn:aws:sts::<account>:assumed-role/<role>/<session>`.
    pub(crate) arn: String,
    pub(crate) issued_at: Timestamp,
    pub(crate) tags: BTreeMap<String, String>,
    /// The keys, in lower case, of the tags that role chaining keeps.
    pub(crate) transitive: BTreeSet<String>,
    pub(crate) source_identity: Option<String>,
    /// Session policies; `None` if the session was made without any.
    pub(crate) policies: Option<Vec<Named>>,
    /// The identity provider of a web identity session.
    pub(crate) federated_provider: Option<String>,
    /// Condition keys of a web identity session, by its token's claims.
    pub(crate) claims: Vec<(String, Vec<String>)>,
}

/// Temporary credentials of a user.
#[derive(Debug)]
pub(crate) struct UserSession {
    pub(crate) user: Box<Caller>,
    /// ARN and id of a federated user, who is not the user itself.
    pub(crate) federated: Option<(String, String)>,
    pub(crate) issued_at: Timestamp,
    pub(crate) tags: BTreeMap<String, String>,
    /// As of a role session.
    pub(crate) policies: Option<Vec<Named>>,
}

impl Caller {
    /// The ARN that `GetCallerIdentity` gives and refusals name.
    pub(crate) fn arn(&self) -> &str {
        match self {
            Self::User { arn, .. } => arn,
            Self::Session(session) => &session.arn,
            Self::UserSession(session) => {
                session.federated.as_ref().map_or_else(|| session.user.arn(), |(arn, _)| arn.as_str())
            }
            Self::Anonymous => "anonymous",
        }
    }

    /// The ARN that policies of identities are attached to.
    pub(crate) fn principal_arn(&self) -> &str {
        match self {
            Self::User { arn, .. } => arn,
            Self::Session(session) => &session.role_arn,
            Self::UserSession(_) => self.arn(),
            Self::Anonymous => "anonymous",
        }
    }

    /// The unique id, with the session's name for a role.
    pub(crate) fn user_id(&self) -> String {
        match self {
            Self::User { id, .. } => id.clone(),
            Self::Session(session) => format!("{}:{}", session.role_id, session.session_name),
            Self::UserSession(session) => {
                session.federated.as_ref().map_or_else(|| session.user.user_id(), |(_, id)| id.clone())
            }
            Self::Anonymous => "anonymous".to_owned(),
        }
    }

    /// The session policies; `None` without any.
    pub(crate) fn session_policies(&self) -> Option<&[Named]> {
        match self {
            Self::Session(session) => session.policies.as_deref(),
            Self::UserSession(session) => session.policies.as_deref(),
            Self::User { .. } | Self::Anonymous => None,
        }
    }

    /// As policies name the caller.
    pub(crate) fn principal(&self, account: &str) -> Principal {
        let arns = match self {
            Self::User { arn, .. } => vec![arn.clone()],
            Self::Session(session) => vec![session.arn.clone(), session.role_arn.clone()],
            Self::UserSession(_) => vec![self.arn().to_owned()],
            Self::Anonymous => return Principal::default(),
        };
        Principal { arns, account: Some(account.to_owned()), federated: None, service: None }
    }
}

/// One authenticated call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) caller: Caller,
    /// The host that the request came in on; queue URLs repeat it.
    pub(crate) host: String,
    pub(crate) user_agent: String,
    pub(crate) referer: Option<String>,
    pub(crate) source_address: String,
    pub(crate) now: Timestamp,
    /// What IAM was asked for it.
    pub(crate) questions: Arc<Questions>,
}
