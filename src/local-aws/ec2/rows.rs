//! How what callers made is shown, and by what it is found.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::filter::Row;
use super::store::{Kind, Made, Store, settling};
use crate::cloud::Cloud;

/// All things of a kind as they are now.
pub(super) fn of(kind: Kind, store: &Store, cloud: &Cloud) -> Vec<Row> {
    let show = Shown { store, cloud };
    match kind {
        Kind::Vpc => shown(store, &store.vpcs, cloud).filter_map(|id| show.vpc(id)).collect(),
        Kind::Subnet => shown(store, &store.subnets, cloud).filter_map(|id| show.subnet(id)).collect(),
        Kind::InternetGateway => {
            shown(store, &store.internet_gateways, cloud).filter_map(|id| show.internet_gateway(id)).collect()
        }
        Kind::Address => shown(store, &store.addresses, cloud).filter_map(|id| show.address(id)).collect(),
        Kind::NatGateway => shown(store, &store.nat_gateways, cloud).filter_map(|id| show.nat_gateway(id)).collect(),
        Kind::RouteTable => shown(store, &store.route_tables, cloud).filter_map(|id| show.route_table(id)).collect(),
    }
}

/// The ids of what EC2 knows everywhere.
fn shown<'a, T>(
    store: &'a Store,
    all: &'a BTreeMap<String, Made<T>>,
    cloud: &'a Cloud,
) -> impl Iterator<Item = &'a String> {
    all.keys().filter(|id| !store.is_late(id, cloud.faults.faults(), &cloud.clock))
}

/// One thing as it is shown now; `null` if it is gone.
pub(super) fn one(kind: Kind, id: &str, store: &Store, cloud: &Cloud) -> Value {
    let show = Shown { store, cloud };
    let row = match kind {
        Kind::Vpc => show.vpc(id),
        Kind::Subnet => show.subnet(id),
        Kind::InternetGateway => show.internet_gateway(id),
        Kind::Address => show.address(id),
        Kind::NatGateway => show.nat_gateway(id),
        Kind::RouteTable => show.route_table(id),
    };
    row.map(|row| row.shown).unwrap_or_default()
}

struct Shown<'a> {
    store: &'a Store,
    cloud: &'a Cloud,
}

fn row<T>(made: &Made<T>, shown: Value, keys: &[(&'static str, &[&str])]) -> Row {
    Row::new(shown, keys).tagged(&made.tags)
}

impl Shown<'_> {
    fn vpc(&self, id: &str) -> Option<Row> {
        let (made, owner) = (self.store.vpcs.get(id)?, self.cloud.account.as_str());
        let (cidr, state) = (made.thing.cidr.as_str(), settling(made, &self.cloud.clock));
        let block = id.replace("vpc-", "vpc-cidr-assoc-");
        let shown = json!({
            "vpcId": id, "state": state, "cidrBlock": cidr, "isDefault": false, "instanceTenancy": "default",
            "ownerId": owner, "dhcpOptionsId": "dopt-0a1b2c3d4e5f60000",
            "cidrBlockAssociationSet": [{
                "associationId": block, "cidrBlock": cidr, "cidrBlockState": { "state": "associated" },
            }],
        });
        let keys: [(&str, &[&str]); 5] = [
            ("vpc-id", &[id]),
            ("state", &[state]),
            ("cidr", &[cidr]),
            ("owner-id", &[owner]),
            ("is-default", &["false"]),
        ];
        Some(row(made, shown, &keys))
    }

    fn subnet(&self, id: &str) -> Option<Row> {
        let (made, owner) = (self.store.subnets.get(id)?, self.cloud.account.as_str());
        let (subnet, state) = (&made.thing, settling(made, &self.cloud.clock));
        let shown = json!({
            "subnetId": id, "subnetArn": super::arn::of(self.cloud, Kind::Subnet, id), "state": state, "vpcId": subnet.vpc,
            "cidrBlock": subnet.cidr, "availableIpAddressCount": subnet.block.usable(),
            "availabilityZone": subnet.zone, "availabilityZoneId": subnet.zone_id, "defaultForAz": false,
            "mapPublicIpOnLaunch": false, "assignIpv6AddressOnCreation": false, "ownerId": owner,
        });
        let keys: [(&str, &[&str]); 7] = [
            ("subnet-id", &[id]),
            ("vpc-id", &[&subnet.vpc]),
            ("availability-zone", &[&subnet.zone]),
            ("availability-zone-id", &[&subnet.zone_id]),
            ("state", &[state]),
            ("cidr-block", &[&subnet.cidr]),
            ("owner-id", &[owner]),
        ];
        Some(row(made, shown, &keys))
    }

    fn internet_gateway(&self, id: &str) -> Option<Row> {
        let (made, owner) = (self.store.internet_gateways.get(id)?, self.cloud.account.as_str());
        let vpcs: Vec<&str> = made.thing.vpc.as_deref().into_iter().collect();
        // What is attached is `available` here, and not `attached` (EC2 API Reference, InternetGatewayAttachment).
        let attachments: Vec<Value> = vpcs.iter().map(|vpc| json!({ "vpcId": vpc, "state": "available" })).collect();
        let shown = json!({ "internetGatewayId": id, "ownerId": owner, "attachmentSet": attachments });
        let state: &[&str] = if vpcs.is_empty() { &[] } else { &["available"] };
        let keys: [(&str, &[&str]); 4] = [
            ("internet-gateway-id", &[id]),
            ("attachment.vpc-id", &vpcs),
            ("attachment.state", state),
            ("owner-id", &[owner]),
        ];
        Some(row(made, shown, &keys))
    }

    fn address(&self, id: &str) -> Option<Row> {
        let (made, public) = (self.store.addresses.get(id)?, &self.store.addresses.get(id)?.thing.public);
        let nat = self.store.nat_of(id, &self.cloud.clock);
        let association = nat.map(|nat| nat.replace("nat-", "eipassoc-"));
        let shown = json!({
            "publicIp": public, "allocationId": id, "domain": "vpc", "publicIpv4Pool": "amazon",
            "networkBorderGroup": self.cloud.region, "associationId": association,
        });
        let associations: Vec<&str> = association.as_deref().into_iter().collect();
        let keys: [(&str, &[&str]); 4] = [
            ("allocation-id", &[id]),
            ("public-ip", &[public]),
            ("domain", &["vpc"]),
            ("association-id", &associations),
        ];
        Some(row(made, shown, &keys))
    }

    fn nat_gateway(&self, id: &str) -> Option<Row> {
        let made = self.store.nat_gateways.get(id)?;
        let (nat, state) = (&made.thing, made.state(&self.cloud.clock));
        let public = self.store.addresses.get(&nat.address).map(|made| made.thing.public.clone());
        let (code, message) = nat.failed.clone().unzip();
        let shown = json!({
            "natGatewayId": id, "vpcId": nat.vpc, "subnetId": nat.subnet, "state": state, "connectivityType": "public",
            "failureCode": code, "failureMessage": message,
            "natGatewayAddressSet": [{ "allocationId": nat.address, "publicIp": public, "isPrimary": true }],
        });
        let keys: [(&str, &[&str]); 4] =
            [("nat-gateway-id", &[id]), ("vpc-id", &[&nat.vpc]), ("subnet-id", &[&nat.subnet]), ("state", &[state])];
        Some(row(made, shown, &keys))
    }

    fn route_table(&self, id: &str) -> Option<Row> {
        let (made, owner) = (self.store.route_tables.get(id)?, self.cloud.account.as_str());
        let table = &made.thing;
        let local = self.store.vpcs.get(&table.vpc).map(|vpc| {
            json!({
                "destinationCidrBlock": vpc.thing.cidr, "gatewayId": "local", "state": "active", "origin": "CreateRouteTable",
            })
        });
        let routes: Vec<Value> =
            local.into_iter().chain(table.routes.iter().map(|(to, target)| self.route(to, target))).collect();
        let associated = json!({ "state": "associated" });
        let mut associations: Vec<Value> = table
            .associations
            .iter()
            .map(|(one, subnet)| {
                json!({
                    "routeTableAssociationId": one, "routeTableId": id, "subnetId": subnet, "main": false,
                    "associationState": associated,
                })
            })
            .collect();
        if table.main {
            associations.push(json!({
                "routeTableAssociationId": id.replace("rtb-", "rtbassoc-"), "routeTableId": id, "main": true,
                "associationState": associated,
            }));
        }
        let subnets: Vec<&str> = table.associations.values().map(String::as_str).collect();
        let shown = json!({
            "routeTableId": id, "vpcId": table.vpc, "ownerId": owner, "routeSet": routes, "associationSet": associations,
        });
        let keys: [(&str, &[&str]); 5] = [
            ("route-table-id", &[id]),
            ("vpc-id", &[&table.vpc]),
            ("association.subnet-id", &subnets),
            ("association.main", &[if table.main { "true" } else { "false" }]),
            ("owner-id", &[owner]),
        ];
        Some(row(made, shown, &keys))
    }

    fn route(&self, destination: &str, target: &str) -> Value {
        let kind = if target.starts_with("nat-") { "natGatewayId" } else { "gatewayId" };
        let state = if self.store.is_there(target, &self.cloud.clock) { "active" } else { "blackhole" };
        json!({ "destinationCidrBlock": destination, kind: target, "state": state, "origin": "CreateRoute" })
    }
}
