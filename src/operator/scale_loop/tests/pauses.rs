//! Pauses: what they report, and what is not done meanwhile.

use super::*;

async fn paused(annotations: &Value) -> (Arc<Server>, ScaleLoop) {
    let object = scaled_object(&json!({ "metadata": { "annotations": annotations } }));
    let server = Server::start([(SCALED_OBJECT, object), (DEPLOYMENT, deployment(2))], |_| None);
    let this = ScaleLoop::new(server.watched().await, Key::new("shop", "orders"), CancellationToken::new());
    (server, this)
}

/// Replaces the annotations, waits until the cache has them, and takes a turn.
async fn annotated(server: &Server, this: &mut ScaleLoop, annotations: Value) {
    let mut object = server.object(SCALED_OBJECT).unwrap();
    object["metadata"]["annotations"] = annotations.clone();
    server.put(SCALED_OBJECT, object);
    let wanted = serde_json::from_value(annotations).unwrap();
    until(|| this.latest().unwrap().metadata.annotations == wanted).await;
    Box::pin(this.turn()).await;
}

fn reasons(server: &Server) -> Vec<String> {
    let events = server.events().into_iter();
    let reasons = events.filter_map(|event| event.split(':').next().map(str::to_owned));
    // The queue cannot be read, so whether the object is ready is another matter.
    reasons.filter(|reason| reason != "KEDAScalerFailed" && reason != "ScaledObjectReady").collect()
}

#[tokio::test]
async fn a_pause_in_one_direction_is_a_pause_and_scaling_goes_on() {
    for direction in ["autoscaling.keda.sh/paused-scale-in", "autoscaling.keda.sh/paused-scale-out"] {
        let (server, mut this) = paused(&json!({ direction: "true" })).await;
        Box::pin(this.turn()).await;
        assert_eq!(condition(&server, "Paused"), ("True".into(), "ScaledObject is paused".into()), "{direction}");
        assert!(server.object(&format!("{AUTOSCALERS}/keda-hpa-orders")).is_some(), "{direction}");
        assert!(
            this.context
                .telemetry
                .render()
                .contains(r#"keda_scaled_object_paused{namespace="shop",scaledObject="orders"} 1"#)
        );
        annotated(&server, &mut this, json!({})).await;
        assert_eq!(condition(&server, "Paused").0, "False", "{direction}");
    }
}

#[tokio::test]
async fn a_pause_and_its_end_are_reported_once() {
    let (server, mut this) = paused(&json!({})).await;
    Box::pin(this.turn()).await;
    assert_eq!(condition(&server, "Paused").0, "False", "as KEDA has it since 2.18");
    annotated(&server, &mut this, json!({ "autoscaling.keda.sh/paused": "true" })).await;
    this.checked = None;
    Box::pin(this.turn()).await;
    annotated(&server, &mut this, json!({})).await;
    let began = ["KEDAScalersStarted", "KEDAScalersStarted"];
    let expected = [&began[..], &["ScaledObjectPaused", "KEDAScalersStopped", "ScaledObjectUnpaused"]].concat();
    assert_eq!(reasons(&server), expected);
    // It began again, which is counted on the first Event of that text.
    assert!(this.is_watching);
}

#[tokio::test]
async fn while_it_is_paused_nothing_is_read_or_deleted_without_need() {
    let (server, mut this) = paused(&json!({ "autoscaling.keda.sh/paused": "true" })).await;
    Box::pin(this.turn()).await;
    assert!(!server.writes().iter().any(|line| line.starts_with("DELETE")), "{:?}", server.writes());
    let calls = server.calls().len();
    for _ in 0..3 {
        this.phase = Phase::Polling { last: None };
        Box::pin(this.turn()).await;
    }
    let after: Vec<_> = server.calls()[calls..].iter().map(|call| call.line.clone()).collect();
    assert_eq!(after, Vec::<String>::new());
}

#[tokio::test]
async fn a_finalizer_that_meets_a_newer_object_is_no_failure_of_it() {
    let refuses = |line: &str| line.starts_with("PATCH").then_some((409, "the object has been modified"));
    let server = Server::start([(SCALED_OBJECT, scaled_object(&json!({}))), (DEPLOYMENT, deployment(0))], refuses);
    let mut this = scale_loop(&server).await;
    this.reconcile(&server.scaled_object()).await;
    assert_eq!(server.events(), Vec::<String>::new());
    assert!(this.backoff.until().is_some() && this.is_due(&server.scaled_object()));
}
