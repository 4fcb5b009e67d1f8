//! The ways out of a VPC: internet gateways, NAT gateways, and the addresses that these show.

use serde_json::{Value, json};

use super::store::{ElasticAddress, InternetGateway, Kind, NatGateway, Store};
use super::{Operation, invalid, missing, rows};
use crate::fault::Fault;
use crate::identifier;

/// Elastic IP addresses of an account in a region (EC2 User Guide, "Elastic IP address quota").
const ADDRESSES_MAX: usize = 5;

impl Operation<'_> {
    pub(super) fn create_internet_gateway(&self) -> Result<Value, Fault> {
        let made = self.made(Kind::InternetGateway, InternetGateway { vpc: None })?;
        let id = identifier::ec2(Kind::InternetGateway.prefix());
        let mut store = self.cloud.ec2();
        store.internet_gateways.insert(id.clone(), made);
        Ok(json!({ "internetGateway": rows::one(Kind::InternetGateway, &id, &store, self.cloud) }))
    }

    fn gateway_and_vpc(&self) -> Result<(&str, &str), Fault> {
        let (id, vpc) = (self.required("InternetGatewayId")?, self.required("VpcId")?);
        let store = self.cloud.ec2();
        if !store.internet_gateways.contains_key(id) {
            return Err(Self::unknown(Kind::InternetGateway, id));
        }
        if !store.vpcs.contains_key(vpc) {
            return Err(Self::unknown(Kind::Vpc, vpc));
        }
        Ok((id, vpc))
    }

    pub(super) fn attach_internet_gateway(&self) -> Result<Value, Fault> {
        let (id, vpc) = self.gateway_and_vpc()?;
        let mut store = self.cloud.ec2();
        let is_taken = store.internet_gateways.values().any(|made| made.thing.vpc.as_deref() == Some(vpc));
        let Some(made) = store.internet_gateways.get_mut(id) else { return Err(Kind::InternetGateway.not_found(id)) };
        if let Some(of) = &made.thing.vpc {
            let text = format!("resource {id} is already attached to network {of}");
            return Err(Fault::sender("Resource.AlreadyAssociated", text));
        }
        if is_taken {
            return Err(invalid(format!("Network {vpc} already has an internet gateway attached")));
        }
        made.thing.vpc = Some(vpc.to_owned());
        Ok(Self::done())
    }

    pub(super) fn detach_internet_gateway(&self) -> Result<Value, Fault> {
        let (id, vpc) = self.gateway_and_vpc()?;
        let mut store = self.cloud.ec2();
        let has_addresses = store.has_nat(vpc, &self.cloud.clock);
        let Some(made) = store.internet_gateways.get_mut(id) else { return Err(Kind::InternetGateway.not_found(id)) };
        if made.thing.vpc.as_deref() != Some(vpc) {
            let text = format!("resource {id} is not attached to network {vpc}");
            return Err(Fault::sender("Gateway.NotAttached", text));
        }
        if has_addresses {
            let text = format!(
                "Network {vpc} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."
            );
            return Err(Fault::sender("DependencyViolation", text));
        }
        made.thing.vpc = None;
        Ok(Self::done())
    }

    pub(super) fn delete_internet_gateway(&self) -> Result<Value, Fault> {
        let id = self.required("InternetGatewayId")?;
        let mut store = self.cloud.ec2();
        match store.internet_gateways.get(id) {
            None => Err(Self::unknown(Kind::InternetGateway, id)),
            Some(made) if made.thing.vpc.is_some() => Err(Kind::InternetGateway.has_dependencies(id)),
            Some(_) => {
                store.internet_gateways.remove(id);
                Ok(Self::done())
            }
        }
    }

    pub(super) fn allocate_address(&self) -> Result<Value, Fault> {
        if let Some(domain) = self.text("Domain").filter(|domain| *domain != "vpc") {
            return Err(invalid(format!("Invalid domain '{domain}'")));
        }
        let mut store = self.cloud.ec2();
        if store.addresses.len() >= ADDRESSES_MAX {
            return Err(Fault::sender("AddressLimitExceeded", "The maximum number of addresses has been reached."));
        }
        // Addresses for documentation (RFC 5737).
        let public = format!("203.0.113.{}", 1 + store.given_out % 250);
        let made = self.made(Kind::Address, ElasticAddress { public: public.clone() })?;
        store.given_out += 1;
        let id = identifier::ec2(Kind::Address.prefix());
        store.addresses.insert(id.clone(), made);
        Ok(json!({
            "publicIp": public, "allocationId": id, "domain": "vpc", "publicIpv4Pool": "amazon",
            "networkBorderGroup": self.cloud.region,
        }))
    }

    pub(super) fn release_address(&self) -> Result<Value, Fault> {
        let id = self.text("AllocationId").ok_or_else(|| missing("AllocationId"))?;
        let mut store = self.cloud.ec2();
        let Some(made) = store.addresses.get(id) else { return Err(Kind::Address.not_found(id)) };
        if store.nat_of(id, &self.cloud.clock).is_some() {
            let text = format!("Address {} is in use.", made.thing.public);
            return Err(Fault::sender("InvalidIPAddress.InUse", text));
        }
        store.addresses.remove(id);
        Ok(Self::done())
    }

    /// A request that was sent before, by its token, makes nothing new.
    pub(super) fn create_nat_gateway(&self) -> Result<Value, Fault> {
        if let Some(kind) = self.text("ConnectivityType").filter(|kind| *kind != "public") {
            return Err(invalid(format!("The connectivity type '{kind}' is not offered here.")));
        }
        let (subnet, address) = (self.required("SubnetId")?, self.required("AllocationId")?);
        let mut store = self.cloud.ec2();
        let Some(vpc) = store.vpc_of(subnet) else { return Err(Self::unknown(Kind::Subnet, subnet)) };
        if !store.addresses.contains_key(address) {
            return Err(Kind::Address.not_found(address));
        }
        let token = self.text("ClientToken").map(str::to_owned);
        let before = token.as_ref().and_then(|token| {
            let mut all = store.nat_gateways.iter();
            all.find(|(_, made)| made.thing.token.as_ref() == Some(token)).map(|(id, _)| id.clone())
        });
        let id = if let Some(id) = before {
            id
        } else {
            let failed = self.failure(&store, &vpc, address);
            let (subnet, address) = (subnet.to_owned(), address.to_owned());
            let nat = NatGateway { vpc, subnet, address, token: token.clone(), failed, deleted_at: None };
            let id = identifier::ec2(Kind::NatGateway.prefix());
            store.nat_gateways.insert(id.clone(), self.made(Kind::NatGateway, nat)?);
            id
        };
        Ok(json!({ "clientToken": token, "natGateway": rows::one(Kind::NatGateway, &id, &store, self.cloud) }))
    }

    /// Why a new NAT gateway fails after its creation (EC2 API Reference, NatGateway, `failureCode`).
    fn failure(&self, store: &Store, vpc: &str, address: &str) -> Option<(&'static str, String)> {
        if store.nat_of(address, &self.cloud.clock).is_some() {
            let text = format!("Elastic IP address [{address}] is already associated");
            return Some(("Resource.AlreadyAssociated", text));
        }
        let is_attached = store.internet_gateways.values().any(|made| made.thing.vpc.as_deref() == Some(vpc));
        (!is_attached).then(|| ("Gateway.NotAttached", format!("Network {vpc} has no Internet gateway attached")))
    }

    pub(super) fn delete_nat_gateway(&self) -> Result<Value, Fault> {
        let id = self.required("NatGatewayId")?;
        let mut store = self.cloud.ec2();
        let now = self.cloud.clock.moment();
        let Some(made) = store.nat_gateways.get_mut(id) else { return Err(Self::unknown(Kind::NatGateway, id)) };
        made.thing.deleted_at = made.thing.deleted_at.or(Some(now));
        Ok(json!({ "natGatewayId": id }))
    }
}
