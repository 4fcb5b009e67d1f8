//! The HPA where others have written it too: KEDA before us, somebody whose HPA is taken over, a hand in it.

use super::*;

/// An HPA whose fields `manager` wrote, owned by the ScaledObject `owner`.
fn hpa(manager: &str, owner: Option<&str>) -> Value {
    let owners = owner
        .map(|name| json!([{ "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": name, "uid": "u" }]));
    json!({
        "metadata": {
            "name": "keda-hpa-orders", "namespace": "shop", "uid": "h", "resourceVersion": "9",
            "labels": { "old": "label" }, "ownerReferences": owners,
            "managedFields": [{
                "manager": manager, "operation": "Update", "apiVersion": "autoscaling/v2", "fieldsType": "FieldsV1",
                "fieldsV1": { "f:metadata": { "f:labels": { "f:old": {} } }, "f:spec": { "f:behavior": {} } },
            }],
        },
        "spec": {
            "maxReplicas": 5, "behavior": { "scaleDown": { "stabilizationWindowSeconds": 600 } },
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "orders" },
        },
    })
}

/// The bodies of the writes to the HPA in a reconcile of an object with `annotations`.
async fn written(hpa: Value, annotations: Value, named: bool) -> Vec<Value> {
    let path = format!("{AUTOSCALERS}/keda-hpa-orders");
    let config = named.then(|| json!({ "horizontalPodAutoscalerConfig": { "name": "keda-hpa-orders" } }));
    let object = scaled_object(&json!({ "metadata": { "annotations": annotations }, "spec": { "advanced": config } }));
    let server = Server::start([(SCALED_OBJECT, object), (DEPLOYMENT, deployment(0)), (&path, hpa)], |_| None);
    let mut this = ScaleLoop::new(server.watched().await, Key::new("shop", "orders"), CancellationToken::new());
    this.reconcile(&server.scaled_object()).await;
    assert_eq!(condition(&server, "Ready").0, "True", "{:?}", condition(&server, "Ready"));
    assert_eq!(server.object(&path).unwrap()["metadata"]["uid"], "h", "it is the same HPA");
    let calls = server.calls().into_iter().filter(|call| call.line == format!("PATCH {path}"));
    calls.map(|call| call.body).collect()
}

fn claimed(body: &Value) -> Value {
    let entries = body["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    entries.into_iter().find(|entry| entry["operation"] == "Apply").unwrap_or_default()["fieldsV1"].clone()
}

#[tokio::test]
async fn what_keda_owned_of_its_hpa_becomes_ours_and_is_applied_away() {
    let writes = written(hpa("keda", Some("orders")), json!({}), false).await;
    let whole = json!({ "f:metadata": { "f:labels": { "f:old": {} } }, "f:spec": { "f:behavior": {} } });
    assert_eq!(writes.len(), 3, "{writes:#?}");
    assert!(writes[0]["spec"]["maxReplicas"] == 100 && writes[2] == writes[0]);
    assert_eq!(claimed(&writes[1]), whole);
    assert!(writes[1]["metadata"]["resourceVersion"].is_string(), "only if nobody has written it meanwhile");
}

#[tokio::test]
async fn a_foreign_hpa_is_ours_whole_before_it_has_our_owner() {
    let transfer = json!({ "scaledobject.keda.sh/transfer-hpa-ownership": "true" });
    let writes = written(hpa("kubectl-create", None), transfer, true).await;
    let whole = json!({ "f:metadata": { "f:labels": { "f:old": {} } }, "f:spec": { "f:behavior": {} } });
    assert_eq!((claimed(&writes[0]), writes.len()), (whole, 2), "{writes:#?}");
    assert_eq!(writes[1]["metadata"]["ownerReferences"][0]["name"], "orders");
}

#[tokio::test]
async fn a_behavior_that_a_hand_puts_into_our_hpa_goes_and_its_label_stays() {
    let writes = written(hpa("kubectl-edit", Some("orders")), json!({}), false).await;
    assert_eq!((claimed(&writes[1]), writes.len()), (json!({ "f:spec": { "f:behavior": {} } }), 3), "{writes:#?}");
}
