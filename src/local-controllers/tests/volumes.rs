//! Volumes that people make, claims to them, and pods that use those.

use local_apiserver::PatchType;
use serde_json::{Value, json};

use super::{PODS, Plane, pod_spec, scenario};
use crate::object::{condition, items, text};

const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";
const VOLUMES: &str = "/api/v1/persistentvolumes";

fn volume(named: &str, size: &str, source: &Value) -> Value {
    let mut volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": named}, "spec": {
        "capacity": {"storage": size}, "accessModes": ["ReadWriteMany"], "storageClassName": "efs"}});
    for (field, value) in source.as_object().into_iter().flatten() {
        volume["spec"][field] = value.clone();
    }
    volume
}

fn efs() -> Value {
    json!({"csi": {"driver": "efs.csi.aws.com", "volumeHandle": "fs-1"}})
}

fn claim(named: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": named}, "spec": {
        "accessModes": ["ReadWriteMany"], "storageClassName": "efs", "resources": {"requests": {"storage": "1Gi"}}}})
}

fn pod(named: &str, claim: &str, script: &str) -> Value {
    let mut spec = pod_spec(script);
    spec["restartPolicy"] = "Never".into();
    spec["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]);
    spec["containers"][0]["workingDir"] = "/data".into();
    spec["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": named}, "spec": spec})
}

async fn phase(plane: &Plane, path: &str, wanted: &str) -> Value {
    plane.until(path, |found| found.filter(|found| text(found, "/status/phase") == wanted)).await
}

#[test]
fn a_claim_gets_the_volume_that_fits_and_is_kept_while_a_pod_uses_it() {
    scenario(|plane| async move {
        let (claims, volumes) = (format!("{CLAIMS}/data"), format!("{VOLUMES}/small"));
        plane.create(VOLUMES, volume("big", "5Gi", &efs())).await;
        phase(&plane, &format!("{VOLUMES}/big"), "Available").await;
        plane.create(VOLUMES, volume("small", "2Gi", &efs())).await;
        phase(&plane, &volumes, "Available").await;
        plane.create(CLAIMS, claim("data")).await;
        let bound = phase(&plane, &claims, "Bound").await;
        assert_eq!(text(&bound, "/spec/volumeName"), "small");
        assert_eq!(bound["status"]["capacity"], json!({"storage": "2Gi"}));
        let taken = phase(&plane, &volumes, "Bound").await;
        assert_eq!(taken["spec"]["claimRef"]["uid"], bound["metadata"]["uid"]);
        // What one pod writes another one reads.
        plane.create(PODS, pod("writer", "data", "echo kept > file")).await;
        phase(&plane, &format!("{PODS}/writer"), "Succeeded").await;
        plane.create(PODS, pod("reader", "data", "grep kept file")).await;
        phase(&plane, &format!("{PODS}/reader"), "Succeeded").await;
        let kept = std::fs::read_to_string(plane.folder.path().join("file-systems/fs-1/file")).unwrap();
        assert_eq!(kept, "kept\n");
        plane.client.delete(&format!("{PODS}/reader"), None).await.unwrap();
        // In use, and asked to go: it stays until the pod is gone; then the volume is let go, and kept.
        plane.client.delete(&claims, None).await.unwrap();
        let terminating = plane.get(&claims).await.unwrap();
        assert!(!terminating["metadata"]["deletionTimestamp"].is_null());
        plane.client.delete(&format!("{PODS}/writer"), None).await.unwrap();
        plane.until(&claims, |found| found.is_none().then_some(())).await;
        let left = phase(&plane, &volumes, "Released").await;
        // A volume that was released is not given away again, until somebody takes the old claim out.
        plane.create(CLAIMS, claim("data")).await;
        let second = phase(&plane, &claims, "Bound").await;
        assert_eq!(text(&second, "/spec/volumeName"), "big");
        assert!(!left["spec"]["claimRef"].is_null());
        let free = json!({"spec": {"claimRef": null}});
        plane.client.patch(&volumes, PatchType::Merge, &free).await.unwrap();
        phase(&plane, &volumes, "Available").await;
        plane.client.delete(&volumes, None).await.unwrap();
        plane.until(&volumes, |found| found.is_none().then_some(())).await;
        plane.end().await;
    });
}

#[test]
fn a_pod_made_with_its_claim_runs_and_one_on_a_disk_is_refused() {
    scenario(|plane| async move {
        // The order of a file that is applied at once.
        plane.create(PODS, pod("app", "data", "exec sleep 600")).await;
        plane.create(CLAIMS, claim("data")).await;
        plane.create(VOLUMES, volume("v", "1Gi", &efs())).await;
        phase(&plane, &format!("{PODS}/app"), "Running").await;
        plane
            .create(VOLUMES, volume("disk", "1Gi", &json!({"hostPath": {"path": "/tmp"}, "storageClassName": "disk"})))
            .await;
        let mut on_disk = claim("disk");
        on_disk["spec"]["storageClassName"] = "disk".into();
        plane.create(CLAIMS, on_disk).await;
        phase(&plane, &format!("{CLAIMS}/disk"), "Bound").await;
        plane.create(PODS, pod("other", "disk", "exec sleep 600")).await;
        let refused = plane
            .until(&format!("{PODS}/other"), |pod| {
                condition(&pod?, "PodScheduled").map(|found| text(found, "/message").to_owned())
            })
            .await;
        assert!(refused.contains("PVC disk bound to invalid PV disk"), "{refused}");
        plane.end().await;
    });
}

#[test]
fn a_claim_whose_volume_is_gone_says_that_its_data_is_lost() {
    scenario(|plane| async move {
        let path = format!("{CLAIMS}/data");
        plane.create(VOLUMES, volume("v", "1Gi", &efs())).await;
        let mut named = claim("data");
        named["spec"]["volumeName"] = "v".into();
        plane.create(CLAIMS, named).await;
        phase(&plane, &path, "Bound").await;
        // Protected while it is bound; whoever takes the protection away loses the data.
        plane.client.delete(&format!("{VOLUMES}/v"), None).await.unwrap();
        assert!(plane.get(&format!("{VOLUMES}/v")).await.is_some());
        let force = json!({"metadata": {"finalizers": null}});
        plane.client.patch(&format!("{VOLUMES}/v"), PatchType::Merge, &force).await.unwrap();
        phase(&plane, &path, "Lost").await;
        let events = "/api/v1/namespaces/default/events";
        let lost =
            |list: Option<Value>| items(&list?, "/items").iter().any(|one| one["reason"] == "ClaimLost").then_some(());
        plane.until(events, lost).await;
        plane.end().await;
    });
}

#[test]
fn a_claim_that_waits_for_a_pod_is_bound_for_one() {
    scenario(|plane| async move {
        let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "efs"},
            "provisioner": "efs.csi.aws.com", "volumeBindingMode": "WaitForFirstConsumer"});
        plane.create("/apis/storage.k8s.io/v1/storageclasses", class).await;
        plane.create(VOLUMES, volume("v", "1Gi", &efs())).await;
        plane.create(CLAIMS, claim("data")).await;
        let events = "/api/v1/namespaces/default/events";
        let waits = |one: &Value| one["reason"] == "WaitForFirstConsumer";
        plane.until(events, |list| items(&list?, "/items").iter().any(waits).then_some(())).await;
        assert_eq!(text(&plane.get(&format!("{CLAIMS}/data")).await.unwrap(), "/status/phase"), "Pending");
        plane.create(PODS, pod("app", "data", "exec sleep 600")).await;
        phase(&plane, &format!("{CLAIMS}/data"), "Bound").await;
        phase(&plane, &format!("{PODS}/app"), "Running").await;
        plane.end().await;
    });
}
