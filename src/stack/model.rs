//! The validated stack: what is wanted, with nothing left to check.

use std::collections::BTreeMap;

use serde::Serialize;

/// Everything that one stack is. Values of this type come only from [`crate::load`], which has checked them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stack {
    /// The stack's own name; names the state folder and the tag `sluice:stack`.
    pub name: String,
    /// AWS region.
    pub region: String,
    /// Which set of resources is made.
    pub profile: Profile,
    /// The EKS cluster.
    pub cluster: Cluster,
    /// The autoscaling operator.
    pub operator: Operator,
    /// The services that are scaled. Never empty.
    pub workloads: Vec<Workload>,
    /// A cluster that is there already, instead of one on EKS.
    pub kubernetes: Kubernetes,
    /// The stack's own place for its image.
    pub ecr: Ecr,
    /// Settings of the target `local`.
    pub local: Local,
    /// Settings of the target `localstack`.
    pub localstack: LocalStack,
    /// Image name to program, as written, for the local target's pods, which are programs of this machine.
    pub images: BTreeMap<String, String>,
    /// What every IAM role of the stack has.
    pub roles: Roles,
    /// Tags of everything on AWS that can carry some, besides the stack's own.
    pub tags: BTreeMap<String, String>,
}

/// What every IAM role of the stack has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Roles {
    /// Path, `/` or such as `/team/`.
    pub path: String,
    /// ARN of the policy that bounds what they may do.
    pub permissions_boundary: Option<String>,
}

/// Which set of resources is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// What a Fargate-only cluster needs.
    Lean,
    /// What the tutorial's Terraform makes, as far as it serves: the control plane's logs, and policies that others can attach
    /// as well.
    Seed,
}

/// The EKS cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cluster {
    /// Name of the cluster and prefix of every other name.
    pub name: String,
    /// Kubernetes minor version.
    pub version: String,
    /// VPC, only for checks; EKS finds it by the subnets.
    pub vpc: Option<String>,
    /// Private subnets in at least two zones; may be empty on targets that have no network.
    pub subnets: Vec<String>,
    /// Whether the stack makes a network of its own, with private subnets, in place of them.
    pub makes_network: bool,
    /// The block of addresses of that network's VPC.
    pub vpc_cidr: String,
    /// Control-plane log types.
    pub logs: Vec<String>,
    /// Days for which logs are kept; 0 means for ever.
    pub log_retention_days: u32,
    /// ARNs of the IAM roles and users that administer the cluster besides whoever makes it.
    pub admins: Vec<String>,
    /// Who reaches the API server.
    pub endpoint: ApiEndpoint,
    /// ARN or alias of the KMS key that secrets are encrypted with; AWS's own without it.
    pub secrets_key: Option<String>,
    /// Name of the Fargate profile.
    pub fargate_profile: String,
    /// Which pods run on Fargate; one to five.
    pub selectors: Vec<Selector>,
}

/// The ways to the API server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiEndpoint {
    /// Whether it is reached over the internet.
    pub public: bool,
    /// Whether it is reached within the VPC.
    pub private: bool,
    /// From which blocks of addresses it is reached over the internet; empty means from everywhere.
    pub public_access_cidrs: Vec<String>,
}

/// A selector of a Fargate profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Selector {
    /// Namespace; `*` and `?` are wildcards.
    pub namespace: String,
    /// Labels that a pod must carry.
    pub labels: BTreeMap<String, String>,
}

/// The operator's place in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Operator {
    /// Namespace of all its objects.
    pub namespace: String,
    /// Its ServiceAccount.
    pub service_account: String,
    /// Container image.
    pub image: String,
    /// Replicas; one leads, the others stand by.
    pub replicas: u32,
}

/// Who reads the queue's depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// The operator's own role (`identityOwner: keda`).
    Operator,
    /// The role of the workload's ServiceAccount (`identityOwner: workload`).
    Workload,
    /// A role for scalers only (`roleArn`).
    Role,
}

/// Whose program works on the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Consumer {
    /// Sluice's own sample, which writes a receipt for every message into its log.
    Sample,
    /// A service of the user's, of which only its queue and its pods can be seen.
    Own,
}

/// A service that is scaled by its queue, or by other triggers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Workload {
    /// Name of Deployment and ScaledObject or of the ScaledJob, of ServiceAccount and TriggerAuthentication.
    pub name: String,
    /// Namespace of all of them.
    pub namespace: String,
    /// Container image.
    pub image: String,
    /// Whose program it is.
    pub consumer: Consumer,
    /// What replaces the image's entry point.
    pub command: Option<Vec<String>>,
    /// Arguments of the container; `None` means what the image says, and for the sample the settings of `worker`.
    pub args: Option<Vec<String>>,
    /// Its queue, which the stack makes. Without one it is scaled by `triggers` alone, and has no role.
    pub queue: Option<Queue>,
    /// Who reads the queue's depth.
    pub identity: Identity,
    /// What it is scaled by, in order. Never empty.
    pub triggers: Vec<Trigger>,
    /// How its Jobs are made and kept, where it is worked on by Jobs; `None` for replicas of a Deployment.
    pub job: Option<Job>,
    /// When to scale, and how far.
    pub scaling: Scaling,
    /// Settings of Sluice's own consumer.
    pub worker: Worker,
    /// Further environment of the container.
    pub env: BTreeMap<String, String>,
    /// CPU as a Kubernetes quantity; request and limit.
    pub cpu: String,
    /// Memory as a Kubernetes quantity; request and limit.
    pub memory: String,
}

/// An SQS standard queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Queue {
    /// Name.
    pub name: String,
    /// How long a received message stays hidden.
    pub visibility_timeout_seconds: u32,
    /// How long messages are kept.
    pub retention_seconds: u32,
    /// How long a new message stays hidden.
    pub delay_seconds: u32,
}

/// A trigger as KEDA has it. What it means is the operator's to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trigger {
    /// Its type, such as `cron`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name in a formula.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the type takes. Of the stack's own queue, its address and region are filled in where they are known.
    pub metadata: BTreeMap<String, String>,
    /// The TriggerAuthentication or ClusterTriggerAuthentication that it uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication_ref: Option<AuthenticationRef>,
    /// What the HPA holds its metric at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric_type: Option<String>,
    /// Whether the HPA is answered from the last poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_cached_metrics: Option<bool>,
    /// Whether it reads the workload's own queue.
    #[serde(skip)]
    pub reads_queue: bool,
}

/// Whose credentials a trigger uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuthenticationRef {
    /// The object's name.
    pub name: String,
    /// `TriggerAuthentication`, or `ClusterTriggerAuthentication`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// Replicas while triggers cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fallback {
    /// Failures in a row that are borne.
    pub failure_threshold: u32,
    /// The replicas.
    pub replicas: u32,
    /// What the replicas mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behavior: Option<String>,
}

/// A formula over the triggers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Modifiers {
    /// The formula; the triggers are known in it by their names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    /// What its result is held at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Above which result the workload is active.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation_target: Option<String>,
    /// What the HPA holds the result at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric_type: Option<String>,
}

/// How a ScaledJob makes and keeps its Jobs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Job {
    /// How many are made for what waits.
    pub strategy: Strategy,
    /// Of `custom`: what is taken off the length of the queue.
    pub queue_length_deduction: u32,
    /// Of `custom`: the share of the running Jobs that is taken off it, 0 to 1.
    pub running_job_percentage: f64,
    /// Of `accurate` and `eager`: conditions without which a pod counts as pending.
    pub pending_pod_conditions: Vec<String>,
    /// Jobs that ended well and are kept.
    pub successful_history: u32,
    /// Jobs that failed and are kept.
    pub failed_history: u32,
    /// What becomes of Jobs that run when the spec changes.
    pub rollout: Rollout,
    /// How their pods go with them then.
    pub propagation: Propagation,
    /// How often Kubernetes starts a failed pod again.
    pub backoff_limit: u32,
    /// Seconds after which a Job is ended; 0 for never.
    pub active_deadline_seconds: u32,
    /// What counts of several triggers: `max`, `min`, `avg` or `sum`.
    pub calculation: Option<String>,
}

/// KEDA's strategies for the number of Jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// What waits, less what runs.
    Default,
    /// With a deduction and a share of one's own.
    Custom,
    /// For a source that does not count what is in work.
    Accurate,
    /// As many as there is room for.
    Eager,
}

impl Strategy {
    /// Whether the trigger has to leave out what is in work.
    pub fn counts_waiting_only(self) -> bool {
        matches!(self, Self::Accurate | Self::Eager)
    }
}

/// What becomes of Jobs that run when the spec changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rollout {
    /// They are ended.
    Default,
    /// They run to their end.
    Gradual,
}

/// How the pods of a Job that is deleted go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Propagation {
    /// After it.
    Background,
    /// Before it.
    Foreground,
}

/// The numbers of the ScaledObject or ScaledJob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scaling {
    /// Least replicas.
    pub min_replicas: u32,
    /// Most replicas.
    pub max_replicas: u32,
    /// Messages per replica.
    pub queue_length: u32,
    /// Above how many messages the workload wakes.
    pub activation_queue_length: u32,
    /// Seconds between two looks at the queue.
    pub polling_interval_seconds: u32,
    /// Seconds without work before the last replica goes. Jobs have none.
    pub cooldown_period_seconds: u32,
    /// The HPA's scale-down stabilisation window. Jobs have no HPA.
    pub scale_down_window_seconds: u32,
    /// Whether the workload wakes up at the count that the HPA would come to.
    pub direct_activation: bool,
    /// What becomes of the replicas while triggers cannot be read. Jobs have none.
    pub fallback: Option<Fallback>,
    /// A formula over the triggers. Jobs have none.
    pub modifiers: Option<Modifiers>,
}

/// Settings of Sluice's own consumer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Worker {
    /// Seconds of work per message.
    pub work_seconds: u32,
    /// Seconds of one long poll.
    pub wait_seconds: u32,
    /// Messages worked on at the same time.
    pub parallelism: u32,
    /// Share of messages that fail, 0 to 1.
    pub failure_rate: f64,
}

/// Settings of the target `local`; all optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Local {
    /// What is late, busy or refused in the local cloud, as on AWS; as written, such as `aws:7`.
    pub faults: Option<String>,
}

/// An ECR repository that goes with the stack.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Ecr {
    /// Name of the repository that `up` makes and `down` removes with its images; without it there is none.
    pub repository: Option<String>,
}

/// Settings of the target `localstack`; all optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LocalStack {
    /// Endpoint as this machine sees it; without it a container is started.
    pub endpoint: Option<String>,
    /// LocalStack's image.
    pub image: Option<String>,
}

/// A cluster that is there already; all optional. Without it, the stack makes one on EKS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Kubernetes {
    /// Context in the kubeconfig.
    pub context: Option<String>,
    /// Kubeconfig file; the usual search without it.
    pub kubeconfig: Option<String>,
    /// The AWS endpoint as pods see it.
    pub endpoint_for_pods: Option<String>,
}

impl Stack {
    /// Namespaces that the stack makes: the operator's and the workloads', each once.
    pub fn namespaces(&self) -> Vec<&str> {
        let mut namespaces = vec![self.operator.namespace.as_str()];
        for workload in &self.workloads {
            if !namespaces.contains(&workload.namespace.as_str()) {
                namespaces.push(&workload.namespace);
            }
        }
        namespaces
    }

    /// Whether any workload has a queue of the stack's; without one nobody needs a role.
    pub fn has_queue(&self) -> bool {
        self.workloads.iter().any(|workload| workload.queue.is_some())
    }
}
