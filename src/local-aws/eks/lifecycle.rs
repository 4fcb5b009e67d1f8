//! What happens to EKS resources over time, and what control planes learn of it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use local_faults::Kind;
use serde_json::json;
use tokio::sync::oneshot;

use super::store::Cluster;
use super::{addon_health, logs};
use crate::cloud::Cloud;
use crate::control_plane::{Endpoint, Request, Spec};
use crate::fault_profile::Mark;

/// A state that takes time.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    ClusterCreation,
    ClusterDeletion,
    ClusterUpdate,
    ProfileCreation,
    ProfileDeletion,
    AddonCreation,
    AddonDegradation,
    AddonDeletion,
}

impl Step {
    /// Its least system time. AWS takes minutes, which teaches nothing more, unless the fault profile wants it `slow`.
    fn takes(self, cloud: &Cloud, of: &str) -> Duration {
        let (least, slow) = match self {
            Self::ClusterCreation => (30, 480..=720),
            Self::ClusterDeletion => (20, 120..=360),
            Self::ClusterUpdate => (10, 120..=300),
            Self::ProfileCreation => (15, 60..=180),
            Self::ProfileDeletion => (10, 60..=180),
            Self::AddonCreation => (10, 30..=120),
            Self::AddonDegradation => (60, 60..=120),
            Self::AddonDeletion => (5, 15..=60),
        };
        Duration::from_secs(least).max(cloud.faults.faults().lasts_within(Kind::Slow, of, slow))
    }
}

/// Runs `work` in the background until it is done or the cloud stops.
pub(super) fn later(cloud: &Arc<Cloud>, work: impl Future<Output = ()> + Send + 'static) {
    let stop = cloud.stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = work => {}
            () = stop.cancelled() => {}
        }
    });
}

/// Starts the new cluster's control plane; ACTIVE when it answers, and not before the usual time.
pub(super) fn start(cloud: &Arc<Cloud>, name: String, spec: Spec) {
    let task = Arc::clone(cloud);
    let begun = cloud.clock.moment();
    later(cloud, async move {
        let (reply, answer) = oneshot::channel();
        let sent = task.control_planes.send(Request::Start { spec, reply }).await;
        let result = match sent {
            Ok(()) => answer.await.unwrap_or_else(|_| Err("the control plane was given up".into())),
            Err(_) => Err("nobody runs control planes".into()),
        };
        task.clock.sleep_until(begun.plus(Step::ClusterCreation.takes(&task, &name))).await;
        settle(&task, &name, result);
        notify(&task, &name);
    });
}

fn settle(cloud: &Cloud, name: &str, result: Result<Endpoint, String>) {
    let mut store = cloud.eks();
    let Ok(cluster) = store.cluster(name) else { return };
    match result {
        Ok(endpoint) => {
            cloud.faults.happened(Mark::Active, name);
            cloud.faults.happened(Mark::Active, &endpoint.issuer);
            cluster.endpoint = Some(endpoint);
            cluster.status = "ACTIVE";
            if !cluster.enabled_logs().is_empty() {
                logs::write(cloud, name);
            }
        }
        Err(why) => {
            tracing::error!(cluster = name, why, "failed to start a control plane");
            cluster.status = "FAILED";
            cluster.issues.push(json!({ "code": "InternalFailure", "message": why, "resourceIds": [name] }));
        }
    }
}

/// Stops a cluster's control plane, then forgets the cluster.
pub(super) fn stop(cloud: &Arc<Cloud>, name: String) {
    let task = Arc::clone(cloud);
    let begun = cloud.clock.moment();
    later(cloud, async move {
        let (reply, answer) = oneshot::channel();
        if task.control_planes.send(Request::Stop { name: name.clone(), reply }).await.is_ok() {
            // A dropped reply means that there was nothing left to stop.
            let _ = answer.await;
        }
        task.clock.sleep_until(begun.plus(Step::ClusterDeletion.takes(&task, &name))).await;
        let gone = task.eks().clusters.remove(&name);
        if task.faults.faults().has(Kind::LogsLate) && gone.is_some_and(|cluster| !cluster.enabled_logs().is_empty()) {
            task.clock.sleep(task.faults.faults().lasts(Kind::LogsLate, &name)).await;
            logs::write(&task, &name);
        }
    });
}

/// Gives the control plane its cluster as it is now.
pub(super) fn notify(cloud: &Arc<Cloud>, name: &str) {
    let (task, name) = (Arc::clone(cloud), name.to_owned());
    later(cloud, async move {
        // The spec is made once there is room to send it, so that the last one sent is the newest.
        let Ok(permit) = task.control_planes.reserve().await else { return };
        let mut store = task.eks();
        let Ok(cluster) = store.cluster(&name) else { return };
        addon_health::reassess(cluster);
        if matches!(cluster.status, "ACTIVE" | "UPDATING") {
            permit.send(Request::Update { spec: cluster.spec() });
        }
    });
}

/// Once the step has taken its time, changes the cluster (if it is still there) and notifies the control plane.
pub(super) fn change_after(
    cloud: &Arc<Cloud>,
    name: &str,
    step: Step,
    change: impl FnOnce(&mut Cluster) + Send + 'static,
) {
    let (task, name) = (Arc::clone(cloud), name.to_owned());
    later(cloud, async move {
        task.clock.sleep(step.takes(&task, &name)).await;
        if let Ok(cluster) = task.eks().cluster(&name) {
            change(cluster);
        }
        notify(&task, &name);
    });
}
