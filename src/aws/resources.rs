//! The AWS kinds of the provisioning engine; one file per kind under `resources/`.
//!
//! A resource is described by data (kind, name, attributes), so whoever describes a stack needs no SDK type:
//! [`build`] makes it from a declaration, [`rebuild`] from a record. Attribute names are those of Terraform's provider
//! where it has them.
//!
//! Everything that can carry tags carries [`Cloud::tags`]; what exists under our name without our `sluice:stack` tag is
//! foreign and never touched.

mod access_entry;
mod access_policy_association;
mod addon;
mod cluster;
mod ecr_repository;
mod edit;
mod fargate_profile;
mod kind;
mod log_group;
mod network;
pub(crate) mod oidc_provider;
mod passing;
pub(crate) mod policy;
pub(crate) mod policy_document;
pub(crate) mod queue;
pub(crate) mod role;
mod role_policy_attachment;
mod tags;
mod update;
mod value;
mod wait;

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use provision::{Address, Attributes, Context, Failure, Known, Node, Object, Reading, Resource, Schema};
use serde_json::{Value, json};

use crate::cloud::Cloud;
use edit::Edit;
use kind::{KINDS, Kind};

/// Attributes by which things are found.
const NAMING: [&str; 6] = ["name", "cluster_name", "addon_name", "principal_arn", "role", "policy_arn"];

/// One AWS resource.
struct AwsResource {
    kind: Kind,
    address: Address,
    desired: Attributes,
    depends_on: Vec<Address>,
    cloud: Arc<Cloud>,
}

/// The resource of `address` with the attributes `desired`; `None` if the kind is not one of ours. The stack's tags are
/// added to the attribute `tags` of kinds that have tags.
pub fn build(cloud: &Arc<Cloud>, address: &Address, desired: Attributes, depends_on: Vec<Address>) -> Option<Node> {
    let (_, kind) = KINDS.iter().find(|(name, _)| *name == address.kind())?;
    let mut resource = AwsResource { kind: *kind, address: address.clone(), desired, depends_on, cloud: cloud.clone() };
    if resource.has_tags() {
        let tags = resource.desired.entry("tags".to_owned()).or_insert_with(|| json!({}));
        if let Value::Object(map) = tags {
            map.extend(cloud.tags().iter().map(|(name, value)| (name.clone(), json!(value))));
        }
    }
    Some(Arc::new(resource))
}

/// The resource that a state file or an audit knows and nobody declares, by its attributes (or those that it was to get).
/// `None` if the kind is not one of ours, or nothing is known by which it could be found.
///
/// It goes before what it is `outlived_by`.
pub fn rebuild(
    cloud: &Arc<Cloud>,
    address: &Address,
    attributes: &Attributes,
    outlived_by: Vec<Address>,
) -> Option<Node> {
    let (_, kind) = KINDS.iter().find(|(name, _)| *name == address.kind())?;
    if attributes.is_empty() {
        return None;
    }
    let desired = attributes.clone();
    let resource = AwsResource {
        kind: *kind,
        address: address.clone(),
        desired: desired.into_iter().map(|(name, value)| (name, value::without_references(value))).collect(),
        depends_on: outlived_by,
        cloud: cloud.clone(),
    };
    Some(Arc::new(resource))
}

/// What is wanted, under the name that the state recorded; `None` if that is the same.
fn renamed(known: Known<'_>) -> Option<Attributes> {
    let recorded = &known.recorded?.attributes;
    let mut before = known.desired.clone();
    for name in NAMING {
        if let (Some(was), Some(is)) = (recorded.get(name), before.get_mut(name)) {
            was.clone_into(is);
        }
    }
    (before != *known.desired).then_some(before)
}

impl AwsResource {
    fn has_tags(&self) -> bool {
        !matches!(self.kind, Kind::RolePolicyAttachment | Kind::AccessPolicyAssociation)
    }

    async fn look(&self, known: Known<'_>) -> Result<Reading, Failure> {
        let cloud = &*self.cloud;
        match self.kind {
            Kind::Queue => queue::read(cloud, known).await,
            Kind::Role => role::read(cloud, known).await,
            Kind::Policy => policy::read(cloud, known).await,
            Kind::RolePolicyAttachment => role_policy_attachment::read(cloud, known).await,
            Kind::OidcProvider => oidc_provider::read(cloud, known).await,
            Kind::Cluster => cluster::read(cloud, known).await,
            Kind::FargateProfile => fargate_profile::read(cloud, known).await,
            Kind::Addon => addon::read(cloud, known).await,
            Kind::AccessEntry => access_entry::read(cloud, known).await,
            Kind::AccessPolicyAssociation => access_policy_association::read(cloud, known).await,
            Kind::LogGroup => log_group::read(cloud, known).await,
            Kind::EcrRepository => ecr_repository::read(cloud, known).await,
            Kind::Network(part) => network::read(cloud, part, known).await,
        }
    }

    fn is_inside_cluster(&self) -> bool {
        matches!(self.kind, Kind::FargateProfile | Kind::Addon | Kind::AccessEntry | Kind::AccessPolicyAssociation)
    }
}

impl Resource for AwsResource {
    fn address(&self) -> &Address {
        &self.address
    }

    fn desired(&self) -> &Attributes {
        &self.desired
    }

    fn schema(&self) -> Schema {
        match self.kind {
            Kind::Queue => queue::SCHEMA,
            Kind::Role => role::SCHEMA,
            Kind::Policy => policy::SCHEMA,
            Kind::RolePolicyAttachment => role_policy_attachment::SCHEMA,
            Kind::OidcProvider => oidc_provider::SCHEMA,
            Kind::Cluster => cluster::SCHEMA,
            Kind::FargateProfile => fargate_profile::SCHEMA,
            Kind::Addon => addon::SCHEMA,
            Kind::AccessEntry => access_entry::SCHEMA,
            Kind::AccessPolicyAssociation => access_policy_association::SCHEMA,
            Kind::LogGroup => log_group::SCHEMA,
            Kind::EcrRepository => ecr_repository::SCHEMA,
            Kind::Network(part) => network::schema(part),
        }
    }

    fn depends_on(&self) -> Vec<Address> {
        self.depends_on.clone()
    }

    fn lives_in(&self) -> Option<Address> {
        if !self.is_inside_cluster() {
            return None;
        }
        let declared = self.depends_on.iter().find(|address| address.kind() == "aws_eks_cluster").cloned();
        // `${aws_eks_cluster.this.name}` names the cluster as well.
        let referred = || {
            let text = self.desired.get("cluster_name")?.as_str()?.strip_prefix("${")?.strip_suffix('}')?;
            text.rsplit_once('.')?.0.parse().ok()
        };
        declared.or_else(referred)
    }

    /// What costs by the hour never waits for the removal of something that costs nothing and needs it only to be made: a trust
    /// policy names an OIDC provider, a role or a queue, a provider the cluster whose issuer it is, and a route table a NAT gateway.
    fn may_outlive(&self, dependency: &Address) -> bool {
        match dependency.kind() {
            "aws_eks_cluster" => !self.is_inside_cluster(),
            "aws_iam_openid_connect_provider" | "aws_sqs_queue" => true,
            "aws_iam_role" => self.kind == Kind::Role,
            // Its route is a black hole then, and goes with it.
            "aws_nat_gateway" => self.kind == Kind::Network(network::Part::RouteTable),
            _ => false,
        }
    }

    /// EKS deletes a cluster with its addons and access entries, but not with its Fargate profiles (EKS API Reference,
    /// DeleteCluster).
    fn goes_with_container(&self) -> bool {
        self.is_inside_cluster() && self.kind != Kind::FargateProfile
    }

    fn is_disturbed_by(&self, dependency: &Address) -> bool {
        self.kind == Kind::Addon && dependency.kind() == "aws_eks_fargate_profile"
    }

    fn serial_key(&self) -> Option<String> {
        // EKS creates and deletes the profiles of one cluster one at a time.
        let cluster = self.desired.get("cluster_name").and_then(Value::as_str).unwrap_or_default();
        (self.kind == Kind::FargateProfile).then(|| format!("eks-fargate/{cluster}"))
    }

    fn identity(&self) -> String {
        let name = ["name", "addon_name", "principal_arn", "policy_arn", "url"];
        let name = name.iter().find_map(|name| self.desired.get(*name)?.as_str());
        let kind = self.address.kind().trim_start_matches("aws_").replace('_', " ");
        format!("{kind} {}", name.unwrap_or_else(|| self.address.name()))
    }

    fn same(&self, path: &str, desired: &Value, actual: &Value) -> bool {
        match path {
            // Both say something about the run that made the thing, not about what it should be.
            r#"tags["sluice:run"]"# | r#"tags["sluice:expires-at"]"# => true,
            "policy" | "assume_role_policy" => policy_document::same(desired, actual),
            _ if path.starts_with("inline_policies.") || path.starts_with("inline_policies[") => {
                policy_document::same(desired, actual)
            }
            "configuration_values" | "redrive_policy" => value::same_json(desired, actual),
            "url" => value::without_scheme(desired) == value::without_scheme(actual),
            _ => value::same_set(path, desired, actual),
        }
    }

    fn read<'a>(&'a self, known: Known<'a>, _context: &'a Context) -> BoxFuture<'a, Result<Reading, Failure>> {
        async move {
            // What was made under another name still exists under that, and is what has to be replaced.
            if let Some(before) = renamed(known)
                && let found @ Reading::Present(_) = self.look(Known { desired: &before, ..known }).await?
            {
                return Ok(tags::read(found, known));
            }
            Ok(tags::read(self.look(known).await?, known))
        }
        .boxed()
    }

    fn create<'a>(&'a self, desired: &'a Attributes, context: &'a Context) -> BoxFuture<'a, Result<Object, Failure>> {
        let cloud = &*self.cloud;
        let made = match self.kind {
            Kind::Queue => queue::create(cloud, desired, context).boxed(),
            Kind::Role => role::create(cloud, desired, context).boxed(),
            Kind::Policy => policy::create(cloud, desired, context).boxed(),
            Kind::RolePolicyAttachment => role_policy_attachment::create(cloud, desired, context).boxed(),
            Kind::OidcProvider => oidc_provider::create(cloud, desired, context).boxed(),
            Kind::Cluster => cluster::create(cloud, desired, context).boxed(),
            Kind::FargateProfile => fargate_profile::create(cloud, desired, context).boxed(),
            Kind::Addon => addon::create(cloud, desired, context).boxed(),
            Kind::AccessEntry => access_entry::create(cloud, desired, context).boxed(),
            Kind::LogGroup => log_group::create(cloud, desired, context).boxed(),
            Kind::AccessPolicyAssociation => access_policy_association::create(cloud, desired, context).boxed(),
            Kind::EcrRepository => ecr_repository::create(cloud, desired, context).boxed(),
            Kind::Network(part) => network::create(cloud, part, desired, context).boxed(),
        };
        async move { Ok(tags::put(made.await?, desired)) }.boxed()
    }

    fn update<'a>(
        &'a self,
        current: &'a Object,
        desired: &'a Attributes,
        changed: &'a [String],
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Object, Failure>> {
        let cloud = &*self.cloud;
        let edit = Edit { current, desired, changed };
        let changed = match self.kind {
            Kind::Queue => queue::update(cloud, edit, context).boxed(),
            Kind::Role => role::update(cloud, edit, context).boxed(),
            Kind::Policy => policy::update(cloud, edit, context).boxed(),
            Kind::OidcProvider => oidc_provider::update(cloud, edit, context).boxed(),
            Kind::Cluster => cluster::update(cloud, edit, context).boxed(),
            Kind::FargateProfile => fargate_profile::update(cloud, edit, context).boxed(),
            Kind::Addon => addon::update(cloud, edit, context).boxed(),
            Kind::AccessEntry => access_entry::update(cloud, edit, context).boxed(),
            Kind::LogGroup => log_group::update(cloud, edit, context).boxed(),
            // Attaching and associating set the whole of it; they can be said again.
            Kind::RolePolicyAttachment => role_policy_attachment::create(cloud, desired, context).boxed(),
            Kind::AccessPolicyAssociation => access_policy_association::create(cloud, desired, context).boxed(),
            // Its tags alone can change, and they are everybody's concern.
            Kind::EcrRepository => ecr_repository::again(cloud, edit).boxed(),
            Kind::Network(part) => network::update(cloud, part, edit, context).boxed(),
        };
        async move {
            tags::change(cloud, self.kind, edit, context).await?;
            Ok(tags::put(changed.await?, desired))
        }
        .boxed()
    }

    fn delete<'a>(&'a self, current: &'a Object, context: &'a Context) -> BoxFuture<'a, Result<(), Failure>> {
        let cloud = &*self.cloud;
        match self.kind {
            Kind::Queue => queue::delete(cloud, current, context).boxed(),
            Kind::Role => role::delete(cloud, current, context).boxed(),
            Kind::Policy => policy::delete(cloud, current, context).boxed(),
            Kind::RolePolicyAttachment => role_policy_attachment::delete(cloud, current, context).boxed(),
            Kind::OidcProvider => oidc_provider::delete(cloud, current, context).boxed(),
            Kind::Cluster => cluster::delete(cloud, current, context).boxed(),
            Kind::FargateProfile => fargate_profile::delete(cloud, current, context).boxed(),
            Kind::Addon => addon::delete(cloud, current, context).boxed(),
            Kind::AccessEntry => access_entry::delete(cloud, current, context).boxed(),
            Kind::LogGroup => log_group::delete(cloud, current, context).boxed(),
            Kind::AccessPolicyAssociation => access_policy_association::delete(cloud, current, context).boxed(),
            Kind::EcrRepository => ecr_repository::delete(cloud, current, context).boxed(),
            Kind::Network(part) => network::delete(cloud, part, current, context).boxed(),
        }
    }
}

pub(crate) use access_entry::fetch as access_entry_object;
pub(crate) use addon::fetch as addon_object;
pub(crate) use ecr_repository::{fetch as ecr_repository_object, list as ecr_repositories};
pub(crate) use fargate_profile::fetch as fargate_profile_object;
pub(crate) use log_group::{cluster_of as cluster_of_log_group, fetch as log_group_object, name_for as log_group_name};
pub(crate) use network::{Part as NetworkPart, all_of_stack as network_of_stack};
pub(crate) use oidc_provider::{fetch as oidc_provider_object, list as oidc_providers};
pub(crate) use policy::{fetch as policy_object, list as policies};
pub(crate) use queue::fetch as queue_object;
pub(crate) use role::fetch as role_object;

pub(crate) async fn cluster_object(cloud: &Cloud, name: &str) -> crate::Result<Option<Object>> {
    Ok(cluster::describe(cloud, name).await?.map(|found| cluster::object(&found)))
}
