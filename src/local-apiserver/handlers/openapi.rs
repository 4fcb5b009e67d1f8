//! The documents of OpenAPI: what kubectl reads of schemas and of the parameters of writes.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use sha2::Digest;

use crate::aggregation::documents;
use crate::cluster::Cluster;
use crate::kinds::Resource;
use crate::openapi::{REFERENCE, add_schema, gvk};
use crate::request::{Body, Call, Reply};
use crate::status::Status;

/// OpenAPI v2 as Go clients ask for it, and as it is answered: `@` may not stand in a media type.
const SECOND_VERSION_ACCEPTED: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
const SECOND_VERSION: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// OpenAPI of this server and of the remote ones.
pub(super) async fn serve(cluster: &Arc<Cluster>, call: &Call, rest: &[&str]) -> Result<Reply, Status> {
    let own = own_documents(cluster, rest, call.header("accept"));
    match (rest, own) {
        (["v3"], Ok(index)) => Ok(documents::extend_index(cluster, index).await),
        (["v3", name @ ..], own @ Err(_)) => documents::document(cluster, &name.join("/"), call).await.map_or(own, Ok),
        (_, own) => own,
    }
}

/// `/openapi/v2`, `/openapi/v3` and the documents of single group versions.
fn own_documents(cluster: &Cluster, rest: &[&str], accept: &str) -> Result<Reply, Status> {
    match rest {
        ["v3"] => Ok(Reply::json(200, index(cluster))),
        ["v3", "api", version] => document(cluster, "", version),
        ["v3", "apis", group, version] => document(cluster, group, version),
        ["v2"] => Ok(second_version(cluster, accept)),
        _ => Ok(Reply::no_page()),
    }
}

/// OpenAPI v2 names the server and nothing else: clients that look a kind up there skip their own validation, and the
/// server's is the same. Those that matter here read v3.
fn second_version(cluster: &Cluster, accept: &str) -> Reply {
    if accept.contains(SECOND_VERSION_ACCEPTED) || accept.contains(SECOND_VERSION) {
        // The message Document with its field 1, `swagger`.
        let document = Reply { body: Body::Bytes(Bytes::from_static(b"\x0a\x032.0")), ..Reply::json(200, Value::Null) };
        return document.typed(SECOND_VERSION);
    }
    let info = json!({"title": "Kubernetes", "version": format!("v{}", cluster.version)});
    Reply::json(200, json!({"swagger": "2.0", "info": info, "paths": {}, "definitions": {}}))
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

/// Just enough paths for clients to see which parameters a write takes.
fn add_paths(resource: &Resource, schema: &str, paths: &mut Map<String, Value>) {
    let root =
        if resource.group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{}", resource.api_version()) };
    let field_path = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
    let collection = format!("{root}{field_path}/{}", resource.plural);
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
