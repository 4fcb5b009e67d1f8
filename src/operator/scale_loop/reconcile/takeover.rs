//! An HPA in which others own fields: what they own becomes ours, so that the next apply removes what is not wanted.
//!
//! Server-side apply leaves alone what another manager owns. KEDA writes its HPA whole, so there nothing of others stays; after a
//! migration from it, or where somebody's HPA is taken over, an old `behavior` would be in force for ever. Ownership is moved
//! in `managedFields`, as Kubernetes' own migration does it (<https://pkg.go.dev/k8s.io/client-go/util/csaupgrade>), so the HPA
//! keeps its uid and no moment is without it.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Map, Value, json};

/// Who we are in `managedFields`.
pub(super) const FIELD_MANAGER: &str = "keda-operator";
/// How KEDA's operator is called in `managedFields`, and what stands there for times before any apply.
const FORMER_MANAGERS: [&str; 2] = ["keda", "before-first-apply"];
/// The fields of an HPA's spec.
const SPEC: [&str; 5] = ["f:behavior", "f:maxReplicas", "f:metrics", "f:minReplicas", "f:scaleTargetRef"];
/// Fields of the metadata that an HPA of ours says itself.
const METADATA: [&str; 3] = ["f:annotations", "f:labels", "f:ownerReferences"];

/// What of others' fields becomes ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Everything: the HPA was somebody else's.
    Whole,
    /// The spec, which nobody else has a say in, and all that KEDA wrote. A label that somebody puts on our HPA stays.
    Spec,
}

/// Makes ours what others own of `hpa`. Whether there was any of that.
pub(super) async fn claim(
    api: &Api<HorizontalPodAutoscaler>,
    hpa: &HorizontalPodAutoscaler,
    reach: Reach,
) -> kube::Result<bool> {
    let metadata = &hpa.metadata;
    let Some(claimed) = claimed(metadata.managed_fields.as_deref().unwrap_or_default(), reach) else {
        return Ok(false);
    };
    let patch = json!({ "metadata": { "resourceVersion": metadata.resource_version, "managedFields": claimed } });
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let name = metadata.name.as_deref().unwrap_or_default();
    api.patch(name, &params, &Patch::Merge(&patch)).await?;
    Ok(true)
}

/// The entries with what `reach` takes from others put into ours; `None` if there is nothing to take.
fn claimed(entries: &[ManagedFieldsEntry], reach: Reach) -> Option<Vec<ManagedFieldsEntry>> {
    let is_own = |entry: &ManagedFieldsEntry| {
        entry.manager.as_deref() == Some(FIELD_MANAGER)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.as_deref().unwrap_or_default().is_empty()
    };
    let mut fields = Map::new();
    let mut left = Vec::new();
    for entry in entries.iter().filter(|entry| !is_own(entry)) {
        let (taken, rest) = parted(entry, reach);
        merge(&mut fields, taken);
        if !rest.is_empty() {
            left.push(ManagedFieldsEntry { fields_v1: Some(FieldsV1(Value::Object(rest))), ..entry.clone() });
        }
    }
    if fields.is_empty() {
        return None;
    }
    let own = entries.iter().find(|entry| is_own(entry)).cloned();
    let mut own = own.unwrap_or_else(|| ManagedFieldsEntry {
        manager: Some(FIELD_MANAGER.to_owned()),
        operation: Some("Apply".to_owned()),
        api_version: Some("autoscaling/v2".to_owned()),
        fields_type: Some("FieldsV1".to_owned()),
        // Any entry's time: the next apply writes its own.
        time: entries.iter().find_map(|entry| entry.time.clone()),
        ..ManagedFieldsEntry::default()
    });
    merge(&mut fields, owned(&own));
    own.fields_v1 = Some(FieldsV1(Value::Object(fields)));
    left.insert(0, own);
    Some(left)
}

fn owned(entry: &ManagedFieldsEntry) -> Map<String, Value> {
    match &entry.fields_v1 {
        Some(FieldsV1(Value::Object(fields))) => fields.clone(),
        _ => Map::new(),
    }
}

/// What is taken from an entry, and what is left of it. A subresource's is not touched: the status is its controller's.
fn parted(entry: &ManagedFieldsEntry, reach: Reach) -> (Map<String, Value>, Map<String, Value>) {
    let (mut taken, mut rest) = (Map::new(), owned(entry));
    if !entry.subresource.as_deref().unwrap_or_default().is_empty() {
        return (taken, rest);
    }
    let manager = entry.manager.as_deref().unwrap_or_default();
    let is_former = FORMER_MANAGERS.contains(&manager) || manager == FIELD_MANAGER;
    move_below(&mut rest, &mut taken, "f:spec", &SPEC);
    if reach == Reach::Whole || is_former {
        move_below(&mut rest, &mut taken, "f:metadata", &METADATA);
    }
    (taken, rest)
}

/// Moves these fields below `parent` from one set to another.
fn move_below(from: &mut Map<String, Value>, to: &mut Map<String, Value>, parent: &str, names: &[&str]) {
    let Some(Value::Object(below)) = from.get_mut(parent) else { return };
    let moved: Map<_, _> = names.iter().filter_map(|name| below.remove_entry(*name)).collect();
    if below.keys().all(|key| key == ".") {
        from.remove(parent);
    }
    if !moved.is_empty() {
        to.insert(parent.to_owned(), Value::Object(moved));
    }
}

/// The union of two sets of fields, in `into`.
fn merge(into: &mut Map<String, Value>, other: Map<String, Value>) {
    for (key, value) in other {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(held)), Value::Object(value)) => merge(held, value),
            (Some(_), _) => {}
            (None, value) => drop(into.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, subresource: Option<&str>, fields: &Value) -> ManagedFieldsEntry {
        serde_json::from_value(json!({
            "manager": manager, "operation": operation, "subresource": subresource, "apiVersion": "autoscaling/v2",
            "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields,
        }))
        .unwrap()
    }

    /// Manager and fields of each entry after a claim.
    fn after(entries: &[ManagedFieldsEntry], reach: Reach) -> Option<Vec<(String, Value)>> {
        let entries = claimed(entries, reach)?;
        let shown = |entry: ManagedFieldsEntry| (entry.manager.clone().unwrap(), Value::Object(owned(&entry)));
        Some(entries.into_iter().map(shown).collect())
    }

    fn own(fields: &Value) -> ManagedFieldsEntry {
        entry(FIELD_MANAGER, "Apply", None, fields)
    }

    #[test]
    fn all_that_keda_wrote_becomes_ours_and_the_status_stays_its_controllers() {
        let status = entry("kube-controller-manager", "Update", Some("status"), &json!({ "f:status": { "f:x": {} } }));
        let keda = json!({
            "f:metadata": { "f:labels": { ".": {}, "f:old": {} }, "f:annotations": { "f:note": {} } },
            "f:spec": { "f:behavior": { "f:scaleDown": {} }, "f:maxReplicas": {} },
        });
        let ours = json!({ "f:spec": { "f:maxReplicas": {}, "f:metrics": {} } });
        let entries = [own(&ours), entry("keda", "Update", None, &keda), status];
        let found = after(&entries, Reach::Spec).unwrap();
        let union = json!({
            "f:metadata": { "f:labels": { ".": {}, "f:old": {} }, "f:annotations": { "f:note": {} } },
            "f:spec": { "f:behavior": { "f:scaleDown": {} }, "f:maxReplicas": {}, "f:metrics": {} },
        });
        assert_eq!(found[0], (FIELD_MANAGER.to_owned(), union));
        assert_eq!((found.len(), found[1].0.as_str()), (2, "kube-controller-manager"));
    }

    #[test]
    fn a_hand_in_the_spec_is_taken_off_and_a_label_stays_unless_the_hpa_was_foreign() {
        let hand =
            json!({ "f:metadata": { "f:labels": { "f:team": {} } }, "f:spec": { "f:behavior": {}, "f:other": {} } });
        let entries = [own(&json!({})), entry("kubectl-edit", "Update", None, &hand)];
        let found = after(&entries, Reach::Spec).unwrap();
        assert_eq!(found[0].1, json!({ "f:spec": { "f:behavior": {} } }));
        let rest = json!({ "f:metadata": { "f:labels": { "f:team": {} } }, "f:spec": { "f:other": {} } });
        assert_eq!(found[1], ("kubectl-edit".to_owned(), rest));
        let found = after(&entries, Reach::Whole).unwrap();
        assert_eq!(
            found[0].1,
            json!({ "f:metadata": { "f:labels": { "f:team": {} } }, "f:spec": { "f:behavior": {} } })
        );
        assert_eq!(found[1].1, json!({ "f:spec": { "f:other": {} } }));
    }

    #[test]
    fn appliers_give_way_too_finalizers_stay_and_what_is_ours_alone_is_not_written_again() {
        let theirs = json!({ "f:metadata": { "f:finalizers": { "v:\"x\"": {} } }, "f:spec": { "f:minReplicas": {} } });
        let found = after(&[entry("argocd", "Apply", None, &theirs)], Reach::Whole).unwrap();
        assert_eq!(found[0], (FIELD_MANAGER.to_owned(), json!({ "f:spec": { "f:minReplicas": {} } })));
        assert_eq!(found[1].1, json!({ "f:metadata": { "f:finalizers": { "v:\"x\"": {} } } }));
        let label = json!({ "f:metadata": { "f:labels": { "f:team": {} } } });
        let settled = [own(&json!({ "f:spec": { "f:metrics": {} } })), entry("somebody", "Update", None, &label)];
        assert_eq!(after(&settled, Reach::Spec), None);
        assert_eq!(after(&[], Reach::Whole), None);
    }
}
