//! Triggers `cpu` and `memory`, alone and beside another one.

use super::*;

const LIMITS: &str = "/api/v1/namespaces/shop/limitranges";

fn with_cpu(change: &Value) -> Value {
    let mut object = scaled_object(&json!({}));
    let cpu = json!({ "type": "cpu", "metricType": "Utilization", "metadata": { "value": "60" } });
    object["spec"]["triggers"].as_array_mut().unwrap().push(cpu);
    json_patch::merge(&mut object, change);
    object
}

fn target(requests: &Value) -> Value {
    let mut target = deployment(1);
    let container = json!({ "name": "app", "resources": { "requests": requests } });
    target["spec"]["template"] = json!({ "spec": { "containers": [container] } });
    target
}

async fn reconciled(object: Value, target: Value, limits: Value) -> Arc<Server> {
    let server = Server::start([(SCALED_OBJECT, object), (DEPLOYMENT, target), (LIMITS, limits)], |_| None);
    let mut this = scale_loop(&server).await;
    this.reconcile(&server.scaled_object()).await;
    server
}

#[tokio::test]
async fn cpu_beside_a_queue_is_a_metric_of_the_hpa_and_no_trigger_to_read() {
    let server = reconciled(with_cpu(&json!({})), target(&json!({ "cpu": "100m" })), json!({ "items": [] })).await;
    assert_eq!(condition(&server, "Ready").0, "True", "{}", condition(&server, "Ready").1);
    let hpa = server.object(&format!("{AUTOSCALERS}/keda-hpa-orders")).unwrap();
    let types: Vec<_> = hpa["spec"]["metrics"].as_array().unwrap().iter().map(|metric| &metric["type"]).collect();
    assert_eq!(types, ["External", "Resource"]);
    let status = &server.object(SCALED_OBJECT).unwrap()["status"];
    assert_eq!(status["resourceMetricNames"], json!(["cpu"]));
    assert_eq!(status["externalMetricNames"], json!(["s0-aws-sqs-orders"]));
}

#[tokio::test]
async fn a_container_without_a_request_is_named_unless_the_namespace_gives_one() {
    let none = json!({ "items": [] });
    let server = reconciled(with_cpu(&json!({})), target(&json!({ "cpu": "0" })), none).await;
    let (ready, message) = condition(&server, "Ready");
    let words = "the scaledobject has a cpu trigger but the container app doesn't have the cpu request defined";
    assert!(ready == "False" && message.contains(words), "{message}");
    let limits = json!({ "items": [{ "metadata": { "name": "defaults" }, "spec": { "limits": [
        { "type": "Container", "defaultRequest": { "cpu": "50m" } },
    ] } }] });
    let server = reconciled(with_cpu(&json!({})), target(&json!({})), limits).await;
    assert_eq!(condition(&server, "Ready").0, "True", "{}", condition(&server, "Ready").1);
}

#[tokio::test]
async fn cpu_alone_never_goes_to_zero_and_keeps_its_replicas() {
    let cpu = json!([{ "type": "cpu", "metricType": "Utilization", "metadata": { "value": "60" } }]);
    let alone = |min: i32| with_cpu(&json!({ "spec": { "minReplicaCount": min, "triggers": cpu } }));
    let refused = reconciled(alone(0), target(&json!({ "cpu": "1" })), json!({ "items": [] })).await;
    assert!(condition(&refused, "Ready").1.contains("scaledobject has only cpu/memory triggers AND minReplica is 0"));
    let server = reconciled(alone(1), target(&json!({ "cpu": "1" })), json!({ "items": [] })).await;
    assert_eq!(condition(&server, "Ready").0, "True");
    scale_loop(&server).await.poll(&server.scaled_object()).await;
    assert_eq!(server.object(DEPLOYMENT).unwrap()["spec"]["replicas"], 1);
}
