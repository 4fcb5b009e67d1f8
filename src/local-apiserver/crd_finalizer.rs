//! Ends definitions: their instances are deleted first, and a definition stays for as long as one of them is held.
//!
//! Instances are deleted where they are stored, whether any version is served or not, as the finalizer of a real server
//! does (<https://pkg.go.dev/k8s.io/apiextensions-apiserver/pkg/controller/finalizer>).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use crate::client::Client;
use crate::cluster::Cluster;
use crate::crd::definition::COLLECTION;
use crate::crd::served;
use crate::crd::termination::{FINALIZER, is_under_way, set_condition};
use crate::handlers::delete;
use crate::patch::PatchType;
use crate::request::resource_request::ResourceRequest;
use crate::request::{Call, Query, Target};
use crate::status::Status;
use crate::user::User;

const PATH: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
/// Real time between looks at instances that somebody holds.
const RETRY: Duration = Duration::from_millis(100);

/// Ends definitions whose deletion was asked for, until the server stops.
pub(crate) async fn keep(cluster: Arc<Cluster>) {
    let client = Client::new(cluster.clone(), User::system_masters("system:apiserver"));
    let mut definitions = cluster.store.subscribe(COLLECTION);
    loop {
        definitions.borrow_and_update();
        let (crds, _) = cluster.store.list(COLLECTION, None);
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
    delete_instances(cluster, client, crd)?;
    if !cluster.store.list(&served::collection_of(crd), None).0.is_empty() {
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
    set_condition(&mut current, &cluster.now_text(), status, reason, message);
    client.update(&format!("{path}/status"), &current).await.map(drop)
}

/// Asks for the deletion of all instances.
fn delete_instances(cluster: &Arc<Cluster>, client: &Client, crd: &Value) -> Result<(), Status> {
    let Some(resource) = served::stored(crd).map(Arc::new) else { return Ok(()) };
    let call = Call {
        user: client.user().clone(),
        method: Method::DELETE,
        path: String::new(),
        query: Query::default(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
    };
    let (instances, _) = cluster.store.list(&resource.collection(), None);
    for instance in instances.iter().filter(|one| one["metadata"]["deletionTimestamp"].is_null()) {
        let text = |field: &str| instance["metadata"][field].as_str().unwrap_or_default().to_owned();
        let target = Target {
            group: resource.group.clone(),
            version: resource.version.clone(),
            plural: resource.plural.clone(),
            namespace: text("namespace"),
            name: text("name"),
            ..Target::default()
        };
        let request =
            ResourceRequest { cluster, call: &call, resource: resource.clone(), target, hooks: Arc::default() };
        match delete::remove(&request, &Value::Null) {
            Err(status) if !status.is_not_found() => return Err(status),
            _ => {}
        }
    }
    Ok(())
}
