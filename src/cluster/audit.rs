//! What is left of a stack in a cluster, found by label alone: no state file is asked.

use kube::api::{DynamicObject, ListParams};
use provision::Address;
use serde_json::Value;

use crate::address::Name;
use crate::connection::Cluster;
use crate::error::Error;
use crate::object::{Manifest, Object};
use crate::{LABEL_MANAGED_BY, LABEL_STACK, MANAGER, Result};

/// The kinds that stacks make, in an order in which they may be removed.
const KINDS: [(&str, &str); 14] = [
    ("keda.sh/v1alpha1", "ScaledObject"),
    ("keda.sh/v1alpha1", "TriggerAuthentication"),
    ("keda.sh/v1alpha1", "ClusterTriggerAuthentication"),
    ("apiregistration.k8s.io/v1", "APIService"),
    ("apps/v1", "Deployment"),
    ("policy/v1", "PodDisruptionBudget"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("v1", "Namespace"),
];

/// An object of the stack that exists.
#[derive(Debug, Clone)]
pub struct Leftover {
    /// Its address in the engine.
    pub address: Address,
    /// `Deployment myproject/myapp`.
    pub identity: String,
    /// The object as a resource, so that it can be deleted.
    pub resource: Object,
}

/// Every object that carries the stack's labels. A cluster that does not exist holds none; one that cannot be read is
/// an error.
pub async fn leftovers(cluster: &Cluster, stack: &str) -> Result<Vec<Leftover>> {
    let mut found = Vec::new();
    let Some(session) = cluster.find().await? else { return Ok(found) };
    let labels = ListParams::default().labels(&format!("{LABEL_MANAGED_BY}={MANAGER},{LABEL_STACK}={stack}"));
    for (api_version, kind) in KINDS {
        // A name without a namespace lists all namespaces.
        let name = Name { api_version: api_version.into(), kind: kind.into(), namespace: None, name: String::new() };
        let Some(api) = name.api_everywhere(&session).await? else { continue };
        let action = format!("list objects of kind {kind}");
        let failed = |error: kube::Error| Error::from_kube(&session.server, &action, &error);
        for object in api.list(&labels).await.map_err(failed)? {
            found.push(leftover(cluster, stack, api_version, kind, &object)?);
        }
    }
    Ok(found)
}

fn leftover(cluster: &Cluster, stack: &str, api_version: &str, kind: &str, object: &DynamicObject) -> Result<Leftover> {
    let unreadable = |_| Error::Manifest { object: kind.to_owned(), field: "a readable body" };
    let mut object: Value = serde_json::to_value(object).map_err(unreadable)?;
    // Items of a list carry neither.
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.into();
    let name = Name::of(&object)?;
    let manifest = Manifest { object, initial: None, depends_on: Vec::new(), lives_in: None };
    let resource = Object::new(cluster.clone(), stack, manifest)?;
    Ok(Leftover { address: name.address(), identity: name.for_people(), resource })
}
