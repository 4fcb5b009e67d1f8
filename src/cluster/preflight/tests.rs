//! A scripted API server that answers what a caller may do.

use std::sync::Arc;

use axum::Router;
use clock::Clock;
use futures::FutureExt as _;
use serde_json::json;

use super::*;
use crate::connection::{Connection, Endpoint, Secret, Token};

/// What is asked: verb, resource with group, and the object's name.
type May = fn(&str, &str, &str) -> bool;

async fn cluster(may: May) -> Cluster {
    let answer = move |request: axum::extract::Request| async move {
        let path = request.uri().path().to_owned();
        let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
        let status = match path.as_str() {
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => {
                let review: Value = serde_json::from_slice(&body).unwrap();
                let of = &review["spec"]["resourceAttributes"];
                let text = |key: &str| of[key].as_str().unwrap_or_default();
                let sub = of["subresource"].as_str().map(|sub| format!("/{sub}")).unwrap_or_default();
                let resource = format!("{}{sub}.{}", text("resource"), text("group"));
                json!({ "spec": {}, "status": { "allowed": may(text("verb"), &resource, text("name")) } })
            }
            // The cluster's own role.
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:auth-delegator" => json!({
                "metadata": { "name": "system:auth-delegator" },
                "rules": [{ "apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"] }] }),
            _ => return (http::StatusCode::NOT_FOUND, "{}".to_owned()),
        };
        (http::StatusCode::OK, status.to_string())
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    let locate = Arc::new(move || {
        let endpoint = Endpoint { server: url.clone(), certificate_authority: String::new() };
        async move { Ok(Some(endpoint)) }.boxed()
    });
    let expires_at = "2999-01-01T00:00:00Z".parse().unwrap();
    let token = Arc::new(move || async move { Ok(Token { value: Secret::new("t".to_owned()), expires_at }) }.boxed());
    Cluster::new(Connection::Eks { locate, token }, Clock::real())
}

/// A role of the stack's own, and bindings to it and to one of the cluster's.
fn objects() -> Vec<Value> {
    let binding = |kind: &str, name: &str| json!({ "kind": "ClusterRoleBinding", "metadata": { "name": name }, "roleRef": { "kind": kind, "name": name } });
    vec![
        json!({ "kind": "ClusterRole", "metadata": { "name": "keda-operator" }, "rules": [
            { "apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list", "create"] },
            { "apiGroups": ["*"], "resources": ["*/scale"], "verbs": ["get"] },
            { "apiGroups": ["apiregistration.k8s.io"], "resources": ["apiservices"], "resourceNames": ["x"], "verbs": ["update"] }] }),
        binding("ClusterRole", "keda-operator"),
        binding("ClusterRole", "system:auth-delegator"),
    ]
}

async fn missing(may: May) -> Vec<String> {
    let missing = missing_rights(&cluster(may).await, &objects()).await.unwrap();
    missing.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn each_right_that_the_operator_gets_and_the_caller_lacks_is_named() {
    let may = |verb: &str, resource: &str, name: &str| {
        let lacks = matches!((verb, resource), ("escalate" | "bind", _) | ("create", "jobs.batch") | (_, "*/scale.*"));
        !lacks && name != "x"
    };
    let lacks = ["get */scale.*", "update apiservices.apiregistration.k8s.io x", "create jobs.batch"];
    assert_eq!(missing(may).await, lacks);
}

#[tokio::test]
async fn who_may_escalate_and_bind_needs_none_of_it() {
    assert_eq!(
        missing(|verb, resource, _| {
            let is_granted_only =
                resource.starts_with("jobs") && verb != "list" || resource.starts_with("tokenreviews");
            !is_granted_only
        })
        .await,
        [""; 0]
    );
}

#[tokio::test]
async fn a_role_of_the_cluster_may_be_bound_by_who_has_what_it_grants() {
    assert_eq!(missing(|verb, _, _| verb != "bind").await, [""; 0]);
    let lacks = missing(|verb, resource, _| verb != "bind" && !resource.starts_with("tokenreviews")).await;
    assert_eq!(lacks, ["bind clusterroles.rbac.authorization.k8s.io system:auth-delegator"]);
}

#[tokio::test]
async fn what_the_stack_itself_makes_reads_and_lists_is_needed() {
    let lacks =
        missing(|verb, resource, _| !(verb == "list" && resource.starts_with("scaledjobs.")) && resource != "pods.")
            .await;
    assert_eq!(lacks, ["get/list/create/patch/delete pods", "list scaledjobs.keda.sh"]);
}
