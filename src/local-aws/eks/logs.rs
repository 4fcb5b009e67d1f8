//! The log group that a control plane writes into.
//!
//! EKS makes it when it first writes, without retention, and also after the cluster's deletion, when the last lines come late
//! (terraform-aws-modules/terraform-aws-eks issues 2446 and 920).

use super::store::Cluster;
use crate::cloud::Cloud;
use crate::strings;

impl Cluster {
    pub(super) fn enabled_logs(&self) -> Vec<String> {
        let setups = self.logging["clusterLogging"].as_array().cloned().unwrap_or_default();
        setups.iter().filter(|one| one["enabled"] == true).flat_map(|one| strings::list(one.get("types"))).collect()
    }
}

/// The control plane of the cluster called `name` writes.
pub(super) fn write(cloud: &Cloud, name: &str) {
    cloud.cloudwatch_logs().write_into(&format!("/aws/eks/{name}/cluster"), cloud.clock.now());
}
