//! Which lists are maps or sets, and by which keys.
//!
//! Source: the `x-kubernetes-patch-merge-key` and `x-kubernetes-list-map-keys` marks of the Kubernetes OpenAPI document.

use serde_json::Value;

use crate::kinds::Resource;

/// How the elements of a list are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// Replaced as a whole.
    Atomic,
    /// Scalars, each once.
    Set,
    /// Objects, told apart by these fields.
    Map(Vec<String>),
}

fn map(keys: &[&str]) -> ListKind {
    ListKind::Map(keys.iter().map(ToString::to_string).collect())
}

/// The list at `path` (field names from the root, list elements left out) as server-side apply sees it.
pub(crate) fn for_apply(resource: &Resource, path: &[&str]) -> ListKind {
    if let ["metadata", field] = path {
        return match *field {
            "finalizers" => ListKind::Set,
            "ownerReferences" => map(&["uid"]),
            _ => ListKind::Atomic,
        };
    }
    if let Some(version) = &resource.custom {
        return version.schema.as_ref().map_or(ListKind::Atomic, |schema| by_schema(schema, path));
    }
    match (parent(path), last(path)) {
        ("containers" | "initContainers" | "ephemeralContainers", "ports") => map(&["containerPort", "protocol"]),
        ("spec", "ports") if resource.kind == "Service" => map(&["port", "protocol"]),
        (_, "topologySpreadConstraints") => map(&["topologyKey", "whenUnsatisfiable"]),
        ("imagePullSecrets" | "secrets", _) => ListKind::Atomic,
        ("status", "podIPs" | "hostIPs") => map(&["ip"]),
        _ => by_name(resource, path),
    }
}

/// The merge key of the list at `path` in a strategic merge patch; `Map` has one key there.
pub(crate) fn for_strategic(resource: &Resource, path: &[&str]) -> ListKind {
    match (parent(path), last(path)) {
        ("metadata", "finalizers") => ListKind::Set,
        ("metadata", "ownerReferences") => map(&["uid"]),
        ("containers" | "initContainers" | "ephemeralContainers", "ports") => map(&["containerPort"]),
        ("spec", "ports") if resource.kind == "Service" => map(&["port"]),
        (_, "topologySpreadConstraints") => map(&["topologyKey"]),
        ("status", "podIPs" | "hostIPs") => map(&["ip"]),
        _ => by_name(resource, path),
    }
}

fn by_name(resource: &Resource, path: &[&str]) -> ListKind {
    let in_pod = matches!(
        resource.kind.as_str(),
        "Pod" | "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" | "CronJob"
    );
    match (parent(path), last(path)) {
        (
            "spec",
            "containers" | "initContainers" | "ephemeralContainers" | "volumes" | "imagePullSecrets" | "resourceClaims",
        )
        | (_, "env")
            if in_pod =>
        {
            map(&["name"])
        }
        (_, "volumeMounts") if in_pod => map(&["mountPath"]),
        (_, "volumeDevices") if in_pod => map(&["devicePath"]),
        ("spec", "hostAliases") if in_pod => map(&["ip"]),
        ("status", "conditions") => map(&["type"]),
        ("status", "addresses") if resource.kind == "Node" => map(&["type"]),
        ("", "secrets" | "imagePullSecrets") if resource.kind == "ServiceAccount" => map(&["name"]),
        ("", "webhooks") => map(&["name"]),
        _ => ListKind::Atomic,
    }
}

fn by_schema(schema: &Value, path: &[&str]) -> ListKind {
    let mut at = schema;
    for part in path {
        if at["type"] == "array" {
            at = &at["items"];
        }
        at = if at["properties"][part].is_null() { &at["additionalProperties"] } else { &at["properties"][part] };
    }
    match at["x-kubernetes-list-type"].as_str() {
        Some("set") => ListKind::Set,
        Some("map") => {
            let keys = at["x-kubernetes-list-map-keys"].as_array();
            ListKind::Map(keys.into_iter().flatten().filter_map(|key| key.as_str().map(str::to_owned)).collect())
        }
        _ => ListKind::Atomic,
    }
}

fn last<'a>(path: &[&'a str]) -> &'a str {
    path.last().copied().unwrap_or_default()
}

fn parent<'a>(path: &[&'a str]) -> &'a str {
    path.len().checked_sub(2).and_then(|index| path.get(index)).copied().unwrap_or_default()
}

/// The element's key under `keys`; `protocol` defaults to TCP, as the API says.
pub(crate) fn key_of(element: &Value, keys: &[String]) -> Value {
    let mut key = serde_json::Map::new();
    for name in keys {
        let held = &element[name];
        let value = if held.is_null() && name == "protocol" { Value::from("TCP") } else { held.clone() };
        if !value.is_null() {
            key.insert(name.clone(), value);
        }
    }
    Value::Object(key)
}
