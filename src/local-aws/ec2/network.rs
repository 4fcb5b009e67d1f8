//! The network that is there: a VPC with two private subnets in two zones, whose way out is a NAT gateway in one of two public subnets.
//!
//! Zone ids are made as AWS makes them (`apne1-az4`). Faults make the private subnets public, put one into a zone without Fargate,
//! take the way out away, or switch the names of the VPC off.

use local_faults::{Faults, Kind};
use serde_json::{Value, json};

use super::filter::Row;

pub(super) const VPC: &str = "vpc-0a1b2c3d4e5f60000";
const INTERNET: &str = "igw-0a1b2c3d4e5f60000";
const NAT: &str = "nat-0a1b2c3d4e5f60000";
const TABLE_PRIVATE: &str = "rtb-0a1b2c3d4e5f60001";
const TABLE_PUBLIC: &str = "rtb-0a1b2c3d4e5f60002";
/// Everything of it that has an id.
pub(super) const IDS: [&str; 9] =
    [VPC, INTERNET, NAT, TABLE_PRIVATE, TABLE_PUBLIC, SUBNETS[0].0, SUBNETS[1].0, SUBNETS[2].0, SUBNETS[3].0];
/// Id, third number of the block, and whether it is a private one.
const SUBNETS: [(&str, u8, bool); 4] = [
    ("subnet-0a1b2c3d4e5f60001", 1, true),
    ("subnet-0a1b2c3d4e5f60002", 2, true),
    ("subnet-0a1b2c3d4e5f60011", 11, false),
    ("subnet-0a1b2c3d4e5f60012", 12, false),
];
/// Zones without Fargate (ECS Developer Guide, "Supported Regions for Amazon ECS on AWS Fargate"): the last number of the zone, and
/// those of two that have it.
const FORBIDDEN: [(&str, u8, [u8; 2]); 3] =
    [("ap-northeast-1", 3, [1, 4]), ("us-west-1", 2, [1, 3]), ("cn-north-1", 3, [1, 2])];

/// The network as the faults leave it.
pub(crate) struct Network<'a> {
    region: &'a str,
    account: &'a str,
    faults: &'a Faults,
}

impl<'a> Network<'a> {
    pub(crate) fn of(region: &'a str, account: &'a str, faults: &'a Faults) -> Self {
        Self { region, account, faults }
    }

    /// A subnet that is not private although a cluster may be given it, of those that are named; all, if none is.
    pub(crate) fn public_of(&self, subnets: &[String]) -> Option<&'static str> {
        let is_public = |private: bool| !private || self.faults.has(Kind::SubnetsPublic);
        named(subnets).find(|(_, _, private)| is_public(*private)).map(|(id, ..)| id)
    }

    /// A subnet in a zone without Fargate, and that zone's name.
    pub(crate) fn without_fargate_of(&self, subnets: &[String]) -> Option<(&'static str, String)> {
        let (_, forbidden, _) = *FORBIDDEN.iter().find(|(region, ..)| *region == self.region)?;
        named(subnets)
            .find(|(_, block, _)| self.zone(*block) == forbidden)
            .map(|(id, ..)| (id, self.zone_name(forbidden)))
    }

    /// The last number of the zone of a subnet.
    fn zone(&self, block: u8) -> u8 {
        let known = FORBIDDEN.iter().find(|(region, ..)| *region == self.region);
        let (first, second) = known.map_or((1, 2), |(.., [first, second])| (*first, *second));
        match (block % 10, known) {
            (2, Some((_, forbidden, _))) if block == 2 && self.faults.has(Kind::ZoneForbidden) => *forbidden,
            (2, _) => second,
            _ => first,
        }
    }

    /// In every account the letters are dealt out anew; here they follow the numbers.
    fn zone_name(&self, zone: u8) -> String {
        format!("{}{}", self.region, char::from(b'a' + zone - 1))
    }

    /// `apne1-az4` in `ap-northeast-1`: the area, the first letters of the direction, the number.
    fn zone_id(&self, zone: u8) -> String {
        let parts: Vec<&str> = self.region.split('-').collect();
        let (number, words) = parts.split_last().unwrap_or((&"1", &[]));
        let short = words.iter().skip(1).map(|word| match *word {
            "northeast" => "ne",
            "northwest" => "nw",
            "southeast" => "se",
            "southwest" => "sw",
            other => other.get(..1).unwrap_or(other),
        });
        let area = words.first().copied().unwrap_or_default();
        format!("{area}{}{number}-az{zone}", short.collect::<String>())
    }

    pub(super) fn zones(&self) -> Vec<Row> {
        let forbidden = FORBIDDEN.iter().find(|(region, ..)| *region == self.region).map(|(_, zone, _)| *zone);
        let mut zones = vec![self.zone(1), self.zone(12)];
        zones.extend(forbidden);
        zones.sort_unstable();
        let row = |zone: u8| {
            let (name, id) = (self.zone_name(zone), self.zone_id(zone));
            let shown = json!({
                "zoneName": name, "zoneId": id, "zoneState": "available", "regionName": self.region,
                "optInStatus": "opt-in-not-required", "zoneType": "availability-zone",
                "groupName": self.region, "networkBorderGroup": self.region,
            });
            let keys: [(&str, &[&str]); 6] = [
                ("zone-type", &["availability-zone"]),
                ("opt-in-status", &["opt-in-not-required"]),
                ("zone-name", &[&name]),
                ("zone-id", &[&id]),
                ("region-name", &[self.region]),
                ("state", &["available"]),
            ];
            Row::new(shown, &keys)
        };
        zones.into_iter().map(row).collect()
    }

    pub(super) fn vpc(&self) -> Row {
        let shown = json!({
            "vpcId": VPC, "state": "available", "cidrBlock": "10.0.0.0/16", "isDefault": false, "instanceTenancy": "default",
            "ownerId": self.account, "dhcpOptionsId": "dopt-0a1b2c3d4e5f60000",
            "cidrBlockAssociationSet": [{
                "associationId": "vpc-cidr-assoc-0a1b2c3d4e5f60000", "cidrBlock": "10.0.0.0/16",
                "cidrBlockState": { "state": "associated" },
            }],
        });
        Row::new(
            shown,
            &[("vpc-id", &[VPC]), ("state", &["available"]), ("cidr", &["10.0.0.0/16"]), ("owner-id", &[self.account])],
        )
    }

    /// Whether an attribute of the VPC is on.
    pub(super) fn vpc_attribute(&self, name: &str) -> bool {
        name != "enableNetworkAddressUsageMetrics" && !self.faults.has(Kind::VpcDnsOff)
    }

    pub(super) fn subnets(&self) -> Vec<Row> {
        let row = |(id, block, private): (&str, u8, bool)| {
            let zone = self.zone(block);
            let (name, zone_id, cidr) = (self.zone_name(zone), self.zone_id(zone), format!("10.0.{block}.0/24"));
            let arn = format!("arn:aws:ec2:{}:{}:subnet/{id}", self.region, self.account);
            let shown = json!({
                "subnetId": id, "subnetArn": arn, "state": "available", "vpcId": VPC, "cidrBlock": cidr,
                "availableIpAddressCount": 251, "availabilityZone": name, "availabilityZoneId": zone_id,
                "defaultForAz": false, "mapPublicIpOnLaunch": !private, "assignIpv6AddressOnCreation": false,
                "ownerId": self.account,
            });
            let keys: [(&str, &[&str]); 7] = [
                ("subnet-id", &[id]),
                ("vpc-id", &[VPC]),
                ("availability-zone", &[&name]),
                ("availability-zone-id", &[&zone_id]),
                ("state", &["available"]),
                ("cidr-block", &[&cidr]),
                ("owner-id", &[self.account]),
            ];
            Row::new(shown, &keys)
        };
        SUBNETS.into_iter().map(row).collect()
    }

    pub(super) fn internet_gateways(&self) -> Vec<Row> {
        let shown = json!({
            "internetGatewayId": INTERNET, "ownerId": self.account,
            "attachmentSet": [{ "vpcId": VPC, "state": "available" }],
        });
        let keys: [(&str, &[&str]); 4] = [
            ("internet-gateway-id", &[INTERNET]),
            ("attachment.vpc-id", &[VPC]),
            ("attachment.state", &["available"]),
            ("owner-id", &[self.account]),
        ];
        vec![Row::new(shown, &keys)]
    }

    pub(super) fn nat_gateways(&self) -> Vec<Row> {
        let subnet = SUBNETS[2].0;
        let shown = json!({
            "natGatewayId": NAT, "vpcId": VPC, "subnetId": subnet, "state": "available", "connectivityType": "public",
            "natGatewayAddressSet": [],
        });
        let keys: [(&str, &[&str]); 4] =
            [("nat-gateway-id", &[NAT]), ("vpc-id", &[VPC]), ("subnet-id", &[subnet]), ("state", &["available"])];
        let is_there = !self.faults.has(Kind::NoWayOut);
        is_there.then(|| Row::new(shown, &keys)).into_iter().collect()
    }

    pub(super) fn route_tables(&self) -> Vec<Row> {
        let out = match () {
            () if self.faults.has(Kind::SubnetsPublic) => Some(("gatewayId", INTERNET)),
            () if self.faults.has(Kind::NoWayOut) => None,
            () => Some(("natGatewayId", NAT)),
        };
        vec![self.table(TABLE_PRIVATE, true, out), self.table(TABLE_PUBLIC, false, Some(("gatewayId", INTERNET)))]
    }

    fn table(&self, id: &str, private: bool, out: Option<(&str, &str)>) -> Row {
        let mut routes = vec![route("10.0.0.0/16", "gatewayId", "local", "CreateRouteTable")];
        routes.extend(out.map(|(kind, target)| route("0.0.0.0/0", kind, target, "CreateRoute")));
        let of = SUBNETS.iter().filter(|(.., of)| *of == private).map(|(id, ..)| *id);
        let subnets: Vec<&str> = of.collect();
        let association = |subnet: Option<&str>| {
            let number = subnet.unwrap_or(id).rsplit('-').next().unwrap_or_default();
            json!({
                "routeTableAssociationId": format!("rtbassoc-{number}"), "routeTableId": id, "subnetId": subnet,
                "main": subnet.is_none(), "associationState": { "state": "associated" },
            })
        };
        // Subnets without a table of their own have the public one.
        let main = (!private).then(|| association(None));
        let associations: Vec<Value> =
            main.into_iter().chain(subnets.iter().map(|subnet| association(Some(subnet)))).collect();
        let shown = json!({
            "routeTableId": id, "vpcId": VPC, "ownerId": self.account, "routeSet": routes, "associationSet": associations,
        });
        let main = if private { "false" } else { "true" };
        let keys: [(&str, &[&str]); 5] = [
            ("route-table-id", &[id]),
            ("vpc-id", &[VPC]),
            ("association.subnet-id", &subnets),
            ("association.main", &[main]),
            ("owner-id", &[self.account]),
        ];
        Row::new(shown, &keys)
    }
}

fn route(destination: &str, kind: &str, target: &str, origin: &str) -> Value {
    json!({ "destinationCidrBlock": destination, kind: target, "state": "active", "origin": origin })
}

/// Those of the network's subnets that are named; the private ones, if none is.
fn named(subnets: &[String]) -> impl Iterator<Item = (&'static str, u8, bool)> {
    SUBNETS.into_iter().filter(
        move |(id, _, private)| {
            if subnets.is_empty() { *private } else { subnets.iter().any(|one| one == id) }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_called_as_aws_calls_them() {
        let faults = Faults::default();
        for (region, id) in [
            ("ap-northeast-1", "apne1-az4"),
            ("us-east-1", "use1-az4"),
            ("eu-central-1", "euc1-az4"),
            ("ap-southeast-2", "apse2-az4"),
            ("cn-northwest-1", "cnnw1-az4"),
            ("us-gov-west-1", "usgw1-az4"),
        ] {
            assert_eq!(Network::of(region, "1", &faults).zone_id(4), id);
        }
    }

    #[test]
    fn only_faults_put_a_private_subnet_where_it_must_not_be() {
        let (none, forbidden): (Faults, Faults) = (Faults::default(), "zone-forbidden".parse().unwrap());
        let public: Faults = "subnets-public".parse().unwrap();
        for region in ["ap-northeast-1", "us-west-1", "cn-north-1", "eu-west-1"] {
            let good = Network::of(region, "1", &none);
            assert_eq!((good.public_of(&[]), good.without_fargate_of(&[])), (None, None), "{region}");
            assert!(Network::of(region, "1", &public).public_of(&[]).is_some());
            let has_such_a_zone = Network::of(region, "1", &forbidden).without_fargate_of(&[]).is_some();
            assert_eq!(has_such_a_zone, region != "eu-west-1", "{region}");
        }
        let named = ["subnet-0a1b2c3d4e5f60011".to_owned()];
        assert_eq!(Network::of("eu-west-1", "1", &none).public_of(&named), Some("subnet-0a1b2c3d4e5f60011"));
        assert_eq!(Network::of("eu-west-1", "1", &none).public_of(&["subnet-of-others".to_owned()]), None);
    }
}
