//! What callers made in EC2: VPCs with their subnets, gateways and route tables, and addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clock::{Clock, Moment};
use local_faults::Faults;

use super::cidr::Block;
use crate::fault::Fault;

pub(crate) type Tags = BTreeMap<String, String>;

/// A NAT gateway is made in a minute or two and goes in about one (VPC User Guide, "Work with NAT gateways").
const NAT_PENDING: Duration = Duration::from_mins(1);
const NAT_DELETING: Duration = Duration::from_secs(45);
/// A deleted one still shows for about an hour (VPC User Guide, "Delete a NAT gateway").
const NAT_SHOWN: Duration = Duration::from_hours(1);
/// VPCs and subnets are `pending` for a moment.
const PENDING: Duration = Duration::from_secs(2);

/// The kinds of things: the beginning of their ids, their name in ARNs and tags, and in refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Vpc,
    Subnet,
    InternetGateway,
    Address,
    NatGateway,
    RouteTable,
}

impl Kind {
    pub(super) const ALL: [Self; 6] =
        [Self::Vpc, Self::Subnet, Self::InternetGateway, Self::Address, Self::NatGateway, Self::RouteTable];

    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Vpc => "vpc-",
            Self::Subnet => "subnet-",
            Self::InternetGateway => "igw-",
            Self::Address => "eipalloc-",
            Self::NatGateway => "nat-",
            Self::RouteTable => "rtb-",
        }
    }

    /// As ARNs and tag specifications name it (Service Authorization Reference, "Amazon EC2").
    pub(super) fn resource(self) -> &'static str {
        match self {
            Self::Vpc => "vpc",
            Self::Subnet => "subnet",
            Self::InternetGateway => "internet-gateway",
            Self::Address => "elastic-ip",
            Self::NatGateway => "natgateway",
            Self::RouteTable => "route-table",
        }
    }

    /// As inputs name its id.
    pub(super) fn parameter(self) -> &'static str {
        match self {
            Self::Vpc => "VpcId",
            Self::Subnet => "SubnetId",
            Self::InternetGateway => "InternetGatewayId",
            Self::Address => "AllocationId",
            Self::NatGateway => "NatGatewayId",
            Self::RouteTable => "RouteTableId",
        }
    }

    pub(super) fn of_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| id.starts_with(kind.prefix()))
    }

    /// The refusal of an id that is not there (EC2 API Reference, "Error codes").
    pub(super) fn not_found(self, id: &str) -> Fault {
        let (code, text) = match self {
            Self::Vpc => ("InvalidVpcID.NotFound", format!("The vpc ID '{id}' does not exist")),
            Self::Subnet => ("InvalidSubnetID.NotFound", format!("The subnet ID '{id}' does not exist")),
            Self::InternetGateway => {
                ("InvalidInternetGatewayID.NotFound", format!("The internetGateway ID '{id}' does not exist"))
            }
            Self::Address => ("InvalidAllocationID.NotFound", format!("The allocation ID '{id}' does not exist")),
            Self::NatGateway => ("NatGatewayNotFound", format!("NAT gateway {id} was not found")),
            Self::RouteTable => ("InvalidRouteTableID.NotFound", format!("The routeTable ID '{id}' does not exist")),
        };
        Fault::sender(code, text)
    }

    /// The refusal to delete what others need.
    pub(super) fn has_dependencies(self, id: &str) -> Fault {
        let name = match self {
            Self::InternetGateway => "internetGateway",
            Self::RouteTable => "routeTable",
            other => other.resource(),
        };
        Fault::sender("DependencyViolation", format!("The {name} '{id}' has dependencies and cannot be deleted."))
    }
}

/// What every thing has.
#[derive(Debug, Clone)]
pub(super) struct Made<T> {
    pub(super) at: Moment,
    pub(super) tags: Tags,
    pub(super) thing: T,
}

#[derive(Debug, Clone)]
pub(super) struct Vpc {
    pub(super) cidr: String,
    pub(super) block: Block,
    pub(super) attributes: BTreeMap<&'static str, bool>,
}

#[derive(Debug, Clone)]
pub(super) struct Subnet {
    pub(super) vpc: String,
    pub(super) cidr: String,
    pub(super) block: Block,
    pub(super) zone: String,
    pub(super) zone_id: String,
}

#[derive(Debug, Clone)]
pub(super) struct InternetGateway {
    pub(super) vpc: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct ElasticAddress {
    pub(super) public: String,
}

#[derive(Debug, Clone)]
pub(super) struct NatGateway {
    pub(super) vpc: String,
    pub(super) subnet: String,
    pub(super) address: String,
    pub(super) token: Option<String>,
    /// Why it never became available.
    pub(super) failed: Option<(&'static str, String)>,
    pub(super) deleted_at: Option<Moment>,
}

#[derive(Debug, Clone)]
pub(super) struct RouteTable {
    pub(super) vpc: String,
    pub(super) main: bool,
    /// By which a request that is sent again is known.
    pub(super) token: Option<String>,
    /// What a destination leads to.
    pub(super) routes: BTreeMap<String, String>,
    /// Subnets by the id of their association.
    pub(super) associations: BTreeMap<String, String>,
}

/// Everything by its id.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(super) vpcs: BTreeMap<String, Made<Vpc>>,
    pub(super) subnets: BTreeMap<String, Made<Subnet>>,
    pub(super) internet_gateways: BTreeMap<String, Made<InternetGateway>>,
    pub(super) addresses: BTreeMap<String, Made<ElasticAddress>>,
    pub(super) nat_gateways: BTreeMap<String, Made<NatGateway>>,
    pub(super) route_tables: BTreeMap<String, Made<RouteTable>>,
    /// How many addresses were ever given out.
    pub(super) given_out: u32,
}

/// `pending`, then `available`.
pub(super) fn settling<T>(made: &Made<T>, clock: &Clock) -> &'static str {
    if clock.elapsed(made.at) < PENDING { "pending" } else { "available" }
}

impl Made<NatGateway> {
    pub(super) fn state(&self, clock: &Clock) -> &'static str {
        match (self.thing.deleted_at, &self.thing.failed) {
            (Some(at), _) if clock.elapsed(at) < NAT_DELETING => "deleting",
            (Some(_), _) => "deleted",
            (None, Some(_)) => "failed",
            (None, None) if clock.elapsed(self.at) < NAT_PENDING => "pending",
            (None, None) => "available",
        }
    }

    /// Whether it holds its address, and a place in its subnet.
    pub(super) fn is_there(&self, clock: &Clock) -> bool {
        !matches!(self.state(clock), "deleted" | "failed")
    }
}

impl Store {
    /// The tags of what has this id.
    pub(super) fn tags(&mut self, id: &str) -> Option<&mut Tags> {
        match Kind::of_id(id)? {
            Kind::Vpc => self.vpcs.get_mut(id).map(|made| &mut made.tags),
            Kind::Subnet => self.subnets.get_mut(id).map(|made| &mut made.tags),
            Kind::InternetGateway => self.internet_gateways.get_mut(id).map(|made| &mut made.tags),
            Kind::Address => self.addresses.get_mut(id).map(|made| &mut made.tags),
            Kind::NatGateway => self.nat_gateways.get_mut(id).map(|made| &mut made.tags),
            Kind::RouteTable => self.route_tables.get_mut(id).map(|made| &mut made.tags),
        }
    }

    /// When the thing was made.
    fn made_at(&self, id: &str) -> Option<Moment> {
        match Kind::of_id(id)? {
            Kind::Vpc => self.vpcs.get(id).map(|made| made.at),
            Kind::Subnet => self.subnets.get(id).map(|made| made.at),
            Kind::InternetGateway => self.internet_gateways.get(id).map(|made| made.at),
            Kind::Address => self.addresses.get(id).map(|made| made.at),
            Kind::NatGateway => self.nat_gateways.get(id).map(|made| made.at),
            Kind::RouteTable => self.route_tables.get(id).map(|made| made.at),
        }
    }

    /// Whether it was made so short a time ago that EC2 does not know it everywhere.
    pub(super) fn is_late(&self, id: &str, faults: &Faults, clock: &Clock) -> bool {
        let Some((kind, at)) = Kind::of_id(id).zip(self.made_at(id)) else { return false };
        let lasts = faults.lasts(local_faults::Kind::NetworksLate, kind.resource());
        !lasts.is_zero() && clock.elapsed(at) < lasts
    }

    /// Forgets NAT gateways that were deleted long ago.
    pub(super) fn sweep(&mut self, clock: &Clock) {
        let shows = |made: &Made<NatGateway>| {
            made.thing.deleted_at.is_none_or(|at| clock.elapsed(at) < NAT_DELETING + NAT_SHOWN)
        };
        self.nat_gateways.retain(|_, made| shows(made));
    }

    /// Id, kind and tags of each, for the tag search.
    pub(crate) fn tagged(&self, clock: &Clock) -> Vec<(&'static str, String, Tags)> {
        fn of<T>(kind: Kind, all: &BTreeMap<String, Made<T>>) -> Vec<(&'static str, String, Tags)> {
            all.iter().map(|(id, made)| (kind.resource(), id.clone(), made.tags.clone())).collect()
        }
        let mut all = of(Kind::Vpc, &self.vpcs);
        all.extend(of(Kind::Subnet, &self.subnets));
        all.extend(of(Kind::InternetGateway, &self.internet_gateways));
        all.extend(of(Kind::Address, &self.addresses));
        all.extend(of(Kind::RouteTable, &self.route_tables));
        let there = self.nat_gateways.iter().filter(|(_, made)| made.is_there(clock));
        all.extend(there.map(|(id, made)| (Kind::NatGateway.resource(), id.clone(), made.tags.clone())));
        all
    }

    /// The VPC of a subnet that somebody made.
    pub(crate) fn vpc_of(&self, subnet: &str) -> Option<String> {
        self.subnets.get(subnet).map(|made| made.thing.vpc.clone())
    }

    /// The first of these subnets whose route table leads to an internet gateway.
    pub(crate) fn public_of(&self, subnets: &[String]) -> Option<String> {
        let leads_out = |subnet: &&String| {
            let table = self.table_of(subnet);
            table.is_some_and(|table| table.routes.values().any(|target| target.starts_with("igw-")))
        };
        subnets.iter().find(leads_out).cloned()
    }

    /// The route table of a subnet: its own, or the main one of its VPC.
    fn table_of(&self, subnet: &str) -> Option<&RouteTable> {
        let vpc = &self.subnets.get(subnet)?.thing.vpc;
        let all = || self.route_tables.values().map(|made| &made.thing);
        let own = all().find(|table| table.associations.values().any(|one| one == subnet));
        own.or_else(|| all().find(|table| table.main && table.vpc == *vpc))
    }

    /// Whether something of EC2's own keeps the VPC: its main route table goes with it.
    pub(super) fn holds(&self, vpc: &str, clock: &Clock) -> bool {
        let tables = self.route_tables.values().any(|made| made.thing.vpc == vpc && !made.thing.main);
        let gateways = self.internet_gateways.values().any(|made| made.thing.vpc.as_deref() == Some(vpc));
        tables || gateways || self.has_nat(vpc, clock) || self.subnets.values().any(|made| made.thing.vpc == vpc)
    }

    pub(super) fn has_nat(&self, vpc: &str, clock: &Clock) -> bool {
        self.nat_gateways.values().any(|made| made.thing.vpc == vpc && made.is_there(clock))
    }

    pub(super) fn has_nat_in(&self, subnet: &str, clock: &Clock) -> bool {
        self.nat_gateways.values().any(|made| made.thing.subnet == subnet && made.is_there(clock))
    }

    /// The NAT gateway that has an address.
    pub(super) fn nat_of(&self, address: &str, clock: &Clock) -> Option<&String> {
        let has = |(_, made): &(&String, &Made<NatGateway>)| made.thing.address == address && made.is_there(clock);
        self.nat_gateways.iter().find(has).map(|(id, _)| id)
    }

    /// Whether a target of a route is there.
    pub(super) fn is_there(&self, target: &str, clock: &Clock) -> bool {
        match Kind::of_id(target) {
            Some(Kind::NatGateway) => self.nat_gateways.get(target).is_some_and(|made| made.is_there(clock)),
            Some(Kind::InternetGateway) => {
                self.internet_gateways.get(target).is_some_and(|made| made.thing.vpc.is_some())
            }
            _ => true,
        }
    }

    /// The subnets of a VPC, for whoever must know what they hold.
    pub(super) fn taken(&self, vpc: &str) -> BTreeSet<&str> {
        self.subnets.values().filter(|made| made.thing.vpc == vpc).map(|made| made.thing.cidr.as_str()).collect()
    }
}
