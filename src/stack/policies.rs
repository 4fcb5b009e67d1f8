//! IAM policy documents.
//!
//! Arguments that are known only after an apply, such as the issuer, may be references of the caller's engine: they are
//! put in as text. The AWS managed policies that the stack uses are named here as well.

use serde_json::{Value, json};

use crate::model::{Stack, Workload};
use crate::names::WorkloadNames;
use crate::templates::{Result, render_json};

/// Managed policy of the control plane's role.
pub const CLUSTER_POLICY: &str = "AmazonEKSClusterPolicy";
/// Managed policy of the Fargate execution role.
pub const FARGATE_POLICY: &str = "AmazonEKSFargatePodExecutionRolePolicy";
/// Audience of the tokens that pods exchange for roles.
pub const AUDIENCE: &str = "sts.amazonaws.com";

/// Renders the policy documents of one stack in one account.
#[derive(Debug, Clone, Copy)]
pub struct Policies<'a> {
    /// The stack.
    pub stack: &'a Stack,
    /// Account that owns everything.
    pub account_id: &'a str,
    /// The cluster's OIDC issuer, with or without `https://`, or a reference to one without it.
    pub issuer: &'a str,
}

impl Policies<'_> {
    /// Who may use the control plane's role: EKS.
    ///
    /// # Errors
    ///
    /// [`Error::Render`](crate::Error::Render) or [`Error::Parse`](crate::Error::Parse) if the embedded template is
    /// broken: a mistake of this program.
    pub fn cluster_trust(&self) -> Result<Value> {
        render_json("iam/cluster-trust.json", &json!({}))
    }

    /// Who may use the Fargate execution role: Fargate, for this cluster's profiles only.
    ///
    /// # Errors
    ///
    /// [`Error::Render`](crate::Error::Render) or [`Error::Parse`](crate::Error::Parse) if the embedded template is
    /// broken: a mistake of this program.
    pub fn fargate_trust(&self) -> Result<Value> {
        let names = self.stack.names();
        let arn = names.cluster_arn(self.account_id).replacen(":cluster/", ":fargateprofile/", 1);
        render_json("iam/fargate-trust.json", &json!({ "fargate_profiles_arn": format!("{arn}/*") }))
    }

    /// Who may use the operator's role: its ServiceAccount.
    ///
    /// # Errors
    ///
    /// [`Error::Render`](crate::Error::Render) or [`Error::Parse`](crate::Error::Parse) if the embedded template is
    /// broken: a mistake of this program.
    pub fn operator_trust(&self) -> Result<Value> {
        let operator = &self.stack.operator;
        self.web_identity_trust(&operator.namespace, &operator.service_account, None)
    }

    /// What the operator may do: read the queues' depth and use the scaler's and the workloads' roles.
    ///
    /// # Errors
    ///
    /// [`Error::Render`](crate::Error::Render) or [`Error::Parse`](crate::Error::Parse) if the embedded template is
    /// broken: a mistake of this program.
    pub fn operator_policy(&self) -> Result<Value> {
        let names = self.stack.names();
        let mut roles = vec![self.role_arn(&names.scaler_role)];
        roles.extend(names.workloads.iter().map(|workload| self.role_arn(&workload.role)));
        render_json("iam/operator-policy.json", &json!({ "queue_arns": self.queue_arns(), "role_arns": roles }))
    }

    /// Who may use the scaler's role: the operator's role only.
    ///
    /// # Errors
    ///
    /// [`Error::Render`](crate::Error::Render) or [`Error::Parse`](crate::Error::Parse) if the embedded template is
    /// broken: a mistake of this program.
    pub fn scaler_trust(&self) -> Result<Value> {
        let operator = self.role_arn(&self.stack.names().operator_role);
        render_json("iam/scaler-trust.json", &json!({ "operator_role_arn": operator }))
    }

    /// What the scaler's role may do: read the queues' depth.
    ///
    /// # Errors
    ///
    /// [`Error::Render`](crate::Error::Render) or [`Error::Parse`](crate::Error::Parse) if the embedded template is
    /// broken: a mistake of this program.
    pub fn scaler_policy(&self) -> Result<Value> {
        render_json("iam/scaler-policy.json", &json!({ "queue_arns": self.queue_arns() }))
    }

    /// Who may use the workload's role: its ServiceAccount, and the operator's role.
    ///
    /// # Errors
    ///
    /// [`Error::Render`](crate::Error::Render) or [`Error::Parse`](crate::Error::Parse) if the embedded template is
    /// broken: a mistake of this program.
    pub fn workload_trust(&self, workload: &Workload) -> Result<Value> {
        let operator = self.role_arn(&self.stack.names().operator_role);
        self.web_identity_trust(&workload.namespace, &workload.name, Some(&operator))
    }

    /// What the workload may do: consume its queue.
    ///
    /// # Errors
    ///
    /// [`Error::Render`](crate::Error::Render) or [`Error::Parse`](crate::Error::Parse) if the embedded template is
    /// broken: a mistake of this program.
    pub fn workload_policy(&self, names: &WorkloadNames) -> Result<Value> {
        let queue = self.stack.names().queue_arn(self.account_id, &names.queue);
        render_json("iam/workload-policy.json", &json!({ "queue_arn": queue }))
    }

    fn web_identity_trust(&self, namespace: &str, account: &str, assumed_by: Option<&str>) -> Result<Value> {
        let issuer = self.issuer.strip_prefix("https://").unwrap_or(self.issuer);
        let data = json!({
            "provider_arn": self.stack.names().oidc_provider_arn(self.account_id, issuer),
            "audience_key": format!("{issuer}:aud"),
            "subject_key": format!("{issuer}:sub"),
            "subject": format!("system:serviceaccount:{namespace}:{account}"),
            "assumed_by": assumed_by,
        });
        render_json("iam/web-identity-trust.json", &data)
    }

    fn role_arn(&self, role: &str) -> String {
        self.stack.names().role_arn(self.account_id, role)
    }

    fn queue_arns(&self) -> Vec<String> {
        let names = self.stack.names();
        names.workloads.iter().map(|workload| names.queue_arn(self.account_id, &workload.queue)).collect()
    }
}
