//! Whose is what: a controller takes over what its selector selects and nobody controls, and lets go of what it no longer
//! selects, so that work is neither done twice nor left behind.
//!
//! Source: `pkg/controller/controller_ref_manager.go` of Kubernetes.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::cache::Cache;
use crate::error::Result;
use crate::object::{
    Key, controlled_by, controller, controller_name, deleting, items, labels, namespace, owner_reference, pod_finished,
    text, uid,
};
use crate::selector::selects;

/// A controller's object that claims others.
pub(crate) struct Claimant<'a> {
    pub(crate) cache: &'a Cache,
    pub(crate) owner: &'a Value,
    /// The owner's kind as [`crate::discovery::Resource::id`] names it.
    pub(crate) id: &'a str,
    pub(crate) api_version: &'a str,
    pub(crate) kind: &'a str,
    /// What keeps an object until its owner has counted it: it comes with the owner, and goes with it. An owner that
    /// counts takes over pods that have ended, too.
    pub(crate) finalizer: Option<&'a str>,
}

impl Claimant<'_> {
    /// The objects of kind `id` that are the owner's: after adopting those that `fits` and releasing those that do not.
    /// Pods that have ended stay as they are, unless they are to be counted.
    pub(crate) async fn claim(&self, id: &str, fits: impl Fn(&Value) -> bool + Send) -> Result<Vec<Arc<Value>>> {
        let matches = |one: &Value| selects(self.owner.pointer("/spec/selector"), &labels(one)) && fits(one);
        let mut may_adopt = None;
        for one in self.cache.list(id, Some(namespace(self.owner))) {
            let ended = id == "pods" && self.finalizer.is_none() && pod_finished(&one);
            if deleting(&one) || deleting(self.owner) || ended {
                continue;
            }
            if controlled_by(&one, uid(self.owner)) {
                if !matches(&one) {
                    self.release(id, &one).await?;
                }
            } else if controller(&one).is_none() && matches(&one) {
                // Asked once, and of the server: the copy may not know yet that the owner is terminating.
                let may = match may_adopt {
                    Some(may) => may,
                    None => self.is_present().await?,
                };
                may_adopt = Some(may);
                if may {
                    self.adopt(id, &one).await?;
                }
            }
        }
        let all = self.cache.list(id, Some(namespace(self.owner)));
        Ok(all.into_iter().filter(|one| controlled_by(one, uid(self.owner))).collect())
    }

    async fn is_present(&self) -> Result<bool> {
        let found = self.cache.fetch(&self.cache.client, self.id, &Key::of(self.owner)).await?;
        Ok(found.is_some_and(|found| uid(&found) == uid(self.owner) && !deleting(&found)))
    }

    async fn adopt(&self, id: &str, one: &Value) -> Result<()> {
        let mut owners = items(one, "/metadata/ownerReferences").to_vec();
        owners.push(owner_reference(self.owner, self.api_version, self.kind));
        self.write(id, one, &owners, true).await
    }

    async fn release(&self, id: &str, one: &Value) -> Result<()> {
        let owners = items(one, "/metadata/ownerReferences").iter();
        let kept: Vec<Value> = owners.filter(|owner| text(owner, "/uid") != uid(self.owner)).cloned().collect();
        self.write(id, one, &kept, false).await
    }

    /// Writes on top of the version that the decision was made on; a deleted object needs no owner.
    async fn write(&self, id: &str, one: &Value, owners: &[Value], owned: bool) -> Result<()> {
        let version = text(one, "/metadata/resourceVersion");
        let mut patch = json!({"metadata": {"uid": uid(one), "resourceVersion": version, "ownerReferences": owners}});
        if let Some(finalizer) = self.finalizer {
            let others = items(one, "/metadata/finalizers").iter().filter(|held| *held != finalizer);
            let all: Vec<Value> = others.cloned().chain(owned.then(|| finalizer.into())).collect();
            patch["metadata"]["finalizers"] = all.into();
        }
        match self.cache.merge(id, &Key::of(one), "", &patch).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

/// Whom a change of `object` concerns: its controller if that is of this kind, or, where nobody controls it, every owner of
/// kind `id` whose selector selects it.
pub(crate) fn owners(cache: &Cache, id: &str, kind: &str, object: &Value) -> Vec<Key> {
    if let Some(owner) = controller_name(object, kind) {
        return vec![Key::new(namespace(object), owner)];
    }
    if controller(object).is_some() {
        return Vec::new();
    }
    let owners = cache.list(id, Some(namespace(object)));
    let matching = owners.iter().filter(|owner| selects(owner.pointer("/spec/selector"), &labels(object)));
    matching.map(|owner| Key::of(owner)).collect()
}
