//! Keeps the Available condition of remote APIServices true to what can be reached.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Service, answers, documents, services};
use crate::cluster::Cluster;
use crate::store::Stale;

/// Real time between checks of an available server, and of one that is not.
const AVAILABLE_EVERY: Duration = Duration::from_secs(15);
const MISSING_EVERY: Duration = Duration::from_secs(1);
/// Real time between downloads of all documents.
const DOWNLOAD_EVERY: Duration = Duration::from_mins(1);
/// Real time for a burst of changes to settle.
const SETTLE: Duration = Duration::from_millis(50);

/// Checks on every change of what the answer rests on, and now and then; sleeps while no remote APIService exists.
pub(crate) async fn keep(cluster: Arc<Cluster>) {
    let mut registrations = cluster.store.subscribe("apiservices.apiregistration.k8s.io");
    let mut backends = cluster.store.subscribe("endpointslices.discovery.k8s.io");
    let mut downloaded = None;
    loop {
        registrations.borrow_and_update();
        backends.borrow_and_update();
        let remote = services(&cluster);
        let mut all_available = true;
        for service in &remote {
            let condition = match answers(&cluster, service).await {
                Ok(()) => json!({"status": "True", "reason": "Passed", "message": "all checks passed"}),
                Err(why) => {
                    all_available = false;
                    json!({"status": "False", "reason": why.reason, "message": why.message})
                }
            };
            report(&cluster, service, condition);
        }
        let is_due = downloaded.is_none_or(|at| cluster.clock.elapsed(at) >= cluster.clock.to_system(DOWNLOAD_EVERY));
        if all_available && is_due {
            downloaded = Some(cluster.clock.moment());
            for service in &remote {
                documents::check(&cluster, service).await;
            }
        }
        let pause = if all_available { AVAILABLE_EVERY } else { MISSING_EVERY };
        let timer = async {
            if remote.is_empty() {
                std::future::pending::<()>().await;
            }
            cluster.clock.sleep(cluster.clock.to_system(pause)).await;
        };
        tokio::select! {
            () = cluster.stop.cancelled() => return,
            changed = registrations.changed() => if changed.is_err() { return },
            changed = backends.changed(), if !remote.is_empty() => if changed.is_err() { return },
            () = timer => continue,
        }
        cluster.clock.sleep(cluster.clock.to_system(SETTLE)).await;
    }
}

fn report(cluster: &Cluster, service: &Service, mut condition: Value) {
    let old = &service.object;
    let held = old["status"]["conditions"].as_array().into_iter().flatten().find(|held| held["type"] == "Available");
    let same = |field: &str| held.is_some_and(|held| held[field] == condition[field]);
    if same("status") && same("reason") && same("message") {
        return;
    }
    let since = held.filter(|_| same("status")).map(|held| held["lastTransitionTime"].clone());
    condition["lastTransitionTime"] = since.unwrap_or_else(|| cluster.now_text().into());
    condition["type"] = "Available".into();
    let mut new = (**old).clone();
    new["status"] = json!({"conditions": [condition]});
    match cluster.store.replace("apiservices.apiregistration.k8s.io", old, new) {
        Ok(_) | Err(Stale::Gone | Stale::Changed | Stale::Exists) => {}
    }
}
