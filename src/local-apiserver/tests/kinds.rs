//! Kinds that stock tools take for granted.

use super::*;

/// What `kubectl apply --prune` lists when nothing else is named.
const PRUNED: &[&str] = &[
    "/api/v1/configmaps",
    "/api/v1/endpoints",
    "/api/v1/namespaces",
    "/api/v1/persistentvolumeclaims",
    "/api/v1/persistentvolumes",
    "/api/v1/pods",
    "/api/v1/replicationcontrollers",
    "/api/v1/secrets",
    "/api/v1/services",
    "/apis/apps/v1/daemonsets",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/replicasets",
    "/apis/apps/v1/statefulsets",
    "/apis/batch/v1/cronjobs",
    "/apis/batch/v1/jobs",
    "/apis/networking.k8s.io/v1/ingresses",
];

#[tokio::test]
async fn every_kind_that_is_pruned_by_default_can_be_listed() {
    let server = server();
    let client = admin(&server);
    for path in PRUNED {
        assert!(client.list(&format!("{path}?labelSelector=a%3Db")).await.is_ok(), "{path}");
    }
}

#[tokio::test]
async fn claims_take_the_default_class_and_ingresses_are_checked() {
    let server = server();
    let client = admin(&server);
    let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "example.com/disk",
        "metadata": {"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}});
    let made = client.create("/apis/storage.k8s.io/v1/storageclasses", &class).await.unwrap();
    assert_eq!((&made["reclaimPolicy"], &made["volumeBindingMode"]), (&json!("Delete"), &json!("Immediate")));
    let claims = "/api/v1/namespaces/default/persistentvolumeclaims";
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let made = client.create(claims, &claim).await.unwrap();
    assert_eq!(
        (&made["spec"]["storageClassName"], &made["spec"]["volumeMode"], &made["status"]["phase"]),
        (&json!("fast"), &json!("Filesystem"), &json!("Pending"))
    );
    let empty = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "d"}, "spec": {}});
    assert_eq!(
        refused(&client, claims, &empty).await.message(),
        "PersistentVolumeClaim \"d\" is invalid: [spec.accessModes: Required value: at least 1 access mode is required, \
         spec.resources[storage]: Required value]"
    );
    let ingresses = "/apis/networking.k8s.io/v1/namespaces/default/ingresses";
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    let ingress = |path: Value| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"},
            "spec": {"rules": [{"host": "a.test", "http": {"paths": [path]}}]}})
    };
    let wrong =
        refused(&client, ingresses, &ingress(json!({"path": "x", "pathType": "Prefix", "backend": backend}))).await;
    assert!(wrong.message().ends_with("paths[0].path: Invalid value: \"x\": must be an absolute path"), "{wrong}");
    client.create(ingresses, &ingress(json!({"path": "/", "pathType": "Prefix", "backend": backend}))).await.unwrap();
}

#[tokio::test]
async fn a_kind_without_a_controller_is_not_kept() {
    let server = server();
    let client = admin(&server);
    let object = json!({"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "rc"},
        "spec": {"selector": {"a": "b"}, "template": {"metadata": {"labels": {"a": "b"}},
                 "spec": {"containers": [{"name": "c", "image": "x"}]}}}});
    let refusal = refused(&client, "/api/v1/namespaces/default/replicationcontrollers", &object).await;
    assert_eq!((refusal.code(), refusal.reason()), (403, "Forbidden"));
    assert!(refusal.message().ends_with("use a Deployment"), "{refusal}");
}

#[tokio::test]
async fn what_checks_nothing_here_is_refused_and_can_be_listed() {
    let server = server();
    let client = admin(&server);
    let group = "/apis/admissionregistration.k8s.io/v1";
    for (plural, kind) in [
        ("validatingadmissionpolicies", "ValidatingAdmissionPolicy"),
        ("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"),
    ] {
        let path = format!("{group}/{plural}");
        let object = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": "x"}});
        assert_eq!(refused(&client, &path, &object).await.code(), 403, "{kind}");
        assert_eq!(client.list(&path).await.unwrap()["items"], json!([]));
    }
}

#[tokio::test]
async fn whoever_writes_what_nobody_serves_is_warned() {
    let server = server();
    let call = |method: Method, path: &str, body: &Value| Call {
        user: User::system_masters("admin"),
        method,
        path: path.to_owned(),
        query: Query::default(),
        headers: HeaderMap::new(),
        body: Bytes::from(body.to_string()),
    };
    let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p"}, "spec": {"podSelector": {}}});
    let made = call(Method::POST, "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies", &policy);
    let reply = handlers::handle(&server.cluster, made).await;
    assert_eq!((reply.code, reply.warnings.len()), (201, 1), "{:?}", reply.warnings);
    let read = call(Method::GET, "/api/v1/endpoints", &Value::Null);
    let reply = handlers::handle(&server.cluster, read).await;
    assert_eq!(reply.warnings, ["v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"]);
}
