//! EC2: the network of clusters. One is there and cannot be changed; others can be made: VPCs, subnets, internet and NAT gateways,
//! addresses and route tables. Nothing runs in them: pods are processes of this machine.
//!
//! Shapes: EC2 API Reference; errors: "Error codes for the Amazon EC2 API"; the ARNs that calls are authorised on: Service
//! Authorization Reference, "Actions, resources, and condition keys for Amazon EC2".

mod access;
pub(crate) mod arn;
mod cidr;
mod describing;
mod filter;
mod gateways;
pub(crate) mod network;
mod routes;
mod rows;
pub(crate) mod store;
mod tag_list;
mod tags;
mod vpc;

use serde_json::{Value, json};

use crate::caller::Call;
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::model::{self, Shape};
use crate::request::Service;
use crate::{coverage, intake};
use network::Network;
use store::{Kind, Made};

/// A call that is checked and allowed.
struct Operation<'a> {
    cloud: &'a Cloud,
    input: &'a Value,
}

/// Performs `action` with the query parameters `form`.
pub(crate) fn call(cloud: &Cloud, call: &Call, action: &str, form: &Value) -> Result<Value, Fault> {
    if let Some(refused) = coverage::not_offered(Service::Ec2, action) {
        return Err(refused);
    }
    let input = in_names_of_the_model(action, form);
    intake::check(Service::Ec2, action, &input)?;
    access::check(cloud, call, action, &input)?;
    if input.get("DryRun").and_then(Value::as_str) == Some("true") {
        let message = "Request would have succeeded, but DryRun flag is set.";
        return Err(Fault::new(412, "DryRunOperation", message));
    }
    cloud.ec2().sweep(&cloud.clock);
    if let Some(late) = access::late(cloud, action, &input) {
        return Err(late);
    }
    let operation = Operation { cloud, input: &input };
    match action {
        "CreateVpc" => operation.create_vpc(),
        "DeleteVpc" => operation.delete_vpc(),
        "ModifyVpcAttribute" => operation.modify_vpc_attribute(),
        "CreateSubnet" => operation.create_subnet(),
        "DeleteSubnet" => operation.delete_subnet(),
        "CreateInternetGateway" => operation.create_internet_gateway(),
        "AttachInternetGateway" => operation.attach_internet_gateway(),
        "DetachInternetGateway" => operation.detach_internet_gateway(),
        "DeleteInternetGateway" => operation.delete_internet_gateway(),
        "AllocateAddress" => operation.allocate_address(),
        "ReleaseAddress" => operation.release_address(),
        "CreateNatGateway" => operation.create_nat_gateway(),
        "DeleteNatGateway" => operation.delete_nat_gateway(),
        "CreateRouteTable" => operation.create_route_table(),
        "DeleteRouteTable" => operation.delete_route_table(),
        "CreateRoute" => operation.create_route(),
        "ReplaceRoute" => operation.replace_route(),
        "DeleteRoute" => operation.delete_route(),
        "AssociateRouteTable" => operation.associate_route_table(),
        "DisassociateRouteTable" => operation.disassociate_route_table(),
        "CreateTags" => operation.create_tags(),
        "DeleteTags" => operation.delete_tags(),
        other => operation.describe(other),
    }
}

impl Operation<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.input.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    fn required(&self, name: &str) -> Result<&str, Fault> {
        self.text(name).ok_or_else(|| missing(name))
    }

    fn network(&self) -> Network<'_> {
        Network::of(&self.cloud.region, &self.cloud.account, self.cloud.faults.faults())
    }

    /// A new thing with the tags that the input gives it.
    fn made<T>(&self, kind: Kind, thing: T) -> Result<Made<T>, Fault> {
        Ok(Made { at: self.cloud.clock.moment(), tags: tag_list::given(self.input, kind)?, thing })
    }

    /// The answer of a call that has nothing to say.
    fn done() -> Value {
        json!({ "return": true })
    }
}

fn missing(name: &str) -> Fault {
    Fault::sender("MissingParameter", format!("The request must contain the parameter {name}"))
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::sender("InvalidParameterValue", message)
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
            (Some(Shape::Structure { members, .. }), Value::Object(_)) => renamed(model, members, value),
            _ => value.clone(),
        };
        (name.clone(), items)
    };
    Value::Object(given.iter().map(rename).collect())
}
