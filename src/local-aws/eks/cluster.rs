//! Clusters.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::faults::{in_use, invalid, limit};
use super::input::{check_tags, date, page, required, tags, text};
use super::request_context::RequestContext;
use super::store::Cluster;
use super::{access, encryption, lifecycle, network};
use crate::fault::Fault;
use crate::identifier;
use crate::strings;

/// Versions in standard or extended support in November 2026, and the one that a cluster gets by default.
pub(super) const VERSIONS: [&str; 6] = ["1.31", "1.32", "1.33", "1.34", "1.35", "1.36"];
pub(super) const VERSION_DEFAULT: &str = "1.35";
/// AWS's default quota.
const CLUSTERS_MAX: usize = 100;
const LOG_TYPES: [&str; 5] = ["api", "audit", "authenticator", "controllerManager", "scheduler"];
const CREATOR_SERVICE: &str = "eks.amazonaws.com";

impl Cluster {
    pub(super) fn value(&self) -> Value {
        let mut value = json!({
            "name": self.name,
            "arn": self.arn,
            "createdAt": date(self.created_at),
            "version": self.version,
            "roleArn": self.role_arn,
            "resourcesVpcConfig": self.vpc,
            "kubernetesNetworkConfig": self.network,
            "logging": self.logging,
            "status": self.status,
            "platformVersion": "eks.1",
            "tags": self.tags,
            "health": { "issues": self.issues },
            "accessConfig": { "authenticationMode": self.authentication_mode },
            "upgradePolicy": { "supportType": self.support_type },
            "deletionProtection": self.deletion_protection,
        });
        if let Some(encryption) = &self.encryption {
            value["encryptionConfig"] = encryption.clone();
        }
        if let Some(endpoint) = &self.endpoint {
            value["resourcesVpcConfig"]["clusterSecurityGroupId"] = json!(self.security_group);
            value["endpoint"] = json!(endpoint.url);
            value["certificateAuthority"] = self.authority();
            value["identity"] = json!({ "oidc": { "issuer": endpoint.issuer } });
        }
        value
    }

    /// The certificate authority as `DescribeCluster` gives it.
    fn authority(&self) -> Value {
        self.endpoint.as_ref().map_or(Value::Null, |endpoint| json!({ "data": STANDARD.encode(&endpoint.ca_pem) }))
    }

    pub(super) fn must_be_active(&self) -> Result<(), Fault> {
        if self.status == "ACTIVE" {
            return Ok(());
        }
        let message = format!("Cluster '{}' is not in ACTIVE status (it is {}).", self.name, self.status);
        Err(Fault::sender("InvalidRequestException", message).with_detail("clusterName", self.name.as_str()))
    }
}

pub(super) fn create(context: &RequestContext<'_>) -> Result<Value, Fault> {
    let name = required(&context.body, "name")?.to_owned();
    context.allowed_on("CreateCluster", &name, None)?;
    let role_arn = required(&context.body, "roleArn")?.to_owned();
    context.may_pass(&role_arn, CREATOR_SERVICE, &name)?;
    context.link("eks.amazonaws.com", "AWSServiceRoleForAmazonEKS")?;
    let cluster = parse(context, &name, &role_arn)?;
    let taken =
        || in_use(format!("Cluster already exists with name: {name}")).with_detail("clusterName", name.as_str());
    if context.cloud.eks().clusters.contains_key(&name) {
        return Err(taken());
    }
    if !context.cloud.trusts_service(&role_arn, CREATOR_SERVICE, &cluster.arn) {
        return Err(invalid(format!(
            "Role with arn: {role_arn}, could not be assumed because it does not exist or the trusted entity is not correct"
        )));
    }
    let (value, spec) = (cluster.value(), cluster.spec());
    {
        // Of two that both found the name free, or the last place, one gets it.
        let mut store = context.cloud.eks();
        if store.clusters.len() >= CLUSTERS_MAX {
            return Err(limit(format!("Cluster limit exceeded: {CLUSTERS_MAX} per Region")));
        }
        match store.clusters.entry(name.clone()) {
            Entry::Occupied(_) => return Err(taken()),
            Entry::Vacant(free) => drop(free.insert(cluster)),
        }
    }
    lifecycle::start(context.cloud, name, spec);
    Ok(json!({ "cluster": value }))
}

fn parse(context: &RequestContext<'_>, name: &str, role_arn: &str) -> Result<Cluster, Fault> {
    let body = &context.body;
    let plain = name.len() <= 100
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !plain {
        return Err(invalid(format!(
            "The cluster name '{name}' is invalid: it must match ^[0-9A-Za-z][A-Za-z0-9\\-_]* and have at most 100 characters."
        )));
    }
    let version = text(body, "version").unwrap_or(VERSION_DEFAULT);
    if !VERSIONS.contains(&version) {
        return Err(invalid(format!("unsupported Kubernetes version {version}")));
    }
    let configuration = body.get("accessConfig").cloned().unwrap_or_default();
    let mode = text(&configuration, "authenticationMode").unwrap_or("CONFIG_MAP");
    if !matches!(mode, "API" | "API_AND_CONFIG_MAP" | "CONFIG_MAP") {
        return Err(invalid(format!("{mode} is no authentication mode.")));
    }
    let tags = tags(body);
    check_tags(&tags)?;
    let mut cluster = Cluster {
        name: name.to_owned(),
        arn: context.cluster_arn(name),
        version: version.to_owned(),
        role_arn: role_arn.to_owned(),
        creator_arn: context.call.caller.principal_arn().to_owned(),
        created_at: context.call.now,
        status: "CREATING",
        endpoint: None,
        issues: Vec::new(),
        vpc: network::vpc(context.cloud, body)?,
        encryption: encryption::given(context, body)?,
        security_group: identifier::ec2("sg-"),
        network: json!({ "serviceIpv4Cidr": "10.100.0.0/16", "ipFamily": "ipv4", "elasticLoadBalancing": { "enabled": false } }),
        logging: logging(body.get("logging"), &[])?,
        authentication_mode: mode.to_owned(),
        creator_is_admin: configuration
            .get("bootstrapClusterCreatorAdminPermissions")
            .and_then(Value::as_bool)
            .unwrap_or(true),
        deletion_protection: body.get("deletionProtection").and_then(Value::as_bool).unwrap_or(false),
        support_type: support_type(body),
        tags,
        profiles: BTreeMap::new(),
        addons: BTreeMap::new(),
        entries: BTreeMap::new(),
        updates: Vec::new(),
    };
    if cluster.creator_is_admin && mode != "CONFIG_MAP" {
        access::admit_creator(context, &mut cluster);
    }
    Ok(cluster)
}

/// Extended support is what a cluster has unless it is said otherwise.
pub(super) fn support_type(body: &Value) -> String {
    let policy = body.get("upgradePolicy").cloned().unwrap_or_default();
    text(&policy, "supportType").unwrap_or("EXTENDED").to_owned()
}

/// `clusterLogging` in two entries, enabled and not, after `change` on top of `enabled`.
pub(super) fn logging(change: Option<&Value>, enabled: &[String]) -> Result<Value, Fault> {
    let mut on: Vec<String> = enabled.to_vec();
    for setup in change.and_then(|value| value.get("clusterLogging")).and_then(Value::as_array).into_iter().flatten() {
        let enable = setup.get("enabled").and_then(Value::as_bool).unwrap_or(false);
        for kind in strings::list(setup.get("types")) {
            if !LOG_TYPES.contains(&kind.as_str()) {
                return Err(invalid(format!("{kind} is no log type.")));
            }
            on.retain(|one| *one != kind);
            if enable {
                on.push(kind);
            }
        }
    }
    let (on, off): (Vec<&str>, Vec<&str>) = LOG_TYPES.iter().partition(|kind| on.iter().any(|one| one == **kind));
    let list: Vec<_> = [(on, true), (off, false)]
        .into_iter()
        .filter(|(types, _)| !types.is_empty())
        .map(|(types, enabled)| json!({ "types": types, "enabled": enabled }))
        .collect();
    Ok(json!({ "clusterLogging": list }))
}

pub(super) fn list(context: &RequestContext<'_>) -> Result<Value, Fault> {
    context.allowed_on("ListClusters", "*", None)?;
    // Connected clusters of elsewhere, which `all` would add, are not to be had here.
    if let Some(other) = context.request.parameters("include").iter().find(|value| *value != "all") {
        return Err(invalid(format!("{other} is no value of include: it can be all.")));
    }
    let names = context.cloud.eks().clusters.keys().map(|name| json!(name)).collect();
    page(context.request, "clusters", names)
}

pub(super) fn describe(context: &RequestContext<'_>, name: &str) -> Result<Value, Fault> {
    context.allowed_on("DescribeCluster", name, None)?;
    Ok(json!({ "cluster": context.cloud.eks().cluster(name)?.value() }))
}

pub(super) fn delete(context: &RequestContext<'_>, name: &str) -> Result<Value, Fault> {
    context.allowed_on("DeleteCluster", name, None)?;
    let value = {
        let mut store = context.cloud.eks();
        let cluster = store.cluster(name)?;
        let busy = |message: String| Err(in_use(message).with_detail("clusterName", name));
        if cluster.deletion_protection {
            return Err(Fault::sender("InvalidRequestException", "Deletion protection is enabled for this cluster."));
        }
        if matches!(cluster.status, "CREATING" | "UPDATING" | "DELETING") {
            return busy(format!(
                "Cannot delete because cluster {name} currently has an operation in progress ({})",
                cluster.status
            ));
        }
        if !cluster.profiles.is_empty() {
            return busy("Cluster has fargate profiles attached".into());
        }
        cluster.status = "DELETING";
        cluster.value()
    };
    lifecycle::stop(context.cloud, name.to_owned());
    Ok(json!({ "cluster": value }))
}
