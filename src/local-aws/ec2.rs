//! EC2: what can be asked about the network that clusters are given. There is one, it cannot be changed, and nothing runs in it:
//! pods are processes of this machine.
//!
//! Shapes: EC2 API Reference; errors: "Error codes for the Amazon EC2 API".

mod filter;
pub(crate) mod network;

use serde_json::{Value, json};

use crate::authorization::Access;
use crate::caller::Call;
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::model::{self, Shape};
use crate::request::Service;
use crate::{coverage, intake, strings};
use filter::{Filters, Row};
use network::Network;

/// Items of a page, where the caller names no number.
const PAGE: usize = 1000;

/// Performs `action` with the query parameters `form`.
pub(crate) fn call(cloud: &Cloud, call: &Call, action: &str, form: &Value) -> Result<Value, Fault> {
    if let Some(refused) = coverage::not_offered(Service::Ec2, action) {
        return Err(refused);
    }
    let input = in_names_of_the_model(action, form);
    intake::check(Service::Ec2, action, &input)?;
    cloud.authorize(call, Access::new(&format!("ec2:{action}"), "*"))?;
    if input.get("DryRun").and_then(Value::as_str) == Some("true") {
        let message = "Request would have succeeded, but DryRun flag is set.";
        return Err(Fault::new(412, "DryRunOperation", message));
    }
    let network = Network::of(&cloud.region, &cloud.account, cloud.faults.faults());
    match action {
        "DescribeSubnets" => described("subnetSet", "subnet", "SubnetIds", "subnet-id", network.subnets(), &input),
        "DescribeRouteTables" => {
            let tables = network.route_tables();
            described("routeTableSet", "routeTable", "RouteTableIds", "route-table-id", tables, &input)
        }
        "DescribeVpcs" => described("vpcSet", "vpc", "VpcIds", "vpc-id", vec![network.vpc()], &input),
        "DescribeVpcEndpoints" => {
            let ids = "VpcEndpointIds";
            described("vpcEndpointSet", "vpcEndpoint", ids, "vpc-endpoint-id", Vec::new(), &input)
        }
        "DescribeAvailabilityZones" => zones(&network, &input),
        "DescribeVpcAttribute" => attribute(&network, &input),
        other => Err(Fault::sender("InvalidAction", format!("The action {other} is not valid for this web service."))),
    }
}

/// The parameters by the names of the model: on the wire a list has the name of one item, `SubnetId.1`.
fn in_names_of_the_model(action: &str, form: &Value) -> Value {
    let model = model::of(Service::Ec2);
    let Some((members, _)) = model.input(action) else { return form.clone() };
    renamed(model, members, form)
}

fn renamed(model: &model::Model, members: &std::collections::BTreeMap<String, model::Member>, given: &Value) -> Value {
    let Value::Object(given) = given else { return given.clone() };
    let rename = |(wire, value): (&String, &Value)| {
        let found = members.iter().find(|(name, member)| member.name.as_deref().unwrap_or(name) == wire);
        let Some((name, member)) = found else { return (wire.clone(), value.clone()) };
        let items = match (model.shape(&member.shape), value) {
            (Some(Shape::List { member: item, .. }), Value::Array(items)) => match model.shape(item) {
                Some(Shape::Structure { members, .. }) => {
                    items.iter().map(|item| renamed(model, members, item)).collect()
                }
                _ => value.clone(),
            },
            _ => value.clone(),
        };
        (name.clone(), items)
    };
    Value::Object(given.iter().map(rename).collect())
}

/// A page of what the ids and the filters of the input leave.
fn described(set: &str, kind: &str, ids: &str, key: &str, rows: Vec<Row>, input: &Value) -> Result<Value, Fault> {
    let wanted = strings::list(input.get(ids));
    let missing: Vec<&str> =
        wanted.iter().filter(|id| rows.iter().all(|row| !row.is(key, id))).map(String::as_str).collect();
    if !missing.is_empty() {
        // `InvalidSubnetID.NotFound`, `InvalidVpcID.NotFound`, `InvalidRouteTableID.NotFound`.
        let (first, rest) = kind.split_at(1);
        let (code, plural) = (format!("Invalid{}{rest}ID.NotFound", first.to_uppercase()), missing.len() > 1);
        let (noun, verb) = if plural { ("IDs", "do") } else { ("ID", "does") };
        let message = format!("The {kind} {noun} '{}' {verb} not exist", missing.join(", "));
        return Err(Fault { code: code.into(), ..Fault::sender("InvalidParameterValue", message) });
    }
    let filters = Filters::of(input)?;
    filters.check(&rows)?;
    let is_named = |row: &Row| wanted.is_empty() || wanted.iter().any(|id| row.is(key, id));
    let found: Vec<Value> =
        rows.into_iter().filter(|row| is_named(row) && filters.match_row(row)).map(|row| row.shown).collect();
    page(set, found, input)
}

fn page(set: &str, found: Vec<Value>, input: &Value) -> Result<Value, Fault> {
    let number = |name: &str| {
        let text = input.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let wrong = |_| Fault::sender("InvalidParameterValue", format!("The value of {name} is not valid."));
        text.map(str::parse::<usize>).transpose().map_err(wrong)
    };
    let start = number("NextToken")?.unwrap_or(0);
    let end = start.saturating_add(number("MaxResults")?.unwrap_or(PAGE));
    let token = (found.len() > end).then(|| end.to_string());
    let shown: Vec<Value> = found.into_iter().skip(start).take(end - start).collect();
    Ok(json!({ set: shown, "nextToken": token }))
}

fn zones(network: &Network, input: &Value) -> Result<Value, Fault> {
    let (names, ids) = (strings::list(input.get("ZoneNames")), strings::list(input.get("ZoneIds")));
    // Zones of AWS that the account did not opt into do not exist here.
    let _all = input.get("AllAvailabilityZones");
    let filters = Filters::of(input)?;
    let rows = network.zones();
    filters.check(&rows)?;
    let is_named =
        |row: &Row, key: &str, wanted: &[String]| wanted.is_empty() || wanted.iter().any(|one| row.is(key, one));
    let found = rows
        .into_iter()
        .filter(|row| is_named(row, "zone-name", &names) && is_named(row, "zone-id", &ids) && filters.match_row(row))
        .map(|row| row.shown);
    Ok(json!({ "availabilityZoneInfo": found.collect::<Vec<_>>() }))
}

fn attribute(network: &Network, input: &Value) -> Result<Value, Fault> {
    let text = |name: &str| input.get(name).and_then(Value::as_str).unwrap_or_default();
    let (vpc, attribute) = (text("VpcId"), text("Attribute"));
    if vpc != network::VPC {
        return Err(Fault::sender("InvalidVpcID.NotFound", format!("The vpc ID '{vpc}' does not exist")));
    }
    let value = network.vpc_attribute(attribute);
    Ok(json!({ "vpcId": vpc, attribute: { "value": value } }))
}
