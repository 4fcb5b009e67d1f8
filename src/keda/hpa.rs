//! The HorizontalPodAutoscaler that a ScaledObject owns, as KEDA makes it (`docs/rules.md#keda-the-hpa-of-a-scaledobject`).

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HPAScalingRules, HorizontalPodAutoscaler, HorizontalPodAutoscalerBehavior,
    HorizontalPodAutoscalerSpec, MetricSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use kube::api::ObjectMeta;

use crate::api::{Condition, ConditionStatus, GroupVersionKindResource, ScaledObject, ScaledObjectSpec};
use crate::modifiers::Modifiers;
use crate::{Error, KEDA_VERSION, Result, conditions, metric, naming, pause, resource};

/// The HPA for `scaled_object`, whose target was resolved to `target` and whose triggers gave `metrics` in their order.
///
/// # Errors
///
/// [`Error::DuplicateMetricName`] if two metrics have one name. [`Error::Resource`] if a `cpu` or `memory` trigger cannot be used, and
/// [`Error::Modifiers`] if a formula cannot.
pub fn build(
    scaled_object: &ScaledObject,
    target: &GroupVersionKindResource,
    metrics: &[metric::Spec],
) -> Result<HorizontalPodAutoscaler> {
    let spec = &scaled_object.spec;
    Ok(HorizontalPodAutoscaler {
        metadata: metadata(scaled_object),
        spec: Some(HorizontalPodAutoscalerSpec {
            behavior: behavior(scaled_object),
            max_replicas: spec.max_replicas(),
            min_replicas: Some(idle(spec, &conditions(scaled_object)).unwrap_or_else(|| spec.hpa_min_replicas())),
            metrics: Some(rendered(scaled_object, metrics)?),
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some(target.api_version()),
                kind: target.kind.clone(),
                name: spec.scale_target_ref.name.clone(),
            },
        }),
        status: None,
    })
}

/// The replicas at which an object rests that is not active, if that is more than none: the HPA's minimum has to be that low then, or
/// it would raise the target again, which the next poll takes back (kedacore/keda#8172). With none the HPA rests as well.
pub fn idle(spec: &ScaledObjectSpec, conditions: &[Condition]) -> Option<i32> {
    let is_over = conditions::find(conditions, conditions::ACTIVE)
        .is_some_and(|active| active.status == ConditionStatus::False && active.reason == conditions::NOT_ACTIVE);
    spec.idle_replica_count.filter(|idle| *idle > 0 && is_over)
}

fn conditions(scaled_object: &ScaledObject) -> Vec<Condition> {
    scaled_object.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default()
}

fn metadata(scaled_object: &ScaledObject) -> ObjectMeta {
    let name = naming::hpa(scaled_object);
    ObjectMeta {
        labels: Some(labels(scaled_object, &name)),
        annotations: annotations(scaled_object),
        owner_references: scaled_object
            .controller_owner_ref(&())
            .map(|owner| vec![OwnerReference { block_owner_deletion: Some(true), ..owner }]),
        namespace: scaled_object.metadata.namespace.clone(),
        name: Some(name),
        ..Default::default()
    }
}

fn annotations(scaled_object: &ScaledObject) -> Option<BTreeMap<String, String>> {
    let mut annotations = scaled_object.metadata.annotations.clone()?;
    annotations.remove(naming::LAST_APPLIED);
    Some(annotations).filter(|annotations| !annotations.is_empty())
}

fn labels(scaled_object: &ScaledObject, hpa: &str) -> BTreeMap<String, String> {
    let name = scaled_object.metadata.name.clone().unwrap_or_default();
    let mut labels = BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), naming::label_value(hpa)),
        ("app.kubernetes.io/version".to_owned(), KEDA_VERSION.to_owned()),
        ("app.kubernetes.io/part-of".to_owned(), name.clone()),
        ("app.kubernetes.io/managed-by".to_owned(), "keda-operator".to_owned()),
    ]);
    let annotations = scaled_object.metadata.annotations.as_ref();
    let excluded = annotations.and_then(|all| all.get(naming::HPA_EXCLUDED_LABELS)).map_or("", String::as_str);
    let excluded: BTreeSet<_> = excluded.split(',').map(str::trim).collect();
    let own = scaled_object.metadata.labels.clone().unwrap_or_default().into_iter();
    labels.extend(own.filter(|(key, _)| !excluded.contains(key.as_str())));
    labels.insert(naming::SCALED_OBJECT_LABEL.to_owned(), name);
    labels
}

/// The user's behavior as it is, with a direction that is paused by annotation switched off (KEDA 2.18).
fn behavior(scaled_object: &ScaledObject) -> Option<HorizontalPodAutoscalerBehavior> {
    let advanced = scaled_object.spec.advanced.as_ref();
    let config = advanced.and_then(|advanced| advanced.horizontal_pod_autoscaler_config.as_ref());
    let behavior = config.and_then(|config| config.behavior.clone());
    let annotations = scaled_object.metadata.annotations.clone().unwrap_or_default();
    let (scale_in, scale_out) = (pause::scale_in(&annotations), pause::scale_out(&annotations));
    if !scale_in && !scale_out {
        return behavior;
    }
    let mut behavior = behavior.unwrap_or_default();
    if scale_in {
        disable(&mut behavior.scale_down);
    }
    if scale_out {
        disable(&mut behavior.scale_up);
    }
    Some(behavior)
}

fn disable(rules: &mut Option<HPAScalingRules>) {
    rules.get_or_insert_with(HPAScalingRules::default).select_policy = Some("Disabled".to_owned());
}

/// The external metrics and those of `cpu` and `memory` triggers, by type and then in the order of the triggers.
fn rendered(scaled_object: &ScaledObject, metrics: &[metric::Spec]) -> Result<Vec<MetricSpec>> {
    let name = scaled_object.metadata.name.as_deref().unwrap_or_default();
    let mut seen = BTreeSet::new();
    let external: Result<Vec<_>> = metrics
        .iter()
        .map(|metric| {
            if seen.insert(&metric.name) {
                Ok(metric.rendered(name))
            } else {
                Err(Error::DuplicateMetricName(metric.name.clone()))
            }
        })
        .collect();
    // A formula's metric stands for those of all triggers; what the HPA reads itself stays.
    let external = match Modifiers::of(&scaled_object.spec)? {
        Some(modifiers) => external.map(|_| vec![modifiers.spec().rendered(name)]),
        None => external,
    };
    let resources = resource::of(&scaled_object.spec.triggers)?;
    let mut all: Vec<_> = external?.into_iter().chain(resources.iter().map(resource::Resource::rendered)).collect();
    // Stable, so that the order within a type stays: ContainerResource, External, Resource.
    all.sort_by(|one, other| one.type_.cmp(&other.type_));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::metric::Target;

    fn scaled_object(spec: &serde_json::Value) -> ScaledObject {
        serde_json::from_value(json!({
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledObject",
            "metadata": {
                "name": "orders", "namespace": "shop", "uid": "u-1",
                "labels": { "team": "a", "app.kubernetes.io/part-of": "mine" },
                "annotations": { "note": "kept" },
            },
            "spec": spec,
        }))
        .unwrap()
    }

    fn sqs() -> metric::Spec {
        metric::Spec { name: "s0-aws-sqs-orders".into(), target: Target::AverageValue(3.0) }
    }

    #[test]
    fn the_whole_object_is_as_keda_makes_it() {
        let object = scaled_object(&json!({
            "scaleTargetRef": { "name": "orders" }, "maxReplicaCount": 3,
            "triggers": [{ "type": "aws-sqs-queue", "metadata": {} }],
            "advanced": { "horizontalPodAutoscalerConfig": { "behavior": { "scaleDown": { "stabilizationWindowSeconds": 60 } } } },
        }));
        let hpa = build(&object, &GroupVersionKindResource::deployment(), &[sqs()]).unwrap();
        assert_eq!(
            serde_json::to_value(&hpa).unwrap(),
            json!({
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "metadata": {
                    "name": "keda-hpa-orders", "namespace": "shop",
                    "annotations": { "note": "kept" },
                    "labels": {
                        "app.kubernetes.io/name": "keda-hpa-orders",
                        "app.kubernetes.io/version": KEDA_VERSION,
                        "app.kubernetes.io/part-of": "mine",
                        "app.kubernetes.io/managed-by": "keda-operator",
                        "scaledobject.keda.sh/name": "orders",
                        "team": "a",
                    },
                    "ownerReferences": [{
                        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "orders", "uid": "u-1",
                        "controller": true, "blockOwnerDeletion": true,
                    }],
                },
                "spec": {
                    "minReplicas": 1, "maxReplicas": 3,
                    "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "orders" },
                    "behavior": { "scaleDown": { "stabilizationWindowSeconds": 60 } },
                    "metrics": [{
                        "type": "External",
                        "external": {
                            "metric": {
                                "name": "s0-aws-sqs-orders",
                                "selector": { "matchLabels": { "scaledobject.keda.sh/name": "orders" } },
                            },
                            "target": { "type": "AverageValue", "averageValue": "3" },
                        },
                    }],
                },
            })
        );
    }

    #[test]
    fn a_value_target_goes_into_value_and_a_direction_can_be_paused() {
        let mut object =
            scaled_object(&json!({ "scaleTargetRef": { "name": "x" }, "triggers": [], "minReplicaCount": 2 }));
        object.metadata.annotations = Some(BTreeMap::from([(naming::PAUSED_SCALE_IN.to_owned(), "true".to_owned())]));
        let metric = metric::Spec { name: "s0-m".into(), target: Target::Value(2.5) };
        let hpa = build(&object, &GroupVersionKindResource::deployment(), &[metric]).unwrap();
        let spec = serde_json::to_value(hpa.spec).unwrap();
        assert_eq!(spec["minReplicas"], 2);
        assert_eq!(spec["maxReplicas"], 100);
        assert_eq!(spec["behavior"], json!({ "scaleDown": { "selectPolicy": "Disabled" } }));
        assert_eq!(spec["metrics"][0]["external"]["target"], json!({ "type": "Value", "value": "2500m" }));
    }

    #[test]
    fn an_object_that_rests_above_zero_is_not_raised_by_its_hpa() {
        let mut object = scaled_object(&json!({
            "scaleTargetRef": { "name": "x" }, "triggers": [], "minReplicaCount": 2, "idleReplicaCount": 1,
        }));
        let mut min_while = |condition: Condition| {
            object.status.get_or_insert_default().conditions = vec![condition];
            let hpa = build(&object, &GroupVersionKindResource::deployment(), &[sqs()]).unwrap();
            hpa.spec.unwrap().min_replicas.unwrap()
        };
        assert_eq!(min_while(conditions::inactive()), 1);
        for held in [conditions::active(false), conditions::cooldown(), conditions::activity_unknown()] {
            assert_eq!(min_while(held), 2);
        }
        object.spec.idle_replica_count = Some(0);
        object.status.get_or_insert_default().conditions = vec![conditions::inactive()];
        let hpa = build(&object, &GroupVersionKindResource::deployment(), &[sqs()]).unwrap();
        assert_eq!(hpa.spec.unwrap().min_replicas, Some(2));
    }

    #[test]
    fn labels_that_are_excluded_stay_off_the_hpa_and_the_selector_stays_on() {
        let mut object = scaled_object(&json!({ "scaleTargetRef": { "name": "x" }, "triggers": [] }));
        let excluded = "team, app.kubernetes.io/part-of,scaledobject.keda.sh/name".to_owned();
        object.metadata.annotations = Some(BTreeMap::from([(naming::HPA_EXCLUDED_LABELS.to_owned(), excluded)]));
        let hpa = build(&object, &GroupVersionKindResource::deployment(), &[sqs()]).unwrap();
        let labels = hpa.metadata.labels.unwrap();
        assert!(!labels.contains_key("team"), "{labels:?}");
        assert_eq!(
            (labels["app.kubernetes.io/part-of"].as_str(), labels[naming::SCALED_OBJECT_LABEL].as_str()),
            ("orders", "orders")
        );
    }

    #[test]
    fn resource_metrics_stand_beside_external_ones_in_the_order_of_keda() {
        let object = scaled_object(&json!({ "scaleTargetRef": { "name": "x" }, "triggers": [
            { "type": "memory", "metricType": "Utilization", "metadata": { "value": "70" } },
            { "type": "aws-sqs-queue", "metadata": {} },
            { "type": "cpu", "metricType": "Utilization", "metadata": { "value": "60" } },
            { "type": "cpu", "metricType": "AverageValue", "metadata": { "value": "500m", "containerName": "app" } },
        ] }));
        let hpa = build(&object, &GroupVersionKindResource::deployment(), &[sqs()]).unwrap();
        let metrics = serde_json::to_value(hpa.spec.unwrap().metrics).unwrap();
        let names: Vec<_> = metrics
            .as_array()
            .unwrap()
            .iter()
            .map(|metric| {
                let name = metric.pointer("/resource/name").or_else(|| metric.pointer("/containerResource/container"));
                (metric["type"].as_str().unwrap(), name.and_then(|name| name.as_str()).unwrap_or_default())
            })
            .collect();
        assert_eq!(
            names,
            [("ContainerResource", "app"), ("External", ""), ("Resource", "memory"), ("Resource", "cpu")]
        );
    }

    #[test]
    fn a_formula_has_one_metric_beside_those_that_the_hpa_reads_itself() {
        let object = scaled_object(&json!({
            "scaleTargetRef": { "name": "x" },
            "triggers": [
                { "type": "aws-sqs-queue", "name": "queue", "metadata": {} },
                { "type": "cpu", "metricType": "Utilization", "metadata": { "value": "60" } },
                { "type": "cpu", "metricType": "AverageValue", "metadata": { "value": "500m", "containerName": "app" } },
            ],
            "advanced": { "scalingModifiers": { "formula": "queue * 2", "target": "2.5", "metricType": "Value" } },
        }));
        let hpa = build(&object, &GroupVersionKindResource::deployment(), &[sqs()]).unwrap();
        let metrics = serde_json::to_value(hpa.spec.unwrap().metrics).unwrap();
        let types: Vec<_> = metrics.as_array().unwrap().iter().map(|metric| metric["type"].clone()).collect();
        assert_eq!(types, ["ContainerResource", "External", "Resource"]);
        assert_eq!(
            metrics[1]["external"],
            json!({
                "metric": {
                    "name": "composite-metric", "selector": { "matchLabels": { "scaledobject.keda.sh/name": "orders" } },
                },
                "target": { "type": "Value", "value": "2500m" },
            })
        );
        assert!(build(&object, &GroupVersionKindResource::deployment(), &[sqs(), sqs()]).is_err());
    }

    #[test]
    fn two_metrics_of_one_name_are_refused() {
        let object = scaled_object(&json!({ "scaleTargetRef": { "name": "x" }, "triggers": [] }));
        let error = build(&object, &GroupVersionKindResource::deployment(), &[sqs(), sqs()]).unwrap_err();
        assert_eq!(error, Error::DuplicateMetricName("s0-aws-sqs-orders".into()));
    }
}
