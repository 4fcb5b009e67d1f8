//! EKS access policies: fixed roles that an access entry grants besides RBAC.

use serde_json::json;

use super::attributes::Attributes;
use super::rbac;
use crate::cluster::Cluster;
use crate::user::User;

/// Why an access policy of the user's entry allows it.
pub(crate) fn allowed(cluster: &Cluster, user: &User, attributes: &Attributes) -> Option<String> {
    // Keys of extra lose their case on the way through an aggregated API's headers and back in a review.
    let (_, principals) = user.extra.iter().find(|(key, _)| key.eq_ignore_ascii_case("principalArn"))?;
    let principal = principals.first()?;
    let access = cluster.access();
    let entry = access.iter().find(|entry| entry.principal_arn == *principal)?;
    for policy in &entry.policies {
        let Some(role) = policy.cluster_role().filter(|_| policy.covers(&attributes.namespace)) else { continue };
        let reference = json!({"kind": "ClusterRole", "name": role});
        let rules = rbac::role_rules(cluster, &reference, "");
        if rules.iter().any(|rule| rbac::rule_allows(rule, attributes)) {
            return Some(format!("EKS Access Policy: allowed by {}", policy.name()));
        }
    }
    None
}
