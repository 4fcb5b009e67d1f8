//! What lives in a cluster of EKS: it has no name of its own outside of it, so it is found by way of the cluster.

use provision::{Address, Object};

use super::looked_at;
use crate::cloud::Cloud;
use crate::error::{Error, Result};
use crate::resources;

/// The Fargate profiles, addons and access entries of a cluster, as kind, name and object. One that is gone meanwhile has
/// none.
pub(super) async fn of(cloud: &Cloud, cluster: &str) -> Result<Vec<(Address, Object)>> {
    let address = |kind: &str, name: &str| Address::new(kind, format!("{cluster}/{name}"));
    let mut found = Vec::new();
    let profiles = unless_gone(profiles(cloud, cluster).await)?;
    for (name, profile) in looked_at(profiles, |name| resources::fargate_profile_object(cloud, cluster, name)).await? {
        found.push((address("aws_eks_fargate_profile", &name), profile));
    }
    let addons = unless_gone(addons(cloud, cluster).await)?;
    for (name, addon) in looked_at(addons, |name| resources::addon_object(cloud, cluster, name)).await? {
        found.push((address("aws_eks_addon", &name), addon));
    }
    let entries = unless_gone(access_entries(cloud, cluster).await)?;
    for (principal, entry) in looked_at(entries, |name| resources::access_entry_object(cloud, cluster, name)).await? {
        found.push((address("aws_eks_access_entry", &principal), entry));
    }
    Ok(found)
}

fn unless_gone(listed: Result<Vec<String>>) -> Result<Vec<String>> {
    match listed {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        listed => listed,
    }
}

async fn profiles(cloud: &Cloud, cluster: &str) -> Result<Vec<String>> {
    let listed = cloud.eks.list_fargate_profiles().cluster_name(cluster).into_paginator().items().send();
    listed.try_collect().await.map_err(|error| Error::from_sdk("eks:ListFargateProfiles", &error))
}

async fn addons(cloud: &Cloud, cluster: &str) -> Result<Vec<String>> {
    let listed = cloud.eks.list_addons().cluster_name(cluster).into_paginator().items().send();
    listed.try_collect().await.map_err(|error| Error::from_sdk("eks:ListAddons", &error))
}

async fn access_entries(cloud: &Cloud, cluster: &str) -> Result<Vec<String>> {
    let listed = cloud.eks.list_access_entries().cluster_name(cluster).into_paginator().items().send();
    listed.try_collect().await.map_err(|error| Error::from_sdk("eks:ListAccessEntries", &error))
}
