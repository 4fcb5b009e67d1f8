//! Which lists are maps or sets, by which keys, and which maps are replaced as a whole.
//!
//! Source: the `x-kubernetes-…` marks of the Kubernetes OpenAPI document.

use serde_json::Value;

use crate::kinds::Resource;
use crate::openapi;

/// How the elements of a list are distinguished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// Replaced as a whole.
    Atomic,
    /// Scalars, each once.
    Set,
    /// Objects, distinguished by these fields.
    Map(Vec<String>),
}

/// How server-side apply sees the value at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    /// If it is a list.
    pub(crate) list: ListKind,
    /// The map, or each map in the list, is replaced as a whole.
    pub(crate) atomic: bool,
    /// A declared field, not a key that somebody chose.
    pub(crate) declared: bool,
}

fn map(keys: &[&str]) -> ListKind {
    ListKind::Map(keys.iter().map(ToString::to_string).collect())
}

/// The type and field that a path (field names from the root, list elements left out) leads to.
fn field(resource: &Resource, path: &[&str]) -> openapi::Field<'static> {
    // Kinds without a schema here have at least the fields that all have.
    openapi::field(resource, path).unwrap_or_else(|| {
        let owner = match path {
            ["metadata", _] => "ObjectMeta",
            ["status", _] => "OtherStatus",
            _ => "",
        };
        let kind = if *path == ["metadata", "ownerReferences"] { "OwnerReference" } else { "" };
        let chosen = matches!(path, ["metadata", "labels" | "annotations", _] | ["data", _]);
        openapi::Field { owner, kind, declared: !chosen }
    })
}

/// The value at `path` as server-side apply sees it.
pub(crate) fn for_apply(resource: &Resource, path: &[&str]) -> Shape {
    if let (Some(version), false) = (&resource.custom, path.first() == Some(&"metadata")) {
        return version
            .schema
            .as_ref()
            .map_or(Shape { list: ListKind::Atomic, atomic: false, declared: false }, |schema| {
                by_schema(schema, path)
            });
    }
    let found = field(resource, path);
    let list = match (found.owner, last(path)) {
        ("Container" | "EphemeralContainer", "ports") => map(&["containerPort", "protocol"]),
        ("ServiceSpec", "ports") => map(&["port", "protocol"]),
        ("PodSpec", "topologySpreadConstraints") => map(&["topologyKey", "whenUnsatisfiable"]),
        ("ResourceRequirements", "claims") => map(&["name"]),
        ("JobStatus", "conditions") | ("PodStatus", "hostIPs") => ListKind::Atomic,
        ("PodFailurePolicyOnExitCodesRequirement" | "ContainerRestartRuleOnExitCodes", "values")
        | ("UncountedTerminatedPods", "failed" | "succeeded")
        | ("Endpoint", "addresses") => ListKind::Set,
        (owner, name) => merged_by(owner, name),
    };
    Shape { list, atomic: is_atomic(resource, &found, path), declared: found.declared }
}

/// The merge key of the list at `path` in a strategic merge patch; `Map` has one key there.
pub(crate) fn for_strategic(resource: &Resource, path: &[&str]) -> ListKind {
    let found = field(resource, path);
    match (found.owner, last(path)) {
        ("Container" | "EphemeralContainer", "ports") => map(&["containerPort"]),
        ("ServiceSpec", "ports") => map(&["port"]),
        ("PodSpec", "topologySpreadConstraints") => map(&["topologyKey"]),
        ("NodeSpec", "podCIDRs") => ListKind::Set,
        (owner, name) => merged_by(owner, name),
    }
}

/// What both kinds of merging agree on.
fn merged_by(owner: &str, name: &str) -> ListKind {
    match (owner, name) {
        ("ObjectMeta", "finalizers") => ListKind::Set,
        ("ObjectMeta", "ownerReferences") => map(&["uid"]),
        (
            "PodSpec",
            "containers"
            | "initContainers"
            | "ephemeralContainers"
            | "volumes"
            | "imagePullSecrets"
            | "resourceClaims"
            | "schedulingGates",
        )
        | ("Container" | "EphemeralContainer", "env")
        | ("PodStatus", "resourceClaimStatuses")
        | ("ContainerStatus", "allocatedResourcesStatus")
        | ("ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration", "webhooks")
        | ("ValidatingWebhook" | "MutatingWebhook", "matchConditions")
        | ("ServiceAccount", "secrets") => map(&["name"]),
        ("Container" | "EphemeralContainer" | "ContainerStatus", "volumeMounts") => map(&["mountPath"]),
        ("Container" | "EphemeralContainer", "volumeDevices") => map(&["devicePath"]),
        ("PodSpec", "hostAliases") | ("PodStatus", "podIPs" | "hostIPs") => map(&["ip"]),
        (owner, "conditions") if owner.ends_with("Status") => map(&["type"]),
        ("NodeStatus", "addresses") => map(&["type"]),
        _ => ListKind::Atomic,
    }
}

fn is_atomic(resource: &Resource, found: &openapi::Field<'_>, path: &[&str]) -> bool {
    match found.kind {
        "ConfigMapKeySelector"
        | "EndpointAddress"
        | "EndpointPort"
        | "FileKeySelector"
        | "LabelSelector"
        | "LocalObjectReference"
        | "NodeSelector"
        | "NodeSelectorTerm"
        | "ObjectFieldSelector"
        | "ObjectReference"
        | "OwnerReference"
        | "RawExtension"
        | "ResourceFieldSelector"
        | "RoleRef"
        | "ScopeSelector"
        | "SecretKeySelector"
        | "Subject"
        | "TypedLocalObjectReference" => true,
        "CrossVersionObjectReference" => resource.version == "v1",
        _ => matches!((found.owner, last(path)), ("PodSpec", "nodeSelector") | ("ServiceSpec", "selector")),
    }
}

fn by_schema(schema: &Value, path: &[&str]) -> Shape {
    let mut at = schema;
    let mut declared = false;
    for part in path {
        if at["type"] == "array" {
            at = &at["items"];
        }
        declared = !at["properties"][part].is_null();
        at = if declared { &at["properties"][part] } else { &at["additionalProperties"] };
    }
    let list = match at["x-kubernetes-list-type"].as_str() {
        Some("set") => ListKind::Set,
        Some("map") => {
            let keys = at["x-kubernetes-list-map-keys"].as_array();
            ListKind::Map(keys.into_iter().flatten().filter_map(|key| key.as_str().map(str::to_owned)).collect())
        }
        _ => ListKind::Atomic,
    };
    let of_map = if at["type"] == "array" { &at["items"] } else { at };
    Shape { list, atomic: of_map["x-kubernetes-map-type"] == "atomic", declared }
}

fn last<'a>(path: &[&'a str]) -> &'a str {
    path.last().copied().unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::BUILT_IN;

    #[test]
    fn marks_are_found_by_type_wherever_the_type_stands() {
        let of = |kind: &str, path: &str| {
            let resource = BUILT_IN.iter().find(|resource| resource.kind == kind).unwrap();
            for_apply(resource, &path.split('.').collect::<Vec<_>>())
        };
        let pod = "spec.jobTemplate.spec.template.spec";
        assert_eq!(of("CronJob", &format!("{pod}.containers.env")).list, map(&["name"]));
        assert!(of("CronJob", &format!("{pod}.containers.env.valueFrom.secretKeyRef")).atomic);
        assert!(of("Deployment", "spec.selector").atomic && of("Service", "spec.selector").atomic);
        assert!(of("Deployment", "spec.replicas").declared && !of("ConfigMap", "data.replicas").declared);
        assert!(of("CustomResourceDefinition", "metadata.ownerReferences").atomic);
        assert_eq!(of("RoleBinding", "subjects").list, ListKind::Atomic);
    }
}
