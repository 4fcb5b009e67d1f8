//! IAM: roles, policies, attachments, OIDC providers, and what the authoriser and STS ask about them.

mod attachment;
mod builtin;
mod input;
mod managed;
mod provider;
mod role;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::authorization::{Access, request_tags, resource_tags, tag_keys};
use crate::caller::{Call, Caller};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::identifier;
use crate::intake;
use crate::policy::{Context, Document, Named};
use crate::request::Service;

type Tags = BTreeMap<String, String>;

const ADMINISTRATOR: &str = "sluice";

/// All of IAM's state.
#[derive(Debug)]
pub(crate) struct Store {
    account: String,
    administrator_id: String,
    created_at: Timestamp,
    roles: BTreeMap<String, Role>,
    policies: BTreeMap<String, Managed>,
    providers: BTreeMap<String, Provider>,
}

/// A policy document with its text.
#[derive(Debug, Clone)]
struct Written {
    text: String,
    document: Arc<Document>,
}

#[derive(Debug)]
struct Role {
    name: String,
    id: String,
    path: String,
    arn: String,
    created_at: Timestamp,
    trust: Written,
    description: Option<String>,
    max_session_seconds: i64,
    inline: BTreeMap<String, Written>,
    /// The ARN of the managed policy that is its permissions boundary.
    boundary: Option<String>,
    attached: BTreeSet<String>,
    tags: Tags,
    last_used: Option<Timestamp>,
}

#[derive(Debug)]
struct Managed {
    name: String,
    id: String,
    path: String,
    arn: String,
    description: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    versions: BTreeMap<u32, Version>,
    default_version: u32,
    version_last: u32,
    tags: Tags,
    of_aws: bool,
}

#[derive(Debug)]
struct Version {
    written: Written,
    created_at: Timestamp,
}

/// A registered OIDC provider.
#[derive(Debug, Clone)]
pub(crate) struct Provider {
    pub(crate) arn: String,
    /// Without the scheme.
    url: String,
    pub(crate) client_ids: Vec<String>,
    thumbprints: Vec<String>,
    created_at: Timestamp,
    tags: Tags,
}

/// What STS needs of a role.
pub(crate) struct AssumableRole {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) id: String,
    pub(crate) trust: Named,
    pub(crate) max_session_seconds: i64,
    pub(crate) tags: Tags,
}

impl Store {
    pub(crate) fn new(account: &str, now: Timestamp) -> Self {
        Self {
            account: account.to_owned(),
            administrator_id: identifier::unique("AIDA"),
            created_at: now,
            roles: BTreeMap::new(),
            policies: builtin::policies(),
            providers: BTreeMap::new(),
        }
    }

    /// The one user.
    pub(crate) fn administrator(&self) -> Caller {
        Caller::User {
            name: ADMINISTRATOR.into(),
            arn: format!("arn:aws:iam::{}:user/{ADMINISTRATOR}", self.account),
            id: self.administrator_id.clone(),
        }
    }

    /// The identity-based policies of a caller; none if its role is gone or was made anew.
    pub(crate) fn identity_policies(&self, caller: &Caller) -> Vec<Named> {
        match caller {
            Caller::User { .. } => {
                self.managed_policy("arn:aws:iam::aws:policy/AdministratorAccess").into_iter().collect()
            }
            Caller::Session(session) => match self.roles.get(&session.role_name) {
                Some(role) if role.id == session.role_id => self.policies_of(role),
                _ => Vec::new(),
            },
            Caller::UserSession(session) => self.identity_policies(&session.user),
            Caller::Anonymous => Vec::new(),
        }
    }

    /// The tags of a role; none if it is gone or was made anew.
    pub(crate) fn role_tags(&self, name: &str, id: &str) -> Tags {
        self.roles.get(name).filter(|role| role.id == id).map(|role| role.tags.clone()).unwrap_or_default()
    }

    /// The permissions boundary of a caller's role; empty, so that nothing is allowed, if its policy is gone.
    pub(crate) fn boundary(&self, caller: &Caller) -> Option<Vec<Named>> {
        let Caller::Session(session) = caller else { return None };
        let arn = self.roles.get(&session.role_name)?.boundary.as_ref()?;
        Some(self.managed_policy(arn).into_iter().collect())
    }

    /// The boundary that a call is about: the one it gives, else that of its role.
    fn boundary_at_stake(&self, input: &Value) -> Option<String> {
        let given = input.get("PermissionsBoundary").and_then(Value::as_str).map(str::to_owned);
        given.or_else(|| self.roles.get(input.get("RoleName")?.as_str()?)?.boundary.clone())
    }

    fn policies_of(&self, role: &Role) -> Vec<Named> {
        let inline = role.inline.iter().map(|(name, written)| Named {
            name: format!("inline policy {name} of role {}", role.name),
            document: Arc::clone(&written.document),
        });
        let attached = role
            .attached
            .iter()
            .filter_map(|arn| self.managed_policy(arn))
            .map(|policy| Named { name: format!("{} of role {}", policy.name, role.name), document: policy.document });
        inline.chain(attached).collect()
    }

    /// The default version of a managed policy.
    pub(crate) fn managed_policy(&self, arn: &str) -> Option<Named> {
        let policy = self.policies.get(arn)?;
        let version = policy.versions.get(&policy.default_version)?;
        Some(Named { name: format!("policy {}", policy.name), document: Arc::clone(&version.written.document) })
    }

    fn role_by_arn(&self, arn: &str) -> Option<&Role> {
        self.roles.values().find(|role| role.arn == arn)
    }

    pub(crate) fn role_exists(&self, arn: &str) -> bool {
        self.role_by_arn(arn).is_some()
    }

    pub(crate) fn trust_policy(&self, role_arn: &str) -> Option<Named> {
        self.assumable_role(role_arn).map(|role| role.trust)
    }

    pub(crate) fn assumable_role(&self, arn: &str) -> Option<AssumableRole> {
        self.role_by_arn(arn).map(|role| AssumableRole {
            name: role.name.clone(),
            arn: role.arn.clone(),
            id: role.id.clone(),
            trust: Named { name: format!("role {}", role.name), document: Arc::clone(&role.trust.document) },
            max_session_seconds: role.max_session_seconds,
            tags: role.tags.clone(),
        })
    }

    pub(crate) fn role_used(&mut self, arn: &str, now: Timestamp) {
        if let Some(role) = self.roles.values_mut().find(|role| role.arn == arn) {
            role.last_used = Some(now);
        }
    }

    /// The provider registered for an issuer, given without its scheme.
    pub(crate) fn provider_by_url(&self, url: &str) -> Option<Provider> {
        self.providers.values().find(|provider| provider.url == url).cloned()
    }

    /// ARN and tags of everything taggable, for the tag search.
    pub(crate) fn tagged(&self) -> Vec<(String, Tags)> {
        let roles = self.roles.values().map(|role| (role.arn.clone(), role.tags.clone()));
        let policies = self
            .policies
            .values()
            .filter(|policy| !policy.of_aws)
            .map(|policy| (policy.arn.clone(), policy.tags.clone()));
        let providers = self.providers.values().map(|provider| (provider.arn.clone(), provider.tags.clone()));
        roles.chain(policies).chain(providers).collect()
    }

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
    cloud.iam().perform(action, input, call.now)
}
