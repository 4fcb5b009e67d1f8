//! The PersistentVolumeClaims of a StatefulSet's pods: made with the first pod of an ordinal, kept for its successors, and
//! removed with the set or with a pod that is not needed any more where `persistentVolumeClaimRetentionPolicy` says so.

use std::sync::Arc;

use serde_json::{Value, json};

use super::identity;
use crate::cache::Cache;
use crate::error::Result;
use crate::object::{Key, integer, items, labels, name, namespace, text, uid};

const CLAIMS: &str = "persistentvolumeclaims";

fn deletes(set: &Value, moment: &str) -> bool {
    text(set, &format!("/spec/persistentVolumeClaimRetentionPolicy/{moment}")) == "Delete"
}

/// The reference that lets a claim go with `owner`.
fn reference(owner: &Value, api_version: &str, kind: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "name": name(owner), "uid": uid(owner)})
}

/// The claims of an ordinal that are not there yet.
pub(super) async fn missing(cache: &Cache, set: &Value, ordinal: i64) -> Result<Vec<Value>> {
    let mut claims = Vec::new();
    for template in items(set, "/spec/volumeClaimTemplates") {
        let key = Key::new(namespace(set), identity::claim_name(set, template, ordinal));
        if cache.get(CLAIMS, &key.namespace, &key.name).is_some()
            || cache.fetch(&cache.client, CLAIMS, &key).await?.is_some()
        {
            continue;
        }
        let mut labels = labels(template);
        let selected = crate::object::strings(set, "/spec/selector/matchLabels");
        labels.extend(selected);
        let mut metadata = json!({"name": key.name, "namespace": key.namespace, "labels": labels});
        if let Some(annotations) = template.pointer("/metadata/annotations") {
            metadata["annotations"] = annotations.clone();
        }
        if deletes(set, "whenDeleted") {
            metadata["ownerReferences"] = json!([reference(set, "apps/v1", "StatefulSet")]);
        }
        claims.push(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": template["spec"]}));
    }
    Ok(claims)
}

/// Brings the references of the pods' claims to the set in line with `whenDeleted`.
pub(super) async fn keep_owners(cache: &Cache, set: &Value, pods: &[Arc<Value>]) -> Result<()> {
    let wanted = deletes(set, "whenDeleted");
    let start = integer(set, "/spec/ordinals/start").unwrap_or(0);
    let replicas = integer(set, "/spec/replicas").unwrap_or(1);
    let ordinals = pods.iter().filter_map(|pod| identity::ordinal(set, pod));
    for ordinal in ordinals.filter(|ordinal| (start..start + replicas).contains(ordinal)) {
        for claim in of(cache, set, ordinal) {
            let owners = items(&claim, "/metadata/ownerReferences");
            if owners.iter().any(|owner| text(owner, "/uid") == uid(set)) != wanted {
                let mut kept: Vec<Value> =
                    owners.iter().filter(|owner| text(owner, "/uid") != uid(set)).cloned().collect();
                kept.extend(wanted.then(|| reference(set, "apps/v1", "StatefulSet")));
                write(cache, &claim, &kept).await?;
            }
        }
    }
    Ok(())
}

/// A pod goes because there are fewer to be: with `whenScaled: Delete` its claims go with it.
pub(super) async fn condemn(cache: &Cache, set: &Value, pod: &Value) -> Result<()> {
    let Some(ordinal) = identity::ordinal(set, pod).filter(|_| deletes(set, "whenScaled")) else { return Ok(()) };
    for claim in of(cache, set, ordinal) {
        let owners = items(&claim, "/metadata/ownerReferences");
        if owners.iter().any(|owner| text(owner, "/uid") == uid(pod)) {
            continue;
        }
        // Not the set's any more, or it would hold them for as long as it is there.
        let mut kept: Vec<Value> = owners.iter().filter(|owner| text(owner, "/uid") != uid(set)).cloned().collect();
        kept.push(reference(pod, "v1", "Pod"));
        write(cache, &claim, &kept).await?;
    }
    Ok(())
}

fn of(cache: &Cache, set: &Value, ordinal: i64) -> Vec<Arc<Value>> {
    let templates = items(set, "/spec/volumeClaimTemplates").iter();
    templates
        .filter_map(|template| cache.get(CLAIMS, namespace(set), &identity::claim_name(set, template, ordinal)))
        .collect()
}

async fn write(cache: &Cache, claim: &Value, owners: &[Value]) -> Result<()> {
    let version = text(claim, "/metadata/resourceVersion");
    let patch = json!({"metadata": {"uid": uid(claim), "resourceVersion": version, "ownerReferences": owners}});
    match cache.merge(CLAIMS, &Key::of(claim), "", &patch).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}
