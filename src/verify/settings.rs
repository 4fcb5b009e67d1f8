//! What a run of a scenario needs to know: where to look, what was configured, and how exact the checks are.

use std::path::PathBuf;
use std::time::Duration;

use clock::Clock;
use cluster::generated;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::observation::Observation;

/// Everything that a scenario, its observers and `explain` need. Cheap to clone; holds no secret of its own.
#[derive(Clone)]
pub struct Settings {
    /// Credentials and endpoint for the queue.
    pub session: aws::session::Session,
    /// The cluster, as its client.
    pub client: kube::Client,
    /// The same cluster, for looking into why pods do not run.
    pub cluster: cluster::Cluster,
    /// Whether the stack is taken down after the run, so that nothing is left to look at.
    pub goes: bool,
    /// The queue that the workload consumes; a workload without one can be looked at, and no scenario runs on it.
    pub queue_url: Option<String>,
    /// Where messages go that failed too often, if the queue has such a place.
    pub dead_letter_queue_url: Option<String>,
    /// How long the queue keeps a message that nobody deletes, in seconds of its own time.
    pub retention_seconds: Option<u64>,
    /// Whose program works on the messages.
    pub consumer: Consumer,
    /// The other workloads of the stack: what is refused to them is not this workload's affair.
    pub others: Vec<Other>,
    /// The objects to look at.
    pub names: Names,
    /// What the ScaledObject or the ScaledJob says.
    pub scaling: Scaling,
    /// How many Jobs are kept, where Jobs do the work; `None` for replicas of a Deployment.
    pub jobs: Option<History>,
    /// How many messages the scenario sends.
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
    /// URL below which the endpoint begins incidents, where it offers that.
    pub incidents: Option<String>,
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

    /// A next step that looks at something that is up: after `demo` the stack has to be brought up again first.
    pub(crate) fn next_step(&self, look: &str) -> String {
        let verify = format!("`sluice verify --workload {}`", self.names.deployment);
        if self.goes {
            format!("bring it up to stay with `sluice up`, then {verify}, and {look}")
        } else {
            look.to_owned()
        }
    }
}

/// A workload that shares the cluster with the one that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// Its name: that of its ScaledObject and its Deployment.
    pub name: String,
    /// Names of its own AWS resources: its role, its queue.
    pub resources: Vec<String>,
}

impl Settings {
    /// Whether an observation is about another workload only. The operator's log and the Events of a namespace are about all.
    pub(crate) fn is_of_another(&self, observation: &Observation) -> bool {
        is_of_another(&self.names, &self.others, observation)
    }
}

fn is_of_another(names: &Names, others: &[Other], observation: &Observation) -> bool {
    match observation {
        Observation::Decision(decision) => {
            (&decision.namespace, &decision.name) != (&names.namespace, &names.scaled_object)
        }
        Observation::Denial(denial) => names_one(others, &[&denial.principal, &denial.resource]),
        Observation::Trouble { message, .. } => {
            names_one(others, &[message]) || is_about_another_object(names, others, message)
        }
        Observation::Event(event) => !names.owns(&event.object) || names_one(others, &[&event.message]),
        _ => false,
    }
}

/// Whether a line of the operator's log names an object by a field, and not this workload's.
fn is_about_another_object(names: &Names, others: &[Other], message: &str) -> bool {
    message.split_whitespace().filter_map(|word| word.split_once('=')).any(|(field, value)| {
        let (namespace, name) = value.split_once('/').unwrap_or((&names.namespace, value));
        match field {
            "scaled_object" | "scaled_job" => (namespace, name) != (&names.namespace, &names.scaled_object),
            "object" | "authentication" => others.iter().any(|other| other.name == name),
            _ => false,
        }
    })
}

/// Whether a resource of one of `others` is named, as a whole word: a name may begin like another one.
fn names_one(others: &[Other], texts: &[&String]) -> bool {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    let mut words = texts.iter().flat_map(|text| text.split(|letter| !is_part(letter)));
    words.any(|word| others.iter().any(|other| other.resources.iter().any(|resource| resource == word)))
}

/// Whose program works on the messages, and so what can be seen of its work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consumer {
    /// The sample, which writes a receipt for every message into its log. Its time is the system's.
    #[default]
    Sample,
    /// Any other program: its work is seen by what leaves the queue. Its own time is real time.
    Own,
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

    /// Whether an object of the namespace, as `Kind/name`, belongs to the workload: one of those named here, or made of them.
    pub(crate) fn owns(&self, object: &str) -> bool {
        let (kind, name) = object.split_once('/').unwrap_or(("", object));
        match kind {
            "Pod" => generated::is_pod_of(&self.deployment, name),
            "Job" => generated::is_named_after(&self.scaled_object, name),
            "ReplicaSet" => generated::is_replica_set_of(&self.deployment, name),
            "HorizontalPodAutoscaler" => name == self.hpa,
            "ScaledObject" => name == self.scaled_object,
            // Its ServiceAccount and its TriggerAuthentication are called alike.
            _ => name == self.deployment || name == self.scaled_object,
        }
    }
}

/// How many Jobs that have ended a ScaledJob keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// `successfulJobsHistoryLimit`.
    pub successful: u32,
    /// `failedJobsHistoryLimit`.
    pub failed: u32,
}

/// What the ScaledObject or the ScaledJob asks for. Seconds are system time.
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

    /// The largest time scale at which window and cooldown can be distinguished from none, with half of what the scale's own
    /// inexactness could take left over; nothing where no scale shows a period, or none is asked for.
    pub fn time_scale_max(&self) -> Option<f64> {
        // Reads are 5 s apart up to a scale of 50.
        const CADENCE: f64 = 5.0;
        let window = self.window_seconds as f64 - HPA_SYNC_SECONDS as f64 - CADENCE;
        let cooldown = self.cooldown_seconds as f64 - self.polling_seconds as f64 - CADENCE;
        let fitting =
            [window, cooldown].into_iter().filter(|rest| *rest > 1.0).map(|rest| (rest / 2.0).floor().max(1.0));
        fitting.reduce(f64::min)
    }

    /// How many messages call for the maximum of Jobs at once, and then for more: at most so many run, and the rest has to wait.
    pub fn messages_for_jobs(&self, activation: u64) -> u64 {
        let waiting = u64::from(self.max_replicas.max(1)) * u64::from(self.queue_length.max(1));
        (waiting + (2 * waiting).min(MORE_JOBS)).max(activation + 1)
    }

    /// How many messages call for the maximum until it is reached: what fills it, and what is worked on meanwhile by the
    /// replicas that are there already, `parallelism` messages each at a time, `work_seconds` of the system a message.
    ///
    /// The way up is Kubernetes' default one: with every sync of the HPA the replicas double, or grow by four if that is
    /// more (<https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#default-behavior>).
    ///
    /// The machine's own work takes real time, which is more of the system's the faster that runs: a second is allowed for.
    pub fn messages_for_maximum(&self, scale: f64, activation: u64, work_seconds: u64, parallelism: u64) -> u64 {
        let (length, max) = (u64::from(self.queue_length.max(1)), u64::from(self.max_replicas.max(1)));
        let (mut replicas, mut replica_syncs) = (1, 0);
        while replicas < max {
            replica_syncs += replicas;
            replicas = (replicas * 2).max(replicas + 4).min(max);
        }
        let seconds = replica_syncs * HPA_SYNC_SECONDS + if replica_syncs > 0 { scale.ceil() as u64 } else { 0 };
        // As many as are finished; what is begun still counts as in flight.
        let worked = seconds.checked_div(work_seconds).unwrap_or(seconds) * parallelism;
        // The last replica is called for by the first message beyond those of the others.
        let spare = length - 1;
        (max * length + worked.saturating_sub(spare)).max(activation + 1)
    }
}

/// Messages beyond those for the maximum of Jobs, at most: enough to see that more of them wait.
const MORE_JOBS: u64 = 6;

/// How often the HPA controller looks, by its default.
const HPA_SYNC_SECONDS: u64 = 15;

/// How exact the checks are. Seconds are system time; part of the evidence, so that a second evaluation gives the same verdicts.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::KubernetesEvent;

    #[test]
    fn an_event_or_a_line_of_the_log_about_another_workload_of_the_namespace_is_not_this_ones() {
        let names = Names::usual("shop", "orders");
        let others = [Other { name: "orders-eu".to_owned(), resources: vec!["demo-orders-eu".to_owned()] }];
        let event = |object: &str| {
            Observation::Event(KubernetesEvent {
                kind: "Normal".to_owned(),
                reason: "Started".to_owned(),
                message: "started".to_owned(),
                object: object.to_owned(),
                count: 1,
                at: None,
            })
        };
        let is_of_another = |observation: &Observation| super::is_of_another(&names, &others, observation);
        for own in [
            "Pod/orders-5d4f8c7b96-x7k2p",
            "ReplicaSet/orders-5d4f8c7b96",
            "Deployment/orders",
            "ScaledObject/orders",
            "HorizontalPodAutoscaler/keda-hpa-orders",
            "ScaledJob/orders",
            "Job/orders-6ghtf",
            "Pod/orders-6ghtf-mnqlv",
        ] {
            assert!(!is_of_another(&event(own)), "{own}");
        }
        for other in [
            "Pod/orders-eu-5d4f8c7b96-x7k2p",
            "Pod/billing-5d4f8c7b96-x7k2p",
            "ReplicaSet/orders-eu-5d4f8c7b96",
            "Deployment/billing",
            "HorizontalPodAutoscaler/keda-hpa-orders-eu",
            "Job/orders-nightly",
            "Job/orders-eu-6ghtf",
        ] {
            assert!(is_of_another(&event(other)), "{other}");
        }
        let trouble = |message: &str| Observation::Trouble { pod: "keda".to_owned(), message: message.to_owned() };
        for (message, is_other) in [
            ("failed to scale scaled_object=shop/orders replicas=3", false),
            ("failed to scale scaled_object=shop/orders-eu replicas=3", true),
            ("failed to scale scaled_object=other/orders replicas=3", true),
            ("no such queue object=orders-eu reason=KEDAScalerFailed", true),
            ("no certificates yet; trying again error=gone", false),
        ] {
            assert_eq!(is_of_another(&trouble(message)), is_other, "{message}");
        }
    }

    #[test]
    fn a_resource_is_named_as_a_whole_word_only() {
        let other = Other { name: "mail".into(), resources: vec!["demo-mail".into()] };
        let named = |text: &str| names_one(std::slice::from_ref(&other), &[&text.to_owned()]);
        assert!(named("arn:aws:sqs:eu-west-1:111122223333:demo-mail"));
        assert!(named("arn:aws:sts::111122223333:assumed-role/demo-mail/session"));
        assert!(!named("arn:aws:sqs:eu-west-1:111122223333:demo-mails") && !named("demo-mail-archive"));
    }

    fn scaling(max_replicas: u32, queue_length: u32) -> Scaling {
        Scaling {
            polling_seconds: 30,
            cooldown_seconds: 300,
            window_seconds: 300,
            min_replicas: 0,
            max_replicas,
            queue_length,
        }
    }

    #[test]
    fn the_messages_fill_the_maximum_and_last_until_it_is_reached() {
        // The tutorial's own: nine, also in time that runs 30 times as fast.
        assert_eq!(scaling(3, 3).messages_for_maximum(1.0, 0, 20, 1), 9);
        assert_eq!(scaling(3, 3).messages_for_maximum(30.0, 0, 20, 1), 9);
        assert_eq!(scaling(3, 3).messages_for_maximum(60.0, 0, 20, 1), 10);
        assert_eq!(scaling(10, 5).messages_for_maximum(1.0, 0, 20, 1), 50);
        assert_eq!(scaling(1, 1).messages_for_maximum(30.0, 0, 1, 1), 1);
        // What the replicas are called for by is worked off before the HPA looks.
        assert_eq!(scaling(3, 1).messages_for_maximum(1.0, 0, 1, 1), 3 + 16);
        assert_eq!(scaling(3, 1).messages_for_maximum(1.0, 0, 5, 2), 3 + 6);
        assert_eq!(scaling(2, 1).messages_for_maximum(30.0, 0, 20, 1), 2 + 2);
        // 1, 5, 10, 20, 40 and 80 replicas on the way to 100.
        assert_eq!(scaling(100, 1).messages_for_maximum(1.0, 0, 20, 1), 100 + (156 * 15 + 1) / 20);
        // The workload does not wake below its activation.
        assert_eq!(scaling(1, 5).messages_for_maximum(1.0, 40, 20, 1), 41);
        assert_eq!(scaling(2, 1).messages_for_maximum(1.0, 0, 0, 1), 2 + 16);
    }
}
