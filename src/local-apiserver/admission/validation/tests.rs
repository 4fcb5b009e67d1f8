//! What is said of some objects that the real server refuses.

use serde_json::{Value, json};

use super::check;
use crate::admission::defaults;
use crate::kinds::BUILT_IN;

/// The refusals of an object, defaulted as a request's is.
fn refusals(kind: &str, old: Option<&Value>, mut object: Value) -> Vec<String> {
    let resource = BUILT_IN.iter().find(|resource| resource.kind == kind).unwrap();
    object["metadata"] = json!({"name": "x"});
    defaults::apply(resource, &mut object);
    let mut errors = Vec::new();
    check(resource, old, &object, &mut errors);
    errors.iter().map(ToString::to_string).collect()
}

fn pod(container: &Value) -> Vec<String> {
    refusals("Pod", None, json!({"spec": {"containers": [container]}}))
}

#[test]
fn containers_ask_for_what_they_may_have() {
    assert_eq!(pod(&json!({"name": "a", "image": "x"})), [""; 0]);
    let greedy = json!({"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}});
    let refused = pod(&json!({"name": "a", "image": "x", "resources": greedy}));
    assert_eq!(
        refused,
        [
            "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1500m"
        ]
    );
    let probe = json!({"periodSeconds": 5});
    let refused = pod(&json!({"name": "a", "image": "x", "livenessProbe": probe}));
    assert_eq!(refused, ["spec.containers[0].livenessProbe: Required value: must specify a handler type"]);
}

#[test]
fn an_autoscaler_to_zero_needs_a_metric_from_outside() {
    let scaler = |minimum: i64, metrics: Value| {
        let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"});
        let spec = json!({"minReplicas": minimum, "maxReplicas": 3, "scaleTargetRef": target, "metrics": metrics});
        refusals("HorizontalPodAutoscaler", None, json!({"spec": spec}))
    };
    let target = json!({"type": "AverageValue", "averageValue": "3"});
    let external = json!([{"type": "External", "external": {"metric": {"name": "m"}, "target": target}}]);
    assert_eq!(scaler(1, external.clone()), [""; 0]);
    assert_eq!(scaler(0, external).len(), 1);
    assert_eq!(scaler(0, Value::Null).len(), 2);
}

#[test]
fn what_is_immutable_stays() {
    let old = json!({"immutable": true, "data": {"a": "1"}});
    assert_eq!(refusals("ConfigMap", Some(&old), old.clone()), [""; 0]);
    assert_eq!(
        refusals("ConfigMap", Some(&old), json!({"immutable": true, "data": {"a": "2"}})),
        ["data: Forbidden: field is immutable when `immutable` is set"]
    );
}

#[test]
fn a_claim_of_a_stateful_set_is_a_volume_of_its_pods() {
    let set = |claims: Value| {
        let mount = json!([{"name": "data", "mountPath": "/data"}]);
        let spec = json!({"containers": [{"name": "a", "image": "x", "volumeMounts": mount}]});
        let template = json!({"metadata": {"labels": {"app": "x"}}, "spec": spec});
        let selector = json!({"matchLabels": {"app": "x"}});
        let spec = json!({"selector": selector, "template": template, "volumeClaimTemplates": claims});
        refusals("StatefulSet", None, json!({"spec": spec}))
    };
    let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    assert_eq!(set(json!([{"metadata": {"name": "data"}, "spec": spec}])), [""; 0]);
    assert_eq!(set(json!([])), ["spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"data\""]);
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(members) => members.values().any(holds_null),
        Value::Array(items) => items.iter().any(holds_null),
        _ => false,
    }
}

#[test]
fn defaults_leave_no_null_where_an_object_has_no_field() {
    for resource in BUILT_IN.iter() {
        let mut object = json!({"metadata": {"name": "x"}, "spec": {"template": {"spec": {"containers": [{}]}}}});
        defaults::apply(resource, &mut object);
        assert!(!holds_null(&object), "{}: {object}", resource.kind);
    }
}

#[test]
fn names_are_held_to_what_their_kind_asks_of_them() {
    for (kind, name, right) in [
        ("Event", "Bad_Name", true),
        ("PodDisruptionBudget", "Bad_Name", true),
        ("PodDisruptionBudget", "a/b", false),
        ("Role", "Bad_Name", true),
        ("StatefulSet", "a.b", false),
        ("ReplicaSet", "a.b", true),
    ] {
        let resource = BUILT_IN.iter().find(|resource| resource.kind == kind).unwrap();
        let mut errors = Vec::new();
        check(resource, None, &json!({"metadata": {"name": name}}), &mut errors);
        assert_eq!(!errors.iter().any(|error| error.field == "metadata.name"), right, "{kind} {name}: {errors:?}");
    }
}
