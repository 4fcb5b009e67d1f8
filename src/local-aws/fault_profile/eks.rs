//! EKS while roles spread, and while a cluster changes without anybody having asked.

use local_faults::Kind;

use super::journal::Mark;
use super::{Profile, Subject};
use crate::ec2::network::Network;
use crate::fault::Fault;

/// What EKS says of a role that has not reached it (terraform-provider-aws, `internal/service/eks/cluster.go`); `{}` is the
/// role's name.
const TEXTS: [&str; 5] = [
    "The role {} does not exist",
    "Error in role params",
    "Role could not be assumed because the trusted entity is not correct",
    "The provided role doesn't have the Amazon EKS Managed Policies associated with it. Please ensure the following policy is attached: arn:aws:iam::aws:policy/AmazonEKSClusterPolicy",
    "IAM role's policy must include the `ec2:DescribeSubnets` action",
];

/// Operations that change a cluster, and what they do to it.
const CHANGES: [(&str, &str); 8] = [
    ("CreateFargateProfile", "create Fargate Profile"),
    ("DeleteFargateProfile", "delete Fargate Profile"),
    ("CreateAddon", "create addon"),
    ("UpdateAddon", "update addon"),
    ("DeleteAddon", "delete addon"),
    ("UpdateClusterConfig", "update"),
    ("UpdateClusterVersion", "update"),
    ("DeleteCluster", "delete"),
];

/// What becomes of an update.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fate {
    /// The cluster stays ACTIVE meanwhile.
    pub(crate) shows_late: bool,
    /// It is Failed in the end.
    pub(crate) fails: bool,
}

impl Profile {
    pub(super) fn eks(&self, subject: &Subject) -> Option<Fault> {
        if let Some(fault) = self.standing(subject) {
            return Some(fault);
        }
        match (subject.operation.as_str(), subject.role.as_deref()) {
            ("CreateCluster", Some(role)) => self.late_role(role, true),
            ("CreateFargateProfile", Some(role)) => self.late_role(role, false).or_else(|| self.hidden_update(subject)),
            _ => self.hidden_update(subject),
        }
    }

    /// What EKS refuses for as long as nobody mends it. It looks at a network where pods are to run.
    fn standing(&self, subject: &Subject) -> Option<Fault> {
        let faults = self.faults();
        let network = Network::of(&self.region, "", faults);
        match subject.operation.as_str() {
            "CreateCluster" if faults.has(Kind::QuotasLow) => {
                Some(Fault::sender("ResourceLimitExceededException", "Cluster limit exceeded for account"))
            }
            "CreateFargateProfile" if faults.has(Kind::SubnetsPublic) => {
                network.public_of(&subject.subnets).map(|subnet| {
                    let text = format!("Subnet {subnet} provided in Fargate Profile is not a private subnet");
                    Fault::sender("InvalidParameterException", text)
                })
            }
            "CreateFargateProfile" if faults.has(Kind::ZoneForbidden) => {
                network.without_fargate_of(&subject.subnets).map(|(subnet, zone)| {
                    let text = format!(
                        "Fargate Profile creation for the Availability Zone {zone} for Subnet {subnet} is not supported"
                    );
                    Fault::sender("InvalidParameterException", text)
                })
            }
            _ => None,
        }
    }

    fn late_role(&self, role: &str, is_of_cluster: bool) -> Option<Fault> {
        let lasts = self.faults().lasts(Kind::RolesLate, role);
        let elapsed = [Mark::RoleMade, Mark::PolicyPut].into_iter().filter_map(|mark| self.since(mark, role)).min()?;
        if elapsed >= lasts {
            return None;
        }
        if !is_of_cluster {
            let text = "Misconfigured PodExecutionRole Trust Policy; Please add the eks-fargate-pods.amazonaws.com Service Principal";
            return Some(Fault::sender("InvalidParameterException", text));
        }
        // One after the other, begun at one that the seed chooses.
        let nth = self.journal().count(Kind::RolesLate, role);
        let begun = self.faults().one_of(Kind::RolesLate, role, &[0_u64, 1, 2, 3, 4]).copied().unwrap_or_default();
        let index = usize::try_from((begun + nth) % 5).unwrap_or_default();
        let code = if nth.is_multiple_of(2) { "InvalidParameterException" } else { "ClientException" };
        Some(Fault::sender(code, TEXTS[index].replace("{}", role)))
    }

    /// What becomes of an update of the cluster that begins now.
    pub(crate) fn fate_of_update(&self, cluster: &str) -> Fate {
        let shows_late = self.faults().has(Kind::UpdatesFail);
        Fate { shows_late, fails: self.strikes(Kind::UpdatesFail, cluster, 3) }
    }

    fn hidden_update(&self, subject: &Subject) -> Option<Fault> {
        let cluster = subject.cluster.as_deref()?;
        let (_, doing) = CHANGES.iter().find(|(operation, _)| *operation == subject.operation)?;
        self.is_within(Kind::HiddenUpdate, Mark::Active, cluster).then(|| {
            let text = format!("Cannot {doing} because cluster {cluster} currently has an update in progress");
            Fault::new(409, "ResourceInUseException", text)
        })
    }

    /// The refusal in EKS's other form, where it says that there is no such cluster.
    pub(super) fn in_other_form(&self, subject: &Subject, fault: Fault) -> Fault {
        let is_of_cluster = matches!(subject.operation.as_str(), "DescribeCluster" | "DeleteCluster");
        if !self.faults().has(Kind::ClusterNotFoundText) || !is_of_cluster || fault.code != "ResourceNotFoundException"
        {
            return fault;
        }
        let cluster = subject.cluster.as_deref().unwrap_or_default();
        Fault::sender("ClientException", format!("No cluster found for name: {cluster}."))
    }
}
