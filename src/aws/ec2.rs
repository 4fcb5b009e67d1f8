//! The few operations of EC2 that a network and a preflight need, over the query protocol. The SDK's crate for EC2 has 600 operations more and takes
//! minutes to build.

mod form;
mod xml;

use crate::error::{Error, Result};
use crate::session::Session;
use crate::signed::{self, Call, Service};
pub(crate) use form::Form;
pub(crate) use xml::Element;

const SERVICE: Service = Service { id: "EC2", name: "ec2", refusal };
/// EC2 API Reference, "Query Requests".
const VERSION: &str = "2016-11-15";
const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// `subnet-…`.
    pub id: String,
    /// `vpc-…`.
    pub vpc: String,
    /// The zone's name in this account, `ap-northeast-1a`.
    pub zone: String,
    /// The zone itself, the same in every account: `apne1-az4`.
    pub zone_id: String,
    /// Addresses that nobody has.
    pub free: u32,
}

/// A route table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTable {
    /// `rtb-…`.
    pub id: String,
    /// Whether subnets without a table of their own have it.
    pub main: bool,
    /// The subnets that it is given to.
    pub subnets: Vec<String>,
    /// Its routes.
    pub routes: Vec<Route>,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// A CIDR block, or a list of them by its id.
    pub destination: String,
    /// What it leads to: `igw-…`, `nat-…`, `local`, ….
    pub target: String,
    /// Whether what it leads to is there; otherwise it is a black hole.
    pub active: bool,
}

/// A VPC endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `com.amazonaws.ap-northeast-1.sqs`.
    pub service: String,
    /// `available` once it can be used.
    pub state: String,
    /// Whether it answers under the service's own name; a gateway endpoint needs none.
    pub private_dns: bool,
    /// The route tables that lead to it, where it is a gateway; `None` for an interface.
    pub tables: Option<Vec<String>>,
}

/// The subnets of these ids that exist.
///
/// # Errors
///
/// [`Error::Service`] if EC2 refuses. Another [`Error`] if the call gets no usable answer.
pub async fn subnets(session: &Session, ids: &[String]) -> Result<Vec<Subnet>> {
    const OPERATION: &str = "ec2:DescribeSubnets";
    // By a filter, since an id that does not exist is an error of the whole call otherwise.
    let items = list(session, OPERATION, "subnetSet", "subnet-id", ids).await?;
    let subnet = |item: &Element| {
        let text = |name: &str| item.text(name).map(str::to_owned);
        Some(Subnet {
            id: text("subnetId")?,
            vpc: text("vpcId")?,
            zone: text("availabilityZone")?,
            zone_id: text("availabilityZoneId")?,
            free: item.text("availableIpAddressCount")?.parse().ok()?,
        })
    };
    all(OPERATION, &items, subnet)
}

/// The route tables of a VPC.
///
/// # Errors
///
/// [`Error::Service`] if EC2 refuses. Another [`Error`] if the call gets no usable answer.
pub async fn route_tables(session: &Session, vpc: &str) -> Result<Vec<RouteTable>> {
    const OPERATION: &str = "ec2:DescribeRouteTables";
    let items = list(session, OPERATION, "routeTableSet", "vpc-id", &[vpc.to_owned()]).await?;
    let table = |item: &Element| {
        let associations = item.items("associationSet");
        Some(RouteTable {
            id: item.text("routeTableId")?.to_owned(),
            main: associations.iter().any(|one| one.text("main") == Some("true")),
            subnets: associations.iter().filter_map(|one| one.text("subnetId")).map(str::to_owned).collect(),
            routes: item.items("routeSet").iter().map(route).collect::<Option<_>>()?,
        })
    };
    all(OPERATION, &items, table)
}

fn route(item: &Element) -> Option<Route> {
    const DESTINATIONS: [&str; 3] = ["destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId"];
    const TARGETS: [&str; 10] = [
        "gatewayId",
        "natGatewayId",
        "transitGatewayId",
        "vpcPeeringConnectionId",
        "egressOnlyInternetGatewayId",
        "instanceId",
        "networkInterfaceId",
        "localGatewayId",
        "carrierGatewayId",
        "coreNetworkArn",
    ];
    let first = |names: &[&str]| names.iter().find_map(|name| item.text(name)).map(str::to_owned);
    Some(Route {
        destination: first(&DESTINATIONS)?,
        target: first(&TARGETS).unwrap_or_default(),
        active: item.text("state") != Some("blackhole"),
    })
}

/// The endpoints of a VPC.
///
/// # Errors
///
/// [`Error::Service`] if EC2 refuses. Another [`Error`] if the call gets no usable answer.
pub async fn endpoints(session: &Session, vpc: &str) -> Result<Vec<Endpoint>> {
    const OPERATION: &str = "ec2:DescribeVpcEndpoints";
    let items = list(session, OPERATION, "vpcEndpointSet", "vpc-id", &[vpc.to_owned()]).await?;
    let endpoint = |item: &Element| {
        let is_gateway = item.text("vpcEndpointType") == Some("Gateway");
        let tables = item.items("routeTableIdSet").iter().map(|one| one.content.clone()).collect();
        Some(Endpoint {
            service: item.text("serviceName")?.to_owned(),
            state: item.text("state")?.to_lowercase(),
            private_dns: item.text("privateDnsEnabled") == Some("true"),
            tables: is_gateway.then_some(tables),
        })
    };
    all(OPERATION, &items, endpoint)
}

/// Whether `attribute` (`enableDnsSupport`, `enableDnsHostnames`) of a VPC is on.
///
/// # Errors
///
/// [`Error::Service`] if EC2 refuses. Another [`Error`] if the call gets no usable answer.
pub async fn vpc_attribute(session: &Session, vpc: &str, attribute: &str) -> Result<bool> {
    const OPERATION: &str = "ec2:DescribeVpcAttribute";
    let form = Form::default().with("VpcId", vpc).with("Attribute", attribute);
    let answer = request(session, OPERATION, &form).await?;
    let value = answer.child(attribute).and_then(|one| one.text("value"));
    value.map(|value| value == "true").ok_or_else(|| Error::answer(OPERATION, format!("it has no {attribute}")))
}

/// The zones of the region that are open to the account, by name: name and id of each.
///
/// # Errors
///
/// [`Error::Service`] if EC2 refuses. Another [`Error`] if the call gets no usable answer.
pub(crate) async fn zones(session: &Session) -> Result<Vec<(String, String)>> {
    const OPERATION: &str = "ec2:DescribeAvailabilityZones";
    let filters = [("state", vec!["available".to_owned()]), ("zone-type", vec!["availability-zone".to_owned()])];
    let items = found(session, OPERATION, "availabilityZoneInfo", &filters).await?;
    let zone = |item: &Element| Some((item.text("zoneName")?.to_owned(), item.text("zoneId")?.to_owned()));
    let mut zones = all(OPERATION, &items, zone)?;
    zones.sort();
    Ok(zones)
}

/// All pages of what a filter finds.
async fn list(
    session: &Session,
    operation: &'static str,
    set: &str,
    filter: &str,
    values: &[String],
) -> Result<Vec<Element>> {
    found(session, operation, set, &[(filter, values.to_vec())]).await
}

/// All pages of what filters find together: each a name and its values.
///
/// # Errors
///
/// [`Error::Service`] if EC2 refuses. Another [`Error`] if the call gets no usable answer.
pub(crate) async fn found(
    session: &Session,
    operation: &'static str,
    set: &str,
    filters: &[(&str, Vec<String>)],
) -> Result<Vec<Element>> {
    let mut form = Form::default();
    for (number, (name, values)) in (1..).zip(filters) {
        form = form.with(&format!("Filter.{number}.Name"), *name).listed(&format!("Filter.{number}.Value"), values);
    }
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let page = token.iter().fold(form.clone(), |form, token: &String| form.with("NextToken", token));
        let answer = request(session, operation, &page).await?;
        found.extend(answer.items(set).iter().cloned());
        token = answer.text("nextToken").filter(|token| !token.is_empty()).map(str::to_owned);
        if token.is_none() {
            return Ok(found);
        }
    }
}

fn all<T>(operation: &'static str, items: &[Element], read: impl Fn(&Element) -> Option<T>) -> Result<Vec<T>> {
    let read: Option<Vec<T>> = items.iter().map(read).collect();
    read.ok_or_else(|| Error::answer(operation, "an item lacks what it must have"))
}

/// One call; the answer's root.
///
/// # Errors
///
/// [`Error::Service`] if EC2 refuses. Another [`Error`] if the call gets no usable answer.
pub(crate) async fn request(session: &Session, operation: &'static str, form: &Form) -> Result<Element> {
    let action = operation.rsplit(':').next().unwrap_or(operation);
    let body = form.encoded(action, VERSION);
    let text = signed::send(session, SERVICE, Call { operation, headers: &FORM, body: &body }).await?;
    Element::parse(&text).map_err(|why| Error::answer(operation, why))
}

/// EC2 API Reference, "Error codes": `Response/Errors/Error`.
fn refusal(text: &str) -> Option<(String, String)> {
    let answer = Element::parse(text).ok()?;
    let error = answer.child("Errors")?.child("Error")?;
    Some((error.text("Code")?.to_owned(), error.text("Message").unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_from_ec2s_own_shape() {
        let text = "<?xml version=\"1.0\"?><Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not \
                    authorized &amp; so on</Message></Error></Errors><RequestID>r</RequestID></Response>";
        let (code, message) = refusal(text).unwrap();
        assert_eq!((code.as_str(), message.as_str()), ("UnauthorizedOperation", "You are not authorized & so on"));
        assert_eq!(refusal("<html>no"), None);
    }

    #[test]
    fn routes_are_read_whatever_they_lead_to() {
        let text = "<x><item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><natGatewayId>nat-1</natGatewayId>\
                    <state>blackhole</state></item></x>";
        let read = route(&Element::parse(text).unwrap().children[0]).unwrap();
        assert_eq!(read, Route { destination: "0.0.0.0/0".into(), target: "nat-1".into(), active: false });
    }
}
