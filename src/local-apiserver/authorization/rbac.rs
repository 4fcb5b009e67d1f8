//! Role-based access control, read from the stored roles and bindings at every question.

use serde_json::Value;

use super::Attributes;
use crate::cluster::Cluster;
use crate::user::User;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Why it is allowed, in the words of the real authoriser.
pub(crate) fn allowed(cluster: &Cluster, user: &User, attributes: &Attributes) -> Option<String> {
    rules(cluster, user, &attributes.namespace)
        .into_iter()
        .find(|(rule, _)| rule_allows(rule, attributes))
        .map(|(_, why)| why)
}

/// Every rule that holds for a user in a namespace (and cluster-wide), with its reason.
pub(crate) fn rules(cluster: &Cluster, user: &User, namespace: &str) -> Vec<(Value, String)> {
    let mut rules = Vec::new();
    let (bindings, _) = cluster.store.list(&format!("clusterrolebindings.{GROUP}"), None);
    for binding in &bindings {
        collect(cluster, user, binding, "", &mut rules);
    }
    if !namespace.is_empty() {
        let (bindings, _) = cluster.store.list(&format!("rolebindings.{GROUP}"), Some(namespace));
        for binding in &bindings {
            collect(cluster, user, binding, namespace, &mut rules);
        }
    }
    rules
}

fn collect(cluster: &Cluster, user: &User, binding: &Value, namespace: &str, rules: &mut Vec<(Value, String)>) {
    let Some(subject) = bound(binding, user, namespace) else { return };
    let kind = if namespace.is_empty() { "ClusterRoleBinding" } else { "RoleBinding" };
    let reference = &binding["roleRef"];
    let name = reference["name"].as_str().unwrap_or_default();
    let at = binding["metadata"]["name"].as_str().unwrap_or_default();
    let place = if namespace.is_empty() { at.to_owned() } else { format!("{at}/{namespace}") };
    let role = reference["kind"].as_str().unwrap_or_default();
    let why = format!("RBAC: allowed by {kind} \"{place}\" of {role} \"{name}\" to {subject}");
    for rule in role_rules(cluster, reference, namespace) {
        rules.push((rule, why.clone()));
    }
}

/// The rules of a referenced role; aggregated ones are read from the roles that they select.
pub(crate) fn role_rules(cluster: &Cluster, reference: &Value, namespace: &str) -> Vec<Value> {
    let name = reference["name"].as_str().unwrap_or_default();
    let role = if reference["kind"] == "Role" {
        cluster.get(&format!("roles.{GROUP}"), namespace, name)
    } else {
        cluster.get(&format!("clusterroles.{GROUP}"), "", name)
    };
    let Some(role) = role else { return Vec::new() };
    let mut rules = role["rules"].as_array().cloned().unwrap_or_default();
    for selector in role["aggregationRule"]["clusterRoleSelectors"].as_array().into_iter().flatten() {
        let Some(wanted) = selector["matchLabels"].as_object() else { continue };
        let (all, _) = cluster.store.list(&format!("clusterroles.{GROUP}"), None);
        let matching =
            all.iter().filter(|other| wanted.iter().all(|(key, value)| other["metadata"]["labels"][key] == *value));
        rules.extend(matching.flat_map(|other| other["rules"].as_array().cloned().unwrap_or_default()));
    }
    rules
}

/// The subject of a binding that the user is, if one is.
fn bound(binding: &Value, user: &User, namespace: &str) -> Option<String> {
    binding["subjects"].as_array().into_iter().flatten().find_map(|subject| {
        let name = subject["name"].as_str().unwrap_or_default();
        let kind = subject["kind"].as_str()?;
        let (is_meant, shown) = match kind {
            "User" => (user.name == name, name.to_owned()),
            "Group" => (user.is_in(name), name.to_owned()),
            "ServiceAccount" => {
                let ns = subject["namespace"].as_str().unwrap_or(namespace);
                (user.name == format!("system:serviceaccount:{ns}:{name}"), format!("{name}/{ns}"))
            }
            _ => return None,
        };
        is_meant.then(|| format!("{kind} \"{shown}\""))
    })
}

fn has(list: &Value, wanted: &str) -> bool {
    list.as_array().into_iter().flatten().any(|item| item == "*" || item == wanted)
}

/// Whether one PolicyRule allows a request.
pub(crate) fn rule_allows(rule: &Value, attributes: &Attributes) -> bool {
    if !has(&rule["verbs"], &attributes.verb) {
        return false;
    }
    if let Some(path) = &attributes.path {
        return rule["nonResourceURLs"].as_array().into_iter().flatten().filter_map(Value::as_str).any(|url| {
            url == "*" || url == path || url.strip_suffix('*').is_some_and(|prefix| path.starts_with(prefix))
        });
    }
    let full = attributes.full_resource();
    let resource = rule["resources"].as_array().into_iter().flatten().filter_map(Value::as_str).any(|held| {
        held == "*"
            || held == full
            || (!attributes.subresource.is_empty() && held.strip_prefix("*/") == Some(&attributes.subresource))
    });
    let only = rule["resourceNames"].as_array();
    let named = only.is_none_or(|only| only.is_empty() || only.iter().any(|name| *name == attributes.name.as_str()));
    has(&rule["apiGroups"], &attributes.group) && resource && named
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn attributes(verb: &str, resource: &str, subresource: &str, name: &str) -> Attributes {
        Attributes {
            verb: verb.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            name: name.to_owned(),
            ..Attributes::default()
        }
    }

    #[test]
    fn a_rule_allows_only_what_it_names() {
        let rule =
            json!({"apiGroups": [""], "resources": ["pods", "*/scale"], "verbs": ["get"], "resourceNames": ["a"]});
        assert!(rule_allows(&rule, &attributes("get", "pods", "", "a")));
        assert!(rule_allows(&rule, &attributes("get", "things", "scale", "a")));
        assert!(!rule_allows(&rule, &attributes("get", "pods", "log", "a")));
        assert!(!rule_allows(&rule, &attributes("get", "pods", "", "b")));
        assert!(!rule_allows(&rule, &attributes("list", "pods", "", "")));
    }
}
