//! Credentials: the administrator's key and the temporary ones of role sessions.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::access_key::AccessKey;
use crate::caller::Caller;
use crate::credential::Credential;
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
