//! EKS by its REST protocol: clusters, Fargate profiles, addons, access entries and tags.
//!
//! States take time on the clock's axis. A cluster is ACTIVE only once its control plane answers.

mod absent;
mod access;
mod addon;
mod addon_catalog;
mod cluster;
mod condition_keys;
mod input;
mod lifecycle;
mod profile;
mod repeated;
mod tags;
mod update;
mod versions;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::authorization::{Access, request_tags, resource_tags, tag_keys};
use crate::caller::Call;
use crate::cloud::Cloud;
use crate::control_plane::Endpoint;
use crate::fault::Fault;
use crate::policy::Context;
use crate::request::{Request, Service};
use crate::{coverage, intake, model};

type Tags = BTreeMap<String, String>;

/// All clusters by name.
#[derive(Debug, Default)]
pub(crate) struct Store {
    clusters: BTreeMap<String, Cluster>,
    answers: repeated::Answers,
}

#[derive(Debug)]
struct Cluster {
    name: String,
    arn: String,
    version: String,
    role_arn: String,
    creator_arn: String,
    created_at: Timestamp,
    status: &'static str,
    endpoint: Option<Endpoint>,
    issues: Vec<Value>,
    vpc: Value,
    security_group: String,
    network: Value,
    logging: Value,
    authentication_mode: String,
    creator_is_admin: bool,
    deletion_protection: bool,
    /// `STANDARD` or `EXTENDED`.
    support_type: String,
    tags: Tags,
    profiles: BTreeMap<String, Profile>,
    addons: BTreeMap<String, Addon>,
    entries: BTreeMap<String, Entry>,
    updates: Vec<Update>,
}

/// A change that takes time, as `DescribeUpdate` shows it.
#[derive(Debug)]
struct Update {
    /// The addon that is updated; the cluster itself if none.
    addon: Option<String>,
    value: Value,
}

#[derive(Debug)]
struct Profile {
    name: String,
    arn: String,
    role_arn: String,
    subnets: Value,
    selectors: Value,
    status: &'static str,
    created_at: Timestamp,
    tags: Tags,
}

#[derive(Debug)]
struct Addon {
    name: String,
    arn: String,
    version: String,
    configuration: Option<String>,
    service_account_role_arn: Option<String>,
    status: &'static str,
    issues: Vec<Value>,
    created_at: Timestamp,
    modified_at: Timestamp,
    tags: Tags,
}

#[derive(Debug)]
struct Entry {
    arn: String,
    principal_arn: String,
    groups: Vec<String>,
    username: Option<String>,
    kind: String,
    created_at: Timestamp,
    modified_at: Timestamp,
    tags: Tags,
    policies: Vec<Value>,
}

impl Cluster {
    /// ARN and tags of a profile or addon.
    fn part(&self, kind: &str, name: &str) -> Option<(String, Tags)> {
        match kind {
            "fargateprofile" => self.profiles.get(name).map(|one| (one.arn.clone(), one.tags.clone())),
            _ => self.addons.get(name).map(|one| (one.arn.clone(), one.tags.clone())),
        }
    }
}

impl Store {
    fn cluster(&mut self, name: &str) -> Result<&mut Cluster, Fault> {
        self.clusters
            .get_mut(name)
            .ok_or_else(|| not_found(format!("No cluster found for name: {name}.")).with_detail("clusterName", name))
    }

    /// ARN and tags of each resource, for the tag search.
    pub(crate) fn tagged(&self) -> Vec<(String, Tags)> {
        let mut all = Vec::new();
        for cluster in self.clusters.values() {
            all.push((cluster.arn.clone(), cluster.tags.clone()));
            all.extend(cluster.profiles.values().map(|one| (one.arn.clone(), one.tags.clone())));
            all.extend(cluster.addons.values().map(|one| (one.arn.clone(), one.tags.clone())));
            all.extend(cluster.entries.values().map(|one| (one.arn.clone(), one.tags.clone())));
        }
        all
    }
}

fn not_found(message: impl Into<String>) -> Fault {
    Fault::new(404, "ResourceNotFoundException", message)
}

fn in_use(message: impl Into<String>) -> Fault {
    Fault::new(409, "ResourceInUseException", message)
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::sender("InvalidParameterException", message)
}

/// A call with its parts read.
struct RequestContext<'a> {
    cloud: &'a Arc<Cloud>,
    call: &'a Call,
    request: &'a Request,
    body: Value,
}

impl RequestContext<'_> {
    /// The operation, given its permission `eks:<name>` on `resource`.
    fn allowed(&self, name: &str, resource: &str, tags: &Tags) -> Result<(), Fault> {
        let mut context = Context::default();
        resource_tags(&mut context, tags);
        let requested = input::tags(&self.body);
        request_tags(&mut context, &requested);
        tag_keys(&mut context, self.request.parameters("tagKeys"));
        condition_keys::describe(&mut context, &self.body, &self.request.segments());
        // Tags that something is made with need the permission to tag it.
        let tagging = ((name.starts_with("Create") || name == "AssociateIdentityProviderConfig")
            && !requested.is_empty())
        .then_some("eks:TagResource");
        let action = format!("eks:{name}");
        std::iter::once(action.as_str()).chain(tagging).try_for_each(|action| {
            self.cloud.authorize(self.call, Access { context: context.clone(), ..Access::new(action, resource) })
        })
    }

    /// As [`Self::allowed`], on a cluster or on the profile or addon `(kind, name)` in it.
    fn allowed_on(&self, name: &str, cluster: &str, part: Option<(&str, &str)>) -> Result<(), Fault> {
        let (arn, tags) = {
            let mut store = self.cloud.eks();
            let found = store.clusters.get_mut(cluster);
            match part {
                None => (self.cluster_arn(cluster), found.map(|one| one.tags.clone()).unwrap_or_default()),
                Some((kind, part)) => found.and_then(|one| one.part(kind, part)).unwrap_or_else(|| {
                    let (region, account) = (&self.cloud.region, &self.cloud.account);
                    (format!("arn:aws:eks:{region}:{account}:{kind}/{cluster}/{part}/*"), Tags::new())
                }),
            }
        };
        self.allowed(name, &arn, &tags)
    }

    fn cluster_arn(&self, name: &str) -> String {
        format!("arn:aws:eks:{}:{}:cluster/{name}", self.cloud.region, self.cloud.account)
    }

    /// The caller hands a role to EKS, which needs a permission of its own.
    fn may_pass(&self, role_arn: &str, service: &str, cluster: &str) -> Result<(), Fault> {
        let mut context = Context::default();
        context.set("iam:PassedToService", service);
        context.set("iam:AssociatedResourceArn", self.cluster_arn(cluster));
        self.cloud.authorize(self.call, Access { context, ..Access::new("iam:PassRole", role_arn) })
    }
}

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
    if let Some(answer) = cloud.eks().answers.find(&context, operation)? {
        return Ok(answer);
    }
    let answer = perform(&context, operation, &segments)?;
    cloud.eks().answers.remember(&context, operation, &answer);
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
            | ["clusters", _, "updates", _],
        ) => cluster_call(context, segments),
        (_, ["clusters", name, "fargate-profiles", rest @ ..]) => profile::call(context, name, rest),
        (_, ["clusters", name, "addons", rest @ ..]) => addon::call(context, name, rest),
        (_, ["clusters", name, "access-entries", rest @ ..]) => access::call(context, name, rest),
        (_, ["access-policies"]) => access::policies(context),
        (_, ["tags", arn @ ..]) if !arn.is_empty() => tags::call(context, &arn.join("/")),
        _ => Err(unknown(context.request)),
    }
}

fn unknown(request: &Request) -> Fault {
    Fault::new(404, "InvalidAction", format!("The local EKS has no operation {} {}", request.method, request.path))
}

fn cluster_call(context: &RequestContext<'_>, segments: &[&str]) -> Result<Value, Fault> {
    match (&context.request.method, segments) {
        (&Method::POST, ["clusters"]) => cluster::create(context),
        (&Method::GET, ["clusters"]) => cluster::list(context),
        (&Method::GET, ["clusters", name]) => cluster::describe(context, name),
        (&Method::DELETE, ["clusters", name]) => cluster::delete(context, name),
        (&Method::POST, ["clusters", name, "update-config"]) => update::config(context, name),
        (&Method::POST, ["clusters", name, "updates"]) => update::version(context, name),
        (&Method::GET, ["clusters", name, "updates"]) => update::list(context, name),
        (&Method::GET, ["clusters", name, "updates", id]) => update::describe(context, name, id),
        _ => Err(unknown(context.request)),
    }
}
