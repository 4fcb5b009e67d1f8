//! What is sent is read as the real server's types read it: refused in their words, or stored in its normal form. Every
//! answer was seen from a real 1.35.4.

use super::*;

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

fn deployment(name: &str, replicas: &Value, resources: &Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "x", "resources": resources}]}},
    }})
}

fn resources(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["spec"]["containers"][0]["resources"]
}

#[tokio::test]
async fn quantities_are_stored_in_their_canonical_form_however_they_are_sent() {
    let server = server();
    let client = admin(&server);
    let given = json!({
        "requests": {"cpu": 0.5, "memory": "1024Mi", "ephemeral-storage": 1_000_000_000},
        "limits": {"cpu": "1000m", "memory": "1.5Gi"},
    });
    let made = client.create(DEPLOYMENTS, &deployment("one", &json!(0), &given)).await.unwrap();
    let canonical = json!({
        "requests": {"cpu": "500m", "memory": "1Gi", "ephemeral-storage": "1G"},
        "limits": {"cpu": "1", "memory": "1536Mi"},
    });
    assert_eq!(resources(&made), &canonical);
    let one = format!("{DEPLOYMENTS}/one");
    let limits = |cpu: Value| json!([{"name": "c", "image": "x", "resources": {"limits": {"cpu": cpu}}}]);
    let patch = |cpu: Value| json!({"spec": {"template": {"spec": {"containers": limits(cpu)}}}});
    for (kind, cpu, form) in [(PatchType::Merge, json!(3), "3"), (PatchType::Strategic, json!("4000m"), "4")] {
        let patched = client.patch(&one, kind, &patch(cpu)).await.unwrap();
        assert_eq!(resources(&patched)["limits"]["cpu"], form);
    }
    // The same amount in other words is no change.
    let before = client.get(&one).await.unwrap();
    let after = client.patch(&one, PatchType::Strategic, &patch(json!("4"))).await.unwrap();
    assert_eq!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
    for wrong in [json!("abc"), json!(true), json!([1])] {
        let status =
            refused(&client, DEPLOYMENTS, &deployment("two", &json!(0), &json!({"limits": {"cpu": wrong}}))).await;
        assert_eq!(status.code(), 400);
        assert!(status.message().contains("cannot be handled as a Deployment: quantities must match"), "{status}");
    }
}

#[tokio::test]
async fn an_integer_that_its_type_cannot_hold_is_refused() {
    let server = server();
    let client = admin(&server);
    let field = "Go struct field DeploymentSpec.spec.replicas of type int32";
    for replicas in [3_000_000_000_i64, 2_147_483_648] {
        let status = refused(&client, DEPLOYMENTS, &deployment("one", &json!(replicas), &json!({}))).await;
        assert_eq!(
            status.message(),
            format!(
                "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal number {replicas} into {field}"
            )
        );
    }
    client.create(DEPLOYMENTS, &deployment("one", &json!(0), &json!({}))).await.unwrap();
    let (path, more) = (format!("{DEPLOYMENTS}/one"), json!({"spec": {"replicas": 3_000_000_000_i64}}));
    let status = client.patch(&path, PatchType::Merge, &more).await.unwrap_err();
    assert!(status.message().ends_with(&format!("json: cannot unmarshal number 3000000000 into {field}")), "{status}");
    // A strategic merge patch is converted, and the conversion wraps.
    let status = client.patch(&path, PatchType::Strategic, &more).await.unwrap_err();
    assert!(status.message().contains("spec.replicas: Invalid value: -1294967296: must be greater than"), "{status}");
}

#[tokio::test]
async fn the_body_of_a_subresource_or_review_is_read_like_an_object() {
    let server = server();
    let client = admin(&server);
    client.create(DEPLOYMENTS, &deployment("one", &json!(2), &json!({}))).await.unwrap();
    let scale = format!("{DEPLOYMENTS}/one/scale");
    for replicas in [json!("0"), json!(3_000_000_000_i64), json!(1.5)] {
        let given = json!({"metadata": {"name": "one", "namespace": "default"}, "spec": {"replicas": replicas}});
        let status = client.update(&scale, &given).await.unwrap_err();
        assert_eq!(status.code(), 400);
        assert!(
            status
                .message()
                .starts_with("Scale in version \"v1\" cannot be handled as a Scale: json: cannot unmarshal"),
            "{status}"
        );
        let status =
            client.patch(&scale, PatchType::Merge, &json!({"spec": {"replicas": replicas}})).await.unwrap_err();
        assert_eq!(status.code(), 422, "{status}");
    }
    assert_eq!(client.get(&scale).await.unwrap()["spec"]["replicas"], 2);
    let accesses = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let groups = json!({"spec": {"user": "x", "groups": "y", "resourceAttributes": {"verb": "get"}}});
    assert_eq!(
        refused(&client, accesses, &groups).await.message(),
        "SubjectAccessReview in version \"v1\" cannot be handled as a SubjectAccessReview: json: cannot unmarshal string \
         into Go struct field SubjectAccessReviewSpec.spec.groups of type []string"
    );
    let bound = json!({"spec": {"boundObjectRef": "x"}});
    let token = "/api/v1/namespaces/default/serviceaccounts/default/token";
    client
        .create("/api/v1/namespaces/default/serviceaccounts", &json!({"metadata": {"name": "default"}}))
        .await
        .map_or_else(|status| assert_eq!(status.code(), 409, "{status}"), |_| ());
    assert!(
        refused(&client, token, &bound).await.message().ends_with(
            "string into Go struct field TokenRequestSpec.spec.boundObjectRef of type v1.BoundObjectReference"
        )
    );
    let options = client.delete(&format!("{DEPLOYMENTS}/one"), Some(&json!({"gracePeriodSeconds": "x"}))).await;
    assert_eq!(
        options.unwrap_err().message(),
        "json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds of type int64"
    );
}

#[tokio::test]
async fn times_bytes_and_keys_without_a_value_are_stored_in_their_normal_form() {
    let server = server();
    let client = admin(&server);
    let leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    let lease = |renewed: &str| json!({"metadata": {"name": "one"}, "spec": {"renewTime": renewed}});
    let made = client.create(leases, &lease("2020-01-01T01:00:00.123456+01:00")).await.unwrap();
    assert_eq!(made["spec"]["renewTime"], "2020-01-01T00:00:00.123456Z");
    assert_eq!(
        refused(&client, leases, &lease("foo")).await.message(),
        "Lease in version \"v1\" cannot be handled as a Lease: parsing time \"foo\" as \"2006-01-02T15:04:05.000000Z07:00\": \
         cannot parse \"foo\" as \"2006\""
    );
    let mut map = config_map("one", &json!({"a": null, "b": "x"}));
    map["metadata"]["labels"] = json!({"a": null});
    map["binaryData"] = json!({"z": "YQ==\n"});
    let made = client.create(CONFIG_MAPS, &map).await.unwrap();
    assert_eq!((&made["data"], &made["metadata"]["labels"]), (&json!({"a": "", "b": "x"}), &json!({"a": ""})));
    assert_eq!(made["binaryData"], json!({"z": "YQ=="}));
}

#[tokio::test]
async fn a_pod_of_a_runtime_class_that_is_not_there_is_refused() {
    let server = server();
    let client = admin(&server);
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    client
        .create(accounts, &json!({"metadata": {"name": "default"}}))
        .await
        .map_or_else(|status| assert_eq!(status.code(), 409, "{status}"), |_| ());
    for (field, value, why) in [
        ("runtimeClassName", json!("gvisor"), "pod rejected: RuntimeClass \"gvisor\" not found"),
        (
            "overhead",
            json!({"cpu": "1"}),
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
    ] {
        let mut pod = json!({"metadata": {"name": "one"}, "spec": {"containers": [{"name": "c", "image": "x"}]}});
        pod["spec"][field] = value;
        let status = refused(&client, "/api/v1/namespaces/default/pods", &pod).await;
        assert_eq!(status.message(), format!("pods \"one\" is forbidden: {why}"));
    }
}
