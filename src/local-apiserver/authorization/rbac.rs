//! Role-based access control, read from the stored roles and bindings at every question.

use serde_json::Value;

use super::attributes::Attributes;
use crate::cluster::Cluster;
use crate::selector;
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
    let binding = if namespace.is_empty() { at.to_owned() } else { format!("{at}/{namespace}") };
    let role = reference["kind"].as_str().unwrap_or_default();
    let why = format!("RBAC: allowed by {kind} \"{binding}\" of {role} \"{name}\" to {subject}");
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
    for rule in aggregated(cluster, &role) {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    rules
}

/// The rules of the roles that an aggregated one selects, each once.
fn aggregated(cluster: &Cluster, role: &Value) -> Vec<Value> {
    let (all, _) = cluster.store.list(&format!("clusterroles.{GROUP}"), None);
    let mut rules: Vec<Value> = Vec::new();
    for selector in role["aggregationRule"]["clusterRoleSelectors"].as_array().into_iter().flatten() {
        let selected = all.iter().filter(|other| {
            other["metadata"]["name"] != role["metadata"]["name"]
                && selector::matches_label_selector(selector, &other["metadata"]["labels"])
        });
        for rule in selected.flat_map(|other| other["rules"].as_array().cloned().unwrap_or_default()) {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
    }
    rules
}

/// Writes into aggregated roles what they select, as the controller manager does; some select aggregated ones.
pub(crate) fn aggregate(cluster: &Cluster) {
    let collection = format!("clusterroles.{GROUP}");
    // Each turn carries rules one role further; a circle of roles ends with the number of roles.
    let turns = cluster.store.list(&collection, None).0.len();
    for _ in 0..turns {
        let (all, _) = cluster.store.list(&collection, None);
        let mut changed = false;
        for role in all.iter().filter(|role| role["aggregationRule"].is_object()) {
            let rules = Value::from(aggregated(cluster, role));
            if role["rules"] != rules {
                let mut new = (**role).clone();
                new["rules"] = rules;
                changed |= cluster.store.replace(&collection, role, new).is_ok();
            }
        }
        if !changed {
            return;
        }
    }
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
