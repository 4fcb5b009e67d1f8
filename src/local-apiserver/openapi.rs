//! OpenAPI: schemas of the built-in kinds, their checks, and the documents that kubectl reads.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use k8s_openapi::api;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use sha2::Digest;

use crate::cluster::Cluster;
use crate::kinds::Resource;
use crate::request::Reply;
use crate::status::Status;

/// Where the schemas refer to each other.
const REFERENCE: &str = "#/components/schemas/";

struct Schemas {
    /// Root schema by group, version and kind.
    roots: BTreeMap<(&'static str, &'static str, &'static str), Value>,
    definitions: Map<String, Value>,
}

macro_rules! roots {
    ($generator:ident, $roots:ident, $($group:literal $version:literal $kind:literal $type:ty;)*) => {
        $($roots.insert(($group, $version, $kind), $generator.subschema_for::<$type>().to_value());)*
    };
}

static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
    let mut settings = SchemaSettings::openapi3();
    settings.transforms.clear();
    let mut generator = SchemaGenerator::new(settings);
    let mut roots = BTreeMap::new();
    roots! { generator, roots,
        "" "v1" "ConfigMap" api::core::v1::ConfigMap;
        "" "v1" "Endpoints" api::core::v1::Endpoints;
        "" "v1" "Event" api::core::v1::Event;
        "" "v1" "LimitRange" api::core::v1::LimitRange;
        "" "v1" "Namespace" api::core::v1::Namespace;
        "" "v1" "Node" api::core::v1::Node;
        "" "v1" "Pod" api::core::v1::Pod;
        "" "v1" "ResourceQuota" api::core::v1::ResourceQuota;
        "" "v1" "Secret" api::core::v1::Secret;
        "" "v1" "Service" api::core::v1::Service;
        "" "v1" "ServiceAccount" api::core::v1::ServiceAccount;
        "apps" "v1" "DaemonSet" api::apps::v1::DaemonSet;
        "apps" "v1" "Deployment" api::apps::v1::Deployment;
        "apps" "v1" "ReplicaSet" api::apps::v1::ReplicaSet;
        "apps" "v1" "StatefulSet" api::apps::v1::StatefulSet;
        "autoscaling" "v2" "HorizontalPodAutoscaler" api::autoscaling::v2::HorizontalPodAutoscaler;
        "batch" "v1" "CronJob" api::batch::v1::CronJob;
        "batch" "v1" "Job" api::batch::v1::Job;
        "coordination.k8s.io" "v1" "Lease" api::coordination::v1::Lease;
        "discovery.k8s.io" "v1" "EndpointSlice" api::discovery::v1::EndpointSlice;
        "policy" "v1" "PodDisruptionBudget" api::policy::v1::PodDisruptionBudget;
        "rbac.authorization.k8s.io" "v1" "ClusterRole" api::rbac::v1::ClusterRole;
        "rbac.authorization.k8s.io" "v1" "ClusterRoleBinding" api::rbac::v1::ClusterRoleBinding;
        "rbac.authorization.k8s.io" "v1" "Role" api::rbac::v1::Role;
        "rbac.authorization.k8s.io" "v1" "RoleBinding" api::rbac::v1::RoleBinding;
        "scheduling.k8s.io" "v1" "PriorityClass" api::scheduling::v1::PriorityClass;
    }
    Schemas { roots, definitions: generator.take_definitions(false) }
});

/// Finds unknown fields (and removes them) and the first value of a wrong type.
pub(crate) fn check(
    group: &str,
    version: &str,
    kind: &str,
    object: &mut Value,
    unknown: &mut Vec<String>,
    odd: &mut Option<String>,
) {
    let Some((_, schema)) = SCHEMAS.roots.iter().find(|((g, v, k), _)| *g == group && *v == version && *k == kind)
    else {
        return;
    };
    walk(schema, object, "", unknown, odd);
}

fn resolved(schema: &Value) -> &Value {
    let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
    match reference.and_then(|reference| reference.rsplit('/').next()).and_then(|name| SCHEMAS.definitions.get(name)) {
        Some(found) => found,
        None => schema,
    }
}

fn walk(schema: &Value, value: &mut Value, path: &str, unknown: &mut Vec<String>, odd: &mut Option<String>) {
    let schema = resolved(schema);
    let wanted = schema["type"].as_str();
    match value {
        Value::Object(map) => {
            if wanted.is_some_and(|wanted| wanted != "object") {
                odd.get_or_insert_with(|| mismatch("object", path, wanted));
                return;
            }
            let Some(properties) = schema["properties"].as_object() else {
                if schema["additionalProperties"].is_object() {
                    for (name, inner) in map.iter_mut() {
                        walk(&schema["additionalProperties"], inner, &format!("{path}.{name}"), unknown, odd);
                    }
                }
                return;
            };
            map.retain(|name, inner| {
                let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                if let Some(property) = properties.get(name) {
                    walk(property, inner, &at, unknown, odd);
                    return true;
                }
                unknown.push(at);
                false
            });
        }
        Value::Array(items) => {
            if wanted.is_some_and(|wanted| wanted != "array") {
                odd.get_or_insert_with(|| mismatch("array", path, wanted));
                return;
            }
            for (index, item) in items.iter_mut().enumerate() {
                walk(&schema["items"], item, &format!("{path}[{index}]"), unknown, odd);
            }
        }
        Value::String(_) if wanted.is_some_and(|wanted| wanted != "string") => {
            odd.get_or_insert_with(|| mismatch("string", path, wanted));
        }
        Value::Number(_)
            if matches!(wanted, Some("string" | "boolean" | "array" | "object")) && !schema_takes_numbers(schema) =>
        {
            odd.get_or_insert_with(|| mismatch("number", path, wanted));
        }
        Value::Bool(_) if wanted.is_some_and(|wanted| wanted != "boolean") => {
            odd.get_or_insert_with(|| mismatch("bool", path, wanted));
        }
        _ => {}
    }
}

/// IntOrString and Quantity are strings in the schema, and may be written as numbers.
fn schema_takes_numbers(schema: &Value) -> bool {
    schema["x-kubernetes-int-or-string"] == true
        || schema["format"] == "int-or-string"
        || schema["description"]
            .as_str()
            .is_some_and(|text| text.starts_with("Quantity is") || text.starts_with("IntOrString is"))
}

/// The words of Go's JSON decoder.
fn mismatch(found: &str, path: &str, wanted: Option<&str>) -> String {
    let wanted = match wanted {
        Some("integer") => "int32",
        Some("boolean") => "bool",
        Some("object") => "map",
        Some(other) => other,
        None => "value",
    };
    format!("json: cannot unmarshal {found} into Go struct field .{path} of type {wanted}")
}

/// `/openapi/v2`, `/openapi/v3` and the documents of single group versions.
pub(crate) fn serve(cluster: &Cluster, rest: &[&str]) -> Result<Reply, Status> {
    match rest {
        ["v3"] => Ok(Reply::json(200, index(cluster))),
        ["v3", "api", version] => document(cluster, "", version),
        ["v3", "apis", group, version] => document(cluster, group, version),
        // Clients that read v2 want protobuf; those that matter here read v3.
        _ => Err(Status::no_such_path()),
    }
}

fn index(cluster: &Cluster) -> Value {
    let mut paths = Map::new();
    for resource in cluster.resources() {
        let at =
            if resource.group.is_empty() { "api/v1".to_owned() } else { format!("apis/{}", resource.api_version()) };
        let basis = format!("{at}{:?}", resource.custom.as_ref().map(|version| &version.schema));
        let hash = hex::encode(&sha2::Sha256::digest(basis.as_bytes())[..16]).to_uppercase();
        paths.insert(at.clone(), json!({"serverRelativeURL": format!("/openapi/v3/{at}?hash={hash}")}));
    }
    json!({"paths": paths})
}

fn document(cluster: &Cluster, group: &str, version: &str) -> Result<Reply, Status> {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    let resources = cluster.resources();
    let served: Vec<_> =
        resources.iter().filter(|r| r.group == group && r.version == version && !r.virtual_only).collect();
    if served.is_empty() {
        return Err(Status::no_such_path());
    }
    for resource in served {
        let name = add_schema(resource, &mut schemas);
        add_paths(resource, &name, &mut paths);
    }
    let body = json!({
        "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": format!("v{}", cluster.version)},
        "paths": paths, "components": {"schemas": schemas},
    });
    Ok(Reply::json(200, body))
}

fn gvk(resource: &Resource) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": resource.kind})
}

/// Adds a kind's schema and all that it refers to; the name under which it is found.
fn add_schema(resource: &Resource, schemas: &mut Map<String, Value>) -> String {
    let key = (resource.group.as_str(), resource.version.as_str(), resource.kind.as_str());
    let own = SCHEMAS.roots.iter().find(|(held, _)| **held == key).map(|(_, schema)| schema);
    let name = own
        .and_then(|schema| schema["$ref"].as_str())
        .and_then(|reference| reference.strip_prefix(REFERENCE))
        .map_or_else(|| format!("{}.{}.{}", resource.group, resource.version, resource.kind), str::to_owned);
    let schema = if let Some(version) = &resource.custom {
        version.schema.clone()
    } else {
        if let Some(own) = own {
            add_referred(own, schemas);
        }
        schemas.get(&name).cloned()
    };
    let mut schema = schema.unwrap_or_else(|| json!({"type": "object"}));
    schema["x-kubernetes-group-version-kind"] = json!([gvk(resource)]);
    schemas.insert(name.clone(), schema);
    name
}

fn add_referred(schema: &Value, schemas: &mut Map<String, Value>) {
    match schema {
        Value::Object(map) => {
            if let Some(name) =
                map.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix(REFERENCE))
                && !schemas.contains_key(name)
                && let Some(definition) = SCHEMAS.definitions.get(name)
            {
                schemas.insert(name.to_owned(), definition.clone());
                add_referred(definition, schemas);
            }
            map.values().for_each(|inner| add_referred(inner, schemas));
        }
        Value::Array(items) => items.iter().for_each(|item| add_referred(item, schemas)),
        _ => {}
    }
}

/// Just enough paths for clients to see which parameters a write takes.
fn add_paths(resource: &Resource, schema: &str, paths: &mut Map<String, Value>) {
    let root =
        if resource.group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{}", resource.api_version()) };
    let place = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
    let collection = format!("{root}{place}/{}", resource.plural);
    let parameters: Vec<Value> = ["dryRun", "fieldManager", "fieldValidation"]
        .iter()
        .map(|name| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}}))
        .collect();
    let body = json!({"schema": {"$ref": format!("{REFERENCE}{schema}")}});
    let operation = |action: &str, content: &[&str]| {
        let content: Map<String, Value> = content.iter().map(|media| ((*media).to_owned(), body.clone())).collect();
        json!({
            "parameters": parameters, "x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk(resource),
            "requestBody": {"content": content}, "responses": {"200": {"description": "OK", "content": {"application/json": body.clone()}}},
        })
    };
    paths.insert(collection.clone(), json!({"post": operation("post", &["application/json"])}));
    let patches = ["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"];
    paths.insert(
        format!("{collection}/{{name}}"),
        json!({
            "get": operation("get", &[]), "put": operation("put", &["application/json"]),
            "patch": operation("patch", &patches), "delete": operation("delete", &["application/json"]),
        }),
    );
}
