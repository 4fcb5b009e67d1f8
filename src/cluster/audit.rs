//! What is left of a stack in a cluster, found by label alone: no state file is asked.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::api::{DynamicObject, ListParams};
use provision::Address;
use serde_json::Value;

use crate::address::Name;
use crate::connection::{Cluster, Session};
use crate::error::Error;
use crate::kinds::KINDS;
use crate::object::{Manifest, Object};
use crate::{LABEL_MANAGED_BY, LABEL_STACK, MANAGER, Result};

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

/// Kinds that are listed at the same time.
const AT_ONCE: usize = 8;

/// Every object that carries the stack's labels. A cluster that does not exist holds none.
///
/// `lives_in` is the resource that is the cluster, where the stack makes it; what is `outlived_by` others goes before them.
///
/// # Errors
///
/// [`Error::Locate`] or [`Error::Kubeconfig`] if there is no way into the cluster. [`Error::Unreachable`] if no answer
/// comes. [`Error::Refused`] if the API server refuses a list. [`Error::Manifest`] if an object has no name or is
/// unreadable.
pub async fn leftovers(
    cluster: &Cluster,
    stack: &str,
    lives_in: Option<&Address>,
    outlived_by: &[Address],
) -> Result<Vec<Leftover>> {
    let Some(session) = cluster.find().await? else { return Ok(Vec::new()) };
    let listed = KINDS.into_iter().map(|(api_version, kind)| {
        let session = &session;
        async move {
            let objects = list(session, stack, api_version, kind).await?;
            let found = objects.iter().map(|object| {
                let (name, object) = named(api_version, kind, object)?;
                let (depends_on, lives_in) = (outlived_by.to_vec(), lives_in.cloned());
                let manifest = Manifest { object, initial: None, depends_on, lives_in };
                let resource = Object::new(cluster.clone(), stack, manifest)?;
                Ok(Leftover { address: name.address(), identity: name.for_people(), resource })
            });
            found.collect::<Result<Vec<_>>>()
        }
    });
    let found: Vec<Vec<Leftover>> = stream::iter(listed).buffered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn list(session: &Session, stack: &str, api_version: &str, kind: &str) -> Result<Vec<DynamicObject>> {
    let labels = ListParams::default().labels(&format!("{LABEL_MANAGED_BY}={MANAGER},{LABEL_STACK}={stack}"));
    // A name without a namespace lists all namespaces.
    let name = Name { api_version: api_version.into(), kind: kind.into(), namespace: None, name: String::new() };
    let Some(api) = name.api_everywhere(session).await? else { return Ok(Vec::new()) };
    match api.list(&labels).await {
        Ok(list) => Ok(list.items),
        // The kind went between the two looks, and all that was of it.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
        Err(error) => Err(Error::from_kube(&session.server, &format!("list objects of kind {kind}"), &error)),
    }
}

/// An item of a list as it is by itself.
fn named(api_version: &str, kind: &str, object: &DynamicObject) -> Result<(Name, Value)> {
    let unreadable = |_| Error::Manifest { object: kind.to_owned(), field: "a readable body" };
    let mut object: Value = serde_json::to_value(object).map_err(unreadable)?;
    // Items of a list carry neither.
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.into();
    Ok((Name::of(&object)?, object))
}
