//! The controller manager, the scheduler and the Fargate-like node agent of the local cloud.
//!
//! Entry point: [`run`]. Everything here is an ordinary client of the API server: it lists, watches and writes through
//! [`local_apiserver::Client`], as users whose requests are authorised like any other.
//!
//! Invariants:
//! - Decisions (rollout arithmetic, HPA algorithm, pod status, Fargate sizes) are pure functions over values; only the
//!   controllers around them read and write.
//! - Nothing polls: controllers wake on watch events and on moments that they asked for.
//! - Durations are system time through the clock; token lifetimes and grace for our own shutdown are real time.
//! - A container never outlives this process: it is started through [`Options::launcher`].
//!
//! This crate must not know AWS, the product's operator or its stack.

mod adoption;
mod autoscaler;
mod cache;
mod claim;
mod cron_job;
mod daemon_set;
mod deployment;
mod discovery;
mod disruption;
mod endpoints;
mod error;
mod event;
mod garbage;
mod history;
pub mod images;
mod job;
mod kubelet;
mod namespace;
mod object;
mod pod_control;
mod quantity;
mod readiness;
mod replica_set;
mod scheduler;
mod selector;
mod stateful_set;
mod template;
mod work;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clock::Clock;
pub use error::{Error, Result};
use local_apiserver::{Client, User};
pub use local_container::Walls;
use local_eks::FargateProfile;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use cache::Cache;
use work::run as control;

/// How a cluster's controllers and node agent are to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The local cloud's time.
    pub clock: Clock,
    /// Whether a pod that matches no Fargate profile is tried again for a moment; on EKS it never is.
    pub retries_pods: bool,
    /// Where pods have their folders: `<pods_dir>/<uid>/`.
    pub pods_dir: PathBuf,
    /// The cluster's name, for kubeconfigs of pods.
    pub cluster_name: String,
    /// The API server's URL as pods reach it.
    pub server_url: String,
    /// The CA that signed the API server's certificate.
    pub ca_pem: String,
    /// The programs that stand for images.
    pub images: Images,
    /// What every container's environment holds unless its pod says otherwise; a pod with the annotation
    /// `sluice.dev/aws-endpoint: "false"` goes without.
    pub environment: BTreeMap<String, String>,
    /// The words that start a container, up to the file that describes it, so that it dies with this process. Without
    /// any, programs are started as they are.
    pub launcher: Vec<String>,
    /// What holds containers in.
    pub walls: Walls,
    /// Folders of the machine that no container sees, wherever its program lies.
    pub hidden: Vec<PathBuf>,
    /// Incidents that make containers late.
    pub incidents: local_faults::Incidents,
    /// Pods get addresses 127.<pod_network>.y.z.
    pub pod_network: u8,
}

/// Where the programs that stand for images are named.
#[derive(Debug, Clone, Default)]
pub struct Images {
    /// Programs by the last part of an image's repository, for images that the file does not name.
    pub built_in: BTreeMap<String, PathBuf>,
    /// The file with an [`images::Mapping`], which may change at any time.
    pub file: Option<PathBuf>,
}

/// Runs controllers, scheduler and node agent until `stop`; returns when all containers have ended.
pub async fn run(
    options: Options,
    client: impl Fn(User) -> Client,
    profiles: watch::Receiver<Vec<FargateProfile>>,
    stop: CancellationToken,
) {
    let options = Arc::new(options);
    let cache = Cache::new(options.clock.clone(), client(User::system_masters("system:kube-controller-manager")));
    let autoscaler = client(User::service_account("kube-system", "horizontal-pod-autoscaler"));
    // Containers end first, while the controllers can still take note of it; then everything else stops.
    let after = CancellationToken::new();
    let controllers = [
        tokio::spawn(control(
            namespace::NamespaceController::new(&cache, options.ca_pem.clone()),
            &cache,
            after.clone(),
        )),
        tokio::spawn(control(deployment::DeploymentController::new(&cache), &cache, after.clone())),
        tokio::spawn(control(replica_set::ReplicaSetController::new(&cache), &cache, after.clone())),
        tokio::spawn(control(stateful_set::StatefulSetController::new(&cache), &cache, after.clone())),
        tokio::spawn(control(daemon_set::DaemonSetController::new(&cache), &cache, after.clone())),
        tokio::spawn(control(job::JobController::new(&cache), &cache, after.clone())),
        tokio::spawn(control(cron_job::CronJobController::new(&cache), &cache, after.clone())),
        tokio::spawn(control(endpoints::EndpointsController::new(&cache), &cache, after.clone())),
        tokio::spawn(control(claim::ClaimController::new(&cache), &cache, after.clone())),
        tokio::spawn(control(disruption::DisruptionController::new(&cache), &cache, after.clone())),
        tokio::spawn(control(garbage::GarbageCollector::new(&cache), &cache, after.clone())),
        tokio::spawn(control(autoscaler::Autoscaler::new(&cache, autoscaler), &cache, after.clone())),
        tokio::spawn(control(
            scheduler::Scheduler::new(&cache, profiles.clone(), options.pod_network, options.retries_pods),
            &cache,
            stop.child_token(),
        )),
        tokio::spawn(scheduler::retire(Arc::clone(&cache), profiles, stop.child_token())),
    ];
    let kubelet = kubelet::run(&cache, Arc::clone(&options), stop.clone());
    let watching = tokio::spawn(Arc::clone(&cache).run(after.clone()));
    kubelet.await;
    after.cancel();
    for task in controllers.into_iter().chain([watching]) {
        if let Err(error) = task.await {
            tracing::error!(%error, "a controller broke off");
        }
    }
}
