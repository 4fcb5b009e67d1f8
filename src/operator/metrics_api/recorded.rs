//! What KEDA's adapter answers to every user, path, form and method of `e2e/parity/aggregation.py`, asked here again.
//!
//! `recorded.json` comes from that script, against KEDA 2.20.2 on Kubernetes 1.35; `differences.json` says what differs on
//! purpose. The API server behind both has the default roles of Kubernetes and the one that lets the HPA read metrics.

use std::convert::Infallible;
use std::io::Read as _;
use std::sync::Arc;

use http::request::Parts;
use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Map, Value, json};

use super::access::{Access, Headers};
use super::answer;
use crate::context::Context;
use crate::scripted::Server;

/// The headers that are compared, and those of which only the presence is.
const COMPARED: [&str; 7] =
    ["Content-Type", "Vary", "Cache-Control", "Content-Encoding", "Allow", "Retry-After", "X-Content-Type-Options"];
/// `Expires` and `Last-Modified` are left to the servers: neither is a promise that a client needs beside the ETag.
const PRESENT: [&str; 2] = ["Etag", "Location"];
const VERSION: &str = "apis/external.metrics.k8s.io/v1beta1";

/// What the default roles give (Kubernetes: "Default roles and role bindings", API discovery roles), and KEDA's for the HPA.
fn allowed(spec: &Value) -> bool {
    let groups: Vec<&str> = spec["groups"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let path = spec["nonResourceAttributes"]["path"].as_str().unwrap_or_default();
    let below = |roots: &[&str]| {
        roots.iter().any(|root| path == *root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/')))
    };
    let is_get = spec["nonResourceAttributes"]["verb"] == "get";
    let is_public = matches!(path, "/healthz" | "/livez" | "/readyz" | "/version" | "/version/");
    let is_issuer = path.starts_with("/.well-known/openid-configuration") || path.starts_with("/openid/");
    let by_group = |group: &str| match group {
        "system:unauthenticated" => is_get && is_public,
        "system:authenticated" => is_get && (is_public || below(&["/api", "/apis", "/openapi"])),
        "system:serviceaccounts" => is_get && is_issuer,
        _ => false,
    };
    let is_metric = spec["resourceAttributes"]["group"] == "external.metrics.k8s.io";
    let is_hpa = spec["user"] == "system:serviceaccount:kube-system:horizontal-pod-autoscaler";
    groups.into_iter().any(by_group) || is_metric && is_hpa
}

/// The API server that reviews tokens, which are `NAMESPACE/NAME` here, and access.
async fn review(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    let mut body: Value = serde_json::from_slice(&request.into_body().collect_bytes().await.unwrap()).unwrap();
    body["status"] = if path.ends_with("/tokenreviews") {
        let token = body["spec"]["token"].as_str().unwrap().to_owned();
        token.split_once('/').map_or(json!({ "authenticated": false }), |(namespace, name)| {
            let groups = [
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated".to_owned(),
            ];
            json!({
                "authenticated": true,
                "user": { "username": format!("system:serviceaccount:{namespace}:{name}"), "groups": groups },
            })
        })
    } else {
        json!({ "allowed": allowed(&body["spec"]) })
    };
    Ok(Response::builder().status(201).body(Body::from(body.to_string().into_bytes())).unwrap())
}

struct Stage {
    context: Arc<Context>,
    access: Access,
    front: Headers,
    users: Value,
}

impl Stage {
    async fn ask(&self, user: &str, method: &str, path: &str, headers: &[(String, String)]) -> Response<Vec<u8>> {
        let who = &self.users[user];
        let mut request = Request::builder().method(method.parse::<Method>().unwrap()).uri(path);
        let lines = ["proxy", "headers"].into_iter().flat_map(|kind| who[kind].as_array().into_iter().flatten());
        for (name, value) in lines.map(|line| line.as_str().unwrap().split_once(": ").unwrap()) {
            request = request.header(name, value);
        }
        if let Some(account) = who["token"].as_array() {
            let (namespace, name) = (account[0].as_str().unwrap(), account[1].as_str().unwrap());
            request = request.header("authorization", format!("Bearer {namespace}/{name}"));
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let (parts, ()): (Parts, ()) = request.body(()).unwrap().into_parts();
        let is_proxy = who["proxy"].is_array();
        let answered = answer::answer(&self.context, &self.access, &self.front, is_proxy, &parts).await;
        let (parts, body) = answered.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        // What the connection leaves out.
        Response::from_parts(parts, if method == "HEAD" { Vec::new() } else { body.to_vec() })
    }

    /// The request of a recording, whose ETag and hash are this server's.
    async fn requested(&self, user: &str, method: &str, path: &str, headers: &Value) -> Value {
        let mut lines: Vec<(String, String)> =
            headers.as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned())).collect();
        if let Some(at) = lines.iter().position(|(name, value)| name == "If-None-Match" && value == "ETAG") {
            let (name, _) = lines.remove(at);
            let first = self.ask(user, method, path, &lines).await;
            let tag = first.headers().get("etag").map_or("none", |tag| tag.to_str().unwrap()).to_owned();
            lines.push((name, tag));
        }
        let mut path = path.to_owned();
        if path.ends_with("?hash=HASH") {
            let index = self.ask(user, method, "/openapi/v3", &[]).await;
            let index: Value = serde_json::from_slice(index.body()).unwrap();
            index["paths"][VERSION]["serverRelativeURL"].as_str().unwrap().clone_into(&mut path);
        }
        normal(&self.ask(user, method, &path, &lines).await)
    }
}

/// What of an answer can be the same on two servers; as the script has it.
fn normal(answer: &Response<Vec<u8>>) -> Value {
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let mut headers = Map::new();
    headers.extend(COMPARED.iter().filter_map(|name| Some(((*name).to_owned(), header(name)?.into()))));
    headers.extend(PRESENT.iter().filter(|name| header(name).is_some()).map(|name| ((*name).to_owned(), "…".into())));
    let mut answered = json!({ "code": answer.status().as_u16(), "headers": headers });
    let media = header("Content-Type").unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default();
    let body = match header("Content-Encoding").as_deref() {
        Some("gzip") if !answer.body().is_empty() => {
            let mut text = Vec::new();
            flate2::read::GzDecoder::new(&answer.body()[..]).read_to_end(&mut text).unwrap();
            text
        }
        _ => answer.body().clone(),
    };
    match media {
        "application/json" if !body.is_empty() => {
            answered["json"] = abridged(serde_json::from_slice(&body).unwrap());
        }
        media if media.contains("yaml") => answered["bytes"] = (!body.is_empty()).into(),
        _ => answered["text"] = String::from_utf8(body).unwrap().into(),
    }
    answered
}

fn abridged(mut value: Value) -> Value {
    if value["gitVersion"].is_string() {
        let mut names: Vec<&String> = value.as_object().unwrap().keys().collect();
        names.sort();
        return json!(names);
    }
    let version = ["swagger", "openapi"].into_iter().find_map(|key| value[key].as_str().map(str::to_owned));
    if let Some(version) = version {
        let definitions =
            if value["definitions"].is_object() { &value["definitions"] } else { &value["components"]["schemas"] };
        let mut definitions: Vec<&String> =
            definitions.as_object().unwrap().keys().filter(|name| name.contains("external")).collect();
        definitions.sort();
        let paths: Map<String, Value> = value["paths"]
            .as_object()
            .unwrap()
            .iter()
            .filter(|(path, _)| path.starts_with("/apis/external"))
            .map(|(path, item)| (path.clone(), item.as_object().unwrap().keys().cloned().collect()))
            .collect();
        return json!({ "version": version, "definitions": definitions, "paths": paths });
    }
    for item in value.get_mut("paths").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        *item = item["serverRelativeURL"].as_str().unwrap().split('=').next().unwrap().into();
    }
    value
}

/// Why an answer is another on purpose.
fn explained(differences: &Value, path: &str, accept: &str) -> Option<String> {
    let named = |list: &Value, text: &str, whole: bool| {
        let texts = list.as_array().into_iter().flatten().filter_map(Value::as_str);
        list.is_null() || texts.into_iter().any(|held| if whole { text == held } else { text.contains(held) })
    };
    let mut all = differences.as_array().unwrap().iter();
    let found = all.find(|one| named(&one["paths"], path, true) && named(&one["accept"], accept, false));
    found.map(|one| one["why"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn every_answer_is_that_of_kedas_adapter_or_differs_for_a_reason() {
    let recorded: Value = serde_json::from_str(include_str!("recorded.json")).unwrap();
    let differences: Value = serde_json::from_str(include_str!("differences.json")).unwrap();
    let context = Server::start([], |_| None).context().await;
    let access = Access::new(Client::new(tower::service_fn(review), "keda"), context.clock.clone());
    let stage = Stage { context, access, front: Headers::read(&[].into()), users: recorded["users"].clone() };
    let (mut alike, mut wrong, mut reasons) = (0, Vec::new(), std::collections::BTreeSet::new());
    let requests = recorded["requests"].as_array().unwrap();
    for request in requests {
        let [user, method, path] = [0, 1, 2].map(|part| request[part].as_str().unwrap());
        let mut held = recorded["answers"][request[4].as_u64().unwrap() as usize].clone();
        for name in ["Expires", "Last-Modified"] {
            held["headers"].as_object_mut().unwrap().remove(name);
        }
        let got = stage.requested(user, method, path, &request[3]).await;
        let why = explained(&differences, path, request[3]["Accept"].as_str().unwrap_or_default());
        match why {
            _ if got == held => alike += 1,
            Some(why) => drop(reasons.insert(why)),
            None => wrong.push(format!("{user} {method} {path} {}\n  recorded {held}\n  answered {got}", request[3])),
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), requests.len(), wrong.join("\n"));
    assert!(alike * 10 > requests.len() * 8, "only {alike} of {} are alike", requests.len());
    assert_eq!(
        reasons.len(),
        differences.as_array().unwrap().len(),
        "a difference is listed that is none: {reasons:?}"
    );
}
