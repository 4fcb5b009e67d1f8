//! What a cluster's control plane has to know of it.

use local_eks::{AccessEntry, AccessPolicy, FargateProfile, FargateSelector};
use serde_json::{Value, json};

use super::input::tags;
use super::store::Cluster;
use crate::control_plane::{Addon, Spec};
use crate::strings;

impl Cluster {
    /// The cluster as its control plane is given it.
    pub(super) fn spec(&self) -> Spec {
        Spec {
            name: self.name.clone(),
            arn: self.arn.clone(),
            version: self.version.clone(),
            creator_arn: self.creator_arn.clone(),
            profiles: profiles(self),
            access: access(self),
            addons: addons(self),
        }
    }
}

/// The ACTIVE profiles.
pub(super) fn profiles(cluster: &Cluster) -> Vec<FargateProfile> {
    let selector = |value: &Value| FargateSelector {
        namespace: value["namespace"].as_str().unwrap_or_default().to_owned(),
        labels: tags(&json!({ "tags": value["labels"] })),
    };
    let active = cluster.profiles.values().filter(|profile| profile.status == "ACTIVE");
    active
        .map(|profile| FargateProfile {
            name: profile.name.clone(),
            selectors: profile.selectors.as_array().into_iter().flatten().map(selector).collect(),
            pod_execution_role_arn: profile.role_arn.clone(),
        })
        .collect()
}

fn access(cluster: &Cluster) -> Vec<AccessEntry> {
    let policy = |value: &Value| AccessPolicy {
        arn: value["policyArn"].as_str().unwrap_or_default().to_owned(),
        namespaces: strings::list(value["accessScope"].get("namespaces")),
    };
    let mut all: Vec<_> = cluster
        .entries
        .values()
        .map(|entry| AccessEntry {
            principal_arn: entry.principal_arn.clone(),
            username: entry.username.clone(),
            groups: entry.groups.clone(),
            policies: entry.policies.iter().map(policy).collect(),
        })
        .collect();
    // Without access entries the creator is an administrator all the same, only nobody can see it.
    if cluster.creator_is_admin && cluster.authentication_mode == "CONFIG_MAP" {
        all.push(AccessEntry {
            principal_arn: cluster.creator_arn.clone(),
            username: None,
            groups: vec!["system:masters".into()],
            policies: Vec::new(),
        });
    }
    all
}

fn addons(cluster: &Cluster) -> Vec<Addon> {
    let kept = cluster.addons.values().filter(|addon| addon.status != "DELETING");
    kept.map(|addon| Addon {
        name: addon.name.clone(),
        version: addon.version.clone(),
        configuration: addon
            .configuration
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default(),
    })
    .collect()
}
