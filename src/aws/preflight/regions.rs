//! Where there is EKS on Fargate: regions, and zones of those that do not offer it in all.
//!
//! Sources, as of November 2026: ECS Developer Guide, "Supported Regions for Amazon ECS on AWS Fargate", whose table names the zones
//! where not all are meant; EKS User Guide, "Simplify compute management with AWS Fargate" (which regions lack it) and "Amazon EKS
//! in AWS GovCloud (US) Regions". `ca-central-1d`: awsdocs/amazon-eks-user-guide 262, eksctl-io/eksctl 5677.

use super::finding::{Check, Finding};

/// A region that offers Fargate in these zones only, by their ids, which mean the same in every account.
struct Zones {
    region: &'static str,
    offered: &'static [&'static str],
}

const SOME_ZONES: [Zones; 4] = [
    Zones { region: "ap-northeast-1", offered: &["apne1-az1", "apne1-az2", "apne1-az4"] },
    Zones { region: "ca-central-1", offered: &["cac1-az1", "cac1-az2"] },
    Zones { region: "cn-north-1", offered: &["cnn1-az1", "cnn1-az2"] },
    Zones { region: "us-west-1", offered: &["usw1-az1", "usw1-az3"] },
];

/// Zones in which EKS puts no control plane (EKS User Guide, "Amazon EKS networking requirements for VPC and subnets").
const NO_CONTROL_PLANE: [(&str, &[&str]); 3] =
    [("us-east-1", &["use1-az3"]), ("us-west-1", &["usw1-az2"]), ("ca-central-1", &["cac1-az3"])];

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

/// Where Fargate is offered in a region that does not offer it everywhere, if not in this zone.
pub(super) fn without_fargate(region: &str, zone_id: &str) -> Option<&'static [&'static str]> {
    let zones = SOME_ZONES.iter().find(|zones| zones.region == region)?;
    (!zones.offered.contains(&zone_id)).then_some(zones.offered)
}

/// Whether EKS puts no control plane there.
pub(super) fn is_without_control_plane(region: &str, zone_id: &str) -> bool {
    NO_CONTROL_PLANE.iter().any(|(of, zones)| *of == region && zones.contains(&zone_id))
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

    #[test]
    fn tokyo_offers_fargate_in_three_of_its_four_zones() {
        assert_eq!(without_fargate("ap-northeast-1", "apne1-az4"), None);
        assert!(without_fargate("ap-northeast-1", "apne1-az3").unwrap().contains(&"apne1-az1"));
        assert_eq!(without_fargate("eu-west-1", "euw1-az3"), None);
        assert!(
            is_without_control_plane("us-east-1", "use1-az3") && !is_without_control_plane("us-east-1", "use1-az1")
        );
    }
}
