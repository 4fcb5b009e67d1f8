//! The kinds, and their names in addresses.

use super::network::Part;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Queue,
    Role,
    Policy,
    RolePolicyAttachment,
    OidcProvider,
    Cluster,
    FargateProfile,
    Addon,
    AccessEntry,
    AccessPolicyAssociation,
    LogGroup,
    EcrRepository,
    Network(Part),
}

/// Every kind by the name that it has in addresses.
pub(super) const KINDS: [(&str, Kind); 18] = [
    ("aws_sqs_queue", Kind::Queue),
    ("aws_iam_role", Kind::Role),
    ("aws_iam_policy", Kind::Policy),
    ("aws_iam_role_policy_attachment", Kind::RolePolicyAttachment),
    ("aws_iam_openid_connect_provider", Kind::OidcProvider),
    ("aws_eks_cluster", Kind::Cluster),
    ("aws_eks_fargate_profile", Kind::FargateProfile),
    ("aws_eks_addon", Kind::Addon),
    ("aws_eks_access_entry", Kind::AccessEntry),
    ("aws_eks_access_policy_association", Kind::AccessPolicyAssociation),
    ("aws_cloudwatch_log_group", Kind::LogGroup),
    ("aws_ecr_repository", Kind::EcrRepository),
    ("aws_vpc", Kind::Network(Part::Vpc)),
    ("aws_subnet", Kind::Network(Part::Subnet)),
    ("aws_internet_gateway", Kind::Network(Part::InternetGateway)),
    ("aws_eip", Kind::Network(Part::Address)),
    ("aws_nat_gateway", Kind::Network(Part::NatGateway)),
    ("aws_route_table", Kind::Network(Part::RouteTable)),
];
