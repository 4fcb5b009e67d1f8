//! Policies of roles: written into them, or attached.

use serde_json::{Value, json};

use super::Store;
use super::input::{characters, document, encoded, invalid, missing, name, page, quota, required, text};
use crate::fault::Fault;
use crate::policy::Kind;

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
        page(
            "AttachedPolicies",
            attached.map(|policy| json!({ "PolicyName": policy.name, "PolicyArn": policy.arn })).collect(),
            input,
        )
    }

    pub(super) fn list_entities(&self, input: &Value) -> Result<Value, Fault> {
        let arn = self.policy(input)?.arn.clone();
        let roles: Vec<_> = self
            .roles
            .values()
            .filter(|role| role.attached.contains(&arn))
            .map(|role| json!({ "RoleName": role.name, "RoleId": role.id }))
            .collect();
        Ok(json!({ "PolicyGroups": [], "PolicyUsers": [], "PolicyRoles": roles, "IsTruncated": false }))
    }
}

fn no_inline(name: &str) -> Fault {
    missing(format!("The role policy with name {name} cannot be found."))
}
