//! The Job that a ScaledJob makes.

use serde_json::{Map, Value, json};

use crate::api::{GROUP, ScaledJob, VERSION};
use crate::naming::{JOB_EXCLUDED_LABELS, LAST_APPLIED, SCALED_JOB_GENERATION, SCALED_JOB_LABEL};
use crate::{KEDA_VERSION, event};

/// One Job of `owner`, as it is sent to the API server, which gives it its name.
pub fn manifest(owner: &ScaledJob) -> Value {
    let name = owner.metadata.name.as_deref().unwrap_or_default();
    let prefix = format!("{name}-");
    let mut spec = owner.spec.job_target_ref.clone();
    let template = object(object(&mut spec).entry("template").or_insert_with(|| json!({})));
    let metadata = object(template.entry("metadata").or_insert_with(|| json!({})));
    metadata.insert("generateName".into(), prefix.clone().into());
    object(metadata.entry("labels").or_insert_with(|| json!({}))).insert(SCALED_JOB_LABEL.into(), name.into());
    let pods = object(template.entry("spec").or_insert_with(|| json!({})));
    if pods.get("restartPolicy").and_then(Value::as_str).unwrap_or_default().is_empty() {
        // The default of pods, Always, is none that a Job may have.
        pods.insert("restartPolicy".into(), "OnFailure".into());
    }
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "generateName": prefix,
            "namespace": owner.metadata.namespace,
            "labels": labels(owner, name),
            "annotations": annotations(owner),
            "ownerReferences": [{
                "apiVersion": format!("{GROUP}/{VERSION}"),
                "kind": "ScaledJob",
                "name": name,
                "uid": owner.metadata.uid,
                "controller": true,
                "blockOwnerDeletion": true,
            }],
        },
        "spec": spec,
    })
}

/// The owner's labels win over those that tools go by, but not over the one by which its Jobs are found.
fn labels(owner: &ScaledJob, name: &str) -> Map<String, Value> {
    let excluded = owner.metadata.annotations.as_ref().and_then(|annotations| annotations.get(JOB_EXCLUDED_LABELS));
    let is_excluded = |key: &str| excluded.is_some_and(|excluded| excluded.split(',').any(|one| one.trim() == key));
    let own = owner.metadata.labels.iter().flatten().filter(|(key, _)| !is_excluded(key));
    let mut labels = Map::from_iter([
        ("app.kubernetes.io/name".to_owned(), name.into()),
        ("app.kubernetes.io/version".to_owned(), KEDA_VERSION.into()),
        ("app.kubernetes.io/part-of".to_owned(), name.into()),
        ("app.kubernetes.io/managed-by".to_owned(), event::COMPONENT.into()),
    ]);
    labels.extend(own.map(|(key, value)| (key.clone(), value.clone().into())));
    labels.insert(SCALED_JOB_LABEL.into(), name.into());
    labels
}

fn annotations(owner: &ScaledJob) -> Map<String, Value> {
    let own = owner.metadata.annotations.iter().flatten().filter(|(key, _)| *key != LAST_APPLIED);
    let mut annotations: Map<_, _> = own.map(|(key, value)| (key.clone(), value.clone().into())).collect();
    let generation = owner.metadata.generation.unwrap_or_default().to_string();
    annotations.insert(SCALED_JOB_GENERATION.into(), generation.into());
    annotations
}

/// `value` as an object; what is none becomes an empty one.
fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        Value::Object(object) => object,
        _ => unreachable!("it was made one"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(metadata: &Value, target: &Value) -> ScaledJob {
        let mut whole = json!({ "name": "orders", "namespace": "shop", "uid": "u", "generation": 3 });
        for (key, value) in metadata.as_object().unwrap() {
            whole[key] = value.clone();
        }
        serde_json::from_value(json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledJob", "metadata": whole,
            "spec": { "jobTargetRef": target, "triggers": [] },
        }))
        .unwrap()
    }

    #[test]
    fn a_job_is_named_labelled_and_owned_as_keda_does_it() {
        let target = json!({
            "parallelism": 2, "aFieldOfTomorrow": true,
            "template": { "metadata": { "labels": { "app": "x" } }, "spec": { "containers": [{ "name": "c" }] } },
        });
        let made = manifest(&owner(&json!({}), &target));
        assert_eq!(made["metadata"]["generateName"], "orders-");
        assert_eq!(made["metadata"]["namespace"], "shop");
        assert_eq!(
            made["metadata"]["labels"],
            json!({
                "app.kubernetes.io/name": "orders", "app.kubernetes.io/version": KEDA_VERSION,
                "app.kubernetes.io/part-of": "orders", "app.kubernetes.io/managed-by": "keda-operator",
                "scaledjob.keda.sh/name": "orders",
            })
        );
        assert_eq!(made["metadata"]["annotations"], json!({ "scaledjob.keda.sh/generation": "3" }));
        assert_eq!(
            made["metadata"]["ownerReferences"],
            json!([{
                "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledJob", "name": "orders", "uid": "u",
                "controller": true, "blockOwnerDeletion": true,
            }])
        );
        assert_eq!((&made["spec"]["parallelism"], &made["spec"]["aFieldOfTomorrow"]), (&json!(2), &json!(true)));
        let template = &made["spec"]["template"];
        assert_eq!(template["metadata"]["labels"], json!({ "app": "x", "scaledjob.keda.sh/name": "orders" }));
        assert_eq!(template["metadata"]["generateName"], "orders-");
        assert_eq!(template["spec"]["restartPolicy"], "OnFailure");
    }

    #[test]
    fn labels_and_annotations_of_the_owner_go_along_save_those_that_decide_what_is_whose() {
        let metadata = json!({
            "labels": {
                "team": "a", "secret": "b", "app.kubernetes.io/name": "mine", "scaledjob.keda.sh/name": "other",
            },
            "annotations": {
                "note": "n", "scaledjob.keda.sh/generation": "1", "scaledjob.keda.sh/job-excluded-labels": "secret, x",
            },
        });
        let target = json!({ "template": { "spec": { "restartPolicy": "Never", "containers": [] } } });
        let made = manifest(&owner(&metadata, &target));
        let labels = &made["metadata"]["labels"];
        assert_eq!((&labels["team"], &labels["app.kubernetes.io/name"]), (&json!("a"), &json!("mine")));
        assert_eq!((&labels["secret"], &labels["scaledjob.keda.sh/name"]), (&Value::Null, &json!("orders")));
        assert_eq!(made["metadata"]["annotations"]["note"], "n");
        assert_eq!(made["metadata"]["annotations"]["scaledjob.keda.sh/generation"], "3");
        assert_eq!(made["spec"]["template"]["spec"]["restartPolicy"], "Never");
    }
}
