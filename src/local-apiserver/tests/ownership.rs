//! `managedFields`: who may write them, and what apply makes of them.

use super::*;

const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn named(object: &Value) -> Vec<(&str, &str)> {
    let entries = object["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().map(|one| (one["manager"].as_str().unwrap(), one["operation"].as_str().unwrap())).collect()
}

/// A ConfigMap as client-side apply makes it.
async fn applied_by_client(client: &Client, data: &Value) -> Value {
    let mut object = config_map("cm", data);
    let last = format!("{object}\n");
    object["metadata"]["annotations"] = json!({APPLIED: last});
    client.create(&format!("{CONFIG_MAPS}?fieldManager=kubectl-client-side-apply"), &object).await.unwrap()
}

#[tokio::test]
async fn kubectl_moves_ownership_from_client_side_to_server_side_apply() {
    let server = server();
    let client = admin(&server);
    let made = applied_by_client(&client, &json!({"old": "1"})).await;
    let entry = &made["metadata"]["managedFields"][0];
    let mut moved = entry.clone();
    (moved["manager"], moved["operation"]) = ("kubectl".into(), "Apply".into());
    let path = format!("{CONFIG_MAPS}/cm");
    let moving = json!([
        {"op": "replace", "path": "/metadata/managedFields", "value": [moved]},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": made["metadata"]["resourceVersion"]},
    ]);
    let after = client.patch(&path, PatchType::Json, &moving).await.unwrap();
    assert_eq!(named(&after), [("kubectl", "Apply")]);
    let wanted = config_map("cm", &json!({"new": "1"}));
    let applied = client.patch(&format!("{path}?fieldManager=kubectl"), PatchType::Apply, &wanted).await.unwrap();
    assert_eq!(applied["data"], json!({"new": "1"}));
}

#[tokio::test]
async fn one_empty_entry_clears_the_managers_until_the_next_apply() {
    let server = server();
    let client = admin(&server);
    let path = format!("{CONFIG_MAPS}/cm");
    client.create(&format!("{CONFIG_MAPS}?fieldManager=maker"), &config_map("cm", &json!({"a": "1"}))).await.unwrap();
    let replace = |value: Value| json!([{"op": "replace", "path": "/metadata/managedFields", "value": value}]);
    let kept = client.patch(&path, PatchType::Json, &replace(json!([]))).await.unwrap();
    assert_eq!(named(&kept), [("maker", "Update")]);
    let invalid = json!([{"manager": "x", "operation": "Steal", "apiVersion": "v1"}]);
    let kept = client.patch(&path, PatchType::Json, &replace(invalid)).await.unwrap();
    assert_eq!(named(&kept), [("maker", "Update")]);
    let cleared = client.patch(&path, PatchType::Json, &replace(json!([{}]))).await.unwrap();
    assert_eq!(named(&cleared), []);
    let updated = client.patch(&path, PatchType::Merge, &json!({"data": {"b": "1"}})).await.unwrap();
    assert_eq!(named(&updated), []);
    let wanted = config_map("cm", &json!({"c": "1"}));
    let applied = client.patch(&format!("{path}?fieldManager=me"), PatchType::Apply, &wanted).await.unwrap();
    assert_eq!(named(&applied), [("me", "Apply"), ("before-first-apply", "Update")]);
    assert_eq!(applied["data"], json!({"a": "1", "b": "1", "c": "1"}));
}

#[tokio::test]
async fn what_create_and_update_bring_along_is_taken_over() {
    let server = server();
    let client = admin(&server);
    let mut object = config_map("cm", &json!({"a": "1"}));
    object["metadata"]["managedFields"] = json!([{"manager": "restored", "operation": "Update", "apiVersion": "v1",
        "time": "2020-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:x": {}}}}]);
    let made = client.create(&format!("{CONFIG_MAPS}?fieldManager=maker"), &object).await.unwrap();
    assert_eq!(named(&made), [("restored", "Update"), ("maker", "Update")]);
    let mut next = made.clone();
    next["metadata"]["managedFields"] = json!([made["metadata"]["managedFields"][1]]);
    let after = client.update(&format!("{CONFIG_MAPS}/cm"), &next).await.unwrap();
    assert_eq!(named(&after), [("maker", "Update")]);
}

#[tokio::test]
async fn kubectl_does_not_conflict_with_its_own_client_side_apply() {
    let server = server();
    let client = admin(&server);
    applied_by_client(&client, &json!({"a": "1", "b": "1"})).await;
    let path = format!("{CONFIG_MAPS}/cm");
    let wanted = config_map("cm", &json!({"a": "2"}));
    let by = |manager: &str| format!("{path}?fieldManager={manager}");
    let refused = client.patch(&by("other"), PatchType::Apply, &wanted).await.unwrap_err();
    assert_eq!(
        refused.message(),
        "Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using v1: .data.a"
    );
    let applied = client.patch(&by("kubectl"), PatchType::Apply, &wanted).await.unwrap();
    assert_eq!(applied["data"]["a"], "2");
    let last = applied["metadata"]["annotations"][APPLIED].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(last).unwrap()["data"], json!({"a": "2"}));
    // What somebody else changed since then is no longer the client-side applier's.
    let theirs = json!({"data": {"b": "9"}});
    client.patch(&by("third"), PatchType::Merge, &theirs).await.unwrap();
    let wanted = config_map("cm", &json!({"a": "2", "b": "2"}));
    let refused = client.patch(&by("kubectl"), PatchType::Apply, &wanted).await.unwrap_err();
    assert!(refused.message().contains("conflict with \"third\" using v1: .data.b"), "{refused}");
}

#[tokio::test]
async fn a_status_is_owned_apart_and_brings_no_managers_along() {
    let server = server();
    let client = admin(&server);
    let budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}});
    let mut made = client.create(&format!("{budgets}?fieldManager=maker"), &budget).await.unwrap();
    made["status"]["currentHealthy"] = 2.into();
    made["metadata"]["managedFields"] = json!([{}]);
    let after = client.update(&format!("{budgets}/b/status?fieldManager=keeper"), &made).await.unwrap();
    let entries = &after["metadata"]["managedFields"];
    assert_eq!(named(&after), [("keeper", "Update"), ("maker", "Update")]);
    assert_eq!((&entries[0]["subresource"], &entries[1]["subresource"]), (&json!("status"), &Value::Null));
}
