//! Managed policies and their versions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::input::{
    at_path, characters, conflict, date, document, encoded, exists, merge_tags, missing, name, page, path, quota,
    remove_tags, tag_list, tag_page, text,
};
use super::model::{Managed, Tags, Version, Written};
use super::store::Store;
use crate::fault::Fault;
use crate::identifier;
use crate::policy::Kind;
use crate::validation::required;

const VERSIONS_MAX: usize = 5;
const CHARACTERS_MAX: usize = 6144;
/// AWS's default quota.
const POLICIES_MAX: usize = 1500;

impl Managed {
    fn value(&self, attachments: usize, boundaries: usize) -> Value {
        let mut value = json!({
            "PolicyName": self.name,
            "PolicyId": self.id,
            "Arn": self.arn,
            "Path": self.path,
            "DefaultVersionId": format!("v{}", self.default_version),
            "AttachmentCount": attachments,
            "PermissionsBoundaryUsageCount": boundaries,
            "IsAttachable": true,
            "CreateDate": date(self.created_at),
            "UpdateDate": date(self.updated_at),
        });
        value["Tags"] = tag_list(&self.tags);
        if let Some(description) = &self.description {
            value["Description"] = json!(description);
        }
        value
    }

    /// What the lists contain: neither the description nor the tags.
    fn listed(&self, attachments: usize, boundaries: usize) -> Value {
        let mut value = self.value(attachments, boundaries);
        if let Some(shown) = value.as_object_mut() {
            shown.remove("Description");
            shown.remove("Tags");
        }
        value
    }

    fn version_value(&self, number: u32, version: &Version, with_document: bool) -> Value {
        let mut value = json!({
            "VersionId": format!("v{number}"),
            "IsDefaultVersion": number == self.default_version,
            "CreateDate": date(version.created_at),
        });
        if with_document {
            value["Document"] = json!(encoded(&version.written.text));
        }
        value
    }

    fn version(&self, input: &Value) -> Result<u32, Fault> {
        let id = required(input, "VersionId")?;
        id.strip_prefix('v')
            .and_then(|text| text.parse().ok())
            .filter(|number| self.versions.contains_key(number))
            .ok_or_else(|| missing(format!("Policy {} version {id} does not exist or is not attachable.", self.arn)))
    }
}

fn policy_document(input: &Value) -> Result<Written, Fault> {
    let written = document(input, "PolicyDocument", Kind::Identity)?;
    if characters(&written.text) > CHARACTERS_MAX {
        return Err(quota("PolicySize", CHARACTERS_MAX));
    }
    Ok(written)
}

fn no_policy(arn: &str) -> Fault {
    missing(format!("Policy {arn} was not found."))
}

impl Store {
    pub(super) fn policy(&self, input: &Value) -> Result<&Managed, Fault> {
        let arn = required(input, "PolicyArn")?;
        self.policies.get(arn).ok_or_else(|| no_policy(arn))
    }

    /// A policy to be changed: one of the account's own.
    fn own_policy(&mut self, input: &Value) -> Result<&mut Managed, Fault> {
        let arn = required(input, "PolicyArn")?;
        match self.policies.get_mut(arn) {
            Some(policy) if policy.of_aws => {
                Err(Fault::access_denied(format!("Policy {arn} is managed by AWS and cannot be changed.")))
            }
            Some(policy) => Ok(policy),
            None => Err(no_policy(arn)),
        }
    }

    fn boundaries(&self, arn: &str) -> usize {
        self.roles.values().filter(|role| role.boundary.as_deref() == Some(arn)).count()
    }

    fn attachments(&self, arn: &str) -> usize {
        self.roles.values().filter(|role| role.attached.contains(arn)).count()
    }

    pub(super) fn create_policy(&mut self, input: &Value, now: Timestamp) -> Result<Value, Fault> {
        let name = name(input, "PolicyName", 128)?.to_owned();
        let path = path(input)?;
        if self.policies.values().any(|policy| !policy.of_aws && policy.name.eq_ignore_ascii_case(&name)) {
            return Err(exists(format!("A policy called {name} already exists. Duplicate names are not allowed.")));
        }
        if self.policies.values().filter(|policy| !policy.of_aws).count() >= POLICIES_MAX {
            return Err(quota("PoliciesPerAccount", POLICIES_MAX));
        }
        let written = policy_document(input)?;
        let mut policy = Managed {
            arn: format!("arn:aws:iam::{}:policy{path}{name}", self.account),
            id: identifier::unique("ANPA"),
            name,
            path,
            description: text(input, "Description").map(str::to_owned),
            created_at: now,
            updated_at: now,
            versions: BTreeMap::from([(1, Version { written, created_at: now })]),
            default_version: 1,
            version_last: 1,
            tags: Tags::new(),
            of_aws: false,
        };
        merge_tags(&mut policy.tags, input)?;
        let mut value = policy.listed(0, 0);
        if !policy.tags.is_empty() {
            value["Tags"] = tag_list(&policy.tags);
        }
        self.policies.insert(policy.arn.clone(), policy);
        Ok(json!({ "Policy": value }))
    }

    pub(super) fn get_policy(&self, input: &Value) -> Result<Value, Fault> {
        let policy = self.policy(input)?;
        let value = policy.value(self.attachments(&policy.arn), self.boundaries(&policy.arn));
        Ok(json!({ "Policy": value }))
    }

    pub(super) fn list_policies(&self, input: &Value) -> Result<Value, Fault> {
        let scope = text(input, "Scope").unwrap_or("All");
        let usage = text(input, "PolicyUsageFilter");
        let only_attached = text(input, "OnlyAttached").is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
        let policies = self
            .policies
            .values()
            .filter(|policy| match scope {
                "AWS" => policy.of_aws,
                "Local" => !policy.of_aws,
                _ => true,
            })
            .filter(|policy| at_path(&policy.path, input).is_some())
            .map(|policy| (policy, self.attachments(&policy.arn), self.boundaries(&policy.arn)))
            .filter(|(_, attachments, _)| !only_attached || *attachments > 0)
            .filter(|(_, attachments, boundaries)| match usage {
                Some("PermissionsPolicy") => *attachments > 0,
                Some("PermissionsBoundary") => *boundaries > 0,
                _ => true,
            })
            .map(|(policy, attachments, boundaries)| policy.listed(attachments, boundaries))
            .collect();
        page("Policies", policies, input)
    }

    pub(super) fn delete_policy(&mut self, input: &Value) -> Result<Value, Fault> {
        let arn = self.own_policy(input)?.arn.clone();
        if self.attachments(&arn) + self.boundaries(&arn) > 0 {
            return Err(conflict("Cannot delete a policy attached to entities."));
        }
        if self.own_policy(input)?.versions.len() > 1 {
            return Err(conflict(
                "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
            ));
        }
        self.policies.remove(&arn);
        Ok(Value::Null)
    }

    pub(super) fn create_version(&mut self, input: &Value, now: Timestamp) -> Result<Value, Fault> {
        let written = policy_document(input)?;
        let policy = self.own_policy(input)?;
        if policy.versions.len() >= VERSIONS_MAX {
            return Err(Fault::new(
                409,
                "LimitExceeded",
                "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.",
            ));
        }
        policy.version_last += 1;
        let number = policy.version_last;
        policy.versions.insert(number, Version { written, created_at: now });
        if text(input, "SetAsDefault").is_some_and(|flag| flag.eq_ignore_ascii_case("true")) {
            policy.default_version = number;
            policy.updated_at = now;
        }
        let value = policy.versions.get(&number).map(|version| policy.version_value(number, version, false));
        Ok(json!({ "PolicyVersion": value }))
    }

    pub(super) fn get_version(&self, input: &Value) -> Result<Value, Fault> {
        let policy = self.policy(input)?;
        let number = policy.version(input)?;
        let value = policy.versions.get(&number).map(|version| policy.version_value(number, version, true));
        Ok(json!({ "PolicyVersion": value }))
    }

    pub(super) fn list_versions(&self, input: &Value) -> Result<Value, Fault> {
        let policy = self.policy(input)?;
        let versions = policy
            .versions
            .iter()
            .rev()
            .map(|(number, version)| policy.version_value(*number, version, false))
            .collect();
        page("Versions", versions, input)
    }

    pub(super) fn delete_version(&mut self, input: &Value) -> Result<Value, Fault> {
        let policy = self.own_policy(input)?;
        let number = policy.version(input)?;
        if number == policy.default_version {
            return Err(conflict("Cannot delete the default version of a policy."));
        }
        policy.versions.remove(&number);
        Ok(Value::Null)
    }

    pub(super) fn set_default_version(&mut self, input: &Value, now: Timestamp) -> Result<Value, Fault> {
        let policy = self.own_policy(input)?;
        policy.default_version = policy.version(input)?;
        policy.updated_at = now;
        Ok(Value::Null)
    }

    pub(super) fn tag_policy(&mut self, input: &Value) -> Result<Value, Fault> {
        merge_tags(&mut self.own_policy(input)?.tags, input)?;
        Ok(Value::Null)
    }

    pub(super) fn untag_policy(&mut self, input: &Value) -> Result<Value, Fault> {
        remove_tags(&mut self.own_policy(input)?.tags, input);
        Ok(Value::Null)
    }

    pub(super) fn list_policy_tags(&self, input: &Value) -> Result<Value, Fault> {
        tag_page(&self.policy(input)?.tags, input)
    }
}
