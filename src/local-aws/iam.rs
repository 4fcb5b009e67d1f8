//! IAM: roles, policies, attachments, OIDC providers, and what the authoriser and STS ask about them.

mod attachment;
mod builtin;
mod input;
mod managed;
pub(crate) mod model;
mod provider;
mod role;
mod service_linked;
mod simulation;
pub(crate) mod store;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::authorization::{Access, request_tags, resource_tags, tag_keys};
use crate::caller::{Call, Caller};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::intake;
use crate::policy::Context;
use crate::request::Service;
use model::Tags;
use store::{ADMINISTRATOR, Store};

impl Store {
    /// The ARN that `action` is about, and that thing's tags.
    fn subject(&self, action: &str, input: &Value) -> (String, Tags) {
        let text = |name: &str| input.get(name).and_then(Value::as_str);
        let path = text("Path").unwrap_or("/");
        if let Some(name) = text("RoleName") {
            return match self.roles.get(name) {
                Some(role) if action != "CreateRole" => (role.arn.clone(), role.tags.clone()),
                _ => (format!("arn:aws:iam::{}:role{path}{name}", self.account), Tags::new()),
            };
        }
        if let Some(arn) = text("PolicySourceArn") {
            return (arn.to_owned(), Tags::new());
        }
        if let Some(arn) = text("PolicyArn") {
            return (arn.to_owned(), self.policies.get(arn).map(|policy| policy.tags.clone()).unwrap_or_default());
        }
        if let Some(arn) = text("OpenIDConnectProviderArn") {
            return (arn.to_owned(), self.providers.get(arn).map(|one| one.tags.clone()).unwrap_or_default());
        }
        let arn = match action {
            "CreatePolicy" => {
                format!("arn:aws:iam::{}:policy{path}{}", self.account, text("PolicyName").unwrap_or_default())
            }
            "CreateOpenIDConnectProvider" => provider::arn(&self.account, text("Url").unwrap_or_default()),
            "ListRoles" => format!("arn:aws:iam::{}:role{}", self.account, text("PathPrefix").unwrap_or("/")),
            "ListUsers" => format!("arn:aws:iam::{}:user{}", self.account, text("PathPrefix").unwrap_or("/")),
            "ListPolicies" => format!("arn:aws:iam::{}:policy{}", self.account, text("PathPrefix").unwrap_or("/")),
            "ListOpenIDConnectProviders" => provider::arn(&self.account, ""),
            "GetUser" => format!("arn:aws:iam::{}:user/{}", self.account, text("UserName").unwrap_or(ADMINISTRATOR)),
            _ => "*".to_owned(),
        };
        (arn, Tags::new())
    }

    fn user(&self) -> Value {
        json!({
            "Path": "/",
            "UserName": ADMINISTRATOR,
            "UserId": self.administrator_id,
            "Arn": format!("arn:aws:iam::{}:user/{ADMINISTRATOR}", self.account),
            "CreateDate": input::date(self.created_at),
        })
    }

    /// Counts, and AWS's default quotas.
    fn summary(&self) -> Value {
        let policies = self.policies.values().filter(|policy| !policy.of_aws).count();
        let numbers = [
            ("Users", 1),
            ("UsersQuota", 5000),
            ("Roles", self.roles.len()),
            ("RolesQuota", 1000),
            ("Policies", policies),
            ("PoliciesQuota", 1500),
            ("Providers", self.providers.len()),
            ("AccountMFAEnabled", 0),
        ];
        let entries = numbers.map(|(key, value)| json!({ "key": key, "value": value }));
        json!({ "SummaryMap": entries })
    }

    fn get_user(&self, input: &Value) -> Result<Value, Fault> {
        match input.get("UserName").and_then(Value::as_str) {
            None | Some(ADMINISTRATOR) => Ok(json!({ "User": self.user() })),
            Some(other) => Err(input::missing(format!("The user with name {other} cannot be found."))),
        }
    }

    fn perform(&mut self, action: &str, input: &Value, now: Timestamp) -> Result<Value, Fault> {
        match action {
            "GetUser" => self.get_user(input),
            "ListUsers" => {
                input::page("Users", input::at_path("/", input).map(|()| self.user()).into_iter().collect(), input)
            }
            "GetAccountSummary" => Ok(self.summary()),
            "SimulatePrincipalPolicy" => self.simulate(input),
            "ListAccountAliases" => input::page("AccountAliases", Vec::new(), input),
            "CreateRole" => self.create_role(input, now),
            "GetRole" => self.get_role(input),
            "ListRoles" => self.list_roles(input),
            "UpdateRole" => self.update_role(input),
            "UpdateRoleDescription" => self.update_description(input),
            "UpdateAssumeRolePolicy" => self.update_trust(input),
            "DeleteRole" => self.delete_role(input),
            "TagRole" => self.tag_role(input),
            "UntagRole" => self.untag_role(input),
            "ListRoleTags" => self.list_role_tags(input),
            "PutRolePermissionsBoundary" => self.put_boundary(input),
            "DeleteRolePermissionsBoundary" => self.delete_boundary(input),
            "ListInstanceProfilesForRole" => self.list_instance_profiles(input),
            "PutRolePolicy" => self.put_role_policy(input),
            "GetRolePolicy" => self.get_role_policy(input),
            "ListRolePolicies" => self.list_role_policies(input),
            "DeleteRolePolicy" => self.delete_role_policy(input),
            "AttachRolePolicy" => self.attach(input),
            "DetachRolePolicy" => self.detach(input),
            "ListAttachedRolePolicies" => self.list_attached(input),
            "ListEntitiesForPolicy" => self.list_entities(input),
            "CreatePolicy" => self.create_policy(input, now),
            "GetPolicy" => self.get_policy(input),
            "ListPolicies" => self.list_policies(input),
            "DeletePolicy" => self.delete_policy(input),
            "CreatePolicyVersion" => self.create_version(input, now),
            "GetPolicyVersion" => self.get_version(input),
            "ListPolicyVersions" => self.list_versions(input),
            "DeletePolicyVersion" => self.delete_version(input),
            "SetDefaultPolicyVersion" => self.set_default_version(input, now),
            "TagPolicy" => self.tag_policy(input),
            "UntagPolicy" => self.untag_policy(input),
            "ListPolicyTags" => self.list_policy_tags(input),
            other => self.perform_on_provider(other, input, now),
        }
    }
}

/// IAM is one for all regions, and its calls count as made in this one.
const REGION: &str = "us-east-1";

/// Performs `action` with the query parameters `input`.
pub(crate) fn call(cloud: &Cloud, call: &Call, action: &str, input: &Value) -> Result<Value, Fault> {
    if let Caller::UserSession(_) = &call.caller {
        // STS API Reference, GetSessionToken: no IAM operations without MFA, and none ever for federated users.
        let message = "The security token included in the request is invalid";
        return Err(Fault::new(403, "InvalidClientTokenId", message));
    }
    intake::check(Service::Iam, action, input)?;
    if input.get("PathPrefix").and_then(Value::as_str).is_some_and(|prefix| !prefix.starts_with('/')) {
        let message = "The specified value for pathPrefix is invalid. It must begin with the / character.";
        return Err(Fault::sender("ValidationError", message));
    }
    let (resource, tags) = cloud.iam().subject(action, input);
    let mut context = Context::default();
    context.set("aws:RequestedRegion", REGION);
    resource_tags(&mut context, &tags);
    let requested = input::tags(input);
    request_tags(&mut context, &requested);
    let keys = input.get("TagKeys").and_then(Value::as_array).into_iter().flatten();
    tag_keys(&mut context, keys.filter_map(Value::as_str).map(str::to_owned).collect());
    if let Some(arn) = input.get("PolicyArn").and_then(Value::as_str) {
        context.set("iam:PolicyARN", arn);
    }
    if let Some(arn) = cloud.iam().boundary_at_stake(input) {
        context.set("iam:PermissionsBoundary", arn);
    }
    // Tags that something is made with need the permission to tag it.
    let tagging = match action {
        "CreateRole" => "iam:TagRole",
        "CreatePolicy" => "iam:TagPolicy",
        "CreateOpenIDConnectProvider" => "iam:TagOpenIDConnectProvider",
        _ => "",
    };
    let tagging = Some(tagging).filter(|tagging| !tagging.is_empty() && !requested.is_empty());
    let full_action = format!("iam:{action}");
    for action in std::iter::once(full_action.as_str()).chain(tagging) {
        cloud.authorize(call, Access { context: context.clone(), ..Access::new(action, &resource) })?;
    }
    let mut store = cloud.iam();
    store.keep_service_linked(action, input)?;
    store.perform(action, input, call.now)
}
