//! Credentials: the administrator's key and the temporary ones of role sessions.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::AccessKey;
use crate::authentication::Credential;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::identifier;

/// Expired credentials are remembered this long, to be distinguished from unknown ones.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// All credentials by access key id.
#[derive(Debug)]
pub(crate) struct Sessions(HashMap<String, Credential>);

impl Sessions {
    pub(crate) fn new(administrator: AccessKey, caller: Caller) -> Self {
        let AccessKey { id, secret } = administrator;
        Self(HashMap::from([(id, Credential { secret, token: None, expires_at: None, caller })]))
    }

    pub(crate) fn credential(&self, access_key: &str) -> Option<Credential> {
        self.0.get(access_key).cloned()
    }

    /// Makes temporary credentials of `caller`; gives the `Credentials` of an answer.
    ///
    /// The token has at least `token_size` bytes.
    pub(crate) fn issue(&mut self, now: Timestamp, caller: Caller, seconds: i64, token_size: usize) -> Value {
        let forgotten = now - REMEMBERED;
        self.0.retain(|_, credential| credential.expires_at.is_none_or(|expiry| expiry > forgotten));
        let expires_at = now + SignedDuration::from_secs(seconds);
        let (id, secret) = (identifier::unique("ASIA"), identifier::secret());
        let token = identifier::session_token(token_size);
        let answer = json!({
            "AccessKeyId": id,
            "SecretAccessKey": secret,
            "SessionToken": token,
            "Expiration": expires_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        });
        self.0.insert(id, Credential { secret, token: Some(token), expires_at: Some(expires_at), caller });
        answer
    }

    /// Whether there is a key of this id.
    pub(crate) fn knows(&self, access_key: &str) -> bool {
        self.0.contains_key(access_key)
    }
}

/// A whole number among the parameters, within `range`.
pub(super) fn between(input: &Value, name: &str, range: std::ops::RangeInclusive<i64>) -> Result<Option<i64>, Fault> {
    let Some(text) = input.get(name).and_then(Value::as_str) else { return Ok(None) };
    let member = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
    let error = |message: String| Err(Fault::sender("ValidationError", message));
    let limit = |relation: &str, bound: i64| {
        format!(
            "1 validation error detected: Value '{text}' at '{member}' failed to satisfy constraint: Member must have \
             value {relation} than or equal to {bound}"
        )
    };
    match text.parse::<i64>() {
        Err(_) => error(format!("Value '{text}' at '{member}' must be a number")),
        Ok(number) if number < *range.start() => error(limit("greater", *range.start())),
        Ok(number) if number > *range.end() => error(limit("less", *range.end())),
        Ok(number) => Ok(Some(number)),
    }
}

/// `MinimumSessionTokenSize` in bytes.
pub(super) fn token_size(input: &Value) -> Result<usize, Fault> {
    Ok(between(input, "MinimumSessionTokenSize", 0..=4096)?.unwrap_or_default() as usize)
}

/// This cloud has no MFA devices, so that none can vouch for a call.
pub(super) fn no_mfa(input: &Value) -> Result<(), Fault> {
    let given = |name: &str| input.get(name).and_then(Value::as_str);
    match given("SerialNumber").or_else(|| given("TokenCode")) {
        None => Ok(()),
        Some(_) => Err(Fault::access_denied(format!(
            "MultiFactorAuthentication failed, unable to validate MFA code: the local cloud has no MFA devices, so there is none {}.",
            given("SerialNumber").unwrap_or("for TokenCode")
        ))),
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
    let error = |message: &str| Err(Fault::sender("ValidationError", message));
    match between(input, "DurationSeconds", 900..=43_200)? {
        None => Ok(3600),
        Some(seconds) if chained && seconds > 3600 => {
            error("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
        }
        Some(seconds) if seconds > role_max => {
            error("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
        }
        Some(seconds) => Ok(seconds),
    }
}
