//! The policies managed by AWS that this cloud knows, with their documents as AWS publishes them (those of
//! services that are not served here as far as they matter to a Fargate cluster).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::model::{Managed, Tags, Version, Written};
use crate::policy::{Document, Kind};

/// All of them by ARN.
pub(super) fn policies() -> BTreeMap<String, Managed> {
    let statements: [(&str, &str, Value); 10] = [
        ("AdministratorAccess", "ANPAIWMBCKSKIEE64ZLYK", allow(&["*"])),
        ("PowerUserAccess", "ANPAJYRXTHIB4FOVS3ZXS", power_user()),
        ("ReadOnlyAccess", "ANPAILL3HVNFSB6DCOWYQ", allow(READ_ONLY)),
        ("IAMFullAccess", "ANPAI7XKCFMBPM3QQRRVQ", allow(&["iam:*", "organizations:DescribeAccount"])),
        ("AmazonSQSFullAccess", "ANPAI65L554VRJ33ECQS6", allow(&["sqs:*"])),
        ("AmazonSQSReadOnlyAccess", "ANPAIUGSSQY362XGCM6KW", allow(SQS_READ_ONLY)),
        ("AmazonEKSClusterPolicy", "ANPAIBTLDQMIC6UOIGFWA", eks_cluster()),
        ("AmazonEKSVPCResourceController", "ANPA6BVYVAVBXFUBSUKUA", vpc_resource_controller()),
        ("AmazonEKSFargatePodExecutionRolePolicy", "ANPA4MLPMQGBF3KUJHGUX", allow(ECR_PULL)),
        ("AmazonEKS_CNI_Policy", "ANPAJWLAS474LDBXNNTM4", cni()),
    ];
    statements
        .into_iter()
        .filter_map(|(name, id, statement)| policy(name, id, &statement))
        .map(|one| (one.arn.clone(), one))
        .collect()
}

fn policy(name: &str, id: &str, statement: &Value) -> Option<Managed> {
    let text = json!({ "Version": "2012-10-17", "Statement": statement }).to_string();
    let document = Document::parse(&text, Kind::Identity).ok()?;
    let created_at = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(1_527_000_000);
    let version = Version { written: Written { text, document: Arc::new(document) }, created_at };
    Some(Managed {
        name: name.into(),
        id: id.into(),
        path: "/".into(),
        arn: format!("arn:aws:iam::aws:policy/{name}"),
        description: None,
        created_at,
        updated_at: created_at,
        versions: BTreeMap::from([(1, version)]),
        default_version: 1,
        version_last: 1,
        tags: Tags::new(),
        of_aws: true,
    })
}

fn allow(actions: &[&str]) -> Value {
    json!([{ "Effect": "Allow", "Action": actions, "Resource": "*" }])
}

const SQS_READ_ONLY: &[&str] = &[
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ListDeadLetterSourceQueues",
    "sqs:ListQueues",
    "sqs:ListMessageMoveTasks",
    "sqs:ListQueueTags",
];
const READ_ONLY: &[&str] = &[
    "eks:Describe*",
    "eks:List*",
    "iam:Generate*",
    "iam:Get*",
    "iam:List*",
    "iam:Simulate*",
    "sqs:Get*",
    "sqs:List*",
    "sts:GetAccessKeyInfo",
    "sts:GetCallerIdentity",
    "sts:GetSessionToken",
    "tag:Get*",
];
const ECR_PULL: &[&str] = &[
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchGetImage",
];
const EKS_CLUSTER: &[&str] = &[
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:UpdateAutoScalingGroup",
    "ec2:AttachVolume",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:CreateRoute",
    "ec2:CreateSecurityGroup",
    "ec2:CreateTags",
    "ec2:CreateVolume",
    "ec2:DeleteRoute",
    "ec2:DeleteSecurityGroup",
    "ec2:DeleteVolume",
    "ec2:DescribeInstances",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVolumes",
    "ec2:DescribeVolumesModifications",
    "ec2:DescribeVpcs",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeAvailabilityZones",
    "ec2:DetachVolume",
    "ec2:ModifyInstanceAttribute",
    "ec2:ModifyVolume",
    "ec2:RevokeSecurityGroupIngress",
    "ec2:DescribeAccountAttributes",
    "ec2:DescribeAddresses",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeInstanceTopology",
    "elasticloadbalancing:*",
    "kms:DescribeKey",
];

fn eks_cluster() -> Value {
    json!([
        { "Effect": "Allow", "Action": EKS_CLUSTER, "Resource": "*" },
        { "Effect": "Allow", "Action": "iam:CreateServiceLinkedRole", "Resource": "*",
          "Condition": { "StringEquals": { "iam:AWSServiceName": "elasticloadbalancing.amazonaws.com" } } },
    ])
}

fn power_user() -> Value {
    json!([
        { "Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*" },
        { "Effect": "Allow", "Action": ["iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole", "iam:ListRoles",
          "organizations:DescribeOrganization", "account:ListRegions"], "Resource": "*" },
    ])
}

fn vpc_resource_controller() -> Value {
    json!([
        { "Effect": "Allow", "Action": "ec2:CreateNetworkInterfacePermission", "Resource": "*",
          "Condition": { "ForAnyValue:StringEquals": { "ec2:ResourceTag/eks:eni:owner": "eks-vpc-resource-controller" } } },
        { "Effect": "Allow", "Resource": "*", "Action": ["ec2:CreateNetworkInterface", "ec2:DetachNetworkInterface",
          "ec2:ModifyNetworkInterfaceAttribute", "ec2:DeleteNetworkInterface", "ec2:AttachNetworkInterface",
          "ec2:UnassignPrivateIpAddresses", "ec2:AssignPrivateIpAddresses"] },
    ])
}

fn cni() -> Value {
    json!([
        { "Effect": "Allow", "Resource": "*", "Action": ["ec2:AssignPrivateIpAddresses", "ec2:AttachNetworkInterface",
          "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeInstances", "ec2:DescribeTags",
          "ec2:DescribeNetworkInterfaces", "ec2:DescribeInstanceTypes", "ec2:DescribeSubnets",
          "ec2:DetachNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute", "ec2:UnassignPrivateIpAddresses"] },
        { "Effect": "Allow", "Action": "ec2:CreateTags", "Resource": "arn:aws:ec2:*:*:network-interface/*" },
    ])
}
