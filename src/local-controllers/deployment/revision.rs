//! A revision is a ReplicaSet: how it is named, marked and recognised.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::rollout;
use crate::object::{annotate, annotation, integer, name, namespace, owner_reference, strings};

pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
pub(super) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAX: &str = "deployment.kubernetes.io/max-replicas";
pub(super) const HASH_LABEL: &str = "pod-template-hash";
/// Annotations of the Deployment that say nothing about its revisions.
const NOT_INHERITED: [&str; 5] =
    ["kubectl.kubernetes.io/last-applied-configuration", "deprecated.deployment.rollback.to", REVISION, DESIRED, MAX];

pub(super) fn number(set: &Value) -> i64 {
    annotation(set, REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Ten letters that stand for a pod template; free of vowels like the names that Kubernetes makes.
pub(super) fn hash(template: &Value, collisions: i64) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut template = template.clone();
    strip_hash(&mut template);
    let digest = Sha256::new().chain_update(template.to_string()).chain_update(collisions.to_be_bytes()).finalize();
    let number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]).to_string();
    number.bytes().map(|digit| char::from(LETTERS[usize::from(digit) % LETTERS.len()])).collect()
}

fn strip_hash(template: &mut Value) {
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(HASH_LABEL);
    }
}

/// Whether a ReplicaSet runs this Deployment's present template.
pub(super) fn is_newest(deployment: &Value, set: &Value) -> bool {
    let (mut wanted, mut found) = (deployment["spec"]["template"].clone(), set["spec"]["template"].clone());
    strip_hash(&mut wanted);
    strip_hash(&mut found);
    for template in [&mut wanted, &mut found] {
        if let Some(metadata) = template.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|key, value| matches!(key.as_str(), "labels" | "annotations") && *value != json!({}));
        }
    }
    wanted == found
}

pub(super) fn build_set(deployment: &Value, replicas: i64, revision: i64) -> Value {
    let mut template = deployment["spec"]["template"].clone();
    let hash = hash(&template, integer(deployment, "/status/collisionCount").unwrap_or(0));
    template["metadata"]["labels"][HASH_LABEL] = json!(hash);
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"][HASH_LABEL] = json!(hash);
    let mut set = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{}-{hash}", name(deployment)), "namespace": namespace(deployment),
            "labels": template["metadata"]["labels"],
            "ownerReferences": [owner_reference(deployment, "apps/v1", "Deployment")],
        },
        "spec": {
            "replicas": replicas, "selector": selector, "template": template,
            "minReadySeconds": integer(deployment, "/spec/minReadySeconds").unwrap_or(0),
        },
    });
    mark(&mut set, deployment, revision);
    set
}

/// Brings revision number, sizes and inherited annotations up to date; returns whether anything changed.
pub(super) fn mark(set: &mut Value, deployment: &Value, revision: i64) -> bool {
    let mut changed = mark_sizes(set, deployment);
    changed |= annotate(set, REVISION, &revision.to_string());
    for (key, value) in strings(deployment, "/metadata/annotations") {
        if !NOT_INHERITED.contains(&key.as_str()) {
            changed |= annotate(set, &key, &value);
        }
    }
    let seconds = integer(deployment, "/spec/minReadySeconds").unwrap_or(0);
    if integer(set, "/spec/minReadySeconds").unwrap_or(0) != seconds {
        set["spec"]["minReadySeconds"] = seconds.into();
        changed = true;
    }
    changed
}

/// Notes for which size of the Deployment this set was last sized.
pub(super) fn mark_sizes(set: &mut Value, deployment: &Value) -> bool {
    let replicas = rollout::wanted(deployment);
    let desired = annotate(set, DESIRED, &replicas.to_string());
    annotate(set, MAX, &(replicas + rollout::surge(deployment)).to_string()) || desired
}
