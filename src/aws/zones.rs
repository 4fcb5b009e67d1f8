//! Zones that have Fargate and take control planes, in regions where not all do.
//!
//! Sources, as of November 2026: ECS Developer Guide, "Supported Regions for Amazon ECS on AWS Fargate", whose table names the zones
//! where not all are meant; `ca-central-1d`: awsdocs/amazon-eks-user-guide 262, eksctl-io/eksctl 5677.

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

/// Where Fargate is offered in a region that does not offer it everywhere, if not in this zone.
pub(crate) fn without_fargate(region: &str, zone_id: &str) -> Option<&'static [&'static str]> {
    let zones = SOME_ZONES.iter().find(|zones| zones.region == region)?;
    (!zones.offered.contains(&zone_id)).then_some(zones.offered)
}

/// Whether EKS puts no control plane there.
pub(crate) fn is_without_control_plane(region: &str, zone_id: &str) -> bool {
    NO_CONTROL_PLANE.iter().any(|(of, zones)| *of == region && zones.contains(&zone_id))
}

/// Whether a zone has Fargate and takes control planes.
pub(crate) fn serves(region: &str, zone_id: &str) -> bool {
    without_fargate(region, zone_id).is_none() && !is_without_control_plane(region, zone_id)
}

#[cfg(test)]
mod tests {
    use super::*;

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
