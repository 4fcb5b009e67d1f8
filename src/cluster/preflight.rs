//! Whether the caller may do what a stack needs, asked of the API server before anything is made.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::{Api, PostParams};

use crate::Result;
use crate::connection::Cluster;
use crate::error::Error;

/// Rights on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// API group; empty for the core.
    pub group: &'static str,
    /// Resource, plural.
    pub resource: &'static str,
    /// Verbs.
    pub verbs: Vec<&'static str>,
}

impl std::fmt::Display for Rights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dot = if self.group.is_empty() { "" } else { "." };
        write!(f, "{} {}{dot}{}", self.verbs.join("/"), self.resource, self.group)
    }
}

const RESOURCES: [(&str, &str); 14] = [
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
    ("keda.sh", "triggerauthentications"),
];

const VERBS: [&str; 4] = ["get", "create", "patch", "delete"];
/// Questions under way.
const AT_ONCE: usize = 8;

/// The rights that a stack needs cluster-wide and the caller lacks.
///
/// # Errors
///
/// Those of [`Cluster::client`], [`Error::Unreachable`] if no answer comes, and [`Error::Refused`] if the API server
/// refuses.
pub async fn missing_rights(cluster: &Cluster) -> Result<Vec<Rights>> {
    let session = cluster.session().await?;
    let api: Api<SelfSubjectAccessReview> = Api::all(session.client.clone());
    let failed = |error: kube::Error| Error::from_kube(&session.server, "ask for the caller's rights", &error);
    let requested = RESOURCES.into_iter().flat_map(|resource| VERBS.map(|verb| (resource, verb)));
    let answers = requested.map(|((group, resource), verb)| {
        let api = &api;
        async move {
            let review = api.create(&PostParams::default(), &review(group, resource, verb)).await.map_err(failed)?;
            Ok((group, resource, verb, review.status.is_some_and(|status| status.allowed)))
        }
    });
    let answers: Vec<_> = stream::iter(answers).buffered(AT_ONCE).try_collect().await?;
    let mut missing: Vec<Rights> = Vec::new();
    for (group, resource, verb, _) in answers.into_iter().filter(|(.., allowed)| !allowed) {
        match missing.last_mut() {
            Some(last) if (last.group, last.resource) == (group, resource) => last.verbs.push(verb),
            _ => missing.push(Rights { group, resource, verbs: vec![verb] }),
        }
    }
    Ok(missing)
}

fn review(group: &str, resource: &str, verb: &str) -> SelfSubjectAccessReview {
    let attributes = ResourceAttributes {
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    };
    SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() },
        ..Default::default()
    }
}
