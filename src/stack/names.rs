//! Deterministic names and ARNs: what makes it possible to find everything again without a state file.

use crate::model::Stack;
use crate::region;

/// All names of a stack's AWS resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// EKS cluster.
    pub cluster: String,
    /// Fargate profile.
    pub fargate_profile: String,
    /// Role of the control plane.
    pub cluster_role: String,
    /// Role that pulls images and starts pods on Fargate.
    pub fargate_role: String,
    /// Role of the operator's ServiceAccount.
    pub operator_role: String,
    /// Role that may only read queue attributes.
    pub scaler_role: String,
    /// Those of the workloads that have a queue. Name of each of our managed policies or inline policies is the role's name.
    pub workloads: Vec<WorkloadNames>,
    /// The control plane's log group.
    pub log_group: String,
    region: String,
    role_path: String,
}

/// Names of one workload's AWS resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadNames {
    /// The workload.
    pub workload: String,
    /// SQS queue.
    pub queue: String,
    /// Role of the ServiceAccount.
    pub role: String,
}

impl Stack {
    /// The stack's names.
    pub fn names(&self) -> Names {
        let cluster = &self.cluster.name;
        let workload = |workload: &crate::model::Workload| {
            Some(WorkloadNames {
                workload: workload.name.clone(),
                queue: workload.queue.as_ref()?.name.clone(),
                role: format!("{cluster}-{}", workload.name),
            })
        };
        Names {
            cluster: cluster.clone(),
            fargate_profile: self.cluster.fargate_profile.clone(),
            cluster_role: format!("{cluster}-cluster"),
            fargate_role: format!("{cluster}-fargate"),
            operator_role: format!("{cluster}-keda-operator"),
            scaler_role: format!("{cluster}-sqs-scaler"),
            workloads: self.workloads.iter().filter_map(workload).collect(),
            log_group: format!("/aws/eks/{cluster}/cluster"),
            region: self.region.clone(),
            role_path: self.roles.path.clone(),
        }
    }
}

impl Names {
    /// The longest role name, which IAM's limit bites first.
    pub fn longest_role(&self) -> Option<&str> {
        let own = [&self.cluster_role, &self.fargate_role, &self.operator_role, &self.scaler_role];
        let all = own.into_iter().chain(self.workloads.iter().map(|workload| &workload.role));
        all.max_by_key(|role| role.len()).map(String::as_str)
    }

    /// The names of one workload, if it has a queue.
    pub fn workload(&self, name: &str) -> Option<&WorkloadNames> {
        self.workloads.iter().find(|workload| workload.workload == name)
    }

    /// The ARN partition of the region.
    pub fn partition(&self) -> &'static str {
        region::partition(&self.region)
    }

    /// ARN of a role of the stack's.
    pub fn role_arn(&self, account_id: &str, role: &str) -> String {
        format!("arn:{}:iam::{account_id}:role{}{role}", self.partition(), self.role_path)
    }

    /// ARN of a policy that AWS manages.
    pub fn managed_policy_arn(&self, policy: &str) -> String {
        format!("arn:{}:iam::aws:policy/{policy}", self.partition())
    }

    /// ARN of an access policy of EKS.
    pub fn access_policy_arn(&self, policy: &str) -> String {
        format!("arn:{}:eks::aws:cluster-access-policy/{policy}", self.partition())
    }

    /// ARN of a queue.
    pub fn queue_arn(&self, account_id: &str, queue: &str) -> String {
        format!("arn:{}:sqs:{}:{account_id}:{queue}", self.partition(), self.region)
    }

    /// ARN of the cluster.
    pub fn cluster_arn(&self, account_id: &str) -> String {
        format!("arn:{}:eks:{}:{account_id}:cluster/{}", self.partition(), self.region, self.cluster)
    }

    /// ARN of the OIDC provider; `issuer` with or without `https://`, or a reference to it.
    pub fn oidc_provider_arn(&self, account_id: &str, issuer: &str) -> String {
        let issuer = issuer.strip_prefix("https://").unwrap_or(issuer);
        format!("arn:{}:iam::{account_id}:oidc-provider/{issuer}", self.partition())
    }
}
