//! Policies of roles: written into them, or attached.

use serde_json::{Value, json};

use super::input::{at_path, characters, document, encoded, invalid, missing, name, page, quota, text};
use super::model::Role;
use super::store::Store;
use crate::fault::Fault;
use crate::policy::Kind;
use crate::validation::required;

/// AWS's default quota of managed policies per role.
const ATTACHED_MAX: usize = 10;
/// All inline policies of a role together.
const INLINE_CHARACTERS_MAX: usize = 10_240;

impl Store {
    pub(super) fn put_role_policy(&mut self, input: &Value) -> Result<Value, Fault> {
        let name = name(input, "PolicyName", 128)?.to_owned();
        let role = self.role_mut(input)?;
        let written = document(input, "PolicyDocument", Kind::Identity)?;
        let others = role.inline.iter().filter(|(other, _)| **other != name).map(|(_, written)| &written.text);
        let size: usize = others.chain([&written.text]).map(|text| characters(text)).sum();
        if size > INLINE_CHARACTERS_MAX {
            return Err(Fault::new(
                409,
                "LimitExceeded",
                format!("Maximum policy size of {INLINE_CHARACTERS_MAX} bytes exceeded for role {}", role.name),
            ));
        }
        role.inline.insert(name, written);
        Ok(Value::Null)
    }

    pub(super) fn get_role_policy(&self, input: &Value) -> Result<Value, Fault> {
        let (role, name) = (self.role(input)?, required(input, "PolicyName")?);
        let policy = role.inline.get(name).ok_or_else(|| no_inline(name))?;
        Ok(json!({ "RoleName": role.name, "PolicyName": name, "PolicyDocument": encoded(&policy.text) }))
    }

    pub(super) fn list_role_policies(&self, input: &Value) -> Result<Value, Fault> {
        page("PolicyNames", self.role(input)?.inline.keys().map(|name| json!(name)).collect(), input)
    }

    pub(super) fn delete_role_policy(&mut self, input: &Value) -> Result<Value, Fault> {
        let name = required(input, "PolicyName")?;
        self.role_mut(input)?.inline.remove(name).map(|_| Value::Null).ok_or_else(|| no_inline(name))
    }

    pub(super) fn attach(&mut self, input: &Value) -> Result<Value, Fault> {
        let arn = required(input, "PolicyArn")?.to_owned();
        if !arn.starts_with("arn:") {
            return Err(invalid("Invalid ARN:  Could not be parsed!"));
        }
        self.role(input)?;
        if !self.policies.contains_key(&arn) {
            return Err(missing(format!("Policy {arn} does not exist or is not attachable.")));
        }
        let role = self.role_mut(input)?;
        if !role.attached.contains(&arn) && role.attached.len() >= ATTACHED_MAX {
            return Err(quota("PoliciesPerRole", ATTACHED_MAX));
        }
        role.attached.insert(arn);
        Ok(Value::Null)
    }

    pub(super) fn detach(&mut self, input: &Value) -> Result<Value, Fault> {
        let arn = required(input, "PolicyArn")?;
        if self.role_mut(input)?.attached.remove(arn) {
            return Ok(Value::Null);
        }
        Err(missing(format!("Policy {arn} was not found.")))
    }

    pub(super) fn put_boundary(&mut self, input: &Value) -> Result<Value, Fault> {
        let boundary = self.boundary_parameter(input)?;
        if boundary.is_none() {
            required(input, "PermissionsBoundary")?;
        }
        self.role_mut(input)?.boundary = boundary;
        Ok(Value::Null)
    }

    pub(super) fn delete_boundary(&mut self, input: &Value) -> Result<Value, Fault> {
        let role = self.role_mut(input)?;
        match role.boundary.take() {
            Some(_) => Ok(Value::Null),
            None => Err(missing(format!("The role {} has no permissions boundary.", role.name))),
        }
    }

    /// The `PermissionsBoundary` parameter: the ARN of an existing managed policy.
    pub(super) fn boundary_parameter(&self, input: &Value) -> Result<Option<String>, Fault> {
        match text(input, "PermissionsBoundary") {
            Some(arn) if !self.policies.contains_key(arn) => {
                Err(missing(format!("Scope ARN: {arn} does not exist or is not attachable.")))
            }
            arn => Ok(arn.map(str::to_owned)),
        }
    }

    pub(super) fn list_attached(&self, input: &Value) -> Result<Value, Fault> {
        let attached = self.role(input)?.attached.iter().filter_map(|arn| self.policies.get(arn));
        let attached = attached.filter(|policy| at_path(&policy.path, input).is_some());
        page(
            "AttachedPolicies",
            attached.map(|policy| json!({ "PolicyName": policy.name, "PolicyArn": policy.arn })).collect(),
            input,
        )
    }

    /// The roles that have the policy attached or as their boundary; there are no groups, and the one user has none of these.
    pub(super) fn list_entities(&self, input: &Value) -> Result<Value, Fault> {
        let arn = self.policy(input)?.arn.clone();
        let (usage, kind) = (text(input, "PolicyUsageFilter"), text(input, "EntityFilter"));
        let uses = |role: &Role| {
            let attached = role.attached.contains(&arn) && usage != Some("PermissionsBoundary");
            attached || (role.boundary.as_ref() == Some(&arn) && usage != Some("PermissionsPolicy"))
        };
        let wanted = kind.is_none_or(|kind| kind == "Role");
        let roles = self.roles.values().filter(|role| wanted && uses(role) && at_path(&role.path, input).is_some());
        let roles = roles.map(|role| json!({ "RoleName": role.name, "RoleId": role.id })).collect();
        let mut answer = page("PolicyRoles", roles, input)?;
        answer["PolicyGroups"] = json!([]);
        answer["PolicyUsers"] = json!([]);
        Ok(answer)
    }
}

fn no_inline(name: &str) -> Fault {
    missing(format!("The role policy with name {name} cannot be found."))
}
