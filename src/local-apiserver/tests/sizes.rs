//! What is too large or too long.

use super::*;

const MIB: usize = 1024 * 1024;

async fn words(client: &Client, path: &str, object: &Value) -> (u16, String) {
    let refused = refused(client, path, object).await;
    (refused.code(), refused.message().to_owned())
}

#[tokio::test]
async fn annotations_and_data_have_sizes() {
    let server = server();
    let client = admin(&server);
    let mut object = config_map("x", &json!({}));
    object["metadata"]["annotations"] = json!({"a": "x".repeat(256 * 1024)});
    assert_eq!(
        words(&client, CONFIG_MAPS, &object).await,
        (
            422,
            "ConfigMap \"x\" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes".to_owned()
        )
    );
    object["metadata"]["annotations"] = json!({"a": "x".repeat(256 * 1024 - 1)});
    client.create(CONFIG_MAPS, &object).await.unwrap();
    let big = config_map("y", &json!({"a": "x".repeat(MIB), "b": "x"}));
    assert_eq!(
        words(&client, CONFIG_MAPS, &big).await,
        (422, "ConfigMap \"y\" is invalid: []: Too long: may not be more than 1048576 bytes".to_owned())
    );
    client.create(CONFIG_MAPS, &config_map("y", &json!({"a": "x".repeat(MIB)}))).await.unwrap();
    let secrets = "/api/v1/namespaces/default/secrets";
    let secret = |bytes: usize| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "x".repeat(bytes)}});
    assert_eq!(
        words(&client, secrets, &secret(MIB + 1)).await,
        (422, "Secret \"s\" is invalid: data: Too long: may not be more than 1048576 bytes".to_owned())
    );
    client.create(secrets, &secret(MIB)).await.unwrap();
}

#[tokio::test]
async fn pod_templates_and_custom_objects_have_the_same_limits() {
    let server = server();
    let client = admin(&server);
    let long = json!({"a": "x".repeat(256 * 1024)});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}, "annotations": long},
                     "spec": {"containers": [{"name": "c", "image": "x"}]}}}});
    let refusal = words(&client, "/apis/apps/v1/namespaces/default/deployments", &deployment).await.1;
    assert!(refusal.ends_with("spec.template.annotations: Too long: may not be more than 262144 bytes"), "{refusal}");
}

#[tokio::test]
async fn etcd_takes_no_object_over_a_mebibyte_and_a_half() {
    let server = server();
    let client = admin(&server);
    let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "bigs.example.com"}, "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"plural": "bigs", "kind": "Big"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]}});
    client.create(crds, &crd).await.unwrap();
    let big = json!({"apiVersion": "example.com/v1", "kind": "Big", "metadata": {"name": "b"}, "spec": {"x": "x".repeat(MIB * 3 / 2)}});
    let refusal = words(&client, "/apis/example.com/v1/namespaces/default/bigs", &big).await;
    assert_eq!(refusal, (500, "etcdserver: request is too large".to_owned()));
}

#[tokio::test]
async fn generated_names_are_cut_to_a_labels_length() {
    let server = server();
    let client = admin(&server);
    let mut object = config_map("", &json!({}));
    object["metadata"] = json!({"generateName": "a".repeat(80)});
    let made = client.create(CONFIG_MAPS, &object).await.unwrap();
    assert_eq!(made["metadata"]["name"].as_str().unwrap().len(), 63);
    object["metadata"] = json!({"generateName": "Bad-"});
    let refusal = words(&client, CONFIG_MAPS, &object).await;
    assert!(refusal.1.contains("metadata.generateName: Invalid value: \"Bad-\""), "{refusal:?}");
}

#[tokio::test]
async fn events_agree_with_their_namespace_and_are_short() {
    let server = server();
    let client = admin(&server);
    let events = "/api/v1/namespaces/kube-system/events";
    let event = |of: &str, more: Value| {
        let mut event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "involvedObject": {"namespace": of}});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let refusal = words(&client, events, &event("default", json!({}))).await.1;
    assert!(
        refusal.ends_with("involvedObject.namespace: Invalid value: \"default\": does not match event.namespace"),
        "{refusal}"
    );
    let newer = json!({"eventTime": "2026-01-01T00:00:00.000000Z", "reportingComponent": "a", "reportingInstance": "a",
        "action": "a", "reason": "a", "message": "x".repeat(1025)});
    let refusal = words(&client, events, &event("kube-system", newer)).await.1;
    assert!(refusal.ends_with("message: Invalid value: \"\": can have at most 1024 characters"), "{refusal}");
    client.create(events, &event("kube-system", json!({"message": "x".repeat(1025)}))).await.unwrap();
}
