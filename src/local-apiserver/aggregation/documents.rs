//! What remote servers say of themselves, asked as the real aggregator asks: aggregated discovery as a member of
//! `system:masters`, the plain form as a user without any group where that is not to be had, OpenAPI as another such user
//! (kube-aggregator, `pkg/apiserver/handler_discovery.go` and `pkg/controllers/openapiv3/aggregator/downloader.go`).

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Answer, Service, call, proxy, services};
use crate::cluster::Cluster;
use crate::cluster::remote_documents::Server;
use crate::request::{Body, Call, Reply};
use crate::user::User;

const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                      application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
/// Who asks for discovery, and who for OpenAPI.
const DISCOVERER: &str = "system:kube-aggregator";
const DOWNLOADER: &str = "system:aggregator";

fn key(service: &Service) -> Server {
    (service.namespace.clone(), service.name.clone(), service.port)
}

/// A user whom nobody counts as a member of anything; the remote server has to.
fn groupless(name: &str) -> User {
    User { name: name.to_owned(), ..User::default() }
}

/// The version's entry in aggregated discovery: `Stale` and empty where its server does not answer.
pub(crate) async fn entry(cluster: &Arc<Cluster>, service: &Service) -> Value {
    let (mut entry, freshness) = match resources(cluster, service).await {
        Ok(entry) => (entry, "Current"),
        Err(why) => {
            tracing::debug!(group = service.group, why, "discovery of an aggregated API is stale");
            (json!({}), "Stale")
        }
    };
    entry["version"] = service.version.clone().into();
    entry["freshness"] = freshness.into();
    entry
}

async fn resources(cluster: &Arc<Cluster>, service: &Service) -> Result<Value, String> {
    let mut user = groupless(DISCOVERER);
    user.groups = vec!["system:masters".to_owned()];
    let held = cluster.documents.get(&key(service));
    let mut headers = vec![("accept", ACCEPT)];
    headers.extend(held.iter().filter(|(etag, _)| !etag.is_empty()).map(|(etag, _)| ("if-none-match", etag.as_str())));
    let answer = call(cluster, service, &user, "/apis", &headers).await.map_err(|why| why.message)?;
    match answer.code {
        304 => held.map(|(_, list)| of_version(&list, service)).ok_or_else(|| "304 to no ETag".to_owned()),
        503 => Err("service returned non-success response code: 503".to_owned()),
        200 if is_aggregated(&answer) => {
            let list: Value = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
            cluster.documents.put(key(service), answer.etag, list.clone());
            Ok(of_version(&list, service))
        }
        _ => legacy(cluster, service).await,
    }
}

fn is_aggregated(answer: &Answer) -> bool {
    let has = |part: &str| answer.content_type.split(';').any(|held| held.trim() == part);
    has("g=apidiscovery.k8s.io") && has("as=APIGroupDiscoveryList") && (has("v=v2") || has("v=v2beta1"))
}

fn of_version(list: &Value, service: &Service) -> Value {
    let groups = list["items"].as_array().into_iter().flatten();
    let group = groups.into_iter().find(|group| group["metadata"]["name"] == service.group.as_str());
    let versions = group.and_then(|group| group["versions"].as_array()).into_iter().flatten();
    versions.into_iter().find(|one| one["version"] == service.version.as_str()).cloned().unwrap_or_else(|| json!({}))
}

/// The plain form of one version, in the aggregated one's words.
async fn legacy(cluster: &Arc<Cluster>, service: &Service) -> Result<Value, String> {
    let path = format!("/apis/{}/{}", service.group, service.version);
    let headers = [("accept", "application/json")];
    let answer = call(cluster, service, &groupless(DISCOVERER), &path, &headers).await.map_err(|why| why.message)?;
    if answer.code != 200 {
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        return Err(format!(
            "failed to download legacy discovery for {path}: ResponseCode: {}, Body: {said}",
            answer.code
        ));
    }
    let list: Value = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
    let entries = list["resources"].as_array().into_iter().flatten();
    let whole = entries.filter(|entry| !entry["name"].as_str().unwrap_or_default().contains('/'));
    let resources: Vec<Value> = whole
        .map(|entry| {
            let text = |field: &str| entry[field].as_str().unwrap_or_default();
            json!({
                "resource": entry["name"], "singularResource": text("singularName"),
                "responseKind": {"group": text("group"), "version": text("version"), "kind": entry["kind"]},
                "scope": if entry["namespaced"] == true { "Namespaced" } else { "Cluster" }, "verbs": entry["verbs"],
            })
        })
        .collect();
    Ok(json!({"resources": resources}))
}

/// The server's index of OpenAPI v3: where each of its documents is.
async fn index(cluster: &Arc<Cluster>, service: &Service) -> Result<Value, String> {
    let answer = call(cluster, service, &groupless(DOWNLOADER), "/openapi/v3", &[]).await.map_err(|why| why.message)?;
    match answer.code {
        200 => serde_json::from_slice(&answer.body).map_err(|error| error.to_string()),
        404 => Ok(json!({"paths": {}})),
        _ => Err("Error, could not get list of group versions for APIService".to_owned()),
    }
}

/// Adds the documents of the remote servers to the index of OpenAPI v3.
pub(crate) async fn extend_index(cluster: &Arc<Cluster>, mut reply: Reply) -> Reply {
    let Body::Json(own) = &mut reply.body else { return reply };
    for service in services(cluster) {
        let theirs = index(cluster, &service).await.unwrap_or_default();
        for (name, item) in theirs["paths"].as_object().into_iter().flatten() {
            if own["paths"].get(name).is_none() {
                own["paths"][name] = item.clone();
            }
        }
    }
    reply
}

/// The document of OpenAPI v3 that a remote server has under this name.
pub(crate) async fn document(cluster: &Arc<Cluster>, name: &str, call: &Call) -> Option<Reply> {
    for service in services(cluster) {
        let theirs = index(cluster, &service).await.unwrap_or_default();
        if theirs["paths"].get(name).is_some() {
            return Some(proxy(cluster, &service, call).await);
        }
    }
    None
}

/// Asks for everything that the real aggregator downloads, and says in the log what cannot be had.
pub(crate) async fn check(cluster: &Arc<Cluster>, service: &Service) {
    let name = format!("{}.{}", service.version, service.group);
    if let Err(why) = resources(cluster, service).await {
        tracing::warn!(why, "discovery of {name} is stale: namespaces cannot be deleted");
    }
    let third = index(cluster, service).await.map(drop);
    let headers = [("accept", "application/json")];
    let second = match call(cluster, service, &groupless(DOWNLOADER), "/openapi/v2", &headers).await {
        Ok(answer) if matches!(answer.code, 200 | 404) => Ok(()),
        Ok(answer) => Err(format!("failed to retrieve openAPI spec, http error: ResponseCode: {}", answer.code)),
        Err(why) => Err(why.message),
    };
    for why in [second, third].into_iter().filter_map(Result::err) {
        tracing::warn!(why, "loading OpenAPI spec for {name} failed");
    }
}
