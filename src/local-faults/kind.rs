//! The faults, one row each: name, what happens, for how long, and where it is known from.

use std::ops::RangeInclusive;

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// EKS does not know a new role, its trust policy or its policies yet.
    RolesLate,
    /// One of IAM's servers does not know a new role yet.
    IamReadsLate,
    /// Two changes of one role at a time.
    IamBusy,
    /// What was taken off a role still shows when it is deleted.
    IamDeletesLate,
    /// IAM cannot reach a new cluster's issuer.
    IssuerLate,
    /// A change of the cluster that nobody asked for, right after it is ACTIVE.
    HiddenUpdate,
    /// Updates of a cluster are shown late, and the first fails.
    UpdatesFail,
    /// A cluster that does not exist is reported in EKS's other form.
    ClusterNotFoundText,
    /// A new cluster's endpoint takes no connections.
    EndpointLate,
    /// One of two API servers does not know the access entries yet.
    AccessLate,
    /// Pods that come right after a Fargate profile are tried once and never again.
    FargateLate,
    /// The identity webhook does not know a new ServiceAccount yet.
    IdentityLate,
    /// A queue shows late after its creation, and now and then after its deletion.
    QueuesLate,
    /// The last lines of a cluster's log come after its end.
    LogsLate,
    /// EC2 does not know a new VPC, subnet, gateway, address or route table yet.
    NetworksLate,
    /// Calls are refused because there are too many.
    Throttling,
    /// Roles of others that may be listed and not read.
    ForeignRoles,
    /// EKS takes as long as on AWS.
    Slow,
    /// The subnets that clusters are given lead to an internet gateway.
    SubnetsPublic,
    /// One of the subnets is in a zone that has no Fargate.
    ZoneForbidden,
    /// The subnets lead nowhere, and there are no endpoints.
    NoWayOut,
    /// Names do not resolve in the VPC.
    VpcDnsOff,
    /// The account may have no more clusters and identity providers, and hardly any of Fargate.
    QuotasLow,
}

struct Row {
    #[cfg_attr(not(test), expect(dead_code, reason = "the test of the order reads it"))]
    kind: Kind,
    name: &'static str,
    about: &'static str,
    /// Seconds of the system's time.
    lasts: RangeInclusive<u64>,
    source: &'static str,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::RolesLate,
        Self::IamReadsLate,
        Self::IamBusy,
        Self::IamDeletesLate,
        Self::IssuerLate,
        Self::HiddenUpdate,
        Self::UpdatesFail,
        Self::ClusterNotFoundText,
        Self::EndpointLate,
        Self::AccessLate,
        Self::FargateLate,
        Self::IdentityLate,
        Self::QueuesLate,
        Self::LogsLate,
        Self::NetworksLate,
        Self::Throttling,
        Self::ForeignRoles,
        Self::Slow,
        Self::SubnetsPublic,
        Self::ZoneForbidden,
        Self::NoWayOut,
        Self::VpcDnsOff,
        Self::QuotasLow,
    ];

    /// Whether it never passes by itself: somebody has to mend what a stack was given. Such a fault is not one of `aws`.
    pub fn stands(self) -> bool {
        self as usize >= Self::SubnetsPublic as usize
    }

    /// As it is given on the command line.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What happens, for people.
    pub fn about(self) -> &'static str {
        self.row().about
    }

    /// Where it is known from.
    pub fn source(self) -> &'static str {
        self.row().source
    }

    /// For how long, in seconds of the system's time.
    pub fn lasts(self) -> RangeInclusive<u64> {
        self.row().lasts.clone()
    }

    fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }
}

/// In the order of the enum.
static ROWS: [Row; 23] = [
    Row {
        kind: Kind::RolesLate,
        name: "roles-late",
        about: "EKS refuses a new role in one of its five texts, and a new pod execution role in its own",
        lasts: 3..=20,
        source: "terraform-provider-aws, eks/cluster.go and eks/fargate_profile.go",
    },
    Row {
        kind: Kind::IamReadsLate,
        name: "iam-reads-late",
        about: "IAM answers NoSuchEntity for a new role now and then",
        lasts: 2..=10,
        source: "IAM User Guide, \"Changes that I make are not always immediately visible\"",
    },
    Row {
        kind: Kind::IamBusy,
        name: "iam-busy",
        about: "IAM answers ConcurrentModification for one of several roles that are made, or for a second change of a role",
        lasts: 1..=2,
        source: "IAM API Reference; terraform-provider-aws issues 34371, 34378 and 39421",
    },
    Row {
        kind: Kind::IamDeletesLate,
        name: "iam-deletes-late",
        about: "IAM answers DeleteConflict although the last policy was taken off",
        lasts: 2..=15,
        source: "terraform-provider-aws, iam/role.go",
    },
    Row {
        kind: Kind::IssuerLate,
        name: "issuer-late",
        about: "IAM answers OpenIdIdpCommunicationError for a new cluster's issuer",
        lasts: 10..=60,
        source: "IAM API Reference, CreateOpenIDConnectProvider; awslabs/eks-perf-tests 599",
    },
    Row {
        kind: Kind::HiddenUpdate,
        name: "hidden-update",
        about: "EKS answers ResourceInUseException for changes of a cluster or profile that has just become ACTIVE",
        lasts: 5..=45,
        source: "eksctl-io/eksctl 8514",
    },
    Row {
        kind: Kind::UpdatesFail,
        name: "updates-fail",
        about: "a cluster stays ACTIVE while it is updated, and every third update of its network or logs fails",
        lasts: 0..=0,
        source: "EKS API Reference, DescribeUpdate; aws-controllers-k8s/eks-controller",
    },
    Row {
        kind: Kind::ClusterNotFoundText,
        name: "cluster-not-found-text",
        about: "EKS says that there is no cluster by a ClientException",
        lasts: 0..=0,
        source: "terraform-provider-aws, eks/cluster.go",
    },
    Row {
        kind: Kind::EndpointLate,
        name: "endpoint-late",
        about: "a new cluster's endpoint takes no connections",
        lasts: 60..=120,
        source: "awslabs/eks-perf-tests 599; aws/containers-roadmap 654",
    },
    Row {
        kind: Kind::AccessLate,
        name: "access-late",
        about: "a new cluster's API refuses every second request of an IAM principal with 401",
        lasts: 20..=60,
        source: "gravitational/teleport 37958",
    },
    Row {
        kind: Kind::FargateLate,
        name: "fargate-late",
        about: "pods that come right after a profile stay Pending for ever",
        lasts: 10..=40,
        source: "eksctl-io/eksctl 3615; aws/karpenter-provider-aws 7455; aws/containers-roadmap 2654",
    },
    Row {
        kind: Kind::IdentityLate,
        name: "identity-late",
        about: "pods that come right after their ServiceAccount get no role",
        lasts: 5..=20,
        source: "aws/amazon-eks-pod-identity-webhook 174, 83 and 264",
    },
    Row {
        kind: Kind::QueuesLate,
        name: "queues-late",
        about: "a queue shows late after its creation, and now and then after its deletion",
        lasts: 1..=50,
        source: "SQS API Reference, CreateQueue and DeleteQueue",
    },
    Row {
        kind: Kind::LogsLate,
        name: "logs-late",
        about: "a cluster's log group comes back after the cluster's end, without retention",
        lasts: 5..=40,
        source: "terraform-aws-modules/terraform-aws-eks issues 2446, 2763 and 920",
    },
    Row {
        kind: Kind::NetworksLate,
        name: "networks-late",
        about: "EC2 neither lists nor takes a new VPC, subnet, gateway, address or route table",
        lasts: 1..=10,
        source: "EC2 API Reference, \"Eventual consistency\"; terraform-provider-aws, ec2/vpc_route_table.go",
    },
    Row {
        kind: Kind::Throttling,
        name: "throttling",
        about: "every twelfth call to IAM, EKS and CloudWatch Logs is refused because of its rate, up to three times in a row; before every twelfth of an action of EC2 others have emptied its bucket",
        lasts: 0..=0,
        source: "common errors of the four API References; EC2 Developer Guide, \"Request throttling for the Amazon EC2 API\": buckets of 10 to 100 tokens, 1 to 20 more each second, which all callers of an account and region share",
    },
    Row {
        kind: Kind::ForeignRoles,
        name: "foreign-roles",
        about: "the account has 500 roles of others, and five of them may not be read",
        lasts: 0..=0,
        source: "AWS Control Tower and IAM Identity Center, whose roles service control policies protect",
    },
    Row {
        kind: Kind::Slow,
        name: "slow",
        about: "clusters take 8 to 12 minutes, profiles and addons 1 to 3, deletions 2 to 6",
        lasts: 480..=720,
        source: "EKS User Guide, \"Create an Amazon EKS cluster\"; terraform-aws-modules/terraform-aws-eks issues",
    },
    Row {
        kind: Kind::SubnetsPublic,
        name: "subnets-public",
        about: "the subnets lead to an internet gateway, and EKS makes no Fargate profile in them",
        lasts: 0..=0,
        source: "awslabs/eks-perf-tests 195",
    },
    Row {
        kind: Kind::ZoneForbidden,
        name: "zone-forbidden",
        about: "one of the subnets is in a zone without Fargate, where its region has one, and EKS makes no Fargate profile there",
        lasts: 0..=0,
        source: "ECS Developer Guide, \"Supported Regions for Amazon ECS on AWS Fargate\"; eksctl-io/eksctl 5677 and 5875",
    },
    Row {
        kind: Kind::NoWayOut,
        name: "no-way-out",
        about: "the subnets lead nowhere, and the VPC has no endpoints, as far as EC2 says: pods of the local cloud need no network",
        lasts: 0..=0,
        source: "EKS User Guide, \"Deploy private clusters with limited internet access\"",
    },
    Row {
        kind: Kind::VpcDnsOff,
        name: "vpc-dns-off",
        about: "names do not resolve in the VPC, as far as EC2 says",
        lasts: 0..=0,
        source: "EKS User Guide, \"Amazon EKS networking requirements for VPC and subnets\"",
    },
    Row {
        kind: Kind::QuotasLow,
        name: "quotas-low",
        about: "the account may have no more clusters and OIDC providers, and one virtual CPU of Fargate",
        lasts: 0..=0,
        source: "EKS API Reference, CreateCluster; EKS Best Practices Guide, \"Known limits and service quotas\"",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_finds_its_own_row() {
        assert!(Kind::ALL.into_iter().all(|kind| kind.row().kind == kind));
    }
}
