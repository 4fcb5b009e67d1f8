//! The network of a cluster, where the stack makes one: `aws_vpc`, `aws_subnet`, `aws_internet_gateway`, `aws_eip`, `aws_nat_gateway`,
//! `aws_route_table`. The id is EC2's.
//!
//! Ids are EC2's and names are free there, so a thing is found again by two tags: the stack's, and [`TAG_NAME`], which holds the
//! attribute `name`. The tag `Name` is for people. Each read is a list by a filter, which says that nothing is there by being empty.

mod address;
mod internet_gateway;
mod nat_gateway;
mod object;
mod route_table;
mod subnet;
mod vpc;

use std::collections::HashMap;
use std::time::Duration;

use provision::{Attributes, Context, Failure, Health, Known, Object, Reading, Schema};
use serde_json::{Value, json};

use super::edit::Edit;
use super::passing::call;
use super::value::{self, text};
use super::wait::{Look, until};
use crate::cloud::{Cloud, TAG_STACK};
use crate::ec2::{self, Element, Form};
use crate::error::{Error, Result};

/// The tag that says which part of the stack's network a thing is.
const TAG_NAME: &str = "sluice:name";

/// A thing that was made shows within this time (EC2 API Reference, "Eventual consistency"); a NAT gateway takes minutes.
const READY_WITHIN: Duration = Duration::from_mins(10);

/// The kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// `aws_vpc`: name, cidr_block, enable_dns_support, enable_dns_hostnames.
    Vpc,
    /// `aws_subnet`: name, vpc_id, cidr_block, zone (the number of a zone that has Fargate, from 0); computed availability_zone.
    Subnet,
    /// `aws_internet_gateway`: name, vpc_id.
    InternetGateway,
    /// `aws_eip`: name; computed public_ip.
    Address,
    /// `aws_nat_gateway`: name, subnet_id, allocation_id; computed public_ip.
    NatGateway,
    /// `aws_route_table`: name, vpc_id, routes (what each destination leads to), subnet_ids.
    RouteTable,
}

/// How EC2 lists a kind.
struct Listing {
    operation: &'static str,
    set: &'static str,
    /// The filter of ids, and their element.
    filter: &'static str,
    id: &'static str,
    /// The kind in tag specifications.
    resource: &'static str,
}

impl Part {
    pub(crate) const ALL: [Self; 6] =
        [Self::NatGateway, Self::Address, Self::RouteTable, Self::Subnet, Self::InternetGateway, Self::Vpc];

    /// Its kind in addresses.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Vpc => "aws_vpc",
            Self::Subnet => "aws_subnet",
            Self::InternetGateway => "aws_internet_gateway",
            Self::Address => "aws_eip",
            Self::NatGateway => "aws_nat_gateway",
            Self::RouteTable => "aws_route_table",
        }
    }

    fn listing(self) -> Listing {
        let (operation, set, filter, id, resource) = match self {
            Self::Vpc => ("ec2:DescribeVpcs", "vpcSet", "vpc-id", "vpcId", "vpc"),
            Self::Subnet => ("ec2:DescribeSubnets", "subnetSet", "subnet-id", "subnetId", "subnet"),
            Self::InternetGateway => (
                "ec2:DescribeInternetGateways",
                "internetGatewaySet",
                "internet-gateway-id",
                "internetGatewayId",
                "internet-gateway",
            ),
            Self::Address => ("ec2:DescribeAddresses", "addressesSet", "allocation-id", "allocationId", "elastic-ip"),
            Self::NatGateway => {
                ("ec2:DescribeNatGateways", "natGatewaySet", "nat-gateway-id", "natGatewayId", "natgateway")
            }
            Self::RouteTable => {
                ("ec2:DescribeRouteTables", "routeTableSet", "route-table-id", "routeTableId", "route-table")
            }
        };
        Listing { operation, set, filter, id, resource }
    }

    fn what(self, name: &str) -> String {
        format!("{} {name}", self.kind().trim_start_matches("aws_").replace('_', " "))
    }
}

const PLAIN: Schema = Schema { force_new: &["name"], computed: &[], sensitive: &[], open: &[], set_once: &[] };

pub(super) fn schema(part: Part) -> Schema {
    match part {
        Part::Vpc => Schema { force_new: &["name", "cidr_block"], ..PLAIN },
        Part::Subnet => {
            Schema { force_new: &["name", "vpc_id", "cidr_block", "zone"], computed: &["availability_zone"], ..PLAIN }
        }
        Part::InternetGateway => PLAIN,
        Part::Address => Schema { computed: &["public_ip"], ..PLAIN },
        Part::NatGateway => {
            Schema { force_new: &["name", "subnet_id", "allocation_id"], computed: &["public_ip"], ..PLAIN }
        }
        Part::RouteTable => Schema { force_new: &["name", "vpc_id"], ..PLAIN },
    }
}

pub(super) async fn read(cloud: &Cloud, part: Part, known: Known<'_>) -> Result<Reading, Failure> {
    let of_audit = known.desired.get("id").and_then(Value::as_str);
    let id = known.recorded.map(|object| object.id.as_str()).or(of_audit);
    let mut found = match id {
        Some(id) => fetch(cloud, part, id).await?,
        None => None,
    };
    if let (None, Some(name)) = (&found, known.desired.get("name").and_then(Value::as_str)) {
        found = ours(cloud, part, name).await?;
    }
    let Some(mut object) = found else { return Ok(Reading::Absent) };
    // EC2 knows zones and not their numbers; the first that was chosen stays.
    let recorded = known.recorded.and_then(|object| object.attributes.get("zone"));
    if let Some(zone) = recorded.or_else(|| known.desired.get("zone")) {
        object.attributes.insert("zone".to_owned(), zone.clone());
    }
    Ok(cloud.claim(object))
}

/// The thing of that id; none if it is gone, or shows only as what it was.
async fn fetch(cloud: &Cloud, part: Part, id: &str) -> Result<Option<Object>> {
    let filters = [(part.listing().filter, vec![id.to_owned()])];
    Ok(listed(cloud, part, &filters).await?.into_iter().next())
}

/// The stack's own of that name.
async fn ours(cloud: &Cloud, part: Part, name: &str) -> Result<Option<Object>> {
    let filters = [of_stack(cloud), ("tag:sluice:name", vec![name.to_owned()])];
    // A NAT gateway that goes shows beside the one that took its place.
    let mut found = listed(cloud, part, &filters).await?;
    found.sort_by_key(is_broken);
    Ok(found.into_iter().next())
}

fn of_stack(cloud: &Cloud) -> (&'static str, Vec<String>) {
    ("tag:sluice:stack", vec![cloud.stack().to_owned()])
}

/// Everything of this kind that carries the stack's tag.
pub(crate) async fn all_of_stack(cloud: &Cloud, part: Part) -> Result<Vec<Object>> {
    listed(cloud, part, &[of_stack(cloud)]).await
}

async fn listed(cloud: &Cloud, part: Part, filters: &[(&str, Vec<String>)]) -> Result<Vec<Object>> {
    let Listing { operation, set, id, .. } = part.listing();
    let mut objects = Vec::new();
    let found = ec2::found(cloud.session(), operation, set, filters).await?;
    for item in found.into_iter().filter(|item| has_tags(item, filters)) {
        let id = item.text(id).ok_or_else(|| Error::answer(operation, "an item has no id"))?;
        if let Some(mut object) = object::of(part, id, &item) {
            if part == Part::Vpc {
                vpc::complete(cloud, &mut object).await?;
            }
            objects.push(object);
        }
    }
    Ok(objects)
}

/// Whether a thing has the tags that it was asked for by: emulators of EC2 leave such filters out of account for some kinds, and what
/// is somebody else's is never taken for ours.
fn has_tags(item: &Element, filters: &[(&str, Vec<String>)]) -> bool {
    let tags = item.items("tagSet");
    filters.iter().filter_map(|(filter, values)| Some((filter.strip_prefix("tag:")?, values))).all(|(key, values)| {
        let value = tags.iter().find(|tag| tag.text("key") == Some(key)).and_then(|tag| tag.text("value"));
        value.is_some_and(|value| values.iter().any(|wanted| wanted == value))
    })
}

pub(super) async fn create(
    cloud: &Cloud,
    part: Part,
    desired: &Attributes,
    context: &Context,
) -> Result<Object, Failure> {
    match part {
        Part::Vpc => vpc::create(cloud, desired, context).await,
        Part::Subnet => subnet::create(cloud, desired, context).await,
        Part::InternetGateway => internet_gateway::create(cloud, desired, context).await,
        Part::Address => address::create(cloud, desired, context).await,
        Part::NatGateway => nat_gateway::create(cloud, desired, context).await,
        Part::RouteTable => route_table::create(cloud, desired, context).await,
    }
}

pub(super) async fn update(cloud: &Cloud, part: Part, edit: Edit<'_>, context: &Context) -> Result<Object, Failure> {
    let id = edit.current.id.as_str();
    match part {
        Part::Vpc => vpc::set(cloud, id, edit.desired, context).await?,
        Part::InternetGateway => internet_gateway::attach(cloud, edit.current, edit.desired, context).await?,
        Part::RouteTable => route_table::set(cloud, id, edit.desired, context).await?,
        Part::Subnet | Part::Address | Part::NatGateway => {}
    }
    ready(cloud, part, id, edit.desired, context).await
}

pub(super) async fn delete(cloud: &Cloud, part: Part, current: &Object, context: &Context) -> Result<(), Failure> {
    let id = current.id.as_str();
    match part {
        Part::Vpc => gone(cloud, "ec2:DeleteVpc", ("VpcId", id), context).await,
        Part::Subnet => gone(cloud, "ec2:DeleteSubnet", ("SubnetId", id), context).await,
        Part::InternetGateway => internet_gateway::delete(cloud, current, context).await,
        Part::Address => gone(cloud, "ec2:ReleaseAddress", ("AllocationId", id), context).await,
        Part::NatGateway => nat_gateway::delete(cloud, current, context).await,
        Part::RouteTable => route_table::delete(cloud, id, context).await,
    }
}

/// Removes by one call; that it is gone already is success.
async fn gone(
    cloud: &Cloud,
    operation: &'static str,
    (parameter, id): (&str, &str),
    context: &Context,
) -> Result<(), Failure> {
    let form = Form::default().with(parameter, id);
    call(context, || async {
        match ec2::request(cloud.session(), operation, &form).await {
            Err(error) if error.is_not_found() => Ok(()),
            answer => answer.map(drop),
        }
    })
    .await
}

/// What a new thing is tagged with.
fn tagged(form: Form, part: Part, desired: &Attributes) -> Result<Form, Failure> {
    let name = text(desired, "name")?;
    let mut tags: HashMap<String, String> = value::tags(desired);
    tags.insert(TAG_NAME.to_owned(), name.to_owned());
    tags.entry("Name".to_owned()).or_insert_with(|| name.to_owned());
    let form = form.with("TagSpecification.1.ResourceType", part.listing().resource);
    Ok(form.tags("TagSpecification.1.Tag", &tags))
}

/// Makes one, unless a try whose answer was lost has: nobody else gives it our tags. Its id.
async fn made(
    cloud: &Cloud,
    part: Part,
    (operation, form): (&'static str, Form),
    desired: &Attributes,
    context: &Context,
) -> Result<String, Failure> {
    let name = text(desired, "name")?;
    let form = tagged(form, part, desired)?;
    call(context, || async {
        if let Some(there) = ours(cloud, part, name).await?.filter(|object| !is_broken(object)) {
            return Ok(there.id);
        }
        let answer = ec2::request(cloud.session(), operation, &form).await?;
        let id = id_of(&answer, part.listing().id);
        id.ok_or_else(|| Error::answer(operation, "it holds no id"))
    })
    .await
}

fn is_broken(object: &Object) -> bool {
    matches!(object.health, Health::Broken(_))
}

/// The id in the answer, or in the one element that it holds.
fn id_of(answer: &Element, id: &str) -> Option<String> {
    let own = answer.text(id);
    own.or_else(|| answer.children.iter().find_map(|child| child.text(id))).map(str::to_owned)
}

/// Waits until it shows and can be used.
async fn ready(
    cloud: &Cloud,
    part: Part,
    id: &str,
    desired: &Attributes,
    context: &Context,
) -> Result<Object, Failure> {
    let what = part.what(text(desired, "name")?);
    let mut object = until(context, &what, READY_WITHIN, || async {
        Ok(match fetch(cloud, part, id).await? {
            None => Look::Waiting("not visible yet".to_owned()),
            Some(object) => match &object.health {
                Health::Settling(status) => Look::Waiting(status.clone()),
                Health::Broken(why) => Look::Hopeless(why.clone()),
                Health::Ready => Look::Done(object),
            },
        })
    })
    .await?;
    object.attributes.extend(desired.get("zone").map(|zone| ("zone".to_owned(), zone.clone())));
    Ok(object)
}

/// The stack's tag is one of those that say whose a thing is.
pub(super) fn tags_of(name: Option<&str>, mut tags: HashMap<String, String>) -> Value {
    tags.remove(TAG_NAME);
    // A person's own name for it stays a tag.
    if tags.get("Name").map(String::as_str) == name {
        tags.remove("Name");
    }
    debug_assert_eq!(TAG_STACK, "sluice:stack");
    json!(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_shows_beside_the_stacks_own_is_not_ours() {
        let item = |tags: &str| {
            let text = format!("<item><natGatewayId>nat-1</natGatewayId><tagSet>{tags}</tagSet></item>");
            Element::parse(&text).unwrap()
        };
        let tag = |key: &str, value: &str| format!("<item><key>{key}</key><value>{value}</value></item>");
        let filters = [("tag:sluice:stack", vec!["demo".to_owned()]), ("vpc-id", vec!["vpc-1".to_owned()])];
        assert!(has_tags(&item(&(tag("Name", "x") + &tag("sluice:stack", "demo"))), &filters));
        assert!(!has_tags(&item(""), &filters));
        assert!(!has_tags(&item(&tag("sluice:stack", "other")), &filters));
        assert!(has_tags(&item(""), &filters[1..]));
    }
}
