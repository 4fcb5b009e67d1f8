//! What the HPA says of itself, on the ScaledObject; and what the status says of triggers.

use super::*;

fn hpa_with(status: &str, reason: &str) -> Value {
    let owner = json!([{ "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "orders", "uid": "u" }]);
    json!({
        "metadata": {
            "name": "keda-hpa-orders", "namespace": "shop", "uid": "h", "resourceVersion": "9", "ownerReferences": owner,
            "labels": { "scaledobject.keda.sh/name": "orders" },
        },
        "spec": {
            "maxReplicas": 3,
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "orders" },
        },
        "status": { "desiredReplicas": 0, "conditions": [
            { "type": "ScalingActive", "status": status, "reason": reason, "message": "from the HPA" },
        ] },
    })
}

#[tokio::test]
async fn an_hpa_that_cannot_work_wakes_its_object_and_is_shown_on_it() {
    let path = format!("{AUTOSCALERS}/keda-hpa-orders");
    let objects = [
        (SCALED_OBJECT, scaled_object(&json!({}))),
        (DEPLOYMENT, deployment(1)),
        (&path, hpa_with("True", "ValidMetricFound")),
    ];
    let server = Server::start(objects, |_| None);
    let mut this = ScaleLoop::new(server.watched().await, Key::new("shop", "orders"), CancellationToken::new());
    Box::pin(this.turn()).await;
    until(|| this.latest().unwrap().status.as_ref().is_some_and(|status| status.hpa_name.is_some())).await;
    Box::pin(this.turn()).await;
    assert_eq!(condition(&server, "HPAActive"), ("True".into(), "HPA is actively scaling".into()));

    let mut changes = this.context.caches.subscribe();
    server.put(&path, hpa_with("False", "FailedGetExternalMetric"));
    let is_heard = |change| matches!(change, crate::caches::Change::Health(key) if key == this.key);
    while !is_heard(soon(changes.recv()).await.unwrap()) {}
    Box::pin(this.turn()).await;
    let failed = condition(&server, "HPAActive");
    assert_eq!(failed, ("False".into(), "HPA is not actively scaling: from the HPA".into()));
    assert!(!condition(&server, "Ready").1.contains("from the HPA"), "the object itself is another matter");
    let writes = server.writes().len();
    this.mirror().await;
    assert_eq!(server.writes().len(), writes, "nothing new is not written");
}

#[tokio::test]
async fn types_names_and_activity_of_triggers_are_in_the_status() {
    let mut object = scaled_object(&json!({ "spec": { "fallback": { "failureThreshold": 3, "replicas": 2 } } }));
    let mut second = object["spec"]["triggers"][0].clone();
    second["metadata"]["queueURL"] = "http://127.0.0.1:9/1/other".into();
    object["spec"]["triggers"].as_array_mut().unwrap().push(second);
    let server = Server::start([(SCALED_OBJECT, object), (DEPLOYMENT, deployment(0))], |_| None);
    let mut this = ScaleLoop::new(server.watched().await, Key::new("shop", "orders"), CancellationToken::new());
    Box::pin(this.turn()).await;
    let status = || server.object(SCALED_OBJECT).unwrap()["status"].clone();
    assert_eq!(status()["triggersTypes"], "aws-sqs-queue");
    let activity = json!({ "s0-aws-sqs-orders": { "isActive": false }, "s1-aws-sqs-other": { "isActive": false } });
    assert_eq!((status()["triggersActivity"].clone(), status()["health"].as_object().unwrap().len()), (activity, 2));
    // Without a fallback nothing is counted, and one that comes again begins at zero.
    let mut changed = server.object(SCALED_OBJECT).unwrap();
    changed["spec"].as_object_mut().unwrap().remove("fallback");
    changed["spec"]["triggers"].as_array_mut().unwrap().truncate(1);
    changed["metadata"]["generation"] = 2.into();
    server.put(SCALED_OBJECT, changed);
    this.reconcile(&server.scaled_object()).await;
    assert!(status()["health"].as_object().is_none_or(serde_json::Map::is_empty), "{}", status());
    assert_eq!(status()["triggersActivity"], json!({ "s0-aws-sqs-orders": { "isActive": false } }));
}
