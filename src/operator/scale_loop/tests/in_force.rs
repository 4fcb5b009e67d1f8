//! Which spec polls go by: the last one that was in order.

use super::*;

/// A server with an object that is active by annotation, and a loop that looks at it.
async fn active(spec: Value, replicas: i32) -> (Arc<Server>, ScaleLoop) {
    let annotations = json!({ "autoscaling.keda.sh/force-activation": "true" });
    let object = scaled_object(&json!({ "metadata": { "annotations": annotations }, "spec": spec }));
    let server = Server::start([(SCALED_OBJECT, object), (DEPLOYMENT, deployment(replicas))], |_| None);
    let this = ScaleLoop::new(server.watched().await, Key::new("shop", "orders"), CancellationToken::new());
    (server, this)
}

/// Changes the object, waits until the cache has it, and takes a turn in which a poll is due.
async fn changed(server: &Server, this: &mut ScaleLoop, change: &Value, generation: i64) {
    let mut object = server.object(SCALED_OBJECT).unwrap();
    json_patch::merge(&mut object, change);
    object["metadata"]["generation"] = generation.into();
    server.put(SCALED_OBJECT, object);
    until(|| this.latest().unwrap().metadata.generation == Some(generation)).await;
    if let Phase::Polling { last } = &mut this.phase {
        *last = None;
    }
    Box::pin(this.turn()).await;
}

fn replicas(server: &Server) -> i64 {
    server.object(DEPLOYMENT).unwrap()["spec"]["replicas"].as_i64().unwrap()
}

#[tokio::test]
async fn a_spec_that_is_not_in_order_does_not_scale() {
    let (server, mut this) = active(json!({ "minReplicaCount": 1, "maxReplicaCount": 3 }), 1).await;
    Box::pin(this.turn()).await;
    assert_eq!(replicas(&server), 1);
    server.put(DEPLOYMENT, deployment(0));
    changed(&server, &mut this, &json!({ "spec": { "minReplicaCount": 5, "maxReplicaCount": 2 } }), 2).await;
    assert_eq!((condition(&server, "Ready").0.as_str(), replicas(&server)), ("False", 1));
    server.put(DEPLOYMENT, deployment(0));
    changed(&server, &mut this, &json!({ "spec": { "minReplicaCount": 2, "maxReplicaCount": 2 } }), 3).await;
    assert_eq!(replicas(&server), 2);
}

#[tokio::test]
async fn an_object_that_was_never_in_order_is_not_scaled_after_a_pause_either() {
    let (server, mut this) = active(json!({ "minReplicaCount": 5, "maxReplicaCount": 2 }), 0).await;
    Box::pin(this.turn()).await;
    assert_eq!(replicas(&server), 0);
    let pause = json!({ "metadata": { "annotations": { "autoscaling.keda.sh/paused": "true" } } });
    changed(&server, &mut this, &pause, 2).await;
    let resumed = json!({ "metadata": { "annotations": { "autoscaling.keda.sh/paused": null } } });
    changed(&server, &mut this, &resumed, 3).await;
    assert_eq!((condition(&server, "Ready").0.as_str(), replicas(&server)), ("False", 0));
}
