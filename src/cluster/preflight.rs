//! Whether the caller may do what a stack needs, asked of the API server before anything is made.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::{Api, PostParams};

use crate::Result;
use crate::connection::Cluster;
use crate::error::Error;

/// A right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// API group; empty for the core.
    pub group: &'static str,
    /// Resource, plural.
    pub resource: &'static str,
    /// Verb.
    pub verb: &'static str,
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dot = if self.group.is_empty() { "" } else { "." };
        write!(f, "{} {}{dot}{}", self.verb, self.resource, self.group)
    }
}

const RESOURCES: [(&str, &str); 13] = [
    ("", "namespaces"),
    ("", "serviceaccounts"),
    ("", "services"),
    ("", "pods"),
    ("apps", "deployments"),
    ("policy", "poddisruptionbudgets"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
    ("rbac.authorization.k8s.io", "roles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("apiregistration.k8s.io", "apiservices"),
    ("keda.sh", "scaledobjects"),
];

/// The rights that a stack needs cluster-wide and the caller lacks. An answer that does not come is an error.
pub async fn missing_rights(cluster: &Cluster) -> Result<Vec<Right>> {
    let session = cluster.session().await?;
    let api: Api<SelfSubjectAccessReview> = Api::all(session.client.clone());
    let mut missing = Vec::new();
    for (group, resource) in RESOURCES {
        for verb in ["get", "create", "patch", "delete"] {
            let right = Right { group, resource, verb };
            let failed = |error: kube::Error| Error::from_kube(&session.server, "ask for the caller's rights", &error);
            let review = api.create(&PostParams::default(), &review(right)).await.map_err(failed)?;
            if !review.status.is_some_and(|status| status.allowed) {
                missing.push(right);
            }
        }
    }
    Ok(missing)
}

fn review(right: Right) -> SelfSubjectAccessReview {
    let attributes = ResourceAttributes {
        group: Some(right.group.to_owned()),
        resource: Some(right.resource.to_owned()),
        verb: Some(right.verb.to_owned()),
        ..ResourceAttributes::default()
    };
    SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() },
        ..Default::default()
    }
}
