//! VPCs and their subnets.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::cidr::Block;
use super::store::{Kind, RouteTable, Subnet, Vpc};
use super::{Made, Operation, invalid, missing, rows};
use crate::fault::Fault;
use crate::identifier;

/// VPCs of an account, beside the one that is there (VPC User Guide, "Amazon VPC quotas").
const VPCS_MAX: usize = 5;

impl Operation<'_> {
    pub(super) fn create_vpc(&self) -> Result<Value, Fault> {
        if let Some(tenancy) = self.text("InstanceTenancy").filter(|tenancy| *tenancy != "default") {
            return Err(invalid(format!("The value '{tenancy}' of instanceTenancy is not offered here.")));
        }
        let cidr = self.text("CidrBlock").ok_or_else(|| missing("cidrBlock"))?;
        let wrong = || Fault::sender("InvalidVpc.Range", format!("The CIDR '{cidr}' is invalid."));
        let block = Block::parse(cidr).filter(|block| block.fits_a_network()).ok_or_else(wrong)?;
        // DNS works in a new VPC, and hosts get no names (EC2 API Reference, ModifyVpcAttribute).
        let attributes = BTreeMap::from([("enableDnsSupport", true), ("enableDnsHostnames", false)]);
        let made = self.made(Kind::Vpc, Vpc { cidr: cidr.to_owned(), block, attributes })?;
        let id = identifier::ec2(Kind::Vpc.prefix());
        let mut store = self.cloud.ec2();
        if store.vpcs.len() + 1 >= VPCS_MAX {
            return Err(Fault::sender("VpcLimitExceeded", "The maximum number of VPCs has been reached."));
        }
        let main = RouteTable::new(&id, true, None);
        let table = Made { at: made.at, tags: BTreeMap::new(), thing: main };
        store.route_tables.insert(identifier::ec2(Kind::RouteTable.prefix()), table);
        store.vpcs.insert(id.clone(), made);
        Ok(json!({ "vpc": rows::one(Kind::Vpc, &id, &store, self.cloud) }))
    }

    pub(super) fn delete_vpc(&self) -> Result<Value, Fault> {
        let id = self.required("VpcId")?;
        let mut store = self.cloud.ec2();
        if !store.vpcs.contains_key(id) {
            return Err(Self::unknown(Kind::Vpc, id));
        }
        if store.holds(id, &self.cloud.clock) {
            return Err(Kind::Vpc.has_dependencies(id));
        }
        store.vpcs.remove(id);
        store.route_tables.retain(|_, made| made.thing.vpc != id);
        Ok(Self::done())
    }

    /// One attribute a call (EC2 API Reference, ModifyVpcAttribute).
    pub(super) fn modify_vpc_attribute(&self) -> Result<Value, Fault> {
        let id = self.required("VpcId")?;
        let value = |name: &str| self.input.get(name)?.get("Value")?.as_str().map(|text| text == "true");
        let given: Vec<(&'static str, bool)> =
            [("enableDnsSupport", value("EnableDnsSupport")), ("enableDnsHostnames", value("EnableDnsHostnames"))]
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect();
        let [(name, value)] = given.as_slice() else {
            return Err(Fault::sender("InvalidParameterCombination", "Only one attribute may be modified at a time"));
        };
        let mut store = self.cloud.ec2();
        let Some(made) = store.vpcs.get_mut(id) else { return Err(Self::unknown(Kind::Vpc, id)) };
        made.thing.attributes.insert(name, *value);
        Ok(Self::done())
    }

    pub(super) fn create_subnet(&self) -> Result<Value, Fault> {
        let vpc = self.required("VpcId")?;
        let cidr = self.text("CidrBlock").ok_or_else(|| missing("cidrBlock"))?;
        let (zone, zone_id) = self.zone_of_subnet()?;
        let mut store = self.cloud.ec2();
        let Some(of) = store.vpcs.get(vpc) else { return Err(Self::unknown(Kind::Vpc, vpc)) };
        let wrong = || Fault::sender("InvalidSubnet.Range", format!("The CIDR '{cidr}' is invalid."));
        let fits = |block: &Block| block.fits_a_network() && of.thing.block.contains(*block);
        let block = Block::parse(cidr).filter(fits).ok_or_else(wrong)?;
        if store.taken(vpc).into_iter().filter_map(Block::parse).any(|other| other.overlaps(block)) {
            let text = format!("The CIDR '{cidr}' conflicts with another subnet");
            return Err(Fault::sender("InvalidSubnet.Conflict", text));
        }
        let subnet = Subnet { vpc: vpc.to_owned(), cidr: cidr.to_owned(), block, zone, zone_id };
        let id = identifier::ec2(Kind::Subnet.prefix());
        store.subnets.insert(id.clone(), self.made(Kind::Subnet, subnet)?);
        Ok(json!({ "subnet": rows::one(Kind::Subnet, &id, &store, self.cloud) }))
    }

    /// Name and id of the zone; EC2 chooses one where the caller names none.
    fn zone_of_subnet(&self) -> Result<(String, String), Fault> {
        let zones: Vec<(String, String)> = self
            .network()
            .zones()
            .iter()
            .filter_map(|row| {
                let text = |name: &str| row.shown.get(name)?.as_str().map(str::to_owned);
                Some((text("zoneName")?, text("zoneId")?))
            })
            .collect();
        let (name, id) = (self.text("AvailabilityZone"), self.text("AvailabilityZoneId"));
        let fits = |(zone, zone_id): &&(String, String)| {
            name.is_none_or(|name| name == zone) && id.is_none_or(|id| id == zone_id)
        };
        zones.iter().find(fits).cloned().ok_or_else(|| {
            let all: Vec<&str> = zones.iter().map(|(zone, _)| zone.as_str()).collect();
            invalid(format!(
                "Value ({}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following \
                 availability zones: {}.",
                name.or(id).unwrap_or_default(),
                all.join(", ")
            ))
        })
    }

    pub(super) fn delete_subnet(&self) -> Result<Value, Fault> {
        let id = self.required("SubnetId")?;
        // Clusters and pods have network interfaces in their subnets.
        let is_used = self.cloud.eks().uses_subnet(id);
        let mut store = self.cloud.ec2();
        if !store.subnets.contains_key(id) {
            return Err(Self::unknown(Kind::Subnet, id));
        }
        if is_used || store.has_nat_in(id, &self.cloud.clock) {
            return Err(Kind::Subnet.has_dependencies(id));
        }
        store.subnets.remove(id);
        for made in store.route_tables.values_mut() {
            made.thing.associations.retain(|_, subnet| subnet != id);
        }
        Ok(Self::done())
    }

    /// The refusal of what is not there, or is not the callers' to change.
    pub(super) fn unknown(kind: Kind, id: &str) -> Fault {
        if super::access::is_fixed(id) {
            let text = format!("{id} is of the local cloud's own network, which cannot be changed.");
            return Fault::sender("OperationNotPermitted", text);
        }
        kind.not_found(id)
    }
}
