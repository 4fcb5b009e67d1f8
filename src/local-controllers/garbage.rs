//! Garbage collection by owner references: background cascade, foreground deletion, orphaning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cache::{Cache, Change};
use crate::error::{Error, Result};
use crate::object::{Key, deleting, flag, items, text, uid};
use crate::work::Controller;

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// An object of any kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Node {
    id: String,
    key: Key,
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.id, self.key)
    }
}

pub(crate) struct GarbageCollector {
    cache: Arc<Cache>,
    /// Who names which owner, by the owner's uid.
    dependents: Mutex<BTreeMap<String, BTreeSet<Node>>>,
}

/// What an owner reference leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Present,
    /// Being deleted in the foreground and waiting for this dependent.
    Waiting,
    Absent,
    /// Its kind cannot be looked up now; nothing may be concluded.
    Unknown,
}

impl Controller for GarbageCollector {
    type Key = Node;
    const NAME: &'static str = "garbage";

    fn concerns(&self, change: &Change) -> Vec<(Node, Duration)> {
        let Some(object) = change.object() else { return vec![] };
        let node = Node { id: change.id.clone(), key: Key::of(object) };
        let mut dependents = self.dependents.lock().unwrap_or_else(PoisonError::into_inner);
        for owner in change.old.iter().flat_map(|old| items(old, "/metadata/ownerReferences")) {
            if let Some(nodes) = dependents.get_mut(text(owner, "/uid")) {
                nodes.remove(&node);
            }
        }
        for owner in change.new.iter().flat_map(|new| items(new, "/metadata/ownerReferences")) {
            dependents.entry(text(owner, "/uid").to_owned()).or_default().insert(node.clone());
        }
        let mut concerned = Vec::new();
        match &change.new {
            Some(new) if !items(new, "/metadata/ownerReferences").is_empty() || deleting(new) => concerned.push(node),
            Some(_) => {}
            // Its dependents may have lost their last owner.
            None => concerned.extend(dependents.remove(uid(object)).into_iter().flatten()),
        }
        // An owner that waits for its dependents looks again when one of them changes or goes.
        let owners = items(object, "/metadata/ownerReferences").iter();
        concerned.extend(owners.filter_map(|owner| self.waiting_owner(object, owner)));
        concerned.into_iter().map(|node| (node, Duration::ZERO)).collect()
    }

    async fn reconcile(&self, node: &Node) -> Result<Option<Duration>> {
        let Some(object) = self.cache.get(&node.id, &node.key.namespace, &node.key.name) else { return Ok(None) };
        if deleting(&object) {
            let finalizers = items(&object, "/metadata/finalizers");
            if finalizers.iter().any(|one| one == ORPHAN) {
                return self.orphan(node, &object).await.map(|()| None);
            }
            if finalizers.iter().any(|one| one == FOREGROUND) {
                return self.delete_dependents(node, &object).await.map(|()| None);
            }
            return Ok(None);
        }
        self.collect(node, &object).await
    }
}

impl GarbageCollector {
    pub(crate) fn new(cache: &Arc<Cache>) -> Self {
        Self { cache: Arc::clone(cache), dependents: Mutex::default() }
    }

    fn dependents_of(&self, object: &Value) -> Vec<(Node, Arc<Value>)> {
        let dependents = self.dependents.lock().unwrap_or_else(PoisonError::into_inner);
        let nodes = dependents.get(uid(object)).into_iter().flatten();
        nodes
            .filter_map(|node| Some((node.clone(), self.cache.get(&node.id, &node.key.namespace, &node.key.name)?)))
            .collect()
    }

    fn waiting_owner(&self, dependent: &Value, reference: &Value) -> Option<Node> {
        let (node, _) = self.owner_node(dependent, reference)?;
        let owner = self.cache.get(&node.id, &node.key.namespace, &node.key.name)?;
        (deleting(&owner) && !items(&owner, "/metadata/finalizers").is_empty()).then_some(node)
    }

    /// Where the reference points: owners live in the dependent's namespace or in none.
    fn owner_node(&self, dependent: &Value, reference: &Value) -> Option<(Node, bool)> {
        let (api_version, kind) = (text(reference, "/apiVersion"), text(reference, "/kind"));
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let resource = self.cache.resources().into_iter().find(|one| one.kind == kind && one.group == group)?;
        let namespace = if resource.namespaced { crate::object::namespace(dependent) } else { "" };
        let key = Key::new(namespace, text(reference, "/name"));
        Some((Node { id: resource.id(), key }, resource.namespaced))
    }

    async fn classify(&self, dependent: &Value, reference: &Value) -> Result<Owner> {
        let Some((node, _)) = self.owner_node(dependent, reference) else { return Ok(Owner::Unknown) };
        let same = |owner: &Value| uid(owner) == text(reference, "/uid");
        let known = self.cache.get(&node.id, &node.key.namespace, &node.key.name).map(|owner| (*owner).clone());
        let owner = match known {
            Some(owner) if same(&owner) => Some(owner),
            // Absence is believed only when the server itself says so.
            _ => self.cache.fetch(&self.cache.client, &node.id, &node.key).await?,
        };
        Ok(match owner {
            Some(owner) if same(&owner) => {
                let foreground = items(&owner, "/metadata/finalizers").iter().any(|one| one == FOREGROUND);
                if deleting(&owner) && foreground { Owner::Waiting } else { Owner::Present }
            }
            _ => Owner::Absent,
        })
    }

    async fn collect(&self, node: &Node, object: &Value) -> Result<Option<Duration>> {
        let references = items(object, "/metadata/ownerReferences");
        let mut found = Vec::new();
        for reference in references {
            found.push(self.classify(object, reference).await?);
        }
        if found.is_empty() || found.iter().all(|one| *one == Owner::Present) {
            return Ok(None);
        }
        if found.contains(&Owner::Unknown) {
            // A kind may still be on its way into discovery.
            return Ok(Some(Duration::from_secs(30)));
        }
        if found.contains(&Owner::Present) {
            let kept: Vec<&Value> = references
                .iter()
                .zip(&found)
                .filter(|(_, one)| **one == Owner::Present)
                .map(|(kept, _)| kept)
                .collect();
            let patch = json!({"metadata": {"uid": uid(object), "resourceVersion": text(object, "/metadata/resourceVersion"), "ownerReferences": kept}});
            return self.tolerate(self.cache.merge(&node.id, &node.key, "", &patch).await);
        }
        let blocking = self.dependents_of(object).iter().any(|(_, one)| blocks(one, object));
        let policy = if found.contains(&Owner::Waiting) && blocking { "Foreground" } else { "Background" };
        // The decision was made on this version: one with other owners needs a new decision.
        let preconditions = json!({"uid": uid(object), "resourceVersion": text(object, "/metadata/resourceVersion")});
        self.cache
            .delete(&node.id, object, &json!({"propagationPolicy": policy, "preconditions": preconditions}))
            .await?;
        Ok(None)
    }

    #[expect(clippy::unused_self, reason = "reads as a step of the collector")]
    fn tolerate(&self, result: Result<Value>) -> Result<Option<Duration>> {
        match result {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(None),
        }
    }

    /// Foreground: dependents first; the owner goes when none that blocks it is left.
    async fn delete_dependents(&self, node: &Node, object: &Value) -> Result<()> {
        let dependents = self.dependents_of(object);
        for (one, dependent) in &dependents {
            if !deleting(dependent) {
                self.cache.delete(&one.id, dependent, &json!({"propagationPolicy": "Foreground"})).await?;
            }
        }
        if self.dependents_of(object).iter().any(|(_, dependent)| blocks(dependent, object)) {
            return Ok(());
        }
        self.drop_finalizer(node, FOREGROUND).await
    }

    /// The dependents as the server has them: kinds are watched one by one, and the copy of a dependent's kind may be
    /// behind that of its owner's.
    async fn present_dependents(&self, object: &Value) -> Result<Vec<(Node, Value)>> {
        let mut found = Vec::new();
        let namespace = crate::object::namespace(object);
        let kinds = self.cache.resources().into_iter().filter(|kind| namespace.is_empty() || kind.namespaced);
        for kind in kinds {
            let listing = match self.cache.client.list(&kind.collection(namespace)).await {
                Ok(listing) => listing,
                Err(status) if status.is_not_found() => continue,
                Err(status) => return Err(Error::api(format!("failed to list {}", kind.id()))(status)),
            };
            let names = |one: &&Value| {
                items(one, "/metadata/ownerReferences").iter().any(|reference| text(reference, "/uid") == uid(object))
            };
            let dependents = items(&listing, "/items").iter().filter(names);
            found.extend(dependents.map(|one| (Node { id: kind.id(), key: Key::of(one) }, one.clone())));
        }
        Ok(found)
    }

    /// Orphan: dependents forget the owner, then it goes.
    async fn orphan(&self, node: &Node, object: &Value) -> Result<()> {
        for (one, dependent) in self.present_dependents(object).await? {
            let references = items(&dependent, "/metadata/ownerReferences").iter();
            let kept: Vec<&Value> = references.filter(|reference| text(reference, "/uid") != uid(object)).collect();
            let patch = json!({"metadata": {"uid": uid(&dependent), "resourceVersion": text(&dependent, "/metadata/resourceVersion"), "ownerReferences": kept}});
            self.tolerate(self.cache.merge(&one.id, &one.key, "", &patch).await)?;
        }
        self.drop_finalizer(node, ORPHAN).await
    }

    async fn drop_finalizer(&self, node: &Node, finalizer: &str) -> Result<()> {
        let Some(mut current) = self.cache.fetch(&self.cache.client, &node.id, &node.key).await? else { return Ok(()) };
        if let Some(finalizers) = current.pointer_mut("/metadata/finalizers").and_then(Value::as_array_mut) {
            finalizers.retain(|one| one != finalizer);
        }
        self.tolerate(self.cache.update(&node.id, &current, "").await).map(drop)
    }
}

fn blocks(dependent: &Value, owner: &Value) -> bool {
    let references = items(dependent, "/metadata/ownerReferences").iter();
    references.filter(|one| text(one, "/uid") == uid(owner)).any(|one| flag(one, "/blockOwnerDeletion"))
}
