//! A formula over several triggers: its HPA, its polls, its status.

use super::*;

/// Two triggers that count the same pods, and a formula over their names.
fn with_formula(formula: &str) -> Value {
    let trigger = |name: &str, selector: &str| json!({ "type": "kubernetes-workload", "name": name, "metadata": { "podSelector": selector } });
    let modifiers = json!({ "formula": formula, "target": "2", "activationTarget": "5" });
    scaled_object(&json!({ "spec": {
        "triggers": [trigger("a", "app=a"), trigger("b", "app=b")], "advanced": { "scalingModifiers": modifiers },
    } }))
}

async fn started(formula: &str, count: usize) -> (ScaleLoop, Arc<Server>) {
    let server = Server::start([(SCALED_OBJECT, with_formula(formula)), (DEPLOYMENT, deployment(0))], |_| None);
    server.put_pods(count);
    let mut this = scale_loop(&server).await;
    this.reconcile(&server.scaled_object()).await;
    (this, server)
}

#[tokio::test]
async fn the_hpa_holds_what_the_formula_makes_of_triggers_without_targets() {
    let (_, server) = started("a + b", 0).await;
    assert_eq!(condition(&server, "Ready").0, "True", "{}", condition(&server, "Ready").1);
    let hpa = server.object(&format!("{AUTOSCALERS}/keda-hpa-orders")).unwrap();
    let metrics = hpa["spec"]["metrics"].as_array().unwrap();
    assert_eq!((metrics.len(), &metrics[0]["external"]["metric"]["name"]), (1, &json!("composite-metric")));
    assert_eq!(metrics[0]["external"]["target"], json!({ "type": "AverageValue", "averageValue": "2" }));
    let status = server.object(SCALED_OBJECT).unwrap()["status"].clone();
    assert_eq!(status["externalMetricNames"], json!(["s0-workload-shop", "s1-workload-shop"]));
    assert_eq!(status["compositeScalerName"], "composite-metric");
}

#[tokio::test]
async fn the_formula_wakes_the_target_up_and_is_measured() {
    let (mut this, server) = started("a + b", 2).await;
    this.poll(&server.scaled_object()).await;
    assert_eq!(server.object(DEPLOYMENT).unwrap()["spec"]["replicas"], 0, "4 is not above 5");
    let (mut this, server) = started("a + b", 3).await;
    this.poll(&server.scaled_object()).await;
    assert_eq!(server.object(DEPLOYMENT).unwrap()["spec"]["replicas"], 1);
    let events = server.events();
    assert!(events.iter().any(|event| event.ends_with("triggered by composite-metric")), "{events:?}");
    let text = this.context.telemetry.render();
    let is_measured = |line: &str| line.contains(r#"metric="composite-metric""#) && line.ends_with(" 6.0");
    assert!(text.lines().any(is_measured), "{text}");
    // Without the formula its numbers and its name go.
    let mut changed = scaled_object(&json!({}));
    changed["metadata"] = server.object(SCALED_OBJECT).unwrap()["metadata"].clone();
    changed["status"] = server.object(SCALED_OBJECT).unwrap()["status"].clone();
    changed["metadata"]["generation"] = 2.into();
    server.put(SCALED_OBJECT, changed);
    this.reconcile(&server.scaled_object()).await;
    assert_eq!(server.object(SCALED_OBJECT).unwrap()["status"]["compositeScalerName"], Value::Null);
    assert!(!this.context.telemetry.render().contains("composite-metric"));
}

#[tokio::test]
async fn a_source_that_fails_holds_the_target_and_is_named() {
    let objects = [(SCALED_OBJECT, with_formula("a + b")), (DEPLOYMENT, deployment(2))];
    let server = Server::start(objects, |line| line.ends_with("/pods").then_some((403, "pods is forbidden")));
    let mut this = scale_loop(&server).await;
    this.reconcile(&server.scaled_object()).await;
    this.poll(&server.scaled_object()).await;
    assert_eq!(server.object(DEPLOYMENT).unwrap()["spec"]["replicas"], 2);
    assert!(condition(&server, "Ready").1.contains("pods is forbidden"), "{:?}", condition(&server, "Ready"));
    let events = server.events();
    assert!(events.iter().any(|event| event.starts_with("KEDAMetricSourceFailed")), "{events:?}");
}

#[tokio::test]
async fn a_formula_over_unknown_names_has_no_hpa() {
    let (_, server) = started("a + c", 3).await;
    let (ready, message) = condition(&server, "Ready");
    assert!(ready == "False" && message.contains("unknown name c"), "{message}");
    assert_eq!(server.object(&format!("{AUTOSCALERS}/keda-hpa-orders")), None);
}
