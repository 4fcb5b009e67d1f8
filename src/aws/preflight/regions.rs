//! Where there is EKS on Fargate.
//!
//! Sources, as of November 2026: ECS Developer Guide, "Supported Regions for Amazon ECS on AWS Fargate", whose table names the zones
//! where not all are meant; EKS User Guide, "Simplify compute management with AWS Fargate" (which regions lack it) and "Amazon EKS
//! in AWS GovCloud (US) Regions". `ca-central-1d`: awsdocs/amazon-eks-user-guide 262, eksctl-io/eksctl 5677.

use super::finding::{Check, Finding};
pub(super) use crate::zones::{is_without_control_plane, serves, without_fargate};

/// Beginnings of regions without EKS on Fargate.
const WITHOUT: [(&str, &str); 2] =
    [("us-gov-", "EKS in AWS GovCloud (US) has no Fargate"), ("us-iso", "EKS in the isolated regions has no Fargate")];

/// What is known of a region by its name.
pub(super) fn evaluate(region: &str) -> Vec<Finding> {
    let lacks = WITHOUT.iter().find(|(beginning, _)| region.starts_with(beginning));
    vec![match lacks {
        Some((_, why)) => Finding::problem(
            Check::Region,
            format!("region {region}: {why}"),
            "choose another region with --region, or use a cluster of yours with --context",
        ),
        None => Finding::fine(Check::Region, format!("nothing speaks against EKS on Fargate in {region}")),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn govcloud_has_no_fargate_for_eks() {
        assert!(evaluate("us-gov-west-1")[0].is_problem() && evaluate("us-iso-east-1")[0].is_problem());
        for region in ["ap-northeast-1", "eu-west-1", "cn-north-1", "ap-southeast-8"] {
            assert!(!evaluate(region)[0].is_problem(), "{region}");
        }
    }
}
