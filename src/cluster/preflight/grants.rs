//! What a stack's roles grant, and which roles of the cluster's own it gives to others.

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::api::Api;
use serde_json::Value;

use super::Rights;
use crate::address::text;
use crate::connection::Session;

/// A role that is bound and is not among the stack's objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) name: String,
    /// Of a Role.
    namespace: Option<String>,
}

/// Every right that the roles among these objects grant.
pub(super) fn granted(objects: &[Value]) -> Vec<Rights> {
    let is_role = |object: &&Value| matches!(text(object, "/kind"), Some("Role" | "ClusterRole"));
    let granted = objects.iter().filter(is_role).flat_map(|role| {
        let rules = serde_json::from_value::<Vec<PolicyRule>>(role["rules"].clone()).unwrap_or_default();
        of_rules(&rules, text(role, "/metadata/namespace"))
    });
    granted.collect()
}

/// The roles that the bindings among these objects name and the objects do not hold.
pub(super) fn bound(objects: &[Value]) -> Vec<Bound> {
    let is_binding = |object: &&Value| matches!(text(object, "/kind"), Some("RoleBinding" | "ClusterRoleBinding"));
    let refers = |binding: &Value| {
        let (kind, name) = (text(binding, "/roleRef/kind")?, text(binding, "/roleRef/name")?);
        let is_it =
            |object: &Value| text(object, "/kind") == Some(kind) && text(object, "/metadata/name") == Some(name);
        let namespace = text(binding, "/metadata/namespace").filter(|_| kind == "Role").map(str::to_owned);
        (!objects.iter().any(is_it)).then(|| Bound { name: name.to_owned(), namespace })
    };
    objects.iter().filter(is_binding).filter_map(refers).collect()
}

fn of_rules(rules: &[PolicyRule], namespace: Option<&str>) -> Vec<Rights> {
    let mut all = Vec::new();
    for rule in rules {
        let names: Vec<Option<String>> = match rule.resource_names.as_deref().unwrap_or_default() {
            [] => vec![None],
            names => names.iter().cloned().map(Some).collect(),
        };
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                let one = |name: &Option<String>| Rights {
                    group: group.clone(),
                    resource: resource.clone(),
                    name: name.clone(),
                    namespace: namespace.map(str::to_owned),
                    verbs: rule.verbs.clone(),
                };
                all.extend(names.iter().map(one));
            }
        }
    }
    all
}

impl Bound {
    pub(super) fn resource(&self) -> &'static str {
        if self.namespace.is_some() { "roles" } else { "clusterroles" }
    }

    /// What the role grants, as the cluster has it; `None` if that cannot be seen.
    pub(super) async fn rules(&self, session: &Session) -> Option<Vec<Rights>> {
        let rules = match &self.namespace {
            Some(namespace) => {
                Api::<Role>::namespaced(session.client.clone(), namespace).get(&self.name).await.ok()?.rules
            }
            None => Api::<ClusterRole>::all(session.client.clone()).get(&self.name).await.ok()?.rules,
        };
        Some(of_rules(&rules.unwrap_or_default(), self.namespace.as_deref()))
    }
}
