//! Single turns of the loop against a scripted API server: what is written, in which order, and what is not.

mod autoscaler;
mod broken;
mod cost;
mod ends;
mod formula;
mod health;
mod idle;
mod in_force;
mod pauses;
mod policy;
mod pushes;
mod resources;
mod target;

use serde_json::{Value, json};

use super::*;
use crate::key::Reference;
use crate::phase::Phase;
use crate::scripted::{AUTOSCALERS, DEPLOYMENT, SCALED_OBJECT, Server, soon, until};

fn scaled_object(change: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
        "metadata": { "name": "orders", "namespace": "shop", "uid": "u", "resourceVersion": "7", "generation": 1 },
        "spec": {
            "scaleTargetRef": { "name": "orders" },
            "triggers": [{ "type": "aws-sqs-queue", "metadata": {
                "queueURL": "http://127.0.0.1:9/1/orders", "awsRegion": "eu-west-1", "identityOwner": "operator",
            } }],
        },
    });
    json_patch::merge(&mut object, change);
    object
}

fn deployment(replicas: i32) -> Value {
    json!({ "metadata": { "name": "orders", "namespace": "shop" }, "spec": { "replicas": replicas } })
}

async fn scale_loop(server: &Arc<Server>) -> ScaleLoop {
    ScaleLoop::new(server.context().await, Key::new("shop", "orders"), CancellationToken::new())
}

fn condition(server: &Server, type_: &str) -> (String, String) {
    let conditions = server.object(SCALED_OBJECT).unwrap()["status"]["conditions"].clone();
    let found = conditions.as_array().unwrap().iter().find(|condition| condition["type"] == type_).unwrap().clone();
    (found["status"].as_str().unwrap().to_owned(), found["message"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_good_object_is_adopted_before_its_hpa_is_made_and_its_status_comes_last() {
    let server = Server::start([(SCALED_OBJECT, scaled_object(&json!({}))), (DEPLOYMENT, deployment(0))], |_| None);
    let mut this = scale_loop(&server).await;
    this.reconcile(&server.scaled_object()).await;
    let hpa = format!("{AUTOSCALERS}/keda-hpa-orders");
    let expected = [format!("PATCH {SCALED_OBJECT}"), format!("PATCH {hpa}"), format!("PATCH {SCALED_OBJECT}/status")];
    assert_eq!(server.writes(), expected);
    let adopted = &server.calls()[0].body["metadata"];
    assert_eq!(
        *adopted,
        json!({
            "resourceVersion": "7", "finalizers": ["finalizer.keda.sh"],
            "labels": { "scaledobject.keda.sh/name": "orders" },
        })
    );
    let hpa = server.object(&hpa).unwrap();
    assert_eq!(hpa["metadata"]["ownerReferences"][0]["uid"], "u");
    assert_eq!(condition(&server, "Ready").0, "True");
    assert_eq!(server.object(SCALED_OBJECT).unwrap()["status"]["originalReplicaCount"], 0);
    assert!(server.events().iter().any(|event| event.starts_with("ScaledObjectReady")), "{:?}", server.events());
    assert!(this.backoff.until().is_none() && this.phase == Phase::Polling { last: None });
}

#[tokio::test]
async fn what_is_in_order_already_is_not_written_again() {
    let server = Server::start([(SCALED_OBJECT, scaled_object(&json!({}))), (DEPLOYMENT, deployment(0))], |_| None);
    let mut this = scale_loop(&server).await;
    this.reconcile(&server.scaled_object()).await;
    let before = server.writes().len();
    this.reconcile(&server.scaled_object()).await;
    let hpa = format!("PATCH {AUTOSCALERS}/keda-hpa-orders");
    assert_eq!(server.writes()[before..], [hpa]);
}

#[tokio::test]
async fn without_its_target_there_is_no_hpa_and_it_is_tried_again() {
    let server = Server::start([(SCALED_OBJECT, scaled_object(&json!({})))], |_| None);
    let mut this = scale_loop(&server).await;
    this.reconcile(&server.scaled_object()).await;
    assert!(!server.writes().iter().any(|line| line.contains(AUTOSCALERS)), "{:?}", server.writes());
    assert_eq!(condition(&server, "Ready").0, "False");
    let message = server.events().join("\n");
    assert!(message.contains("target resource doesn't exist: apps/v1.Deployment shop/orders"), "{message}");
    assert!(message.contains("ScaledObjectCheckFailed: Target resource doesn't exist"), "{message}");
    assert!(this.backoff.until().is_some() && this.phase == Phase::Checking);
}

#[tokio::test]
async fn a_refused_hpa_is_reported_in_the_words_of_the_api_server() {
    let refuses = |line: &str| {
        line.contains("horizontalpodautoscalers").then_some((403, "horizontalpodautoscalers is forbidden"))
    };
    let server = Server::start([(SCALED_OBJECT, scaled_object(&json!({}))), (DEPLOYMENT, deployment(0))], refuses);
    let mut this = scale_loop(&server).await;
    this.reconcile(&server.scaled_object()).await;
    let message = server.events().join("\n");
    assert!(message.contains("failed to ensure HPA") && message.contains("is forbidden"), "{message}");
    assert!(!message.contains("Status {"), "{message}");
    assert!(this.backoff.until().is_some());
}

#[tokio::test]
async fn an_hpa_under_an_earlier_name_goes_before_the_new_one_comes() {
    let renamed = json!({
        "spec": { "advanced": { "horizontalPodAutoscalerConfig": { "name": "new" } } },
        "status": { "hpaName": "old" },
    });
    let old = format!("{AUTOSCALERS}/old");
    let objects =
        [(SCALED_OBJECT, scaled_object(&renamed)), (DEPLOYMENT, deployment(0)), (old.as_str(), json!({ "spec": {} }))];
    let server = Server::start(objects, |_| None);
    scale_loop(&server).await.reconcile(&server.scaled_object()).await;
    let writes: Vec<_> = server.writes().into_iter().filter(|line| line.contains(AUTOSCALERS)).collect();
    assert_eq!(writes, [format!("DELETE {old}"), format!("PATCH {AUTOSCALERS}/new")]);
}

#[tokio::test]
async fn a_queue_that_cannot_be_read_scales_nothing() {
    // Long past its cooldown: a zero would deactivate it.
    let idle = json!({ "status": { "lastActiveTime": "2026-01-01T00:00:00.000000Z" } });
    let server = Server::start([(SCALED_OBJECT, scaled_object(&idle)), (DEPLOYMENT, deployment(2))], |_| None);
    scale_loop(&server).await.poll(&server.scaled_object()).await;
    assert_eq!(server.object(DEPLOYMENT).unwrap()["spec"]["replicas"], 2);
    let message = server.events().join("\n");
    assert!(message.contains("KEDAScalerFailed") && message.contains("cannot read the length of queue"), "{message}");
}

#[tokio::test]
async fn a_target_that_cannot_be_read_scales_nothing() {
    let refuses = |line: &str| line.ends_with("/scale").then_some((500, "etcd is away"));
    let server = Server::start([(SCALED_OBJECT, scaled_object(&json!({}))), (DEPLOYMENT, deployment(2))], refuses);
    scale_loop(&server).await.poll(&server.scaled_object()).await;
    assert!(!server.writes().iter().any(|line| line.ends_with("/scale")), "{:?}", server.writes());
    let status = server.object(SCALED_OBJECT).unwrap()["status"].to_string();
    assert!(status.contains("etcd is away"), "{status}");
}

#[tokio::test]
async fn at_its_end_replicas_are_restored_before_our_finalizer_goes_and_others_stay() {
    let terminating = json!({
        "metadata": { "finalizers": ["theirs", "finalizer.keda.sh"], "deletionTimestamp": "2026-01-01T00:00:00Z" },
        "spec": { "advanced": { "restoreToOriginalReplicaCount": true } },
        "status": { "originalReplicaCount": 5 },
    });
    let server = Server::start([(SCALED_OBJECT, scaled_object(&terminating)), (DEPLOYMENT, deployment(0))], |_| None);
    scale_loop(&server).await.finalize(&server.scaled_object()).await;
    assert_eq!(server.writes(), [format!("PUT {DEPLOYMENT}/scale"), format!("PATCH {SCALED_OBJECT}")]);
    assert_eq!(server.object(DEPLOYMENT).unwrap()["spec"]["replicas"], 5);
    let patch = server.calls().pop().unwrap().body;
    assert_eq!(patch, json!({ "metadata": { "resourceVersion": "7", "finalizers": ["theirs"] } }));
}

#[tokio::test]
async fn a_finalizer_that_cannot_be_removed_is_tried_again_and_the_end_reported_once() {
    let terminating =
        json!({ "metadata": { "finalizers": ["finalizer.keda.sh"], "deletionTimestamp": "2026-01-01T00:00:00Z" } });
    let refuses = |line: &str| line.starts_with("PATCH").then_some((409, "the object has been modified"));
    let server = Server::start([(SCALED_OBJECT, scaled_object(&terminating)), (DEPLOYMENT, deployment(0))], refuses);
    let mut this = scale_loop(&server).await;
    for _ in 0..2 {
        this.finalize(&server.scaled_object()).await;
        assert!(this.backoff.until().is_some());
    }
    let message = server.events().into_iter().filter(|event| event.starts_with("ScaledObjectDeleted")).count();
    assert_eq!((server.writes().len(), message), (2, 1));
}
