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

#[tokio::test]
async fn the_pods_of_a_job_stay_unless_whoever_deletes_it_says_otherwise() {
    let server = server();
    let client = admin(&server);
    let jobs = "/apis/batch/v1/namespaces/default/jobs";
    let template = json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "x"}]}});
    for (name, query, held) in [("a", "", true), ("b", "?propagationPolicy=Background", false)] {
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": template}});
        client.create(jobs, &job).await.unwrap();
        client.delete(&format!("{jobs}/{name}{query}"), None).await.unwrap();
        let left = client.get(&format!("{jobs}/{name}")).await;
        assert_eq!(left.is_ok_and(|job| job["metadata"]["finalizers"] == json!(["orphan"])), held, "{name}");
    }
}

#[tokio::test]
async fn a_daemon_set_counts_its_templates() {
    let server = server();
    let client = admin(&server);
    let sets = "/apis/apps/v1/namespaces/default/daemonsets";
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "x"}]}});
    let set = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}});
    let count = |set: &Value| set["metadata"]["annotations"]["deprecated.daemonset.template.generation"].clone();
    assert_eq!(count(&client.create(sets, &set).await.unwrap()), "1");
    for (change, number) in [
        (json!({"spec": {"minReadySeconds": 1}}), "1"),
        (json!({"spec": {"template": {"metadata": {"labels": {"c": "d"}}}}}), "2"),
        (json!({"metadata": {"annotations": {"deprecated.daemonset.template.generation": "9"}}}), "2"),
    ] {
        let changed = client.patch(&format!("{sets}/d"), PatchType::Merge, &change).await.unwrap();
        assert_eq!(count(&changed), number, "{change}");
    }
}

#[tokio::test]
async fn what_is_read_and_written_back_is_no_change() {
    let server = server();
    let client = admin(&server);
    let account = json!({"metadata": {"name": "default"}});
    client.create("/api/v1/namespaces/default/serviceaccounts", &account).await.unwrap();
    let pod = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"restartPolicy": "Always", "containers": [{"name": "a", "image": "x"}]}});
    let mut once = pod.clone();
    once["spec"]["restartPolicy"] = "Never".into();
    let selector = json!({"matchLabels": {"a": "b"}});
    let apps = "/apis/apps/v1/namespaces/default";
    let backend = json!({"service": {"name": "x", "port": {"number": 80}}});
    for (path, spec) in [
        (format!("{apps}/statefulsets"), json!({"selector": selector, "template": pod})),
        (format!("{apps}/daemonsets"), json!({"selector": selector, "template": pod})),
        (format!("{apps}/deployments"), json!({"selector": selector, "template": pod})),
        ("/apis/batch/v1/namespaces/default/jobs".to_owned(), json!({"template": once})),
        (
            "/apis/batch/v1/namespaces/default/cronjobs".to_owned(),
            json!({"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": once}}}),
        ),
        ("/apis/policy/v1/namespaces/default/poddisruptionbudgets".to_owned(), json!({"minAvailable": 1})),
        ("/apis/networking.k8s.io/v1/namespaces/default/ingresses".to_owned(), json!({"defaultBackend": backend})),
        ("/api/v1/namespaces/default/pods".to_owned(), pod["spec"].clone()),
    ] {
        let made = client.create(&path, &json!({"metadata": {"name": "x"}, "spec": spec})).await.unwrap();
        let written = client.update(&format!("{path}/x"), &made).await.unwrap();
        assert_eq!(written["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"], "{path}: {written}");
    }
}
