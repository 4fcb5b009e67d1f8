//! What whoever runs the program must be allowed in AWS: one row for each action that one of its operations is authorised by.
//!
//! The [`policy`] for a stack is made of the rows, so is the table of `docs/permissions.md`, and a preflight asks about the same
//! [`needs`]. A test holds every operation that this crate names against the rows, and one of the whole program compares them with
//! what the local AWS authorised: none is missing, none is superfluous. What runs in pods has roles of its own, which the stack
//! declares.
//!
//! The resource of an action is that of the Service Authorization Reference of its service; a test compares them with an extract.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// For which part of the work an action is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// To look before anything is made whether it can succeed; without it a check of the preflight is not made.
    Check,
    /// To see what exists: every command does.
    Look,
    /// To make and to change it: `up`.
    Make,
    /// To remove it: `down`, and an `up` that removes what is no longer declared or replaces something.
    Remove,
    /// To put messages on the queue: `send`, `verify`, `demo`.
    Messages,
}

/// On what an action is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// A list of the account, or a look at what is not known before.
    Account,
    /// The cluster.
    Cluster,
    /// The cluster's Fargate profiles.
    FargateProfiles,
    /// The cluster's addons.
    Addons,
    /// The cluster's access entries.
    AccessEntries,
    /// The cluster and everything in it that carries tags.
    Eks,
    /// The stack's roles.
    Roles,
    /// The two roles that EKS is given.
    PassedRoles,
    /// The roles that EKS makes for itself in an account that had no cluster yet.
    ServiceLinkedRoles,
    /// Customer managed policies of the stack's name.
    Policies,
    /// OIDC providers of clusters: which one is the stack's is known only once its cluster exists.
    OidcProviders,
    /// The group of the control plane's logs.
    LogGroup,
    /// The repository of the program's image, where the stack has one.
    Repository,
    /// The workloads' queues.
    Queues,
    /// The key that EKS encrypts with, where the stack names one.
    Keys,
    /// VPCs and what is in them, where the stack makes a network; ids are known only once it exists.
    Network,
    /// Lists that only a stack that makes a network needs.
    NetworkLists,
}

/// One action, and why it is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// The operation that is authorised by it, `service:Operation`.
    pub operation: &'static str,
    /// The action, as policies name it.
    pub action: &'static str,
    /// On what.
    pub scope: Scope,
    /// For which part of the work.
    pub part: Part,
    /// What for, for people.
    pub why: &'static str,
}

/// An operation that its own action alone authorises.
const fn own(operation: &'static str, scope: Scope, part: Part, why: &'static str) -> Permission {
    Permission { operation, action: operation, scope, part, why }
}

/// An action of another name that an operation needs, besides or instead.
const fn by(operation: &'static str, action: &'static str, scope: Scope, part: Part, why: &'static str) -> Permission {
    Permission { operation, action, scope, part, why }
}

/// Operations that need no permission (STS API Reference, GetCallerIdentity).
pub const FREE: &[&str] = &["sts:GetCallerIdentity"];

/// All of them, by service and operation.
pub const PERMISSIONS: &[Permission] = &[
    own("ec2:AllocateAddress", Scope::Network, Part::Make, "the address of the NAT gateway"),
    by("ec2:AllocateAddress", "ec2:CreateTags", Scope::Network, Part::Make, "the stack's tags"),
    own("ec2:AssociateRouteTable", Scope::Network, Part::Make, "where subnets lead"),
    own("ec2:AttachInternetGateway", Scope::Network, Part::Make, "the way out of the VPC"),
    own("ec2:CreateInternetGateway", Scope::Network, Part::Make, "the way out of the VPC"),
    by("ec2:CreateInternetGateway", "ec2:CreateTags", Scope::Network, Part::Make, "the stack's tags"),
    own("ec2:CreateNatGateway", Scope::Network, Part::Make, "the way out of the private subnets"),
    by("ec2:CreateNatGateway", "ec2:CreateTags", Scope::Network, Part::Make, "the stack's tags"),
    own("ec2:CreateRoute", Scope::Network, Part::Make, "where subnets lead"),
    own("ec2:CreateRouteTable", Scope::Network, Part::Make, "where subnets lead"),
    by("ec2:CreateRouteTable", "ec2:CreateTags", Scope::Network, Part::Make, "the stack's tags"),
    own("ec2:CreateSubnet", Scope::Network, Part::Make, "two private subnets and a public one"),
    by("ec2:CreateSubnet", "ec2:CreateTags", Scope::Network, Part::Make, "the stack's tags"),
    own("ec2:CreateTags", Scope::Network, Part::Make, "a tag that changed"),
    own("ec2:CreateVpc", Scope::Network, Part::Make, "a network of the stack's own"),
    by("ec2:CreateVpc", "ec2:CreateTags", Scope::Network, Part::Make, "the stack's tags"),
    own("ec2:DeleteInternetGateway", Scope::Network, Part::Remove, "the way out of the VPC"),
    own("ec2:DeleteNatGateway", Scope::Network, Part::Remove, "the way out of the private subnets"),
    own("ec2:DeleteRoute", Scope::Network, Part::Make, "a route that somebody added"),
    own("ec2:DeleteRouteTable", Scope::Network, Part::Remove, "where subnets lead"),
    own("ec2:DeleteSubnet", Scope::Network, Part::Remove, "subnets"),
    own("ec2:DeleteTags", Scope::Network, Part::Make, "a tag that is no longer wanted"),
    own("ec2:DeleteVpc", Scope::Network, Part::Remove, "a network of the stack's own"),
    own("ec2:DescribeAddresses", Scope::Account, Part::Look, "the audit"),
    own("ec2:DescribeAvailabilityZones", Scope::NetworkLists, Part::Make, "zones that have Fargate"),
    own("ec2:DescribeInternetGateways", Scope::Account, Part::Look, "the audit"),
    own("ec2:DescribeNatGateways", Scope::Account, Part::Look, "the audit"),
    own("ec2:DescribeRouteTables", Scope::Account, Part::Make, "the preflight, and EKS in the caller's name"),
    own("ec2:DescribeSubnets", Scope::Account, Part::Make, "the preflight, and EKS in the caller's name"),
    own("ec2:DescribeVpcAttribute", Scope::Account, Part::Check, "whether names resolve in the VPC"),
    own("ec2:DescribeVpcEndpoints", Scope::Account, Part::Check, "what stands in for a way out"),
    own("ec2:DescribeVpcs", Scope::Account, Part::Look, "the audit"),
    own("ec2:DetachInternetGateway", Scope::Network, Part::Remove, "the way out of the VPC"),
    own("ec2:DisassociateRouteTable", Scope::Network, Part::Remove, "where subnets lead"),
    own("ec2:ModifyVpcAttribute", Scope::Network, Part::Make, "names in the VPC"),
    own("ec2:ReleaseAddress", Scope::Network, Part::Remove, "the address of the NAT gateway"),
    own("ec2:ReplaceRoute", Scope::Network, Part::Make, "where subnets lead"),
    own("ecr:CreateRepository", Scope::Repository, Part::Make, "a repository for the program's image"),
    by("ecr:CreateRepository", "ecr:TagResource", Scope::Repository, Part::Make, "the stack's tags"),
    own("ecr:DeleteRepository", Scope::Repository, Part::Remove, "the repository with its images"),
    own("ecr:DescribeRepositories", Scope::Account, Part::Look, "the audit"),
    own("ecr:GetAuthorizationToken", Scope::Account, Part::Make, "login, to push the image"),
    own("ecr:ListTagsForResource", Scope::Repository, Part::Look, "whose a repository is"),
    own("ecr:TagResource", Scope::Repository, Part::Make, "a tag that changed"),
    own("ecr:UntagResource", Scope::Repository, Part::Make, "a tag that is no longer wanted"),
    own("eks:AssociateAccessPolicy", Scope::AccessEntries, Part::Make, "administrators besides the creator"),
    own("eks:AssociateEncryptionConfig", Scope::Cluster, Part::Make, "a key for a cluster that had none"),
    by("eks:AssociateEncryptionConfig", "kms:CreateGrant", Scope::Keys, Part::Make, "EKS uses the key"),
    by("eks:AssociateEncryptionConfig", "kms:DescribeKey", Scope::Keys, Part::Make, "EKS uses the key"),
    own("eks:CreateAccessEntry", Scope::Cluster, Part::Make, "administrators besides the creator"),
    by("eks:CreateAccessEntry", "eks:TagResource", Scope::Eks, Part::Make, "the stack's tags"),
    own("eks:CreateAddon", Scope::Cluster, Part::Make, "CoreDNS"),
    by("eks:CreateAddon", "eks:TagResource", Scope::Eks, Part::Make, "the stack's tags"),
    own("eks:CreateCluster", Scope::Cluster, Part::Make, "the cluster"),
    by("eks:CreateCluster", "eks:TagResource", Scope::Eks, Part::Make, "the stack's tags"),
    by(
        "eks:CreateCluster",
        "iam:CreateServiceLinkedRole",
        Scope::ServiceLinkedRoles,
        Part::Make,
        "the account's first cluster",
    ),
    by("eks:CreateCluster", "iam:PassRole", Scope::PassedRoles, Part::Make, "the control plane's role"),
    own("eks:CreateFargateProfile", Scope::Cluster, Part::Make, "where pods run"),
    by("eks:CreateFargateProfile", "eks:TagResource", Scope::Eks, Part::Make, "the stack's tags"),
    by(
        "eks:CreateFargateProfile",
        "iam:CreateServiceLinkedRole",
        Scope::ServiceLinkedRoles,
        Part::Make,
        "the account's first profile",
    ),
    by("eks:CreateFargateProfile", "iam:PassRole", Scope::PassedRoles, Part::Make, "the role that starts pods"),
    own("eks:DeleteAccessEntry", Scope::AccessEntries, Part::Remove, "administrators who are taken off the list"),
    own("eks:DeleteAddon", Scope::Addons, Part::Remove, "CoreDNS"),
    own("eks:DeleteCluster", Scope::Cluster, Part::Remove, "the cluster"),
    own("eks:DeleteFargateProfile", Scope::FargateProfiles, Part::Remove, "where pods run"),
    own("eks:DescribeAccessEntry", Scope::AccessEntries, Part::Look, "administrators"),
    own("eks:DescribeAddon", Scope::Addons, Part::Look, "CoreDNS"),
    own("eks:DescribeCluster", Scope::Cluster, Part::Look, "the cluster, its endpoint and its issuer"),
    own("eks:DescribeClusterVersions", Scope::Account, Part::Check, "the versions of which EKS makes clusters"),
    own("eks:DescribeFargateProfile", Scope::FargateProfiles, Part::Look, "where pods run"),
    own("eks:DescribeUpdate", Scope::Cluster, Part::Make, "whether a change of the cluster has ended"),
    own(
        "eks:DisassociateAccessPolicy",
        Scope::AccessEntries,
        Part::Remove,
        "administrators who are taken off the list",
    ),
    own("eks:ListAccessEntries", Scope::Cluster, Part::Look, "what is left in a cluster of another name"),
    own("eks:ListAddons", Scope::Cluster, Part::Look, "what is left in a cluster of another name"),
    own("eks:ListAssociatedAccessPolicies", Scope::AccessEntries, Part::Look, "administrators"),
    own("eks:ListClusters", Scope::Account, Part::Look, "the audit"),
    own("eks:ListFargateProfiles", Scope::Cluster, Part::Look, "what is left in a cluster of another name"),
    own("eks:TagResource", Scope::Eks, Part::Make, "a tag that changed"),
    own("eks:UntagResource", Scope::Eks, Part::Make, "a tag that is no longer wanted"),
    own("eks:UpdateAddon", Scope::Addons, Part::Make, "CoreDNS's configuration"),
    own("eks:UpdateClusterConfig", Scope::Cluster, Part::Make, "logs and endpoints that changed"),
    own("eks:UpdateClusterVersion", Scope::Cluster, Part::Make, "a newer version of Kubernetes"),
    own(
        "iam:AddClientIDToOpenIDConnectProvider",
        Scope::OidcProviders,
        Part::Make,
        "an audience that somebody took off",
    ),
    own("iam:AttachRolePolicy", Scope::Roles, Part::Make, "AWS's policies of the two roles for EKS"),
    own("iam:CreateOpenIDConnectProvider", Scope::OidcProviders, Part::Make, "the pods' tokens"),
    by(
        "iam:CreateOpenIDConnectProvider",
        "iam:TagOpenIDConnectProvider",
        Scope::OidcProviders,
        Part::Make,
        "the stack's tags",
    ),
    own("iam:CreatePolicy", Scope::Policies, Part::Make, "policies of the profile `seed`"),
    by("iam:CreatePolicy", "iam:TagPolicy", Scope::Policies, Part::Make, "the stack's tags"),
    own("iam:CreatePolicyVersion", Scope::Policies, Part::Make, "policies of the profile `seed`"),
    own("iam:CreateRole", Scope::Roles, Part::Make, "roles of cluster, Fargate, operator, scaler and workloads"),
    by("iam:CreateRole", "iam:TagRole", Scope::Roles, Part::Make, "the stack's tags"),
    own("iam:DeleteOpenIDConnectProvider", Scope::OidcProviders, Part::Remove, "the pods' tokens"),
    own("iam:DeletePolicy", Scope::Policies, Part::Remove, "a policy that carries the stack's tag"),
    own("iam:DeletePolicyVersion", Scope::Policies, Part::Remove, "a policy that carries the stack's tag"),
    own("iam:DeleteRole", Scope::Roles, Part::Remove, "roles"),
    own("iam:DeleteRolePermissionsBoundary", Scope::Roles, Part::Make, "a boundary that is no longer wanted"),
    own("iam:DeleteRolePolicy", Scope::Roles, Part::Remove, "roles"),
    own("iam:DetachRolePolicy", Scope::Roles, Part::Remove, "roles"),
    own("iam:GetAccountSummary", Scope::Account, Part::Check, "how many roles fit"),
    own("iam:GetOpenIDConnectProvider", Scope::OidcProviders, Part::Look, "the pods' tokens"),
    own("iam:GetPolicy", Scope::Policies, Part::Look, "the audit"),
    own("iam:GetPolicyVersion", Scope::Policies, Part::Look, "the audit"),
    own("iam:GetRole", Scope::Roles, Part::Look, "roles"),
    own("iam:GetRolePolicy", Scope::Roles, Part::Look, "roles"),
    own("iam:ListAttachedRolePolicies", Scope::Roles, Part::Look, "roles"),
    own("iam:ListEntitiesForPolicy", Scope::Policies, Part::Remove, "a policy that carries the stack's tag"),
    own("iam:ListOpenIDConnectProviders", Scope::Account, Part::Look, "the audit"),
    own("iam:ListPolicies", Scope::Account, Part::Look, "the audit"),
    own("iam:ListPolicyVersions", Scope::Policies, Part::Remove, "a policy that carries the stack's tag"),
    own("iam:ListRolePolicies", Scope::Roles, Part::Look, "roles"),
    own("iam:ListRoles", Scope::Account, Part::Look, "the audit"),
    own("iam:PutRolePermissionsBoundary", Scope::Roles, Part::Make, "a boundary that changed"),
    own("iam:PutRolePolicy", Scope::Roles, Part::Make, "what operator, scaler and workloads may do"),
    own(
        "iam:RemoveClientIDFromOpenIDConnectProvider",
        Scope::OidcProviders,
        Part::Make,
        "an audience that somebody added",
    ),
    own("iam:SimulatePrincipalPolicy", Scope::Account, Part::Check, "what the caller may do"),
    own("iam:TagOpenIDConnectProvider", Scope::OidcProviders, Part::Make, "a tag that changed"),
    own("iam:TagPolicy", Scope::Policies, Part::Make, "a tag that changed"),
    own("iam:TagRole", Scope::Roles, Part::Make, "a tag that changed"),
    own("iam:UntagOpenIDConnectProvider", Scope::OidcProviders, Part::Make, "a tag that is no longer wanted"),
    own("iam:UntagPolicy", Scope::Policies, Part::Make, "a tag that is no longer wanted"),
    own("iam:UntagRole", Scope::Roles, Part::Make, "a tag that is no longer wanted"),
    own("iam:UpdateAssumeRolePolicy", Scope::Roles, Part::Make, "who may use a role"),
    own("iam:UpdateRole", Scope::Roles, Part::Make, "a description that somebody changed"),
    own("logs:CreateLogGroup", Scope::LogGroup, Part::Make, "the control plane's logs"),
    by("logs:CreateLogGroup", "logs:TagResource", Scope::LogGroup, Part::Make, "the stack's tags"),
    own("logs:DeleteLogGroup", Scope::LogGroup, Part::Remove, "the control plane's logs"),
    own("logs:DeleteRetentionPolicy", Scope::LogGroup, Part::Make, "logs that are kept for ever"),
    own("logs:DescribeLogGroups", Scope::Account, Part::Look, "the control plane's logs"),
    own("logs:ListTagsForResource", Scope::LogGroup, Part::Look, "the control plane's logs"),
    own("logs:PutRetentionPolicy", Scope::LogGroup, Part::Make, "for how long logs are kept"),
    own("logs:TagResource", Scope::LogGroup, Part::Make, "a tag that changed"),
    own("logs:UntagResource", Scope::LogGroup, Part::Make, "a tag that is no longer wanted"),
    own("servicequotas:GetAWSDefaultServiceQuota", Scope::Account, Part::Check, "a quota that nobody changed"),
    own("servicequotas:GetServiceQuota", Scope::Account, Part::Check, "quotas of EKS, Fargate and IAM"),
    own("sqs:CreateQueue", Scope::Queues, Part::Make, "the workloads' queues"),
    by("sqs:CreateQueue", "sqs:TagQueue", Scope::Queues, Part::Make, "the stack's tags"),
    own("sqs:DeleteQueue", Scope::Queues, Part::Remove, "the workloads' queues"),
    own("sqs:GetQueueAttributes", Scope::Queues, Part::Look, "settings and depth of the queues"),
    own("sqs:GetQueueUrl", Scope::Queues, Part::Look, "the workloads' queues"),
    own("sqs:ListQueueTags", Scope::Queues, Part::Look, "whose a queue is"),
    own("sqs:ListQueues", Scope::Account, Part::Look, "the audit"),
    by("sqs:SendMessageBatch", "sqs:SendMessage", Scope::Queues, Part::Messages, "messages"),
    own("sqs:SetQueueAttributes", Scope::Queues, Part::Make, "settings that changed"),
    own("sqs:TagQueue", Scope::Queues, Part::Make, "a tag that changed"),
    own("sqs:UntagQueue", Scope::Queues, Part::Make, "a tag that is no longer wanted"),
];

/// Names of a stack, as the resources of a policy need them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Partition of the region, such as `aws`.
    pub partition: String,
    /// Region.
    pub region: String,
    /// Account, twelve digits; `*` where it is not known, which is whichever account the policy is put into.
    pub account_id: String,
    /// Cluster. Roles and policies of the stack begin with its name.
    pub cluster: String,
    /// Path of the stack's roles and policies, such as `/`.
    pub path: String,
    /// The two roles that EKS is given.
    pub passed_roles: Vec<String>,
    /// Queues.
    pub queues: Vec<String>,
    /// The repository of the program's image; `None` where the stack has none.
    pub repository: Option<String>,
    /// The key that EKS encrypts with: an ARN, or an alias, whose key may be any; `None` where the stack names none.
    pub key: Option<String>,
    /// Whether the stack makes a network.
    pub network: bool,
    /// Host and first path of the clusters' issuers, such as `oidc.eks.eu-west-1.amazonaws.com/id`; `None` is that of AWS.
    pub issuers: Option<String>,
}

impl Site {
    /// The ARNs that a scope is, with `*` for what is not known before.
    pub fn resources(&self, scope: Scope) -> Vec<String> {
        let Self { partition, region, account_id, cluster, path, .. } = self;
        let eks = |kind: &str, rest: &str| format!("arn:{partition}:eks:{region}:{account_id}:{kind}/{cluster}{rest}");
        let iam = |path: &str| format!("arn:{partition}:iam::{account_id}:{path}");
        match scope {
            Scope::Account => vec!["*".to_owned()],
            Scope::Cluster => vec![eks("cluster", "")],
            Scope::FargateProfiles => vec![eks("fargateprofile", "/*")],
            Scope::Addons => vec![eks("addon", "/*")],
            Scope::AccessEntries => vec![eks("access-entry", "/*")],
            Scope::Eks => [Scope::Cluster, Scope::FargateProfiles, Scope::Addons, Scope::AccessEntries]
                .into_iter()
                .flat_map(|scope| self.resources(scope))
                .collect(),
            Scope::Roles => vec![iam(&format!("role{path}{cluster}-*"))],
            Scope::PassedRoles => self.passed_roles.iter().map(|role| iam(&format!("role{path}{role}"))).collect(),
            Scope::ServiceLinkedRoles => vec![
                iam("role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS"),
                iam("role/aws-service-role/eks-fargate.amazonaws.com/AWSServiceRoleForAmazonEKSForFargate"),
            ],
            Scope::Policies => vec![iam(&format!("policy{path}{cluster}-*"))],
            Scope::OidcProviders => {
                let suffix = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
                let aws = || format!("oidc.eks.{region}.{suffix}/id");
                vec![iam(&format!("oidc-provider/{}/*", self.issuers.clone().unwrap_or_else(aws)))]
            }
            Scope::LogGroup => {
                let group = format!("arn:{partition}:logs:{region}:{account_id}:log-group:/aws/eks/{cluster}/cluster");
                // Most actions are on what is in it.
                vec![group.clone(), group + ":*"]
            }
            Scope::Repository => {
                let repository = |name: &String| format!("arn:{partition}:ecr:{region}:{account_id}:repository/{name}");
                self.repository.iter().map(repository).collect()
            }
            Scope::Network => {
                let kinds = ["vpc", "subnet", "internet-gateway", "elastic-ip", "natgateway", "route-table"];
                let ec2 = |kind: &str| format!("arn:{partition}:ec2:{region}:{account_id}:{kind}/*");
                kinds.into_iter().filter(|_| self.network).map(ec2).collect()
            }
            Scope::NetworkLists => self.network.then(|| "*".to_owned()).into_iter().collect(),
            Scope::Keys => match &self.key {
                Some(arn) if arn.contains(":key/") => vec![arn.clone()],
                // A policy cannot name a key by its alias.
                Some(_) => vec![format!("arn:{partition}:kms:{region}:{account_id}:key/*")],
                None => Vec::new(),
            },
            Scope::Queues => {
                let sqs = |queue: &str| format!("arn:{partition}:sqs:{region}:{account_id}:{queue}");
                let own = format!("{cluster}-");
                let others = self.queues.iter().filter(|queue| !queue.starts_with(&own));
                std::iter::once(sqs(&format!("{own}*"))).chain(others.map(|queue| sqs(queue))).collect()
            }
        }
    }
}

/// One action with its resources, as a question to IAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The action.
    pub action: &'static str,
    /// On what.
    pub scope: Scope,
    /// The ARNs that it is needed on; they may hold `*`.
    pub resources: Vec<String>,
    /// The operations that need it.
    pub operations: BTreeSet<&'static str>,
    /// What for, for people.
    pub why: BTreeSet<&'static str>,
}

/// What the parts of the work need in all, each action and scope once.
pub fn needs(site: &Site, parts: &[Part]) -> Vec<Need> {
    let mut found: BTreeMap<(&str, Scope), Need> = BTreeMap::new();
    for row in PERMISSIONS.iter().filter(|row| parts.contains(&row.part)) {
        let need = found.entry((row.action, row.scope)).or_insert_with(|| Need {
            action: row.action,
            scope: row.scope,
            resources: site.resources(row.scope),
            operations: BTreeSet::new(),
            why: BTreeSet::new(),
        });
        need.operations.insert(row.operation);
        need.why.insert(row.why);
    }
    found.into_values().filter(|need| !need.resources.is_empty()).collect()
}

/// The policy document that allows a caller all of it and nothing else.
pub fn policy(site: &Site) -> Value {
    let mut by_scope: BTreeMap<Scope, BTreeSet<&str>> = BTreeMap::new();
    for row in PERMISSIONS {
        by_scope.entry(row.scope).or_default().insert(row.action);
    }
    let statement = |(scope, actions): (Scope, BTreeSet<&str>)| json!({ "Sid": format!("{scope:?}"), "Effect": "Allow", "Action": actions, "Resource": site.resources(scope) });
    let there = by_scope.into_iter().filter(|(scope, _)| !site.resources(*scope).is_empty());
    json!({ "Version": "2012-10-17", "Statement": there.map(statement).collect::<Vec<_>>() })
}
