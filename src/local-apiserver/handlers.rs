//! From an authenticated request to a reply.

pub(crate) mod delete;
mod discovery;
mod eviction;
pub(crate) mod form;
mod health;
mod openapi;
mod options;
mod read;
mod reviews;
mod scale;
mod size;
mod subresource;
pub(crate) mod write;

use std::sync::Arc;

use http::Method;
use serde_json::json;

use crate::authorization;
use crate::authorization::attributes::Attributes;
use crate::cluster::Cluster;
use crate::kinds::Resource;
use crate::request::hooks::Hooks;
use crate::request::resource_request::ResourceRequest;
use crate::request::{Call, Reply, Target};
use crate::status::Status;
use crate::{aggregation, table, tokens};

/// Answers a request of an authenticated user.
pub(crate) async fn handle(cluster: &Arc<Cluster>, mut call: Call) -> Reply {
    let answered = async {
        authorization::impersonate(cluster, &mut call)?;
        match Target::parse(&call.path) {
            Some(target) => on_resource(cluster, &call, target).await,
            None => on_path(cluster, &call).await,
        }
    };
    answered.await.unwrap_or_else(Reply::from)
}

async fn on_path(cluster: &Arc<Cluster>, call: &Call) -> Result<Reply, Status> {
    if !tokens::is_published(cluster, &call.path) {
        authorization::check_path(cluster, call)?;
    }
    if let Some(document) = tokens::documents(cluster, call) {
        return document;
    }
    let parts: Vec<&str> = call.path.split('/').filter(|part| !part.is_empty()).collect();
    if call.method != Method::GET && call.method != Method::HEAD {
        return match parts.first() {
            // The list of groups is a plain page of the aggregator, which looks at no method.
            Some(&"apis") if parts.len() == 1 => discovery::serve(cluster, call, &parts).await,
            Some(&("api" | "apis" | "version" | "openapi")) => Err(Status::method_not_allowed()),
            _ => Ok(Reply::no_page()),
        };
    }
    match parts.as_slice() {
        ["apis", group, ..] if !discovery::is_known(cluster, group) => Ok(Reply::no_page()),
        [page @ ("healthz" | "livez" | "readyz")] => Ok(health::page(page, &call.query)),
        ["healthz" | "livez" | "readyz", check] if health::CHECKS.contains(check) => Ok(Reply::text(200, "ok")),
        ["version"] => Ok(Reply::json(200, version(cluster))),
        ["openapi", rest @ ..] => openapi::serve(cluster, call, rest).await,
        ["apis", group, version] => match aggregation::service_for(cluster, group, version) {
            Some(service) => Ok(aggregation::proxy(cluster, &service, call).await),
            None => discovery::version(cluster, group, version),
        },
        [] | ["api" | "apis", ..] => discovery::serve(cluster, call, &parts).await,
        _ => Ok(Reply::no_page()),
    }
}

fn version(cluster: &Cluster) -> serde_json::Value {
    let (major, minor) = cluster.version.split_once('.').unwrap_or((&cluster.version, "0"));
    let earlier = minor.parse::<u32>().map_or(0, |minor| minor.saturating_sub(1)).to_string();
    json!({
        "major": major, "minor": minor, "emulationMajor": major, "emulationMinor": minor,
        "minCompatibilityMajor": major, "minCompatibilityMinor": earlier, "gitVersion": format!("v{}.0-eks-sluice", cluster.version),
        "gitCommit": "", "gitTreeState": "clean", "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "", "compiler": "rustc", "platform": "linux/amd64",
    })
}

async fn on_resource(cluster: &Arc<Cluster>, call: &Call, target: Target) -> Result<Reply, Status> {
    let verb = target.verb(&call.method, &call.query);
    authorization::check(cluster, &call.user, &Attributes::of(&target, verb, &call.query))?;
    if let Some(service) = aggregation::service_for(cluster, &target.group, &target.version) {
        return Ok(aggregation::proxy(cluster, &service, call).await);
    }
    if !target.group.is_empty() && !discovery::is_known(cluster, &target.group) {
        return Ok(Reply::no_page());
    }
    let resource = cluster.resource(&target.group, &target.version, &target.plural).ok_or_else(Status::no_such_path)?;
    if !is_allowed(&resource, &target, verb, &call.method) {
        return Err(Status::method_not_allowed());
    }
    if resource.virtual_only {
        return reviews::create(cluster, call, &resource, &target);
    }
    let hooks = if matches!(verb, "create" | "update" | "patch" | "delete" | "deletecollection") {
        Hooks::of(cluster, &resource)
    } else {
        Hooks::default()
    };
    if hooks.is_empty() {
        return serve(&ResourceRequest { cluster, call, resource, target, hooks: Arc::new(hooks) }, verb).await;
    }
    // Webhooks are waited for in the middle of a write, which may not hold up anybody else.
    let (cluster, call, runtime) = (Arc::clone(cluster), call.clone(), tokio::runtime::Handle::current());
    let written = tokio::task::spawn_blocking(move || {
        let request = ResourceRequest { cluster: &cluster, call: &call, resource, target, hooks: Arc::new(hooks) };
        // What webhooks had to say stands beside a refusal too.
        let mut reply = runtime.block_on(serve(&request, verb)).unwrap_or_else(Reply::from);
        reply.warnings.extend(request.hooks.take_warnings());
        Ok(reply)
    });
    written.await.unwrap_or_else(|error| Err(Status::plain(500, format!("the write broke off: {error}"))))
}

async fn serve(request: &ResourceRequest<'_>, verb: &str) -> Result<Reply, Status> {
    options::check(request, verb)?;
    if !request.target.subresource.is_empty() {
        return subresource::serve(request, verb).await;
    }
    if request.resource.namespaced && request.target.namespace.is_empty() && !matches!(verb, "list" | "watch") {
        return Err(Status::method_not_allowed());
    }
    if let form::Form::Table(_) = form::accepted(request.call.header("accept"))? {
        table::row::held(request.call.query.get("includeObject"))?;
    }
    let answered = match verb {
        "get" => read::get(request),
        "list" => read::list(request),
        "watch" => read::watch(request),
        "create" => write::create(request),
        "update" => write::update(request),
        "patch" => write::patch(request),
        "delete" => delete::one(request),
        _ => delete::collection(request),
    };
    let Some(warning) = warning(request, verb) else { return answered };
    // It stands beside a refusal too.
    let mut reply = answered.unwrap_or_else(Reply::from);
    reply.warnings.push(warning.to_owned());
    Ok(reply)
}

/// What the real server says to whoever uses a kind, or deletes it that way.
fn warning(request: &ResourceRequest<'_>, verb: &str) -> Option<&'static str> {
    match (request.resource.built_in_kind(), verb) {
        ("Endpoints", _) => Some("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"),
        (_, "delete" | "deletecollection") => delete::warning(request),
        _ => None,
    }
}

/// Objects are made by a POST to the list and changed at their own path; a review can only be made.
fn is_allowed(resource: &Resource, target: &Target, verb: &str, method: &Method) -> bool {
    let on_list = target.name.is_empty();
    if resource.virtual_only {
        return on_list && verb == "create";
    }
    if !target.subresource.is_empty() {
        return true;
    }
    match *method {
        Method::POST => on_list,
        Method::PUT | Method::PATCH => !on_list,
        _ => true,
    }
}
