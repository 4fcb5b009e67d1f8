//! What the server serves: groups, versions and resources, plain and aggregated.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::aggregation;
use crate::cluster::Cluster;
use crate::kinds::Resource;
use crate::request::{Call, Reply};
use crate::status::Status;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

pub(super) async fn serve(cluster: &Arc<Cluster>, call: &Call, parts: &[&str]) -> Result<Reply, Status> {
    let accept = call.header("accept").replace(' ', "");
    let aggregated = accept.contains("as=APIGroupDiscoveryList") && accept.contains("v=v2;");
    match parts {
        [] => {
            let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
            paths.extend(groups(cluster).into_iter().map(|(group, _)| format!("/apis/{group}")));
            paths
                .extend(["/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"].map(str::to_owned));
            Ok(Reply::json(200, json!({"paths": paths})))
        }
        ["api"] if aggregated => Ok(aggregated_list(cluster, true).await),
        ["apis"] if aggregated => Ok(aggregated_list(cluster, false).await),
        ["api"] => Ok(Reply::json(
            200,
            json!({
                "kind": "APIVersions", "versions": ["v1"],
                "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": format!("127.0.0.1:{}", cluster.port)}],
            }),
        )),
        ["api", "v1"] => version(cluster, "", "v1"),
        ["apis"] => {
            let groups: Vec<Value> =
                groups(cluster).iter().map(|(group, versions)| group_value(group, versions)).collect();
            Ok(Reply::json(200, json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})))
        }
        ["apis", name] => {
            let groups = groups(cluster);
            let Some((group, versions)) = groups.iter().find(|(group, _)| group == name) else {
                return Ok(Reply::no_page());
            };
            let mut value = group_value(group, versions);
            value["kind"] = "APIGroup".into();
            value["apiVersion"] = "v1".into();
            Ok(Reply::json(200, value))
        }
        _ => Err(Status::no_such_path()),
    }
}

/// Whether anything is served in this group, by this server or another.
pub(super) fn is_known(cluster: &Cluster, group: &str) -> bool {
    groups(cluster).iter().any(|(known, _)| known == group)
}

/// Named groups with their versions, in order of preference; aggregated ones come last.
fn groups(cluster: &Cluster) -> Vec<(String, Vec<String>)> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    let local = cluster.resources().into_iter().map(|r| (r.group.clone(), r.version.clone())).collect::<Vec<_>>();
    let remote = aggregation::services(cluster).into_iter().map(|service| (service.group, service.version));
    for (group, version) in local.into_iter().chain(remote).filter(|(group, _)| !group.is_empty()) {
        match groups.iter_mut().find(|(held, _)| *held == group) {
            Some((_, versions)) if !versions.contains(&version) => versions.push(version),
            Some(_) => {}
            None => groups.push((group, vec![version])),
        }
    }
    groups
}

fn group_value(group: &str, versions: &[String]) -> Value {
    let entry = |version: &String| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    json!({
        "name": group, "versions": versions.iter().map(entry).collect::<Vec<_>>(),
        "preferredVersion": versions.first().map(entry),
    })
}

/// APIResourceList of one group and version.
pub(super) fn version(cluster: &Cluster, group: &str, version: &str) -> Result<Reply, Status> {
    let mut list = Vec::new();
    let mut group_version = String::new();
    for resource in cluster.resources().iter().filter(|r| r.group == group && r.version == version) {
        group_version = resource.api_version();
        let mut entry = json!({
            "name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced,
            "kind": resource.kind, "verbs": resource.verbs(),
        });
        if !resource.short_names.is_empty() {
            entry["shortNames"] = json!(resource.short_names);
        }
        if !resource.categories.is_empty() {
            entry["categories"] = json!(resource.categories);
        }
        if let Some(custom) = &resource.custom {
            entry["storageVersionHash"] = custom.storage_hash.clone().into();
        }
        list.push(entry);
        for (name, kind, verbs) in subresources(resource) {
            let mut entry = json!({
                "name": format!("{}/{name}", resource.plural), "singularName": "", "namespaced": resource.namespaced,
                "kind": kind, "verbs": verbs,
            });
            if let Some((group, version)) = foreign(&name) {
                entry["group"] = group.into();
                entry["version"] = version.into();
            }
            list.push(entry);
        }
    }
    if list.is_empty() {
        return Err(Status::no_such_path());
    }
    let mut body = json!({"kind": "APIResourceList", "groupVersion": group_version, "resources": list});
    if !group.is_empty() {
        // The list of the core group is older than the rule that every object says its version.
        body["apiVersion"] = "v1".into();
    }
    Ok(Reply::json(200, body))
}

/// Group and version of a subresource's kind, where they are not those of its resource.
fn foreign(subresource: &str) -> Option<(&'static str, &'static str)> {
    match subresource {
        "scale" => Some(("autoscaling", "v1")),
        "eviction" => Some(("policy", "v1")),
        "token" => Some(("authentication.k8s.io", "v1")),
        _ => None,
    }
}

fn subresources(resource: &Resource) -> Vec<(String, String, Vec<&'static str>)> {
    let three = || vec!["get", "patch", "update"];
    let mut all = Vec::new();
    if resource.status {
        all.push(("status".to_owned(), resource.kind.clone(), three()));
    }
    if resource.scale.is_some() {
        all.push(("scale".to_owned(), "Scale".to_owned(), three()));
    }
    let extra = resource.extra_subresources().iter();
    all.extend(extra.map(|(name, kind, verbs)| ((*name).to_owned(), (*kind).to_owned(), verbs.to_vec())));
    all
}

/// APIGroupDiscoveryList (v2) of the core group or of all named ones.
async fn aggregated_list(cluster: &Arc<Cluster>, core: bool) -> Reply {
    let mut items = Vec::new();
    let local = if core { vec![(String::new(), vec!["v1".to_owned()])] } else { groups(cluster) };
    for (group, versions) in local {
        let mut entries = Vec::new();
        for version in versions {
            entries.push(match aggregation::service_for(cluster, &group, &version) {
                None => version_entry(cluster, &group, &version),
                Some(service) => aggregation::documents::entry(cluster, &service).await,
            });
        }
        let metadata = if group.is_empty() { json!({}) } else { json!({"name": group}) };
        items.push(json!({"metadata": metadata, "versions": entries}));
    }
    let body = json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items});
    Reply::json(200, body).typed(AGGREGATED)
}

fn version_entry(cluster: &Cluster, group: &str, version: &str) -> Value {
    let mut list = Vec::new();
    for resource in cluster.resources().iter().filter(|r| r.group == group && r.version == version) {
        // Built-in kinds leave group and version to the entry above them; custom ones repeat them.
        let (group, version) = if resource.custom.is_some() { (group, version) } else { ("", "") };
        let own = json!({"group": group, "version": version, "kind": resource.kind});
        let mut entry = json!({
            "resource": resource.plural, "responseKind": own, "singularResource": resource.singular,
            "scope": if resource.namespaced { "Namespaced" } else { "Cluster" }, "verbs": resource.verbs(),
        });
        if !resource.short_names.is_empty() {
            entry["shortNames"] = json!(resource.short_names);
        }
        if !resource.categories.is_empty() {
            entry["categories"] = json!(resource.categories);
        }
        let subresources: Vec<Value> = subresources(resource)
            .into_iter()
            .map(|(name, kind, verbs)| {
                let (group, version) = foreign(&name).unwrap_or((group, version));
                let kind = json!({"group": group, "version": version, "kind": kind});
                json!({"subresource": name, "responseKind": kind, "verbs": verbs})
            })
            .collect();
        if !subresources.is_empty() {
            entry["subresources"] = subresources.into();
        }
        list.push(entry);
    }
    json!({"version": version, "resources": list, "freshness": "Current"})
}
