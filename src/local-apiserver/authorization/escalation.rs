//! Nobody gives away more than he has: new roles and bindings are measured against the rights of their writer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::attributes::Attributes;
use super::{allowed, rbac};
use crate::request::resource_request::ResourceRequest;
use crate::status::Status;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Refuses a role with rights, or a binding to a role with rights, that the writer does not hold.
pub(crate) fn check(request: &ResourceRequest<'_>, old: Option<&Value>, object: &Value) -> Result<(), Status> {
    let user = &request.call.user;
    if request.resource.group != GROUP || user.is_in("system:masters") {
        return Ok(());
    }
    let namespace = request.target.namespace.as_str();
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let may = |verb: &str, resource: &str, name: &str| {
        let attributes = Attributes {
            verb: verb.to_owned(),
            group: GROUP.to_owned(),
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            ..Attributes::default()
        };
        allowed(request.cluster, user, &attributes).is_some()
    };
    let rules = if request.resource.kind.ends_with("Binding") {
        let reference = &object["roleRef"];
        let role = reference["name"].as_str().unwrap_or_default();
        let plural = if reference["kind"] == "Role" { "roles" } else { "clusterroles" };
        let same = |field: &str| old.is_some_and(|old| old[field] == object[field]);
        if (same("roleRef") && same("subjects")) || may("bind", plural, role) {
            return Ok(());
        }
        let scope = if plural == "roles" { namespace } else { "" };
        if request.cluster.get(&format!("{plural}.{GROUP}"), scope, role).is_none() {
            return Err(Status::not_found(GROUP, &request.resource.plural, role));
        }
        rbac::role_rules(request.cluster, reference, namespace)
    } else {
        let same = |field: &str| old.is_some_and(|old| old[field] == object[field]);
        if (same("rules") && same("aggregationRule")) || may("escalate", &request.resource.plural, name) {
            return Ok(());
        }
        // Whoever lets a role collect others may get any rule into it.
        if object["aggregationRule"].is_object() && !same("aggregationRule") {
            vec![
                json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}),
                json!({"nonResourceURLs": ["*"], "verbs": ["*"]}),
            ]
        } else {
            object["rules"].as_array().cloned().unwrap_or_default()
        }
    };
    let held: Vec<Value> = rbac::rules(request.cluster, user, namespace).into_iter().map(|(rule, _)| rule).collect();
    let missing = missing(&held, &rules);
    if missing.is_empty() {
        return Ok(());
    }
    let groups: Vec<String> = user.groups.iter().map(|group| format!("{group:?}")).collect();
    let why = format!(
        "user {:?} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{}",
        user.name,
        groups.join(" "),
        missing.into_iter().collect::<Vec<_>>().join("\n")
    );
    Err(Status::forbidden(GROUP, &request.resource.plural, name, &why))
}

/// One right: the place that it is for, as a rule without verbs, and a verb.
type Right = (Vec<(&'static str, String)>, String);

fn texts<'a>(rule: &'a Value, field: &str) -> impl Iterator<Item = &'a str> {
    rule[field].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// A rule taken apart into single rights.
fn rights(rule: &Value) -> Vec<Right> {
    let mut targets = Vec::new();
    for group in texts(rule, "apiGroups") {
        for resource in texts(rule, "resources") {
            let target = vec![("APIGroups", group.to_owned()), ("Resources", resource.to_owned())];
            let names: Vec<&str> = texts(rule, "resourceNames").collect();
            if names.is_empty() {
                targets.push(target.clone());
            }
            targets.extend(
                names.iter().map(|name| {
                    target.iter().cloned().chain([("ResourceNames", (*name).to_owned())]).collect::<Vec<_>>()
                }),
            );
        }
    }
    targets.extend(texts(rule, "nonResourceURLs").map(|url| vec![("NonResourceURLs", url.to_owned())]));
    let verbs: Vec<&str> = texts(rule, "verbs").collect();
    targets.iter().flat_map(|target| verbs.iter().map(|verb| (target.clone(), (*verb).to_owned()))).collect()
}

fn covers(rule: &Value, (target, verb): &Right) -> bool {
    let has = |field: &str, wanted: &str| texts(rule, field).any(|held| held == "*" || held == wanted);
    let named = target.iter().any(|(part, _)| *part == "ResourceNames");
    has("verbs", verb)
        && (named || target[0].0 == "NonResourceURLs" || texts(rule, "resourceNames").next().is_none())
        && target.iter().all(|(part, value)| match *part {
            "APIGroups" => has("apiGroups", value),
            "Resources" => {
                let sub = value.split_once('/').map(|(_, sub)| format!("*/{sub}"));
                has("resources", value) || sub.is_some_and(|sub| texts(rule, "resources").any(|held| held == sub))
            }
            "ResourceNames" => {
                texts(rule, "resourceNames").next().is_none() || texts(rule, "resourceNames").any(|held| held == value)
            }
            _ => texts(rule, "nonResourceURLs")
                .any(|held| held == value || held.strip_suffix('*').is_some_and(|prefix| value.starts_with(prefix))),
        })
}

/// What of `wanted` no rule of `held` covers: a line per target, with its verbs.
fn missing(held: &[Value], wanted: &[Value]) -> BTreeSet<String> {
    let mut verbs: BTreeMap<Vec<(&str, String)>, Vec<String>> = BTreeMap::new();
    for right in wanted.iter().flat_map(rights) {
        if !held.iter().any(|rule| covers(rule, &right)) {
            let known = verbs.entry(right.0).or_default();
            if !known.contains(&right.1) {
                known.push(right.1);
            }
        }
    }
    verbs
        .into_iter()
        .map(|(target, verbs)| {
            let mut parts: Vec<String> = target.iter().map(|(part, value)| format!("{part}:[{value:?}]")).collect();
            let verbs: Vec<String> = verbs.iter().map(|verb| format!("{verb:?}")).collect();
            parts.push(format!("Verbs:[{}]", verbs.join(" ")));
            format!("{{{}}}", parts.join(", "))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> Value {
        json!({"apiGroups": groups, "resources": resources, "verbs": verbs})
    }

    #[test]
    fn rights_that_are_not_held_are_named_one_place_a_line() {
        let held =
            [rule(&[""], &["pods", "*/log"], &["get"]), json!({"nonResourceURLs": ["/api/*"], "verbs": ["get"]})];
        let wanted = [
            rule(&[""], &["pods", "pods/log"], &["get", "list"]),
            json!({"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a"], "verbs": ["get"]}),
            json!({"nonResourceURLs": ["/api/v1", "/metrics"], "verbs": ["get"]}),
        ];
        let found: Vec<String> = missing(&held, &wanted).into_iter().collect();
        assert_eq!(
            found,
            [
                r#"{APIGroups:[""], Resources:["pods"], Verbs:["list"]}"#,
                r#"{APIGroups:[""], Resources:["pods/log"], Verbs:["list"]}"#,
                r#"{APIGroups:[""], Resources:["secrets"], ResourceNames:["a"], Verbs:["get"]}"#,
                r#"{NonResourceURLs:["/metrics"], Verbs:["get"]}"#,
            ]
        );
        let named = json!({"apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"], "verbs": ["*"]});
        assert_eq!(missing(&[named], &[rule(&[""], &["pods"], &["get"])]).len(), 1);
        assert!(missing(&[rule(&["*"], &["*"], &["*"])], &wanted[..2]).is_empty());
    }
}
