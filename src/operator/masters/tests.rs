//! Two ScaledObjects, and a ScaledObject and somebody's HPA, on one workload or under one name.

use serde_json::{Value, json};

use super::*;

fn object(name: &str, second: u32, change: &Value) -> ScaledObject {
    let mut object = json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
        "metadata": { "name": name, "namespace": "shop", "creationTimestamp": format!("2026-01-01T00:00:{second:02}Z") },
        "spec": { "scaleTargetRef": { "name": "orders" }, "triggers": [] },
    });
    json_patch::merge(&mut object, change);
    serde_json::from_value(object).unwrap()
}

fn hpa(name: &str, owner: Option<&str>, change: &Value) -> HorizontalPodAutoscaler {
    let owners = owner
        .map(|name| json!([{ "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": name, "uid": "u" }]));
    let mut hpa = json!({
        "metadata": { "name": name, "namespace": "shop", "ownerReferences": owners },
        "spec": { "maxReplicas": 3, "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "orders" } },
    });
    json_patch::merge(&mut hpa, change);
    serde_json::from_value(hpa).unwrap()
}

fn key(name: &str) -> Key {
    Key::new("shop", name)
}

fn masters(objects: &[&ScaledObject], hpas: &[&HorizontalPodAutoscaler]) -> Masters {
    let masters = Masters::default();
    for object in objects {
        masters.learn_object(&Key::of(&object.metadata), Some(object));
    }
    for hpa in hpas {
        masters.learn_autoscaler(&Key::of(&hpa.metadata), Autoscaler::of(hpa));
    }
    masters
}

fn words(masters: &Masters, object: &ScaledObject) -> String {
    masters.check(object).map_or_else(|conflict| conflict.to_string(), |()| String::new())
}

#[test]
fn of_two_objects_on_one_workload_the_one_with_the_hpa_and_then_the_older_one_scales() {
    let (old, young) = (object("z-old", 1, &json!({})), object("a-young", 2, &json!({})));
    let without = masters(&[&old, &young], &[]);
    assert_eq!(words(&without, &old), "");
    let refused = words(&without, &young);
    let expected = "the workload 'orders' of type 'apps/v1.Deployment' is already managed by the ScaledObject 'z-old'";
    assert!(refused.starts_with(expected), "{refused}");
    let own = hpa("keda-hpa-a-young", Some("a-young"), &json!({}));
    let with = masters(&[&old, &young], &[&own]);
    assert_eq!(words(&with, &young), "");
    assert!(words(&with, &old).contains("'a-young'"));
    // Written out or by default, it is the same workload; elsewhere or of another kind it is not.
    let written = json!({ "spec": { "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment" } } });
    assert!(!words(&without, &object("written", 3, &written)).is_empty());
    let other = json!({ "spec": { "scaleTargetRef": { "kind": "StatefulSet" } } });
    assert_eq!(words(&without, &object("other", 3, &other)), "");
    assert_eq!(words(&without, &object("elsewhere", 3, &json!({ "metadata": { "namespace": "b" } }))), "");
}

#[test]
fn who_is_freed_by_a_change_is_notified() {
    let (old, young) = (object("old", 1, &json!({})), object("young", 2, &json!({})));
    let masters = masters(&[&old, &young], &[]);
    assert_eq!(masters.learn_object(&key("old"), Some(&old)), BTreeSet::new());
    assert_eq!(masters.learn_object(&key("old"), None), BTreeSet::from([key("young")]));
    assert_eq!(words(&masters, &young), "");
    let foreign = hpa("theirs", None, &json!({}));
    assert_eq!(masters.learn_autoscaler(&key("theirs"), Autoscaler::of(&foreign)), BTreeSet::from([key("young")]));
    assert_eq!(masters.learn_autoscaler(&key("theirs"), Autoscaler::of(&foreign)), BTreeSet::new());
    assert!(!words(&masters, &young).is_empty());
    assert_eq!(masters.learn_autoscaler(&key("theirs"), None), BTreeSet::from([key("young")]));
    assert_eq!(words(&masters, &young), "");
}

#[test]
fn two_objects_may_not_share_one_hpa() {
    let named = |target: &str| {
        json!({ "spec": {
            "scaleTargetRef": { "name": target },
            "advanced": { "horizontalPodAutoscalerConfig": { "name": "shared" } },
        } })
    };
    let (old, young) = (object("t16", 1, &named("t16")), object("t17", 2, &named("t17")));
    let masters = masters(&[&old, &young], &[]);
    assert_eq!(words(&masters, &old), "");
    assert!(words(&masters, &young).starts_with("the HPA 'shared' is already managed by the ScaledObject 't16'"));
}

#[test]
fn a_foreign_hpa_is_taken_over_only_on_request() {
    let foreign = hpa("legacy", None, &json!({}));
    let plain = object("orders", 1, &json!({}));
    let refused = words(&masters(&[&plain], &[&foreign]), &plain);
    let expected = "the workload 'orders' of type 'apps/v1.Deployment' is already managed by the hpa 'legacy'";
    assert!(refused.starts_with(expected), "{refused}");

    let transfer = json!({ "metadata": { "annotations": { naming::TRANSFER_HPA_OWNERSHIP: "true" } } });
    let unnamed = object("orders", 1, &transfer);
    assert!(
        words(&masters(&[&unnamed], &[&foreign]), &unnamed).contains("must be specified by name in advanced settings")
    );
    let mut named = transfer;
    named["spec"] = json!({ "advanced": { "horizontalPodAutoscalerConfig": { "name": "legacy" } } });
    let named = object("orders", 1, &named);
    assert_eq!(words(&masters(&[&named], &[&foreign]), &named), "");
    // Its name alone is not enough.
    let mut taker = named;
    taker.metadata.annotations = None;
    assert!(!words(&masters(&[&taker], &[&foreign]), &taker).is_empty());

    let exempt = hpa("legacy", None, &json!({ "metadata": { "annotations": { naming::HPA_OWNERSHIP: "false" } } }));
    assert_eq!(words(&masters(&[&plain], &[&exempt]), &plain), "");
    let own = hpa("keda-hpa-orders", Some("orders"), &json!({}));
    assert_eq!(words(&masters(&[&plain], &[&own]), &plain), "");
}

#[test]
fn an_hpa_of_the_wanted_name_for_another_workload_is_left_alone() {
    let theirs = hpa("keda-hpa-orders", None, &json!({ "spec": { "scaleTargetRef": { "name": "other" } } }));
    let plain = object("orders", 1, &json!({}));
    let masters = masters(&[&plain], &[&theirs]);
    assert!(words(&masters, &plain).contains("exists and scales the workload 'other'"));
    assert!(masters.is_foreign(&plain, "keda-hpa-orders") && !masters.is_foreign(&plain, "not-there"));
}

#[test]
fn an_object_that_is_about_to_be_created_comes_after_those_that_are_there() {
    let there = object("z-there", 1, &json!({}));
    let known = masters(&[&there], &[]);
    let mut new = object("a-new", 2, &json!({}));
    // Only the API server gives a time, and an admission review comes before it does.
    new.metadata.creation_timestamp = None;
    assert!(words(&known, &new).contains("'z-there'"));
    assert_eq!(words(&known, &there), "");
    let elsewhere = json!({ "spec": { "scaleTargetRef": { "name": "others" } } });
    let moved = object("z-there", 1, &elsewhere);
    assert_eq!(words(&known, &moved), "", "a change is judged as it would be");
    new.spec.scale_target_ref.name = "free".into();
    assert_eq!(words(&known, &new), "");
}
