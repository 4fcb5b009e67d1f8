//! What a run of a story needs to know: where to look, what was configured, and how exact the checks are.

use std::path::PathBuf;
use std::time::Duration;

use clock::Clock;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Everything that a story, its observers and `explain` need. Cheap to clone; holds no secret of its own.
#[derive(Clone)]
pub struct Settings {
    /// Credentials and endpoint for the queue.
    pub session: aws::session::Session,
    /// The cluster, as its client.
    pub client: kube::Client,
    /// The queue that the workload consumes.
    pub queue_url: String,
    /// Where messages go that failed too often, if the queue has such a place.
    pub dead_letter_queue_url: Option<String>,
    /// The objects to look at.
    pub names: Names,
    /// What the ScaledObject says.
    pub scaling: Scaling,
    /// How many messages the story sends.
    pub messages: usize,
    /// The evidence file, written anew; its folder is made if missing.
    pub evidence: PathBuf,
    /// The stack's name.
    pub stack: String,
    /// Shown in the report, in this order: target, region, cluster and the like.
    pub environment: IndexMap<String, String>,
    /// What a run in this environment cannot prove; shown in the report.
    pub limits: Vec<String>,
    /// The seed of the fault plan, where there is one.
    pub seed: Option<u64>,
    /// URL that answers `GET ?since=TIME` with the requests that identity policies refused, where the endpoint offers that.
    pub denials: Option<String>,
    /// Time.
    pub clock: Clock,
}

impl Settings {
    /// How often each observer reads, in system time: 5 s, but never more than ten reads in a real second.
    pub fn cadence(&self) -> Duration {
        Duration::from_secs(5).max(self.clock.to_system(Duration::from_millis(100)))
    }
}

/// The Kubernetes objects of one scaled workload and of the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Namespace of the workload.
    pub namespace: String,
    /// Deployment of the workload.
    pub deployment: String,
    /// ScaledObject of the workload.
    pub scaled_object: String,
    /// HPA that the operator makes for it.
    pub hpa: String,
    /// Namespace of the operator.
    pub operator_namespace: String,
    /// Deployment of the operator.
    pub operator_deployment: String,
}

impl Names {
    /// The usual names: ScaledObject and Deployment called alike, HPA and operator named as KEDA names them.
    pub fn usual(namespace: &str, workload: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            deployment: workload.to_owned(),
            scaled_object: workload.to_owned(),
            hpa: format!("keda-hpa-{workload}"),
            operator_namespace: "keda".to_owned(),
            operator_deployment: "keda-operator".to_owned(),
        }
    }
}

/// What the ScaledObject asks for. Seconds are system time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scaling {
    /// `pollingInterval`.
    pub polling_seconds: u64,
    /// `cooldownPeriod`.
    pub cooldown_seconds: u64,
    /// `stabilizationWindowSeconds` of the HPA's scale-down.
    pub window_seconds: u64,
    /// `minReplicaCount`.
    pub min_replicas: u32,
    /// `maxReplicaCount`.
    pub max_replicas: u32,
    /// `queueLength`: messages per replica.
    pub queue_length: u32,
}

impl Scaling {
    /// The replicas that the HPA should want for a queue of this length: between 1 and the maximum.
    pub fn replicas_for(&self, messages: u64) -> u32 {
        let wanted = messages.div_ceil(u64::from(self.queue_length.max(1)));
        u32::try_from(wanted).unwrap_or(u32::MAX).clamp(self.min_replicas.max(1), self.max_replicas.max(1))
    }
}

/// How exact the checks are. Seconds are system time; part of the evidence, so that judging again judges alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Time between two reads of one observer.
    pub cadence_seconds: f64,
    /// How late something may come. Grows with the time scale, because the machine's own work takes real time.
    pub slack_seconds: f64,
    /// How early something may seem to come: status timestamps are whole real seconds.
    pub tolerance_seconds: f64,
    /// Reads that must agree before a value is believed.
    pub agreeing_reads: usize,
    /// Time after the last activity before an empty queue is believed (SQS counts are approximate for about a minute).
    pub settle_seconds: f64,
    /// How long the workload must stay at zero.
    pub hold_seconds: f64,
    /// The longest time without a successful read that does not make an interval unseen.
    pub gap_seconds: f64,
}

impl Thresholds {
    /// The thresholds for this configuration.
    pub fn of(settings: &Settings) -> Self {
        Self::new(settings.clock.scale(), settings.cadence().as_secs_f64(), settings.scaling.polling_seconds)
    }

    pub(crate) fn new(scale: f64, cadence_seconds: f64, polling_seconds: u64) -> Self {
        Self {
            cadence_seconds,
            slack_seconds: 30.0 + 2.0 * scale,
            tolerance_seconds: cadence_seconds + scale,
            agreeing_reads: 3,
            settle_seconds: 60.0,
            hold_seconds: (3 * polling_seconds).max(60) as f64,
            gap_seconds: 6.0 * cadence_seconds + 2.0 * scale,
        }
    }
}
