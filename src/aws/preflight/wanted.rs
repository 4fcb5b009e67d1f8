//! What a stack wants of an account, as far as a preflight looks at it.

use crate::permissions::Site;

/// What a stack wants of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its names.
    pub site: Site,
    /// The stack's name, as its tag has it.
    pub stack: String,
    /// The caller, as STS names it.
    pub caller_arn: String,
    /// Its roles.
    pub roles: Vec<String>,
    /// The Fargate profile's name.
    pub fargate_profile: String,
    /// Whether it names administrators of the cluster besides the caller.
    pub has_admins: bool,
    /// The cluster that is to be made; `None` where one is there that is not EKS's.
    pub cluster: Option<Cluster>,
}

/// The cluster that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Kubernetes' minor version.
    pub version: String,
    /// The VPC that the subnets must be of, if that was said.
    pub vpc: Option<String>,
    /// Whether the stack makes its network; it needs no subnets then.
    pub makes_network: bool,
    /// The subnets of control plane and pods.
    pub subnets: Vec<String>,
    /// The most pods at a time.
    pub pods: u32,
    /// The most that they take, in thousandths of a virtual CPU, by the sizes of Fargate.
    pub millicpu: u32,
}
