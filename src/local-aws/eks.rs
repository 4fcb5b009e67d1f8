//! EKS by its REST protocol: clusters, Fargate profiles, addons, access entries and tags.
//!
//! States take time on the clock's axis. A cluster is ACTIVE only once its control plane answers.

mod absent;
mod access;
mod addon;
mod addon_catalog;
mod addon_health;
mod cluster;
mod condition_keys;
mod encryption;
mod faults;
mod input;
mod lifecycle;
mod logs;
mod network;
mod profile;
mod repeated;
mod request_context;
mod spec;
pub(crate) mod store;
mod tags;
mod update;
mod versions;

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use crate::caller::Call;
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::request::{Request, Service};
use crate::{coverage, intake, model};
use faults::unknown;
use repeated::Repeatable;
use request_context::RequestContext;

/// Performs the operation that method and path name.
pub(crate) fn call(cloud: &Arc<Cloud>, call: &Call, request: &Request) -> Result<Value, Fault> {
    let body = if request.body.is_empty() {
        json!({})
    } else {
        serde_json::from_slice(&request.body)
            .map_err(|_| Fault::sender("SerializationException", "The request body is no JSON."))?
    };
    let segments = request.segments();
    let segments: Vec<_> = segments.iter().map(String::as_str).collect();
    let (operation, labels) =
        model::of(Service::Eks).route(request.method.as_str(), &segments).ok_or_else(|| unknown(request))?;
    if let Some(fault) = coverage::not_offered(Service::Eks, operation) {
        return Err(fault);
    }
    intake::check(Service::Eks, operation, &input::whole(operation, request, &labels, &body)?)?;
    let context = RequestContext { cloud, call, request, body };
    let repeatable =
        Repeatable { caller: call.caller.arn(), operation, path: &request.path, body: &context.body, now: call.now };
    if let Some(answer) = cloud.eks().answers.find(repeatable)? {
        return Ok(answer);
    }
    let answer = perform(&context, operation, &segments)?;
    cloud.eks().answers.remember(repeatable, &answer);
    Ok(answer)
}

fn perform(context: &RequestContext<'_>, operation: &str, segments: &[&str]) -> Result<Value, Fault> {
    match (operation, segments) {
        ("DescribeClusterVersions", _) => versions::describe(context),
        ("DescribeAddonConfiguration", _) => addon_catalog::configuration(context),
        ("DescribeAddonVersions", _) => addon_catalog::versions(context),
        (
            "ListInsights" | "ListNodegroups" | "ListPodIdentityAssociations" | "ListIdentityProviderConfigs",
            ["clusters", cluster, ..],
        ) => absent::list(context, operation, cluster),
        (
            "DescribeInsight"
            | "DescribeNodegroup"
            | "DescribePodIdentityAssociation"
            | "DescribeIdentityProviderConfig",
            ["clusters", cluster, _, name],
        ) => absent::describe(context, operation, cluster, name),
        (
            _,
            ["clusters"]
            | ["clusters", _]
            | ["clusters", _, "update-config" | "updates"]
            | ["clusters", _, "updates", _]
            | ["clusters", _, "encryption-config", "associate"],
        ) => cluster_call(context, segments),
        (_, ["clusters", name, "fargate-profiles", rest @ ..]) => profile::call(context, name, rest),
        (_, ["clusters", name, "addons", rest @ ..]) => addon::call(context, name, rest),
        (_, ["clusters", name, "access-entries", rest @ ..]) => access::call(context, name, rest),
        (_, ["access-policies"]) => access::policies(context),
        (_, ["tags", arn @ ..]) if !arn.is_empty() => tags::call(context, &arn.join("/")),
        _ => Err(unknown(context.request)),
    }
}

fn cluster_call(context: &RequestContext<'_>, segments: &[&str]) -> Result<Value, Fault> {
    match (&context.request.method, segments) {
        (&Method::POST, ["clusters"]) => cluster::create(context),
        (&Method::GET, ["clusters"]) => cluster::list(context),
        (&Method::GET, ["clusters", name]) => cluster::describe(context, name),
        (&Method::DELETE, ["clusters", name]) => cluster::delete(context, name),
        (&Method::POST, ["clusters", name, "update-config"]) => update::config(context, name),
        (&Method::POST, ["clusters", name, "updates"]) => update::version(context, name),
        (&Method::POST, ["clusters", name, "encryption-config", "associate"]) => update::encryption(context, name),
        (&Method::GET, ["clusters", name, "updates"]) => update::list(context, name),
        (&Method::GET, ["clusters", name, "updates", id]) => update::describe(context, name, id),
        _ => Err(unknown(context.request)),
    }
}
