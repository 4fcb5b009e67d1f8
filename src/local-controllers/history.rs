//! ControllerRevisions: the templates that a StatefulSet or DaemonSet has had, by which its pods are distinguished.
//!
//! Source: `pkg/controller/history` of Kubernetes.

use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::adoption::Claimant;
use crate::error::Result;
use crate::object::{Key, integer, labels, name, namespace, owner_reference, text, uid};

pub(crate) const REVISIONS: &str = "controllerrevisions.apps";
/// Names the revision of a pod.
pub(crate) const HASH_LABEL: &str = "controller-revision-hash";

/// The revisions of one owner, oldest first, and the one that its present template has.
pub(crate) struct History {
    pub(crate) all: Vec<Arc<Value>>,
    pub(crate) newest: Arc<Value>,
    /// How often a name was taken by another template.
    pub(crate) collisions: i64,
}

impl History {
    /// The revision of a name; none if it is not kept any more.
    pub(crate) fn named(&self, wanted: &str) -> Option<&Arc<Value>> {
        self.all.iter().find(|one| name(one) == wanted)
    }
}

/// The template that a revision holds.
pub(crate) fn template(revision: &Value) -> Value {
    let mut template = revision["data"]["spec"]["template"].clone();
    if let Some(map) = template.as_object_mut() {
        map.remove("$patch");
    }
    template
}

fn data(owner: &Value) -> Value {
    let mut template = owner["spec"]["template"].clone();
    template["$patch"] = "replace".into();
    json!({"spec": {"template": template}})
}

fn number(revision: &Value) -> i64 {
    integer(revision, "/revision").unwrap_or(0)
}

fn hash(data: &Value, collisions: i64) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let digest = Sha256::new().chain_update(data.to_string()).chain_update(collisions.to_be_bytes()).finalize();
    let number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]).to_string();
    number.bytes().map(|digit| char::from(LETTERS[usize::from(digit) % LETTERS.len()])).collect()
}

/// Makes sure that the owner's present template has the revision with the highest number.
pub(crate) async fn sync(claimant: &Claimant<'_>) -> Result<History> {
    let (cache, owner) = (claimant.cache, claimant.owner);
    let mut all = claimant.claim(REVISIONS, |_| true).await?;
    all.sort_by_key(|one| (number(one), name(one).to_owned()));
    let mut collisions = integer(owner, "/status/collisionCount").unwrap_or(0);
    let wanted = data(owner);
    let highest = all.last().map_or(0, |one| number(one));
    let equal = all.iter().rposition(|one| one["data"] == wanted);
    if let Some(at) = equal {
        if number(&all[at]) != highest {
            // Rolled back to: it becomes the newest again.
            let mut changed = (*all[at]).clone();
            changed["revision"] = (highest + 1).into();
            all.remove(at);
            all.push(Arc::new(cache.update(REVISIONS, &changed, "").await?));
        }
        let newest = Arc::clone(all.iter().max_by_key(|one| number(one)).unwrap_or(&all[at.min(all.len() - 1)]));
        return Ok(History { all, newest, collisions });
    }
    loop {
        let hash = hash(&wanted, collisions);
        let mut labels = labels(&owner["spec"]["template"]);
        labels.insert("controller.kubernetes.io/hash".to_owned(), hash.clone());
        let revision = json!({
            "apiVersion": "apps/v1", "kind": "ControllerRevision", "data": wanted, "revision": highest + 1,
            "metadata": {
                "name": format!("{}-{hash}", name(owner)), "namespace": namespace(owner), "labels": labels,
                "ownerReferences": [owner_reference(owner, claimant.api_version, claimant.kind)],
            },
        });
        match cache.create(REVISIONS, &revision).await {
            Ok(made) => {
                let newest = Arc::new(made);
                all.push(Arc::clone(&newest));
                return Ok(History { all, newest, collisions });
            }
            // The copy may not have it yet; or another template has the name by chance.
            Err(error) if error.is_already_exists() => {
                let key = Key::new(namespace(owner), name(&revision));
                let found = cache.fetch(&cache.client, REVISIONS, &key).await?;
                match found {
                    Some(found) if found["data"] == wanted && crate::object::controlled_by(&found, uid(owner)) => {
                        return Err(error);
                    }
                    Some(_) => collisions += 1,
                    None => {}
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// Removes the oldest revisions beyond `revisionHistoryLimit` that are not `live`.
pub(crate) async fn trim(claimant: &Claimant<'_>, history: &History, live: &[&str]) -> Result<()> {
    let limit = integer(claimant.owner, "/spec/revisionHistoryLimit").unwrap_or(10).max(0) as usize;
    let unused: Vec<&Arc<Value>> = history.all.iter().filter(|one| !live.contains(&name(one))).collect();
    for one in unused.iter().take(unused.len().saturating_sub(limit)) {
        claimant.cache.delete(REVISIONS, one, &json!({})).await?;
    }
    Ok(())
}

/// The revision that a pod says it is of.
pub(crate) fn of_pod(pod: &Value) -> &str {
    text(pod, "/metadata/labels/controller-revision-hash")
}
