//! Whether the caller may do what a stack needs, asked of the API server before anything is made.
//!
//! Who makes a role must have every right that it grants, and who binds one every right of it, or else `escalate` and `bind`
//! (<https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping>): a stack's roles
//! are part of what is asked.

mod grants;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::{Api, PostParams};
use serde_json::Value;

use crate::Result;
use crate::connection::{Cluster, Session};
use crate::error::Error;

/// Rights on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rights {
    /// API group; empty for the core, `*` for all.
    pub group: String,
    /// Resource, plural; with its subresource as `jobs/status`.
    pub resource: String,
    /// The one object, if not all.
    pub name: Option<String>,
    /// The one namespace, if not all.
    pub namespace: Option<String>,
    /// Verbs.
    pub verbs: Vec<String>,
}

impl std::fmt::Display for Rights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dot = if self.group.is_empty() { "" } else { "." };
        write!(f, "{} {}{dot}{}", self.verbs.join("/"), self.resource, self.group)?;
        self.name.iter().try_for_each(|name| write!(f, " {name}"))?;
        self.namespace.iter().try_for_each(|namespace| write!(f, " in {namespace}"))
    }
}

const RESOURCES: [(&str, &str); 16] = [
    ("", "namespaces"),
    ("", "serviceaccounts"),
    ("", "services"),
    ("", "pods"),
    ("apps", "deployments"),
    ("policy", "poddisruptionbudgets"),
    (RBAC, "clusterroles"),
    (RBAC, "clusterrolebindings"),
    (RBAC, "roles"),
    (RBAC, "rolebindings"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("apiregistration.k8s.io", "apiservices"),
    ("keda.sh", "scaledobjects"),
    ("keda.sh", "scaledjobs"),
    ("keda.sh", "triggerauthentications"),
    ("keda.sh", "clustertriggerauthentications"),
];

const RBAC: &str = "rbac.authorization.k8s.io";
const VERBS: [&str; 5] = ["get", "list", "create", "patch", "delete"];
/// Questions under way.
const AT_ONCE: usize = 8;

/// The rights that a stack with these objects needs and the caller lacks.
///
/// # Errors
///
/// Those of [`Cluster::client`], [`Error::Unreachable`] if no answer comes, and [`Error::Refused`] if the API server
/// refuses.
pub async fn missing_rights(cluster: &Cluster, objects: &[Value]) -> Result<Vec<Rights>> {
    let session = cluster.session().await?;
    let all = RESOURCES.into_iter().map(|(group, resource)| rights(group, resource, None, &VERBS));
    // `status` and `verify` count the Jobs of ScaledJobs, and `down` waits for their end.
    let jobs = rights("batch", "jobs", None, &["list"]);
    let mut missing = lacking(&session, all.chain([jobs]).collect()).await?;
    // Who may escalate may grant what he lacks; who may bind may give others such roles.
    let escalate = ["clusterroles", "roles"].map(|roles| rights(RBAC, roles, None, &["escalate"]));
    if !lacking(&session, escalate.to_vec()).await?.is_empty() {
        missing.extend(lacking(&session, grants::granted(objects)).await?);
    }
    for role in grants::bound(objects) {
        let bind = lacking(&session, vec![rights(RBAC, role.resource(), Some(&role.name), &["bind"])]).await?;
        let lacks_some = match role.rules(&session).await {
            _ if bind.is_empty() => false,
            Some(rules) => !lacking(&session, rules).await?.is_empty(),
            None => true,
        };
        missing.extend(bind.into_iter().filter(|_| lacks_some));
    }
    missing.sort();
    missing.dedup();
    Ok(missing)
}

fn rights(group: &str, resource: &str, name: Option<&str>, verbs: &[&str]) -> Rights {
    let verbs = verbs.iter().map(|verb| (*verb).to_owned()).collect();
    Rights { group: group.into(), resource: resource.into(), name: name.map(str::to_owned), namespace: None, verbs }
}

/// What the caller lacks of these rights.
async fn lacking(session: &Session, wanted: Vec<Rights>) -> Result<Vec<Rights>> {
    let api: Api<SelfSubjectAccessReview> = Api::all(session.client.clone());
    let failed = |error: kube::Error| Error::from_kube(&session.server, "ask for the caller's rights", &error);
    let questions = wanted.iter().flat_map(|rights| rights.verbs.iter().map(move |verb| (rights, verb)));
    let answers = questions.map(|(rights, verb)| {
        let api = &api;
        async move {
            let review = api.create(&PostParams::default(), &review(rights, verb)).await.map_err(failed)?;
            Ok((rights, verb, review.status.is_some_and(|status| status.allowed)))
        }
    });
    let answers: Vec<_> = stream::iter(answers).buffered(AT_ONCE).try_collect().await?;
    let mut missing: Vec<Rights> = Vec::new();
    for (rights, verb, _) in answers.into_iter().filter(|(.., allowed)| !allowed) {
        let is_same = |last: &&mut Rights| {
            Rights { verbs: Vec::new(), ..(**last).clone() } == Rights { verbs: Vec::new(), ..rights.clone() }
        };
        match missing.last_mut().filter(is_same) {
            Some(last) => last.verbs.push(verb.clone()),
            None => missing.push(Rights { verbs: vec![verb.clone()], ..rights.clone() }),
        }
    }
    Ok(missing)
}

fn review(rights: &Rights, verb: &str) -> SelfSubjectAccessReview {
    let (resource, subresource) = match rights.resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (rights.resource.as_str(), None),
    };
    let attributes = ResourceAttributes {
        group: Some(rights.group.clone()),
        resource: Some(resource.to_owned()),
        subresource,
        name: rights.name.clone(),
        namespace: rights.namespace.clone(),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    };
    SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() },
        ..Default::default()
    }
}

#[cfg(test)]
mod tests;
