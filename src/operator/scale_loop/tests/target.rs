//! Targets of any kind, those whose template cannot be read, and those that somebody else scales.

use super::*;

const ROLLOUT: &str = "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/orders";

fn rollout() -> Value {
    let kind = json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout" });
    // As it was found out before: discovery is not what this is about.
    let known = json!({ "group": "argoproj.io", "version": "v1alpha1", "kind": "Rollout", "resource": "rollouts" });
    scaled_object(&json!({ "spec": { "scaleTargetRef": kind }, "status": { "scaleTargetGVKR": known } }))
}

async fn reconciled(server: &Arc<Server>) -> ScaleLoop {
    let mut this = scale_loop(server).await;
    this.reconcile(&server.scaled_object()).await;
    this
}

#[tokio::test]
async fn a_target_of_any_kind_needs_its_scale_alone() {
    let refuses = |line: &str| line.ends_with("/rollouts/orders").then_some((403, "rollouts is forbidden"));
    let server = Server::start([(SCALED_OBJECT, rollout()), (ROLLOUT, deployment(0))], refuses);
    reconciled(&server).await;
    assert_eq!(condition(&server, "Ready").0, "True", "{:?}", condition(&server, "Ready"));
    let hpa = server.object(&format!("{AUTOSCALERS}/keda-hpa-orders")).unwrap();
    assert_eq!(hpa["spec"]["scaleTargetRef"]["kind"], "Rollout");
}

#[tokio::test]
async fn a_template_that_cannot_be_read_concerns_only_who_asks_for_it() {
    let refuses = |line: &str| line.ends_with("/rollouts/orders").then_some((403, "rollouts is forbidden"));
    let mut object = rollout();
    let trigger = json!({ "metadata": { "queueURL": null, "queueURLFromEnv": "QUEUE" } });
    json_patch::merge(&mut object["spec"]["triggers"][0], &trigger);
    let server = Server::start([(SCALED_OBJECT, object), (ROLLOUT, deployment(0))], refuses);
    reconciled(&server).await;
    let (ready, message) = condition(&server, "Ready");
    assert!(ready == "False" && message.contains("rollouts is forbidden"), "{message}");
}

#[tokio::test]
async fn a_wrong_container_concerns_only_who_reads_its_environment() {
    let wrong = json!({ "spec": { "scaleTargetRef": { "envSourceContainerName": "sidecar" } } });
    let mut target = deployment(0);
    target["spec"]["template"] = json!({ "spec": { "containers": [{ "name": "app" }] } });
    let server = Server::start([(SCALED_OBJECT, scaled_object(&wrong)), (DEPLOYMENT, target)], |_| None);
    reconciled(&server).await;
    assert_eq!(condition(&server, "Ready").0, "True");
}

#[tokio::test]
async fn a_second_object_on_one_target_neither_has_an_hpa_nor_scales() {
    let first = scaled_object(&json!({ "metadata": { "name": "first", "creationTimestamp": "2026-01-01T00:00:00Z" } }));
    let annotations = json!({ "autoscaling.keda.sh/force-activation": "true" });
    let second = json!({ "metadata": { "annotations": annotations, "creationTimestamp": "2026-01-01T00:00:01Z" } });
    let first_path = SCALED_OBJECT.replace("orders", "first");
    let objects = [(first_path.as_str(), first), (SCALED_OBJECT, scaled_object(&second)), (DEPLOYMENT, deployment(0))];
    let server = Server::start(objects, |_| None);
    let mut this = ScaleLoop::new(server.watched().await, Key::new("shop", "orders"), CancellationToken::new());
    Box::pin(this.turn()).await;
    let (ready, message) = condition(&server, "Ready");
    let words = "the workload 'orders' of type 'apps/v1.Deployment' is already managed by the ScaledObject 'first'";
    assert!(ready == "False" && message.contains(words), "{message}");
    assert_eq!(server.object(DEPLOYMENT).unwrap()["spec"]["replicas"], 0);
    assert!(!server.writes().iter().any(|line| line.contains(AUTOSCALERS)), "{:?}", server.writes());
    // The first one goes: the second is woken, and scales.
    let mut changes = this.context.caches.subscribe();
    server.remove(&first_path);
    while !matches!(soon(changes.recv()).await.unwrap(), crate::caches::Change::Autoscaler(key) if key == this.key) {}
    this.checked = None;
    Box::pin(this.turn()).await;
    assert_eq!(server.object(DEPLOYMENT).unwrap()["spec"]["replicas"], 1);
}

#[tokio::test]
async fn an_object_that_is_refused_its_target_gives_way_at_once() {
    let annotations = json!({ "autoscaling.keda.sh/force-activation": "true" });
    let object = scaled_object(&json!({ "metadata": { "annotations": annotations } }));
    let server = Server::start([(SCALED_OBJECT, object), (DEPLOYMENT, deployment(1))], |_| None);
    let mut this = ScaleLoop::new(server.watched().await, Key::new("shop", "orders"), CancellationToken::new());
    Box::pin(this.turn()).await;
    let mut changes = this.context.caches.subscribe();
    let theirs = json!({ "metadata": { "name": "theirs", "namespace": "shop" }, "spec": {
        "maxReplicas": 9, "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "orders" },
    } });
    server.put(&format!("{AUTOSCALERS}/theirs"), theirs);
    while this.context.caches.masters.check(&server.scaled_object()).is_ok() {
        soon(changes.recv()).await.unwrap();
    }
    server.put(DEPLOYMENT, deployment(0));
    this.checked = None;
    this.phase = Phase::Polling { last: None };
    Box::pin(this.turn()).await;
    assert!(condition(&server, "Ready").1.contains("already managed by the hpa 'theirs'"));
    assert_eq!(server.object(DEPLOYMENT).unwrap()["spec"]["replicas"], 0);
}

#[tokio::test]
async fn a_pause_holds_without_a_target_and_with_a_wrong_spec_and_ends_with_its_annotation() {
    let pause = json!({ "autoscaling.keda.sh/paused": "true" });
    let wrong = json!({ "metadata": { "annotations": pause }, "spec": { "minReplicaCount": 5, "maxReplicaCount": 2 } });
    let server = Server::start([(SCALED_OBJECT, scaled_object(&wrong))], |_| None);
    let mut this = reconciled(&server).await;
    assert_eq!((condition(&server, "Paused").0, condition(&server, "Ready").0), ("True".into(), "True".into()));
    let mut resumed = server.object(SCALED_OBJECT).unwrap();
    resumed["metadata"]["annotations"] = json!({});
    server.put(SCALED_OBJECT, resumed);
    this.reconcile(&server.scaled_object()).await;
    assert_eq!((condition(&server, "Paused").0, condition(&server, "Ready").0), ("False".into(), "False".into()));
}
