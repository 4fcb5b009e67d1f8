//! What follows a failed reconcile: a change is waited for, or another attempt is made.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::scripted::SECRET;

/// A good object with one trigger changed by `trigger`.
fn with_trigger(trigger: &Value) -> Value {
    let mut object = scaled_object(&json!({}));
    json_patch::merge(&mut object["spec"]["triggers"][0], trigger);
    object
}

async fn after_reconcile(object: Value, refuses: fn(&str) -> Option<(u16, &'static str)>) -> (ScaleLoop, Arc<Server>) {
    let mut target = deployment(0);
    target["spec"]["template"] = json!({ "spec": { "containers": [{ "name": "app" }] } });
    let server = Server::start([(SCALED_OBJECT, object), (DEPLOYMENT, target)], refuses);
    let mut this = scale_loop(&server).await;
    this.reconcile(&server.scaled_object()).await;
    (this, server)
}

#[tokio::test]
async fn a_wrong_object_waits_for_a_change() {
    let spec = |change: Value| scaled_object(&json!({ "spec": change }));
    let wrong = [
        spec(json!({ "scaleTargetRef": { "name": "" } })),
        spec(json!({ "minReplicaCount": 5, "maxReplicaCount": 2 })),
        spec(json!({ "triggers": [] })),
        spec(json!({ "advanced": { "scalingModifiers": { "formula": "a + b", "target": "2" } } })),
        scaled_object(&json!({ "metadata": { "annotations": { "autoscaling.keda.sh/paused-replicas": "two" } } })),
        with_trigger(&json!({ "type": "no-such-trigger" })),
        with_trigger(&json!({ "type": "cpu", "metadata": { "value": "60" } })),
        with_trigger(&json!({ "metadata": { "queueLength": "many" } })),
        with_trigger(&json!({ "authenticationRef": { "name": "a", "kind": "Secret" } })),
        with_trigger(&json!({ "authenticationRef": { "name": "not-there" } })),
        with_trigger(&json!({ "authenticationRef": { "name": "a", "kind": "ClusterTriggerAuthentication" } })),
    ];
    for object in wrong {
        let (mut this, server) = after_reconcile(object.clone(), |_| None).await;
        assert_eq!(condition(&server, "Ready").0, "False", "{object}");
        assert_eq!(this.backoff.until(), None, "{object}");
        let mut seen = server.scaled_object();
        assert!(!this.is_due(&seen), "{object}");
        seen.metadata.generation = Some(2);
        assert!(this.is_due(&seen), "a change of {object}");
        // As the controller wakes it when an authentication appears or changes.
        this.checked = None;
        assert!(this.is_due(&server.scaled_object()), "{object}");
    }
}

#[tokio::test]
async fn what_may_heal_unseen_is_tried_again() {
    type Refuses = fn(&str) -> Option<(u16, &'static str)>;
    let good = || scaled_object(&json!({}));
    let unnamed = json!({ "metadata": { "queueURL": null, "queueURLFromEnv": "QUEUE" } });
    let other_kind = json!({ "spec": { "scaleTargetRef": { "apiVersion": "example.com/v1", "kind": "Thing" } } });
    let mut no_container = with_trigger(&unnamed);
    no_container["spec"]["scaleTargetRef"]["envSourceContainerName"] = "sidecar".into();
    let table: [(Value, Refuses); 9] = [
        (good(), |line| line.starts_with("PATCH").then_some((500, "etcd is away"))),
        (good(), |line| line.ends_with("/scale").then_some((404, "not found"))),
        (good(), |line| line.ends_with("/scale").then_some((500, "etcd is away"))),
        (scaled_object(&other_kind), |_| None),
        (no_container, |_| None),
        (with_trigger(&unnamed), |_| None),
        (good(), |line| line.contains("horizontalpodautoscalers").then_some((403, "forbidden"))),
        (good(), |line| line.ends_with("/status").then_some((500, "etcd is away"))),
        // Nobody can read what is wrong before the status is written.
        (scaled_object(&json!({ "spec": { "triggers": [] } })), |line| {
            line.ends_with("/status").then_some((500, "etcd is away"))
        }),
    ];
    for (number, (object, refuses)) in table.into_iter().enumerate() {
        let (mut this, server) = after_reconcile(object, refuses).await;
        let first = this.backoff.until().unwrap_or_else(|| panic!("{number} is not tried again"));
        this.reconcile(&server.scaled_object()).await;
        let second = this.backoff.until().unwrap_or_else(|| panic!("{number} is tried again once only"));
        assert!(second.since(first) >= Duration::from_secs(1), "{number}");
        // A change of the object does not wait for the pause.
        let mut changed = server.scaled_object();
        assert!(!this.is_due(&changed), "{number}");
        changed.metadata.generation = Some(2);
        assert!(this.is_due(&changed), "{number}");
    }
}

#[tokio::test]
async fn one_trigger_that_may_heal_is_enough_for_another_attempt() {
    let mut object = with_trigger(&json!({ "name": "wrong", "metadata": { "queueLength": "many" } }));
    let mut other = object["spec"]["triggers"][0].clone();
    json_patch::merge(
        &mut other,
        &json!({ "name": "other", "metadata": { "queueLength": "1", "queueURL": null, "queueURLFromEnv": "QUEUE" } }),
    );
    object["spec"]["triggers"].as_array_mut().unwrap().push(other);
    let (this, _) = after_reconcile(object, |_| None).await;
    assert!(this.backoff.until().is_some());
}

#[tokio::test]
async fn a_secret_that_appears_is_noticed_by_the_next_attempt() {
    let object = with_trigger(&json!({ "metadata": { "queueURL": null, "queueURLFromEnv": "QUEUE" } }));
    let mut target = deployment(0);
    target["spec"]["template"] = json!({ "spec": { "containers": [{
        "name": "app", "envFrom": [{ "secretRef": { "name": "queue" } }],
    }] } });
    let server = Server::start([(SCALED_OBJECT, object), (DEPLOYMENT, target)], |_| None);
    let mut this = scale_loop(&server).await;
    this.reconcile(&server.scaled_object()).await;
    assert!(this.backoff.until().is_some() && this.phase == Phase::Checking);
    // "http://127.0.0.1:9/1/orders"
    server.put(SECRET, json!({ "data": { "QUEUE": "aHR0cDovLzEyNy4wLjAuMTo5LzEvb3JkZXJz" } }));
    this.reconcile(&server.scaled_object()).await;
    assert_eq!(condition(&server, "Ready").0, "True");
    assert!(this.backoff.until().is_none() && matches!(this.phase, Phase::Polling { .. }));
}
