//! Credentials: the administrator's key and the temporary ones of role sessions.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::AccessKey;
use crate::authentication::Credential;
use crate::caller::{Caller, RoleSession};
use crate::fault::Fault;
use crate::iam::AssumableRole;
use crate::identifier;
use crate::policy::Named;

/// Expired credentials are remembered this long, to be told apart from unknown ones.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// All credentials by access key id.
#[derive(Debug)]
pub(crate) struct Sessions(HashMap<String, Credential>);

/// What a new session is made of.
pub(crate) struct NewSession {
    pub(crate) role: AssumableRole,
    pub(crate) name: String,
    pub(crate) seconds: i64,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) policies: Option<Vec<Named>>,
    pub(crate) federated_provider: Option<String>,
}

impl Sessions {
    pub(crate) fn new(administrator: AccessKey, caller: Caller) -> Self {
        let AccessKey { id, secret } = administrator;
        Self(HashMap::from([(id, Credential { secret, token: None, expires_at: None, caller })]))
    }

    pub(crate) fn credential(&self, access_key: &str) -> Option<Credential> {
        self.0.get(access_key).cloned()
    }

    /// Makes temporary credentials; gives the `Credentials` and `AssumedRoleUser` of an answer.
    pub(crate) fn begin(&mut self, account: &str, now: Timestamp, new: NewSession) -> Value {
        let NewSession { role, name, seconds, tags, policies, federated_provider } = new;
        let forgotten = now - REMEMBERED;
        self.0.retain(|_, credential| credential.expires_at.is_none_or(|expiry| expiry > forgotten));
        let session = RoleSession {
            arn: format!("arn:aws:sts::{account}:assumed-role/{}/{name}", role.name),
            role_name: role.name,
            role_arn: role.arn,
            role_id: role.id,
            session_name: name,
            issued_at: now,
            tags,
            policies,
            federated_provider,
        };
        let session = Arc::new(session);
        let expires_at = now + SignedDuration::from_secs(seconds);
        let (id, secret, token) = (identifier::unique("ASIA"), identifier::secret(), identifier::session_token());
        let answer = json!({
            "Credentials": {
                "AccessKeyId": id,
                "SecretAccessKey": secret,
                "SessionToken": token,
                "Expiration": expires_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            },
            "AssumedRoleUser": {
                "AssumedRoleId": format!("{}:{}", session.role_id, session.session_name),
                "Arn": session.arn,
            },
        });
        let credential =
            Credential { secret, token: Some(token), expires_at: Some(expires_at), caller: Caller::Session(session) };
        self.0.insert(id, credential);
        answer
    }
}

/// A role session's name: 2 to 64 characters of letters, digits and `_+=,.@-`.
pub(super) fn check_name(name: &str) -> Result<(), Fault> {
    let fine = name.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c));
    let problem = match name.len() {
        _ if !fine => "Member must satisfy regular expression pattern: [\\w+=,.@-]*",
        0..2 => "Member must have length greater than or equal to 2",
        65.. => "Member must have length less than or equal to 64",
        _ => return Ok(()),
    };
    Err(Fault::sender(
        "ValidationError",
        format!(
            "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint: {problem}"
        ),
    ))
}

/// `DurationSeconds`: 900 up to the role's maximum; one hour if a role session asks.
pub(super) fn duration(input: &Value, role_max: i64, chained: bool) -> Result<i64, Fault> {
    let error = |message: String| Err(Fault::sender("ValidationError", message));
    let seconds = match input.get("DurationSeconds").and_then(Value::as_str) {
        None => return Ok(3600),
        Some(text) => match text.parse::<i64>() {
            Ok(seconds) => seconds,
            Err(_) => return error(format!("Value '{text}' at 'durationSeconds' must be a number")),
        },
    };
    let limit = |relation: &str, bound: i64| {
        format!(
            "1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint: Member must have \
             value {relation} than or equal to {bound}"
        )
    };
    match seconds {
        ..900 => error(limit("greater", 900)),
        43_201.. => error(limit("less", 43_200)),
        _ if chained && seconds > 3600 => error(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining".into(),
        ),
        _ if seconds > role_max => {
            error("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.".into())
        }
        _ => Ok(seconds),
    }
}
