//! All of IAM's state, and what the authoriser, STS and the tag search ask of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::builtin;
use super::model::{AssumableRole, Managed, Provider, Role, Tags};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::identifier;
use crate::policy::Named;

/// The name of the one user.
pub(super) const ADMINISTRATOR: &str = "sluice";

/// All of IAM's state.
#[derive(Debug)]
pub(crate) struct Store {
    pub(super) account: String,
    pub(super) administrator_id: String,
    pub(super) created_at: Timestamp,
    pub(super) roles: BTreeMap<String, Role>,
    pub(super) policies: BTreeMap<String, Managed>,
    pub(super) providers: BTreeMap<String, Provider>,
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
    pub(super) fn boundary_at_stake(&self, input: &Value) -> Option<String> {
        let given = input.get("PermissionsBoundary").and_then(Value::as_str).map(str::to_owned);
        given.or_else(|| self.roles.get(input.get("RoleName")?.as_str()?)?.boundary.clone())
    }

    /// The policies of whoever `arn` is, and the permissions boundary.
    pub(super) fn policies_at(&self, arn: &str) -> Result<(Vec<Named>, Option<Vec<Named>>), Fault> {
        let administrator = self.administrator();
        if administrator.arn() == arn {
            return Ok((self.identity_policies(&administrator), None));
        }
        let Some(role) = self.role_by_arn(arn) else {
            let message = format!("The entity {arn} cannot be found.");
            return Err(Fault::new(404, "NoSuchEntity", message));
        };
        let boundary = role.boundary.as_ref().map(|arn| self.managed_policy(arn).into_iter().collect());
        Ok((self.policies_of(role), boundary))
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
}
