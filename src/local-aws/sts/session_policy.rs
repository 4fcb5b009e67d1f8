//! Session policies: what narrows a session's rights, and how much of the space for it they take.
//!
//! Source: STS API Reference, AssumeRole: Policy, PolicyArns and PackedPolicySize.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::policy::{Document, Kind, Named};

const ARNS_MAX: usize = 10;
/// The plaintext of inline and managed session policies together.
const CHARACTERS_MAX: usize = 2048;
/// The plaintext of all session tags: 50 of 128 and 256 characters.
const TAG_CHARACTERS_MAX: usize = 50 * (128 + 256);

/// The policies of a new session.
#[derive(Debug)]
pub(super) struct SessionPolicies {
    /// `None` without any.
    pub(super) named: Option<Vec<Named>>,
    characters: usize,
}

impl SessionPolicies {
    pub(super) fn of(cloud: &Cloud, input: &Value) -> Result<Self, Fault> {
        let malformed = |message: String| Fault::sender("MalformedPolicyDocument", message);
        let (mut policies, mut characters) = (Vec::new(), 0);
        if let Some(text) = input.get("Policy").and_then(Value::as_str) {
            let document = Document::parse(text, Kind::Identity).map_err(malformed)?;
            policies.push(Named { name: "the session policy".into(), document: Arc::new(document) });
            characters += text.chars().count();
        }
        let arns = input.get("PolicyArns").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if arns.len() > ARNS_MAX {
            let message = format!("A session can have at most {ARNS_MAX} managed session policies.");
            return Err(Fault::sender("ValidationError", message));
        }
        for item in arns {
            let arn = item.get("arn").and_then(Value::as_str).unwrap_or_default();
            let policy = cloud.iam().managed_policy(arn);
            policies.push(policy.ok_or_else(|| malformed(format!("PolicyArn {arn} is not valid.")))?);
            characters += arn.chars().count();
        }
        Ok(Self { named: (!policies.is_empty()).then_some(policies), characters })
    }

    /// The share of the space that policies and tags take, in percent; AWS packs them in a form of its own, so this one is of
    /// their plaintext. An error if the policies are too large.
    pub(super) fn packed_size(&self, tags: &BTreeMap<String, String>) -> Result<usize, Fault> {
        let tagged: usize = tags.iter().map(|(key, value)| key.chars().count() + value.chars().count()).sum();
        let percent = (self.characters * 100).div_ceil(CHARACTERS_MAX).max((tagged * 100).div_ceil(TAG_CHARACTERS_MAX));
        if percent > 100 {
            return Err(Fault::sender(
                "PackedPolicyTooLarge",
                format!("Packed policy consumes {percent}% of allotted space, please use smaller policy."),
            ));
        }
        Ok(percent)
    }
}
