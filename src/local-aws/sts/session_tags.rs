//! Session tags and the source identity: what a session is given beyond its role, and what it hands on to the next.
//!
//! Sources: IAM User Guide, "Pass session tags in AWS STS" and "Monitor and control actions taken with assumed roles".

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::caller::{Caller, RoleSession};
use crate::fault::Fault;
use crate::policy::Context;

const TAGS_MAX: usize = 50;
const KEY_LENGTH_MAX: usize = 128;
const VALUE_LENGTH_MAX: usize = 256;
/// The claim of a web identity token that holds session tags, and the one that holds the source identity.
const TAGS_CLAIM: &str = "https://aws.amazon.com/tags";
const SOURCE_IDENTITY_CLAIM: &str = "https://aws.amazon.com/source_identity";

/// What a new session carries.
#[derive(Debug, Default, Clone)]
pub(super) struct Attributes {
    /// Those that were passed and those that came along.
    pub(super) tags: BTreeMap<String, String>,
    /// The tags of this very request.
    pub(super) requested: BTreeMap<String, String>,
    /// Keys in lower case that role chaining keeps.
    pub(super) transitive: BTreeSet<String>,
    /// As the request spells them.
    transitive_requested: Vec<String>,
    pub(super) source_identity: Option<String>,
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::sender("InvalidParameterValue", message)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

impl Attributes {
    /// Of AssumeRole's parameters and of the session that calls.
    pub(super) fn of_request(input: &Value, caller: &Caller) -> Result<Self, Fault> {
        let tags = list(input, "Tags").iter().map(|tag| (text(tag, "Key"), text(tag, "Value"))).collect();
        let keys = list(input, "TransitiveTagKeys").iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let identity = input.get("SourceIdentity").and_then(Value::as_str).map(str::to_owned);
        let mut attributes = Self::new(tags, keys, identity)?;
        if let Caller::Session(session) = caller {
            attributes.inherit(session)?;
        }
        Ok(attributes)
    }

    /// Of a web identity token's claims.
    pub(super) fn of_claims(claims: &Map<String, Value>) -> Result<Self, Fault> {
        let given = claims.get(TAGS_CLAIM).cloned().unwrap_or_default();
        let first = |value: &Value| match value {
            Value::Array(values) => values.first().and_then(Value::as_str).unwrap_or_default().to_owned(),
            other => other.as_str().unwrap_or_default().to_owned(),
        };
        let tags = given.get("principal_tags").and_then(Value::as_object).into_iter().flatten();
        let tags = tags.map(|(key, value)| (key.clone(), first(value))).collect();
        let keys = list(&given, "transitive_tag_keys").iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let identity = claims.get(SOURCE_IDENTITY_CLAIM).and_then(Value::as_str).map(str::to_owned);
        Self::new(tags, keys, identity)
    }

    fn new(tags: Vec<(String, String)>, keys: Vec<String>, source_identity: Option<String>) -> Result<Self, Fault> {
        check(&tags)?;
        let given: BTreeSet<_> = tags.iter().map(|(key, _)| key.to_lowercase()).collect();
        let transitive: BTreeSet<_> = keys.iter().map(|key| key.to_lowercase()).collect();
        if !transitive.is_subset(&given) {
            return Err(invalid("The specified transitive tag key must be included in the requested tags."));
        }
        if source_identity.as_ref().is_some_and(|identity| identity.starts_with("aws:")) {
            return Err(invalid("The source identity cannot begin with the prefix aws:."));
        }
        let tags: BTreeMap<_, _> = tags.into_iter().collect();
        Ok(Self { requested: tags.clone(), tags, transitive, transitive_requested: keys, source_identity })
    }

    /// Transitive tags and the source identity stay through role chaining, and cannot be changed there.
    fn inherit(&mut self, session: &RoleSession) -> Result<(), Fault> {
        if self.tags.keys().any(|key| session.transitive.contains(&key.to_lowercase())) {
            return Err(invalid(
                "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
            ));
        }
        let kept = session.tags.iter().filter(|(key, _)| session.transitive.contains(&key.to_lowercase()));
        self.tags.extend(kept.map(|(key, value)| (key.clone(), value.clone())));
        self.transitive.extend(session.transitive.iter().cloned());
        match (&session.source_identity, &self.source_identity) {
            (Some(old), Some(new)) if old != new => Err(Fault::access_denied(format!(
                "The source identity {old} of the calling session cannot be changed to {new}."
            ))),
            (Some(old), _) => {
                self.source_identity = Some(old.clone());
                Ok(())
            }
            (None, _) => Ok(()),
        }
    }

    /// The permissions that giving these needs beside the one to assume the role.
    pub(super) fn actions(&self) -> Vec<&'static str> {
        let tagging = (!self.tags.is_empty()).then_some("sts:TagSession");
        let identity = self.source_identity.is_some().then_some("sts:SetSourceIdentity");
        tagging.into_iter().chain(identity).collect()
    }

    /// Sets the condition keys of the request.
    pub(super) fn describe(&self, context: &mut Context) {
        crate::authorization::request_tags(context, &self.requested);
        if !self.transitive_requested.is_empty() {
            context.set_all("sts:TransitiveTagKeys", self.transitive_requested.clone());
        }
        if let Some(identity) = &self.source_identity {
            context.set("sts:SourceIdentity", identity.as_str());
        }
    }
}

fn check(tags: &[(String, String)]) -> Result<(), Fault> {
    if tags.len() > TAGS_MAX {
        return Err(invalid(format!("A session can have at most {TAGS_MAX} tags.")));
    }
    let mut seen = BTreeSet::new();
    let plain = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
    for (key, value) in tags {
        if key.to_lowercase().starts_with("aws:") {
            return Err(invalid("'aws:' prefixed tag key names are not allowed for external use."));
        }
        if key.is_empty() || key.chars().count() > KEY_LENGTH_MAX || value.chars().count() > VALUE_LENGTH_MAX {
            return Err(invalid(format!(
                "The session tag {key} is invalid: keys have 1 to {KEY_LENGTH_MAX} characters, values at most {VALUE_LENGTH_MAX}."
            )));
        }
        if !key.chars().all(plain) || !value.chars().all(plain) {
            return Err(invalid(format!(
                "The session tag {key} is invalid: letters, digits, white space and _.:/=+-@ are allowed."
            )));
        }
        if !seen.insert(key.to_lowercase()) {
            return Err(invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive."));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(tags: &[(&str, &str)], transitive: &[&str]) -> String {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let keys = transitive.iter().map(|key| (*key).to_owned()).collect();
        Attributes::new(tags, keys, None).err().map(|fault| fault.message).unwrap_or_default()
    }

    #[test]
    fn tags_have_their_bounds() {
        assert_eq!(refusal(&[("Team", "blue"), ("stage", "")], &["team"]), "");
        assert!(refusal(&[("Team", "a"), ("team", "b")], &[]).starts_with("Duplicate tag keys"));
        assert!(refusal(&[("AWS:x", "a")], &[]).contains("not allowed"));
        assert!(refusal(&[("team", "a")], &["other"]).contains("must be included"));
        assert!(refusal(&[("te#am", "a")], &[]).contains("are allowed"));
        assert!(refusal(&[(&"k".repeat(129), "")], &[]).contains("1 to 128"));
        assert!(refusal(&[("k", &"v".repeat(257))], &[]).contains("at most 256"));
        let many: Vec<_> = (0..51).map(|n| n.to_string()).collect();
        let many: Vec<_> = many.iter().map(|key| (key.as_str(), "v")).collect();
        assert!(refusal(&many, &[]).contains("at most 50"));
    }

    #[test]
    fn a_token_carries_tags_in_its_claims() {
        let claims = json!({
            TAGS_CLAIM: { "principal_tags": { "team": ["blue"] }, "transitive_tag_keys": ["team"] },
            SOURCE_IDENTITY_CLAIM: "ann",
        });
        let attributes = Attributes::of_claims(claims.as_object().unwrap()).unwrap();
        assert_eq!((attributes.tags["team"].as_str(), attributes.source_identity.as_deref()), ("blue", Some("ann")));
        assert_eq!(attributes.actions(), ["sts:TagSession", "sts:SetSourceIdentity"]);
    }
}
