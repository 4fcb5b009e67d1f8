//! Lists: what is there and what callers made, by ids, filters and pages.

use serde_json::{Value, json};

use super::filter::{Filters, Row};
use super::store::Kind;
use super::{Operation, invalid, network, rows};
use crate::fault::Fault;
use crate::strings;

/// Items of a page, where the caller names no number.
const PAGE: usize = 1000;

/// How a list is answered: the set's name, the ids' parameter, and the key of ids.
type List = (&'static str, &'static str, &'static str);

fn list_of(kind: Kind) -> List {
    match kind {
        Kind::Vpc => ("vpcSet", "VpcIds", "vpc-id"),
        Kind::Subnet => ("subnetSet", "SubnetIds", "subnet-id"),
        Kind::InternetGateway => ("internetGatewaySet", "InternetGatewayIds", "internet-gateway-id"),
        Kind::Address => ("addressesSet", "AllocationIds", "allocation-id"),
        Kind::NatGateway => ("natGatewaySet", "NatGatewayIds", "nat-gateway-id"),
        Kind::RouteTable => ("routeTableSet", "RouteTableIds", "route-table-id"),
    }
}

impl Operation<'_> {
    pub(super) fn describe(&self, action: &str) -> Result<Value, Fault> {
        match action {
            "DescribeVpcs" => self.all_of(Kind::Vpc, vec![self.network().vpc()]),
            "DescribeSubnets" => self.all_of(Kind::Subnet, self.network().subnets()),
            "DescribeRouteTables" => self.all_of(Kind::RouteTable, self.network().route_tables()),
            "DescribeInternetGateways" => self.all_of(Kind::InternetGateway, self.network().internet_gateways()),
            "DescribeNatGateways" => self.all_of(Kind::NatGateway, self.network().nat_gateways()),
            "DescribeAddresses" => self.all_of(Kind::Address, Vec::new()),
            "DescribeVpcEndpoints" => {
                let missing = |id: &str| {
                    let text = format!("The vpcEndpoint ID '{id}' does not exist");
                    Fault::sender("InvalidVpcEndpointId.NotFound", text)
                };
                self.described(("vpcEndpointSet", "VpcEndpointIds", "vpc-endpoint-id"), Vec::new(), missing)
            }
            "DescribeAvailabilityZones" => self.zones(),
            "DescribeVpcAttribute" => self.vpc_attribute(),
            other => {
                Err(Fault::sender("InvalidAction", format!("The action {other} is not valid for this web service.")))
            }
        }
    }

    fn all_of(&self, kind: Kind, mut fixed: Vec<Row>) -> Result<Value, Fault> {
        fixed.extend(rows::of(kind, &self.cloud.ec2(), self.cloud));
        if kind == Kind::Address {
            let ips = strings::list(self.input.get("PublicIps"));
            fixed.retain(|row| ips.is_empty() || ips.iter().any(|ip| row.is("public-ip", ip)));
        }
        self.described(list_of(kind), fixed, |id| kind.not_found(id))
    }

    /// A page of what the ids and the filters of the input leave.
    fn described(&self, list: List, rows: Vec<Row>, not_found: impl Fn(&str) -> Fault) -> Result<Value, Fault> {
        let (set, ids, key) = list;
        let wanted = strings::list(self.input.get(ids));
        let missing: Vec<&str> =
            wanted.iter().filter(|id| rows.iter().all(|row| !row.is(key, id))).map(String::as_str).collect();
        if let Some(first) = missing.first() {
            let fault = not_found(first);
            let plural = |text: &str| {
                let all = missing.join(", ");
                text.replace(" ID '", " IDs '").replace(&format!("'{first}' does"), &format!("'{all}' do"))
            };
            let message = if missing.len() > 1 { plural(&fault.message) } else { fault.message.clone() };
            return Err(Fault { message, ..fault });
        }
        let filters = Filters::of(self.input)?;
        filters.check(&rows)?;
        let is_named = |row: &Row| wanted.is_empty() || wanted.iter().any(|id| row.is(key, id));
        let found: Vec<Value> =
            rows.into_iter().filter(|row| is_named(row) && filters.match_row(row)).map(|row| row.shown).collect();
        self.page(set, found)
    }

    fn page(&self, set: &str, found: Vec<Value>) -> Result<Value, Fault> {
        let number = |name: &str| {
            let wrong = |_| invalid(format!("The value of {name} is not valid."));
            self.text(name).map(str::parse::<usize>).transpose().map_err(wrong)
        };
        let start = number("NextToken")?.unwrap_or(0);
        let end = start.saturating_add(number("MaxResults")?.unwrap_or(PAGE));
        let token = (found.len() > end).then(|| end.to_string());
        let shown: Vec<Value> = found.into_iter().skip(start).take(end - start).collect();
        Ok(json!({ set: shown, "nextToken": token }))
    }

    fn zones(&self) -> Result<Value, Fault> {
        let (names, ids) = (strings::list(self.input.get("ZoneNames")), strings::list(self.input.get("ZoneIds")));
        // Zones of AWS that the account did not opt into do not exist here.
        let _all = self.input.get("AllAvailabilityZones");
        let filters = Filters::of(self.input)?;
        let rows = self.network().zones();
        filters.check(&rows)?;
        let is_named =
            |row: &Row, key: &str, wanted: &[String]| wanted.is_empty() || wanted.iter().any(|one| row.is(key, one));
        let is_wanted =
            |row: &Row| is_named(row, "zone-name", &names) && is_named(row, "zone-id", &ids) && filters.match_row(row);
        let found = rows.into_iter().filter(is_wanted).map(|row| row.shown);
        Ok(json!({ "availabilityZoneInfo": found.collect::<Vec<_>>() }))
    }

    fn vpc_attribute(&self) -> Result<Value, Fault> {
        let (vpc, attribute) = (self.required("VpcId")?, self.required("Attribute")?);
        let value = if vpc == network::VPC {
            self.network().vpc_attribute(attribute)
        } else {
            let store = self.cloud.ec2();
            let made = store.vpcs.get(vpc).ok_or_else(|| Kind::Vpc.not_found(vpc))?;
            made.thing.attributes.get(attribute).copied().unwrap_or_default()
        };
        Ok(json!({ "vpcId": vpc, attribute: { "value": value } }))
    }
}
