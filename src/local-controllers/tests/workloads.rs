//! StatefulSets, DaemonSets, and who adopts whom.

use local_apiserver::PatchType;
use serde_json::{Value, json};

use super::{DEPLOYMENTS, PODS, Plane, pod_spec, scenario};
use crate::object::{items, name, text, uid};

const STATEFUL_SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets";
const DAEMON_SETS: &str = "/apis/apps/v1/namespaces/default/daemonsets";
const REPLICA_SETS: &str = "/apis/apps/v1/namespaces/default/replicasets";

fn labelled(kind: &str, named: &str, more: &Value) -> Value {
    let mut object = json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": named}, "spec": {
        "selector": {"matchLabels": {"app": named}},
        "template": {"metadata": {"labels": {"app": named}}, "spec": pod_spec("exec sleep 600")}}});
    for (field, value) in more.as_object().into_iter().flatten() {
        object["spec"][field] = value.clone();
    }
    object
}

async fn list(plane: &Plane, path: &str) -> Vec<Value> {
    items(&plane.client.list(path).await.unwrap(), "/items").to_vec()
}

/// Waits until a list has what is wanted.
async fn until_listed(plane: &Plane, path: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let found = plane.until(path, |list| Some(items(&list?, "/items").to_vec()).filter(|items| wanted(items))).await;
    assert!(wanted(&found));
    found
}

#[test]
fn a_stateful_set_keeps_names_and_order_and_is_scaled() {
    scenario(|plane| async move {
        let set = format!("{STATEFUL_SETS}/web");
        plane
            .create(STATEFUL_SETS, labelled("StatefulSet", "web", &json!({"serviceName": "web", "replicas": 2})))
            .await;
        let ready = |count: i64| {
            move |set: Option<Value>| {
                let status = set?["status"].take();
                let all = ["replicas", "readyReplicas", "updatedReplicas", "currentReplicas"];
                all.iter().all(|field| status[*field] == count).then_some(status)
            }
        };
        let first = plane.until(&set, ready(2)).await;
        assert_eq!(first["currentRevision"], first["updateRevision"]);
        let pods = list(&plane, PODS).await;
        assert_eq!(pods.iter().map(name).collect::<Vec<_>>(), ["web-0", "web-1"]);
        assert_eq!(pods[1]["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"], "web-1");
        assert_eq!(pods[1]["metadata"]["labels"]["apps.kubernetes.io/pod-index"], "1");
        assert_eq!((&pods[1]["spec"]["hostname"], &pods[1]["spec"]["subdomain"]), (&json!("web-1"), &json!("web")));
        let created = |pod: &Value| text(pod, "/metadata/resourceVersion").to_owned();
        assert!(!created(&pods[0]).is_empty());
        let scale = json!({"spec": {"replicas": 1}});
        plane.client.patch(&format!("{set}/scale"), PatchType::Merge, &scale).await.unwrap();
        plane.until(&set, ready(1)).await;
        let left = until_listed(&plane, PODS, |pods| pods.len() == 1).await;
        assert_eq!((name(&left[0]), uid(&left[0])), ("web-0", uid(&pods[0])));
        // A pod that goes comes back under its name.
        plane.client.delete(&format!("{PODS}/web-0"), None).await.unwrap();
        until_listed(&plane, PODS, |pods| pods.len() == 1 && uid(&pods[0]) != uid(&left[0])).await;
        plane.until(&set, ready(1)).await;
        // A new template makes a revision, and the pod anew; the revision before is kept.
        let template = json!({"spec": {"template": {"metadata": {"annotations": {"turn": "2"}}}}});
        plane.client.patch(&set, PatchType::Merge, &template).await.unwrap();
        let revision = first["currentRevision"].clone();
        plane
            .until(&set, |set| {
                let status = set?["status"].take();
                let done = status["readyReplicas"] == 1 && status["currentRevision"] == status["updateRevision"];
                (done && status["currentRevision"] != revision).then_some(())
            })
            .await;
        let pod = plane.get(&format!("{PODS}/web-0")).await.unwrap();
        assert_eq!(pod["metadata"]["annotations"]["turn"], "2");
        let revisions = list(&plane, "/apis/apps/v1/namespaces/default/controllerrevisions").await;
        let numbers: Vec<i64> = revisions.iter().filter_map(|one| one["revision"].as_i64()).collect();
        assert_eq!(numbers.iter().max(), Some(&2), "{numbers:?}");
        plane.client.delete(&set, None).await.unwrap();
        until_listed(&plane, PODS, <[Value]>::is_empty).await;
        plane.end().await;
    });
}

#[test]
fn claims_are_a_pods_own_and_outlive_it_unless_they_are_to_go() {
    scenario(|plane| async move {
        let claims = "/api/v1/namespaces/default/persistentvolumeclaims";
        let template = json!({"metadata": {"name": "data"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
        let more = json!({"serviceName": "db", "replicas": 2, "podManagementPolicy": "Parallel",
            "volumeClaimTemplates": [template], "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete", "whenDeleted": "Retain"}});
        plane.create(STATEFUL_SETS, labelled("StatefulSet", "db", &more)).await;
        let found = until_listed(&plane, claims, |claims| claims.len() == 2).await;
        assert_eq!(found.iter().map(name).collect::<Vec<_>>(), ["data-db-0", "data-db-1"]);
        let pods = until_listed(&plane, PODS, |pods| pods.len() == 2).await;
        assert_eq!(pods[1]["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"], "data-db-1");
        let scale = json!({"spec": {"replicas": 1}});
        plane.client.patch(&format!("{STATEFUL_SETS}/db"), PatchType::Merge, &scale).await.unwrap();
        let left = until_listed(&plane, claims, |claims| claims.len() == 1).await;
        assert_eq!(name(&left[0]), "data-db-0");
        plane.client.delete(&format!("{STATEFUL_SETS}/db"), None).await.unwrap();
        until_listed(&plane, PODS, <[Value]>::is_empty).await;
        assert_eq!(list(&plane, claims).await.len(), 1);
        plane.end().await;
    });
}

#[test]
fn what_a_deployment_left_behind_is_adopted_by_its_successor() {
    scenario(|plane| async move {
        let deployment = labelled("Deployment", "d", &json!({"replicas": 1}));
        plane.create(DEPLOYMENTS, deployment.clone()).await;
        let path = format!("{DEPLOYMENTS}/d");
        let ready = |deployment: Option<Value>| (deployment?["status"]["readyReplicas"] == 1).then_some(());
        plane.until(&path, ready).await;
        let before = (list(&plane, REPLICA_SETS).await, list(&plane, PODS).await);
        plane.client.delete(&format!("{path}?propagationPolicy=Orphan"), None).await.unwrap();
        plane.until(&path, |gone| gone.is_none().then_some(())).await;
        plane.create(DEPLOYMENTS, deployment).await;
        plane.until(&path, ready).await;
        let owner = plane.get(&path).await.unwrap();
        let after = (list(&plane, REPLICA_SETS).await, list(&plane, PODS).await);
        assert_eq!(before.0.iter().map(uid).collect::<Vec<_>>(), after.0.iter().map(uid).collect::<Vec<_>>());
        assert_eq!(before.1.iter().map(uid).collect::<Vec<_>>(), after.1.iter().map(uid).collect::<Vec<_>>());
        assert_eq!(text(&after.0[0], "/metadata/ownerReferences/0/uid"), uid(&owner));
        assert!(owner["status"]["collisionCount"].is_null(), "{owner}");
        // A pod that is not selected any more is let go, and another takes its place.
        let pod = format!("{PODS}/{}", name(&after.1[0]));
        let label = json!({"metadata": {"labels": {"app": "debugged"}}});
        plane.client.patch(&pod, PatchType::Merge, &label).await.unwrap();
        plane.until(&pod, |pod| pod?["metadata"]["ownerReferences"].is_null().then_some(())).await;
        until_listed(&plane, PODS, |pods| pods.len() == 2).await;
        // Selected again, it is one too many: it is adopted, and one of the two goes.
        let label = json!({"metadata": {"labels": {"app": "d"}}});
        plane.client.patch(&pod, PatchType::Merge, &label).await.unwrap();
        until_listed(&plane, PODS, |pods| pods.len() == 1).await;
        plane.end().await;
    });
}

#[test]
fn a_daemon_sets_pod_stays_pending_on_a_node_of_fargate() {
    scenario(|plane| async move {
        let pod = json!({"metadata": {"name": "p"}, "spec": pod_spec("exec sleep 600")});
        plane.create(PODS, pod).await;
        let node = plane.until(&format!("{PODS}/p"), |pod| pod?["spec"]["nodeName"].as_str().map(str::to_owned)).await;
        plane.create(DAEMON_SETS, labelled("DaemonSet", "none", &json!({}))).await;
        let mut agent = labelled("DaemonSet", "agent", &json!({}));
        agent["spec"]["template"]["spec"]["tolerations"] = json!([{"operator": "Exists"}]);
        plane.create(DAEMON_SETS, agent).await;
        let status =
            |wanted: i64| move |set: Option<Value>| (set?["status"]["desiredNumberScheduled"] == wanted).then_some(());
        plane.until(&format!("{DAEMON_SETS}/none"), status(0)).await;
        plane.until(&format!("{DAEMON_SETS}/agent"), status(1)).await;
        let pods = until_listed(&plane, &format!("{PODS}?labelSelector=app%3Dagent"), |pods| {
            pods.len() == 1 && !pods[0]["status"]["conditions"].is_null()
        })
        .await;
        let term = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0";
        assert_eq!(text(&pods[0], &format!("{term}/matchFields/0/values/0")), node);
        assert_eq!(text(&pods[0], "/status/phase"), "Pending");
        let message = text(&pods[0], "/status/conditions/0/message");
        assert!(message.contains("DaemonSets do not run on Fargate"), "{message}");
        assert_eq!(list(&plane, "/api/v1/nodes").await.len(), 1);
        plane.end().await;
    });
}

#[test]
fn a_claim_that_nothing_provides_for_says_why_it_waits() {
    scenario(|plane| async move {
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
        plane.create("/api/v1/namespaces/default/persistentvolumeclaims", claim).await;
        let about =
            |event: &Value| text(event, "/involvedObject/name") == "data" && text(event, "/reason") == "FailedBinding";
        until_listed(&plane, "/api/v1/namespaces/default/events", |events| events.iter().any(about)).await;
    });
}

#[test]
fn a_job_takes_over_the_pods_that_its_selector_selects_and_counts_them() {
    scenario(|plane| async move {
        let labels = json!({"batch": "mine"});
        let spec = |script: &str| {
            let mut spec = pod_spec(script);
            spec["restartPolicy"] = "Never".into();
            spec
        };
        let orphan = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "early", "labels": labels}, "spec": spec("exit 0")});
        plane.create(PODS, orphan).await;
        plane.until(&format!("{PODS}/early"), |pod| (text(&pod?, "/status/phase") == "Succeeded").then_some(())).await;
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "mine"}, "spec": {
            "manualSelector": true, "selector": {"matchLabels": labels}, "completions": 2, "parallelism": 1,
            "template": {"metadata": {"labels": labels}, "spec": spec("exit 0")}}});
        plane.create("/apis/batch/v1/namespaces/default/jobs", job).await;
        plane
            .until("/apis/batch/v1/namespaces/default/jobs/mine", |job| {
                (job?["status"]["succeeded"] == 2).then_some(())
            })
            .await;
        let pods = list(&plane, PODS).await;
        assert_eq!(pods.len(), 2, "one pod was there, and one was to be made");
        let early = pods.iter().find(|pod| name(pod) == "early").unwrap();
        assert_eq!(text(early, "/metadata/ownerReferences/0/kind"), "Job");
        // Counted, and let go.
        assert!(items(early, "/metadata/finalizers").is_empty());
        plane.end().await;
    });
}
