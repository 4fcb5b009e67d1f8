//! Roles.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::input::{
    at_path, characters, conflict, date, document, encoded, exists, invalid, merge_tags, missing, name, page, path,
    quota, remove_tags, tag_list, tag_page, text,
};
use super::model::{Role, Tags, Written};
use super::store::Store;
use crate::fault::Fault;
use crate::identifier;
use crate::policy::{Document, Kind};
use crate::validation::required;

const SESSION_SECONDS_DEFAULT: i64 = 3600;
/// AWS's default quotas.
const ROLES_MAX: usize = 1000;
const TRUST_CHARACTERS_MAX: usize = 2048;

fn session_seconds(input: &Value) -> Result<Option<i64>, Fault> {
    match text(input, "MaxSessionDuration") {
        None => Ok(None),
        Some(text) => match text.parse() {
            Ok(seconds @ 3600..=43_200) => Ok(Some(seconds)),
            _ => Err(invalid(format!(
                "1 validation error detected: Value '{text}' at 'maxSessionDuration' failed to satisfy constraint: Member must be between 3600 and 43200"
            ))),
        },
    }
}

impl Role {
    fn summary(&self) -> Value {
        let mut value = json!({
            "Path": self.path,
            "RoleName": self.name,
            "RoleId": self.id,
            "Arn": self.arn,
            "CreateDate": date(self.created_at),
            "AssumeRolePolicyDocument": encoded(&self.trust.text),
            "MaxSessionDuration": self.max_session_seconds,
        });
        if let Some(description) = &self.description {
            value["Description"] = json!(description);
        }
        value
    }

    fn full(&self) -> Value {
        let mut value = self.summary();
        if !self.tags.is_empty() {
            value["Tags"] = tag_list(&self.tags);
        }
        if let Some(arn) = &self.boundary {
            value["PermissionsBoundary"] =
                json!({ "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn });
        }
        value["RoleLastUsed"] = self.last_used.map_or_else(|| json!({}), |time| json!({ "LastUsedDate": date(time) }));
        value
    }
}

impl Role {
    /// A trust policy means the role, not its name: once that role is gone, its unique id stands where its ARN stood,
    /// and a new role of the same name is not trusted.
    fn trust_no_longer(&mut self, gone: &Role) {
        if !self.trust.document.aws_principals().any(|principal| principal == gone.arn) {
            return;
        }
        let text = self.trust.text.replace(&format!("\"{}\"", gone.arn), &format!("\"{}\"", gone.id));
        if let Ok(document) = Document::parse(&text, Kind::Trust) {
            self.trust = Written { text, document: Arc::new(document) };
        }
    }
}

impl Store {
    /// Roles of somebody else in the account, which anything may be called.
    pub(crate) fn add_foreign(&mut self, names: impl Iterator<Item = String>, now: Timestamp) {
        let trust = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Principal": { "Service": "ec2.amazonaws.com" }, "Action": "sts:AssumeRole" },
        ] });
        for name in names {
            let input = json!({ "RoleName": name, "AssumeRolePolicyDocument": trust.to_string() });
            if let Err(fault) = self.create_role(&input, now) {
                tracing::error!(role = name, message = fault.message, "failed to make a role of others");
            }
        }
    }
}

impl Store {
    pub(super) fn role(&self, input: &Value) -> Result<&Role, Fault> {
        let name = required(input, "RoleName")?;
        self.roles.get(name).ok_or_else(|| missing(format!("The role with name {name} cannot be found.")))
    }

    pub(super) fn role_mut(&mut self, input: &Value) -> Result<&mut Role, Fault> {
        let name = required(input, "RoleName")?;
        self.roles.get_mut(name).ok_or_else(|| missing(format!("The role with name {name} cannot be found.")))
    }

    pub(super) fn create_role(&mut self, input: &Value, now: Timestamp) -> Result<Value, Fault> {
        let name = name(input, "RoleName", 64)?.to_owned();
        let path = path(input)?;
        if self.roles.keys().any(|other| other.eq_ignore_ascii_case(&name)) {
            return Err(exists(format!("Role with name {name} already exists.")));
        }
        if self.roles.len() >= ROLES_MAX {
            return Err(quota("RolesPerAccount", ROLES_MAX));
        }
        let trust = self.trust(input, "AssumeRolePolicyDocument")?;
        let mut role = Role {
            arn: format!("arn:aws:iam::{}:role{path}{name}", self.account),
            id: identifier::unique("AROA"),
            path,
            name: name.clone(),
            created_at: now,
            trust,
            description: text(input, "Description").map(str::to_owned),
            max_session_seconds: session_seconds(input)?.unwrap_or(SESSION_SECONDS_DEFAULT),
            boundary: self.boundary_parameter(input)?,
            inline: std::collections::BTreeMap::new(),
            attached: std::collections::BTreeSet::new(),
            tags: Tags::new(),
            last_used: None,
        };
        merge_tags(&mut role.tags, input)?;
        // The answer to the creation reports less than a later look.
        let mut value = role.full();
        if let Some(shown) = value.as_object_mut() {
            shown.remove("RoleLastUsed");
            if text(input, "MaxSessionDuration").is_none() {
                shown.remove("MaxSessionDuration");
            }
        }
        self.roles.insert(name, role);
        Ok(json!({ "Role": value }))
    }

    /// A trust policy; as in AWS, the roles and users of this account that it names must exist.
    fn trust(&self, input: &Value, parameter: &str) -> Result<Written, Fault> {
        let trust = document(input, parameter, Kind::Trust)?;
        if characters(&trust.text) > TRUST_CHARACTERS_MAX {
            return Err(quota("ACLSizePerRole", TRUST_CHARACTERS_MAX));
        }
        for principal in trust.document.aws_principals() {
            if !self.principal_exists(principal) {
                return Err(Fault::sender(
                    "MalformedPolicyDocument",
                    format!("Invalid principal in policy: \"AWS\":\"{principal}\""),
                ));
            }
        }
        Ok(trust)
    }

    /// Whether an `AWS` principal of a policy can be named; those of other accounts are not known here and taken as they are.
    pub(crate) fn principal_exists(&self, principal: &str) -> bool {
        let account = &self.account;
        if principal.len() == 12 && principal.chars().all(|c| c.is_ascii_digit()) {
            return true;
        }
        if let Some(session) = principal.strip_prefix(&format!("arn:aws:sts::{account}:assumed-role/")) {
            return self.roles.contains_key(session.split('/').next().unwrap_or_default());
        }
        match principal.strip_prefix(&format!("arn:aws:iam::{account}:")) {
            Some("root") => true,
            Some(user) if user.starts_with("user/") => user == "user/sluice",
            Some(_) => self.role_exists(principal),
            // Other accounts are not known here, so they are taken as they are.
            None => principal.starts_with("arn:aws:"),
        }
    }

    pub(super) fn get_role(&self, input: &Value) -> Result<Value, Fault> {
        Ok(json!({ "Role": self.role(input)?.full() }))
    }

    pub(super) fn list_roles(&self, input: &Value) -> Result<Value, Fault> {
        let roles =
            self.roles.values().filter(|role| at_path(&role.path, input).is_some()).map(Role::summary).collect();
        page("Roles", roles, input)
    }

    pub(super) fn update_role(&mut self, input: &Value) -> Result<Value, Fault> {
        let seconds = session_seconds(input)?;
        let role = self.role_mut(input)?;
        if let Some(seconds) = seconds {
            role.max_session_seconds = seconds;
        }
        if let Some(description) = text(input, "Description") {
            role.description = Some(description.to_owned());
        }
        Ok(json!({}))
    }

    /// The older operation, which answers with the role.
    pub(super) fn update_description(&mut self, input: &Value) -> Result<Value, Fault> {
        let description = required(input, "Description")?.to_owned();
        let role = self.role_mut(input)?;
        role.description = Some(description);
        Ok(json!({ "Role": role.full() }))
    }

    pub(super) fn update_trust(&mut self, input: &Value) -> Result<Value, Fault> {
        self.role(input)?;
        let trust = self.trust(input, "PolicyDocument")?;
        self.role_mut(input)?.trust = trust;
        Ok(Value::Null)
    }

    pub(super) fn delete_role(&mut self, input: &Value) -> Result<Value, Fault> {
        let role = self.role(input)?;
        if !role.attached.is_empty() {
            return Err(conflict("Cannot delete entity, must detach all policies first."));
        }
        if !role.inline.is_empty() {
            return Err(conflict("Cannot delete entity, must delete policies first."));
        }
        let name = role.name.clone();
        if let Some(gone) = self.roles.remove(&name) {
            self.roles.values_mut().for_each(|role| role.trust_no_longer(&gone));
        }
        Ok(Value::Null)
    }

    pub(super) fn tag_role(&mut self, input: &Value) -> Result<Value, Fault> {
        merge_tags(&mut self.role_mut(input)?.tags, input)?;
        Ok(Value::Null)
    }

    pub(super) fn untag_role(&mut self, input: &Value) -> Result<Value, Fault> {
        remove_tags(&mut self.role_mut(input)?.tags, input);
        Ok(Value::Null)
    }

    pub(super) fn list_role_tags(&self, input: &Value) -> Result<Value, Fault> {
        tag_page(&self.role(input)?.tags, input)
    }

    /// There are no instance profiles in this cloud.
    pub(super) fn list_instance_profiles(&self, input: &Value) -> Result<Value, Fault> {
        self.role(input)?;
        page("InstanceProfiles", Vec::new(), input)
    }
}
