//! All of EKS's state: clusters with their profiles, addons, access entries and updates.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::faults::not_found;
use super::repeated;
use crate::control_plane::Endpoint;
use crate::fault::Fault;

pub(crate) type Tags = BTreeMap<String, String>;

/// All clusters by name.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(super) clusters: BTreeMap<String, Cluster>,
    pub(super) answers: repeated::Answers,
}

#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) version: String,
    pub(super) role_arn: String,
    pub(super) creator_arn: String,
    pub(super) created_at: Timestamp,
    pub(super) status: &'static str,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) issues: Vec<Value>,
    pub(super) vpc: Value,
    /// As it is shown; none is AWS's own key.
    pub(super) encryption: Option<Value>,
    pub(super) security_group: String,
    pub(super) network: Value,
    pub(super) logging: Value,
    pub(super) authentication_mode: String,
    pub(super) creator_is_admin: bool,
    pub(super) deletion_protection: bool,
    /// `STANDARD` or `EXTENDED`.
    pub(super) support_type: String,
    pub(super) tags: Tags,
    pub(super) profiles: BTreeMap<String, Profile>,
    pub(super) addons: BTreeMap<String, Addon>,
    pub(super) entries: BTreeMap<String, Entry>,
    pub(super) updates: Vec<Update>,
}

/// A change that takes time, as `DescribeUpdate` shows it.
#[derive(Debug)]
pub(super) struct Update {
    /// The addon that is updated; the cluster itself if none.
    pub(super) addon: Option<String>,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) role_arn: String,
    pub(super) subnets: Value,
    pub(super) selectors: Value,
    pub(super) status: &'static str,
    pub(super) created_at: Timestamp,
    pub(super) tags: Tags,
}

#[derive(Debug)]
pub(super) struct Addon {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) version: String,
    pub(super) configuration: Option<String>,
    pub(super) service_account_role_arn: Option<String>,
    pub(super) status: &'static str,
    pub(super) issues: Vec<Value>,
    pub(super) created_at: Timestamp,
    pub(super) modified_at: Timestamp,
    pub(super) tags: Tags,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) arn: String,
    pub(super) principal_arn: String,
    pub(super) groups: Vec<String>,
    pub(super) username: Option<String>,
    pub(super) kind: String,
    pub(super) created_at: Timestamp,
    pub(super) modified_at: Timestamp,
    pub(super) tags: Tags,
    pub(super) policies: Vec<Value>,
}

impl Cluster {
    /// ARN and tags of a profile or addon.
    pub(super) fn part(&self, kind: &str, name: &str) -> Option<(String, Tags)> {
        match kind {
            "fargateprofile" => self.profiles.get(name).map(|one| (one.arn.clone(), one.tags.clone())),
            _ => self.addons.get(name).map(|one| (one.arn.clone(), one.tags.clone())),
        }
    }
}

impl Store {
    pub(super) fn cluster(&mut self, name: &str) -> Result<&mut Cluster, Fault> {
        self.clusters
            .get_mut(name)
            .ok_or_else(|| not_found(format!("No cluster found for name: {name}.")).with_detail("clusterName", name))
    }

    /// Whether a cluster or its pods may have network interfaces in a subnet.
    pub(crate) fn uses_subnet(&self, id: &str) -> bool {
        let lists = |subnets: &Value| subnets.as_array().is_some_and(|all| all.iter().any(|one| one == id));
        self.clusters.values().any(|cluster| {
            lists(&cluster.vpc["subnetIds"]) || cluster.profiles.values().any(|profile| lists(&profile.subnets))
        })
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
