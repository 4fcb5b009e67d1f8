//! Who may scale what, and by which spec: one object beside others, and one that becomes invalid.

use serde_json::json;

use crate::scenarios::objects::{NAMESPACE, Objects, apps, autoscaler, keda};
use crate::scenarios::stage::Stage;

/// An object that becomes invalid is scaled by its last valid spec, and by its new one once that is valid.
pub(crate) fn invalid(stage: &Stage) {
    let objects = Objects::begin(stage);
    let target = format!("{}/turns", apps("deployments"));
    let path = format!("{}/turns", keda("scaledobjects"));
    objects.deployment("turns", 1);
    let url = objects.scaled("turns", "turns", &json!({"minReplicaCount": 1}));
    objects.is_ready("turns", "True");
    let trigger = |length: &str| {
        let metadata = json!({"queueURL": url, "queueLength": length, "awsRegion": stage.access().region});
        json!([{"type": "aws-sqs-queue", "metadata": metadata, "authenticationRef": {"name": "keys"}}])
    };
    objects.patch(&path, &json!({"spec": {"minReplicaCount": 2, "triggers": trigger("many")}}));
    let why = objects.is_ready("turns", "False");
    assert!(why.contains("queueLength"), "{why}");
    objects.stays(&target, 5);
    objects.patch(&path, &json!({"spec": {"triggers": trigger("1")}}));
    objects.is_ready("turns", "True");
    objects.has(&target, 2, 120);
    stage.note(format!("not scaled while {why:?}"));
    objects.end();
}

/// Of two objects on one target the second is refused, until the first is gone.
pub(crate) fn two_objects(stage: &Stage) {
    let objects = Objects::begin(stage);
    let target = format!("{}/shared", apps("deployments"));
    objects.deployment("shared", 0);
    objects.scaled("first", "shared", &json!({}));
    objects.is_ready("first", "True");
    let url = objects.scaled("second", "shared", &json!({}));
    let why = objects.is_ready("second", "False");
    assert!(why.contains("already managed by the ScaledObject 'first'"), "{why}");
    objects.clients.send(&url, 3).unwrap();
    objects.stays(&target, 5);
    let none = objects.get(&autoscaler("keda-hpa-second")).unwrap_err();
    assert!(none.contains("not found"), "{none}");
    objects.delete(&format!("{}/first", keda("scaledobjects")));
    objects.is_ready("second", "True");
    objects.has(&target, 3, 180);
    stage.note(format!("{why}; after its deletion the second scales"));
    objects.end();
}

/// A Deployment that has an HPA already is left to it; where the object says so, that HPA is taken over as it is.
pub(crate) fn existing_hpa(stage: &Stage) {
    let objects = Objects::begin(stage);
    let (target, hpa) = (format!("{}/legacy", apps("deployments")), autoscaler("legacy"));
    objects.deployment("legacy", 2);
    let usage = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}});
    let scale_target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "legacy"});
    let spec = json!({"scaleTargetRef": scale_target, "minReplicas": 2, "maxReplicas": 5, "metrics": [usage]});
    let collection = hpa.strip_suffix("/legacy").unwrap();
    let made = objects.post(collection, &json!({"metadata": {"name": "legacy"}, "spec": spec}));
    objects.scaled("legacy", "legacy", &json!({}));
    let why = objects.is_ready("legacy", "False");
    assert!(why.contains("already managed by the hpa 'legacy'"), "{why}");
    objects.stays(&target, 5);
    let transfer = json!({"scaledobject.keda.sh/transfer-hpa-ownership": "true"});
    let named = json!({"horizontalPodAutoscalerConfig": {"name": "legacy"}});
    let change = json!({"metadata": {"annotations": transfer}, "spec": {"minReplicaCount": 2, "advanced": named}});
    objects.patch(&format!("{}/legacy", keda("scaledobjects")), &change);
    objects.is_ready("legacy", "True");
    let after = objects.get(&hpa).unwrap();
    assert_eq!(after["metadata"]["uid"], made["metadata"]["uid"], "another object took its name");
    assert_eq!(after["metadata"]["ownerReferences"][0]["kind"], "ScaledObject", "{after}");
    assert_eq!(after["spec"]["metrics"][0]["type"], "External", "{after}");
    assert_eq!(objects.size(&target).unwrap().0, 2);
    stage.note(format!("refused: {why}; then taken over in place"));
    objects.end();
}

const CRD: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/boxes.e2e.example.com";

/// A custom resource with the scale subresource is activated and then scaled by its HPA.
pub(crate) fn custom_target(stage: &Stage) {
    let objects = Objects::begin(stage);
    let collection = CRD.rsplit_once('/').unwrap().0;
    let crd = objects.call(http::Method::POST, collection, "application/json", Some(&definition()));
    crd.map(drop).or_else(|why| if why.contains("already exists") { Ok(()) } else { Err(why) }).unwrap();
    let boxes = format!("/apis/e2e.example.com/v1/namespaces/{NAMESPACE}/boxes");
    let path = format!("{boxes}/rollout");
    stage.expect("the boxes are served", 60, || objects.get(&boxes).ok());
    let item = json!({"apiVersion": "e2e.example.com/v1", "kind": "Box", "metadata": {"name": "rollout"}, "spec": {"replicas": 0}});
    objects.post(&boxes, &item);
    let target = json!({"apiVersion": "e2e.example.com/v1", "kind": "Box", "name": "rollout"});
    let url = objects.scaled("rollout", "rollout", &json!({"scaleTargetRef": target}));
    objects.is_ready("rollout", "True");
    objects.clients.send(&url, 3).unwrap();
    objects.has(&path, 1, 60);
    // The kind's controller: as many replicas as are wanted.
    let mut seen = Vec::new();
    let ended = stage.until("the box is at 3", 240, || {
        let (wanted, _) = objects.size(&path).ok()?;
        seen.push(wanted);
        let status = json!({"status": {"replicas": wanted, "selector": "box=rollout"}});
        objects
            .call(http::Method::PATCH, &format!("{path}/status"), "application/merge-patch+json", Some(&status))
            .ok()?;
        (wanted == 3).then_some(())
    });
    seen.dedup();
    let scaler = objects.get(&autoscaler("keda-hpa-rollout"));
    ended.unwrap_or_else(|why| panic!("{why}: {seen:?}, {scaler:?}"));
    stage.note(format!("Box at {seen:?}"));
    objects.end();
    objects.delete(CRD);
}

fn definition() -> serde_json::Value {
    let schema = json!({"type": "object", "properties": {
        "spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}}},
    }});
    let scale = json!({
        "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector",
    });
    let version = json!({
        "name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}, "scale": scale},
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "boxes.e2e.example.com"},
        "spec": {
            "group": "e2e.example.com", "scope": "Namespaced", "versions": [version],
            "names": {"plural": "boxes", "singular": "box", "kind": "Box"},
        },
    })
}
