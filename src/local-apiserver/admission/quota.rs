//! ResourceQuotas: what is used in a namespace, and what may be used more.
//!
//! Usage is counted anew from what is stored, so that it cannot drift. Source: the quota plugin and the evaluators of Kubernetes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::pod::qos;
use super::pod_resources::{Amounts, amounts, of_pod};
use crate::cluster::Cluster;
use crate::kinds::Resource;
use crate::quantity::Quantity;
use crate::request::resource_request::ResourceRequest;
use crate::status::{Status, qualified};
use crate::store::Object;

const COLLECTION: &str = "resourcequotas";
/// Kinds whose number has a name of its own, besides `count/…`.
const COUNTED: &[&str] = &[
    "pods",
    "services",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
];
/// What every container must name if a quota limits it.
const CONTAINER_RESOURCES: &[&str] =
    &["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

fn quotas(cluster: &Cluster, namespace: &str) -> Vec<Object> {
    if namespace.is_empty() { Vec::new() } else { cluster.store.list(COLLECTION, Some(namespace)).0 }
}

/// Lets one writer at a time through where a quota counts, from the check until the object is stored.
pub(crate) fn turn<'a>(request: &ResourceRequest<'a>) -> Option<MutexGuard<'a, ()>> {
    let cluster: &'a Cluster = request.cluster;
    let counted = !quotas(cluster, &request.target.namespace).is_empty();
    counted.then(|| cluster.quota_turn.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Refuses a new state of an object that goes over a quota.
pub(super) fn check(request: &ResourceRequest<'_>, old: Option<&Value>, object: &Value) -> Result<(), Status> {
    let resource = &request.resource;
    if !resource.namespaced || matches!((resource.built_in_kind(), old), ("Event", _) | ("Pod", Some(_))) {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let refuse = |why: &str| Err(Status::forbidden(&resource.group, &resource.plural, name, why));
    for quota in quotas(request.cluster, &request.target.namespace) {
        if !covers(&quota, resource, object) {
            continue;
        }
        let hard = amounts(&quota["spec"]["hard"]);
        let called = quota["metadata"]["name"].as_str().unwrap_or_default();
        let wanted = usage(resource, object);
        if resource.built_in_kind() == "Pod"
            && old.is_none()
            && let Some(why) = unnamed(&hard, object)
        {
            return refuse(&format!("failed quota: {called}: {why}"));
        }
        let before =
            old.filter(|old| covers(&quota, resource, old)).map(|old| usage(resource, old)).unwrap_or_default();
        let more = wanted
            .iter()
            .map(|(name, amount)| (name.clone(), amount.beyond(before.get(name).copied().unwrap_or_default())));
        let more: Amounts = more.filter(|(name, amount)| amount.nanos() > 0 && hard.contains_key(name)).collect();
        if more.is_empty() {
            continue;
        }
        let used = used(request.cluster, &quota);
        let held = |name: &str| used.get(name).copied().unwrap_or_default();
        let over: BTreeSet<&String> = more
            .iter()
            .filter(|(name, amount)| held(name).plus(**amount).nanos() > hard[*name].nanos())
            .map(|(name, _)| name)
            .collect();
        if !over.is_empty() {
            let shown = |amount: &dyn Fn(&str) -> Quantity| {
                over.iter().map(|name| format!("{name}={}", amount(name))).collect::<Vec<_>>().join(",")
            };
            return refuse(&format!(
                "exceeded quota: {called}, requested: {}, used: {}, limited: {}",
                shown(&|name| more[name]),
                shown(&|name| held(name)),
                shown(&|name| hard[name]),
            ));
        }
    }
    Ok(())
}

/// What the containers of a pod do not name though a quota limits it.
fn unnamed(hard: &Amounts, pod: &Value) -> Option<String> {
    if pod["spec"]["resources"].as_object().is_some_and(|own| !own.is_empty()) {
        return None;
    }
    let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for list in ["containers", "initContainers"] {
        for container in pod["spec"][list].as_array().into_iter().flatten() {
            let resources = &container["resources"];
            let named = by_quota_name(&amounts(&resources["requests"]), &amounts(&resources["limits"]));
            for name in
                CONTAINER_RESOURCES.iter().filter(|name| hard.contains_key(**name) && !named.contains_key(**name))
            {
                missing.entry(name).or_default().insert(container["name"].as_str().unwrap_or_default());
            }
        }
    }
    let parts: Vec<String> = missing
        .iter()
        .map(|(name, of)| format!("{name} for: {}", of.iter().copied().collect::<Vec<_>>().join(",")))
        .collect();
    (!parts.is_empty()).then(|| format!("must specify {}", parts.join("; ")))
}

/// Requests and limits under the names that quotas have for them.
fn by_quota_name(requests: &Amounts, limits: &Amounts) -> Amounts {
    let mut named = Amounts::new();
    for (name, amount) in requests {
        if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-") {
            named.insert(name.clone(), *amount);
        }
        named.insert(format!("requests.{name}"), *amount);
    }
    for (name, amount) in
        limits.iter().filter(|(name, _)| matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage"))
    {
        named.insert(format!("limits.{name}"), *amount);
    }
    named
}

/// What one object uses, by all names under which a quota may count it.
fn usage(resource: &Resource, object: &Value) -> Amounts {
    let mut used =
        Amounts::from([(format!("count/{}", qualified(&resource.plural, &resource.group)), Quantity::count(1))]);
    if !resource.group.is_empty() {
        return used;
    }
    let spec = &object["spec"];
    if COUNTED.contains(&resource.plural.as_str()) && resource.built_in_kind() != "Pod" {
        used.insert(resource.plural.clone(), Quantity::count(1));
    }
    match resource.built_in_kind() {
        "Pod" if !matches!(object["status"]["phase"].as_str(), Some("Failed" | "Succeeded")) => {
            used.insert("pods".to_owned(), Quantity::count(1));
            used.extend(by_quota_name(&of_pod(spec, "requests"), &of_pod(spec, "limits")));
        }
        "Service" => {
            let ports = spec["ports"].as_array().map_or(0, Vec::len);
            let (balancers, nodes) = match spec["type"].as_str() {
                Some("LoadBalancer") => (1, if spec["allocateLoadBalancerNodePorts"] == false { 0 } else { ports }),
                Some("NodePort") => (0, ports),
                _ => (0, 0),
            };
            used.insert("services.loadbalancers".to_owned(), Quantity::count(balancers));
            used.insert("services.nodeports".to_owned(), Quantity::count(nodes));
        }
        "PersistentVolumeClaim" => {
            let storage = Quantity::of(&spec["resources"]["requests"]["storage"]).unwrap_or_default();
            used.insert("requests.storage".to_owned(), storage);
            if let Some(class) = spec["storageClassName"].as_str() {
                let of_class = format!("{class}.storageclass.storage.k8s.io");
                used.insert(format!("{of_class}/requests.storage"), storage);
                used.insert(format!("{of_class}/persistentvolumeclaims"), Quantity::count(1));
            }
        }
        _ => {}
    }
    used
}

/// Whether a quota counts an object: those with scopes count some pods only.
fn covers(quota: &Value, resource: &Resource, object: &Value) -> bool {
    let named = quota["spec"]["scopes"].as_array().into_iter().flatten();
    let selected = quota["spec"]["scopeSelector"]["matchExpressions"].as_array().into_iter().flatten();
    let mut scopes =
        named.map(|name| json!({"scopeName": name, "operator": "Exists"})).chain(selected.cloned()).peekable();
    if scopes.peek().is_none() {
        return true;
    }
    let spec = &object["spec"];
    let ends = spec["activeDeadlineSeconds"].is_number();
    let best_effort = qos(spec) == "BestEffort";
    resource.built_in_kind() == "Pod"
        && scopes.all(|scope| match scope["scopeName"].as_str().unwrap_or_default() {
            "Terminating" => ends,
            "NotTerminating" => !ends,
            "BestEffort" => best_effort,
            "NotBestEffort" => !best_effort,
            "PriorityClass" => {
                let class = &spec["priorityClassName"];
                let listed = scope["values"].as_array().is_some_and(|values| values.contains(class));
                match scope["operator"].as_str() {
                    Some("In") => listed,
                    Some("NotIn") => !listed,
                    Some("DoesNotExist") => class.is_null(),
                    _ => !class.is_null(),
                }
            }
            _ => false,
        })
}

/// The collection whose objects a name of a quota counts.
fn collection_of(name: &str) -> String {
    match name {
        _ if name.starts_with("count/") => name["count/".len()..].to_owned(),
        "services.loadbalancers" | "services.nodeports" => "services".to_owned(),
        _ if name == "requests.storage" || name.contains(".storageclass.storage.k8s.io/") => {
            "persistentvolumeclaims".to_owned()
        }
        _ if COUNTED.contains(&name) => name.to_owned(),
        _ => "pods".to_owned(),
    }
}

/// What a namespace uses of what a quota limits.
fn used(cluster: &Cluster, quota: &Value) -> Amounts {
    let namespace = quota["metadata"]["namespace"].as_str();
    let hard = amounts(&quota["spec"]["hard"]);
    let mut used: Amounts = hard.keys().map(|name| (name.clone(), Quantity::default())).collect();
    let collections: BTreeSet<String> = hard.keys().map(|name| collection_of(name)).collect();
    let resources = cluster.resources();
    for collection in collections {
        let Some(resource) = resources.iter().find(|resource| resource.collection() == collection) else { continue };
        for object in cluster.store.list(&collection, namespace).0 {
            if !covers(quota, resource, &object) {
                continue;
            }
            for (name, amount) in usage(resource, &object) {
                if let Some(held) = used.get_mut(&name) {
                    *held = held.plus(amount);
                }
            }
        }
    }
    used
}

/// Writes what is used into the quotas of a namespace, where it is not written already.
pub(super) fn refresh(cluster: &Cluster, namespace: &str) {
    for quota in quotas(cluster, namespace) {
        // Whoever changes the quota meanwhile refreshes it in turn.
        let texts = |amounts: Amounts| -> BTreeMap<String, String> {
            amounts.into_iter().map(|(name, amount)| (name, amount.to_string())).collect()
        };
        let hard = texts(amounts(&quota["spec"]["hard"]));
        let status =
            if hard.is_empty() { json!({}) } else { json!({"hard": hard, "used": texts(used(cluster, &quota))}) };
        if quota["status"] != status {
            let mut new = (*quota).clone();
            new["status"] = status;
            let _ = cluster.store.replace(COLLECTION, &quota, new);
        }
    }
}
