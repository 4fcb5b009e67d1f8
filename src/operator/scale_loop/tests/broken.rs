//! One trigger that cannot be built beside others that can.

use super::*;

/// The metrics of the HPA, and the loop, after a reconcile of an object with these triggers besides a good one.
async fn reconciled(others: &[Value]) -> (Arc<Server>, ScaleLoop, Vec<String>) {
    let mut object = scaled_object(&json!({}));
    object["spec"]["triggers"].as_array_mut().unwrap().extend_from_slice(others);
    let server = Server::start([(SCALED_OBJECT, object), (DEPLOYMENT, deployment(1))], |_| None);
    let mut this = scale_loop(&server).await;
    this.reconcile(&server.scaled_object()).await;
    let hpa = server.object(&format!("{AUTOSCALERS}/keda-hpa-orders")).unwrap_or_default();
    let metrics = hpa["spec"]["metrics"].as_array().cloned().unwrap_or_default();
    let names = metrics.iter().map(|metric| metric["external"]["metric"]["name"].as_str().unwrap().to_owned());
    let names = names.collect();
    (server, this, names)
}

fn without_authentication() -> Value {
    json!({ "type": "aws-sqs-queue", "authenticationRef": { "name": "not-there" }, "metadata": {
        "queueURL": "http://127.0.0.1:9/1/other", "awsRegion": "eu-west-1",
    } })
}

#[tokio::test]
async fn the_others_have_their_hpa_and_the_broken_one_keeps_the_name_of_its_metric() {
    let (server, mut this, metrics) = reconciled(&[without_authentication()]).await;
    assert_eq!(metrics, ["s0-aws-sqs-orders", "s1-aws-sqs-other"]);
    let (ready, message) = condition(&server, "Ready");
    assert!(ready == "False" && message.contains("trigger 1") && message.contains("not-there"), "{message}");
    assert!(matches!(this.phase, Phase::Polling { last: None }), "the others are polled");
    // The next attempt changes nothing of that, and polls go on at their interval.
    this.phase = Phase::Polling { last: Some(this.context.clock.moment()) };
    this.reconcile(&server.scaled_object()).await;
    assert!(matches!(this.phase, Phase::Polling { last: Some(_) }));
}

#[tokio::test]
async fn one_of_which_nothing_is_known_has_a_metric_that_nobody_can_read() {
    let (server, _, metrics) = reconciled(&[json!({ "type": "no-such-trigger", "metadata": {} })]).await;
    assert_eq!(metrics, ["s0-aws-sqs-orders", "s1"], "so the HPA scales nothing in by the others alone");
    assert!(condition(&server, "Ready").1.contains("no-such-trigger"));
    let events = server.events().join("\n");
    assert!(
        events.contains("Scaler aws-sqs-queue is built") && !events.contains("no-such-trigger is built"),
        "{events}"
    );
}

#[tokio::test]
async fn without_any_trigger_that_can_be_built_there_is_no_hpa() {
    let mut object = scaled_object(&json!({}));
    object["spec"]["triggers"] = json!([without_authentication()]);
    let server = Server::start([(SCALED_OBJECT, object), (DEPLOYMENT, deployment(1))], |_| None);
    let mut this = scale_loop(&server).await;
    this.reconcile(&server.scaled_object()).await;
    assert!(server.object(&format!("{AUTOSCALERS}/keda-hpa-orders")).is_none() && this.phase == Phase::Checking);
}
