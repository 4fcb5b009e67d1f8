//! The end of a definition: its instances are deleted first, and it stays for as long as one of them is held.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::definition::SHELF;
use crate::cluster::Cluster;
use crate::{Client, PatchType, Status, User};

pub(crate) const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";
const PATH: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
/// Real time between looks at instances that somebody holds.
const RETRY: Duration = Duration::from_millis(100);

/// What a definition gets when its deletion is asked for.
pub(crate) fn mark(cluster: &Cluster, crd: &mut Value) {
    let finalizers = &mut crd["metadata"]["finalizers"];
    if !finalizers.is_array() {
        *finalizers = json!([]);
    }
    if let Some(list) = finalizers.as_array_mut()
        && !list.iter().any(|held| held == FINALIZER)
    {
        list.push(FINALIZER.into());
    }
    let message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
    set_condition(cluster, crd, "True", "InstanceDeletionPending", message);
}

/// Whether a definition waits for the end of its instances.
pub(crate) fn is_under_way(crd: &Value) -> bool {
    !crd["metadata"]["deletionTimestamp"].is_null()
}

fn set_condition(cluster: &Cluster, crd: &mut Value, status: &str, reason: &str, message: &str) {
    let made = json!({"type": "Terminating", "status": status, "reason": reason, "message": message, "lastTransitionTime": cluster.now_text()});
    let conditions = &mut crd["status"]["conditions"];
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(list) = conditions.as_array_mut() else { return };
    match list.iter_mut().find(|held| held["type"] == "Terminating") {
        Some(held) if held["status"] == status => {
            let since = held["lastTransitionTime"].take();
            *held = made;
            held["lastTransitionTime"] = since;
        }
        Some(held) => *held = made,
        None => list.push(made),
    }
}

/// Ends definitions whose deletion was asked for, until the server stops.
pub(crate) async fn keep(cluster: Arc<Cluster>) {
    let client = Client::new(cluster.clone(), User::system_masters("system:apiserver"));
    let mut definitions = cluster.store.subscribe(SHELF);
    loop {
        definitions.borrow_and_update();
        let (crds, _) = cluster.store.list(SHELF, None);
        let mut waiting = false;
        for crd in crds.iter().filter(|crd| is_under_way(crd)) {
            let held =
                crd["metadata"]["finalizers"].as_array().is_some_and(|list| list.iter().any(|one| one == FINALIZER));
            if held {
                waiting |= end(&cluster, &client, crd).await.unwrap_or_else(|status| {
                    tracing::debug!(%status, "failed to end a definition; trying again");
                    true
                });
            }
        }
        let timer = async {
            if waiting {
                cluster.clock.sleep(cluster.clock.to_system(RETRY)).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = cluster.stop.cancelled() => return,
            changed = definitions.changed(), if !waiting => if changed.is_err() { return },
            () = timer => {}
        }
    }
}

/// One step; the answer is whether instances are left.
async fn end(cluster: &Arc<Cluster>, client: &Client, crd: &Value) -> Result<bool, Status> {
    let path = format!("{PATH}/{}", crd["metadata"]["name"].as_str().unwrap_or_default());
    let terminating = |crd: &Value| {
        crd["status"]["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|held| held["reason"] == "InstanceDeletionInProgress")
    };
    if !terminating(crd) {
        report(cluster, client, &path, "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
            .await?;
    }
    let (instances, _) = cluster.store.list(&super::shelf_of(crd), None);
    for instance in instances.iter().filter(|one| one["metadata"]["deletionTimestamp"].is_null()) {
        match client.delete(&address(crd, instance), None).await {
            Err(status) if !status.is_not_found() => return Err(status),
            _ => {}
        }
    }
    if !cluster.store.list(&super::shelf_of(crd), None).0.is_empty() {
        return Ok(true);
    }
    report(cluster, client, &path, "False", "InstanceDeletionCompleted", "removed all instances").await?;
    let current = client.get(&path).await?;
    let kept: Vec<&Value> =
        current["metadata"]["finalizers"].as_array().into_iter().flatten().filter(|held| *held != FINALIZER).collect();
    let change = json!({"metadata": {"finalizers": kept, "resourceVersion": current["metadata"]["resourceVersion"]}});
    client.patch(&path, PatchType::Merge, &change).await.map(|_| false)
}

async fn report(
    cluster: &Cluster,
    client: &Client,
    path: &str,
    status: &str,
    reason: &str,
    message: &str,
) -> Result<(), Status> {
    let mut current = client.get(path).await?;
    set_condition(cluster, &mut current, status, reason, message);
    client.update(&format!("{path}/status"), &current).await.map(drop)
}

/// The path of one instance, in whatever version is served.
fn address(crd: &Value, instance: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let versions = crd["spec"]["versions"].as_array();
    let version = versions.into_iter().flatten().find(|version| version["served"] == true);
    let version = text(&version.map_or(Value::Null, |version| version["name"].clone()));
    let namespace = match instance["metadata"]["namespace"].as_str() {
        Some(namespace) if !namespace.is_empty() => format!("namespaces/{namespace}/"),
        _ => String::new(),
    };
    let (group, plural) = (text(&crd["spec"]["group"]), text(&crd["spec"]["names"]["plural"]));
    format!("/apis/{group}/{version}/{namespace}{plural}/{}", text(&instance["metadata"]["name"]))
}
