//! Route tables: where they lead, and which subnets have them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::cidr::Block;
use super::store::{Kind, RouteTable, Store};
use super::{Made, Operation, invalid, missing, rows};
use crate::fault::Fault;
use crate::identifier;

impl RouteTable {
    pub(super) fn new(vpc: &str, main: bool, token: Option<&str>) -> Self {
        let (vpc, token) = (vpc.to_owned(), token.map(str::to_owned));
        Self { vpc, main, token, routes: BTreeMap::new(), associations: BTreeMap::new() }
    }
}

impl Operation<'_> {
    pub(super) fn create_route_table(&self) -> Result<Value, Fault> {
        let (vpc, token) = (self.required("VpcId")?, self.text("ClientToken"));
        let mut store = self.cloud.ec2();
        if !store.vpcs.contains_key(vpc) {
            return Err(Self::unknown(Kind::Vpc, vpc));
        }
        let is_same = |made: &Made<RouteTable>| token.is_some() && made.thing.token.as_deref() == token;
        let before = store.route_tables.iter().find(|(_, made)| is_same(made)).map(|(id, _)| id.clone());
        let id = before.unwrap_or_else(|| identifier::ec2(Kind::RouteTable.prefix()));
        let table = self.made(Kind::RouteTable, RouteTable::new(vpc, false, token))?;
        store.route_tables.entry(id.clone()).or_insert(table);
        Ok(json!({ "clientToken": token, "routeTable": rows::one(Kind::RouteTable, &id, &store, self.cloud) }))
    }

    pub(super) fn delete_route_table(&self) -> Result<Value, Fault> {
        let id = self.required("RouteTableId")?;
        let mut store = self.cloud.ec2();
        let table = &Self::table(&mut store, id)?;
        if table.main || !table.associations.is_empty() {
            return Err(Kind::RouteTable.has_dependencies(id));
        }
        store.route_tables.remove(id);
        Ok(Self::done())
    }

    fn table<'s>(store: &'s mut Store, id: &str) -> Result<&'s mut RouteTable, Fault> {
        let found = store.route_tables.get_mut(id).map(|made| &mut made.thing);
        found.ok_or_else(|| Self::unknown(Kind::RouteTable, id))
    }

    fn destination(&self) -> Result<&str, Fault> {
        let destination = self.text("DestinationCidrBlock").ok_or_else(|| missing("destinationCidrBlock"))?;
        match Block::parse(destination) {
            Some(_) => Ok(destination),
            None => Err(invalid(format!(
                "Value ({destination}) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block."
            ))),
        }
    }

    /// What the route is to lead to, which must be there and of the table's VPC.
    fn target(&self, store: &Store, table: &str) -> Result<String, Fault> {
        let vpc = store.route_tables.get(table).map(|made| made.thing.vpc.clone());
        if let Some(nat) = self.text("NatGatewayId") {
            return match store.nat_gateways.get(nat) {
                Some(made) if made.is_there(&self.cloud.clock) => Ok(nat.to_owned()),
                _ => {
                    let text = format!("The natGateway ID '{nat}' does not exist");
                    Err(Fault::sender("InvalidNatGatewayID.NotFound", text))
                }
            };
        }
        let gateway = self.text("GatewayId").ok_or_else(|| missing("gatewayId"))?;
        match store.internet_gateways.get(gateway) {
            None => Err(Kind::InternetGateway.not_found(gateway)),
            Some(made) if made.thing.vpc != vpc => {
                Err(invalid(format!("route table {table} and network gateway {gateway} belong to different networks")))
            }
            Some(_) => Ok(gateway.to_owned()),
        }
    }

    pub(super) fn create_route(&self) -> Result<Value, Fault> {
        let (id, destination) = (self.required("RouteTableId")?, self.destination()?);
        let mut store = self.cloud.ec2();
        Self::table(&mut store, id)?;
        let target = self.target(&store, id)?;
        let table = Self::table(&mut store, id)?;
        if table.routes.contains_key(destination) {
            let text = format!("The route identified by {destination} already exists.");
            return Err(Fault::sender("RouteAlreadyExists", text));
        }
        table.routes.insert(destination.to_owned(), target);
        Ok(Self::done())
    }

    pub(super) fn replace_route(&self) -> Result<Value, Fault> {
        let (id, destination) = (self.required("RouteTableId")?, self.destination()?);
        let mut store = self.cloud.ec2();
        Self::table(&mut store, id)?;
        let target = self.target(&store, id)?;
        let table = Self::table(&mut store, id)?;
        if !table.routes.contains_key(destination) {
            let text =
                format!("There is no route defined for '{destination}' in the route table. Use CreateRoute instead.");
            return Err(invalid(text));
        }
        table.routes.insert(destination.to_owned(), target);
        Ok(Self::done())
    }

    pub(super) fn delete_route(&self) -> Result<Value, Fault> {
        let (id, destination) = (self.required("RouteTableId")?, self.destination()?);
        let mut store = self.cloud.ec2();
        if Self::table(&mut store, id)?.routes.remove(destination).is_some() {
            return Ok(Self::done());
        }
        let text = format!("no route with destination-cidr-block {destination} in route table {id}");
        Err(Fault::sender("InvalidRoute.NotFound", text))
    }

    pub(super) fn associate_route_table(&self) -> Result<Value, Fault> {
        let (id, subnet) = (self.required("RouteTableId")?, self.required("SubnetId")?);
        let mut store = self.cloud.ec2();
        let Some(vpc) = store.vpc_of(subnet) else { return Err(Self::unknown(Kind::Subnet, subnet)) };
        let is_taken =
            store.route_tables.values().any(|made| made.thing.associations.values().any(|one| one == subnet));
        let table = Self::table(&mut store, id)?;
        if table.vpc != vpc {
            return Err(invalid(format!("route table {id} and subnet {subnet} belong to different networks")));
        }
        if is_taken {
            let text = format!("the specified association for route table {id} conflicts with an existing association");
            return Err(Fault::sender("Resource.AlreadyAssociated", text));
        }
        let association = identifier::ec2("rtbassoc-");
        table.associations.insert(association.clone(), subnet.to_owned());
        Ok(json!({ "associationId": association, "associationState": { "state": "associated" } }))
    }

    pub(super) fn disassociate_route_table(&self) -> Result<Value, Fault> {
        let association = self.required("AssociationId")?;
        let mut store = self.cloud.ec2();
        let mut tables = store.route_tables.values_mut();
        if tables.any(|made| made.thing.associations.remove(association).is_some()) {
            return Ok(Self::done());
        }
        let text = format!("The association ID '{association}' does not exist");
        Err(Fault::sender("InvalidAssociationID.NotFound", text))
    }
}
