//! What EC2 says of the network, in its own protocol.

use std::time::Duration;

use serde_json::json;

use super::Stage;

const PRIVATE: &str = "subnet-0a1b2c3d4e5f60001";

#[tokio::test]
async fn subnets_are_found_by_ids_and_filters() {
    let stage = Stage::start();
    let all = stage.query("ec2", &[("Action", "DescribeSubnets"), ("Version", "2016-11-15")]).await;
    assert_eq!(all.status, 200, "{}", all.text);
    assert!(
        all.text.contains("<DescribeSubnetsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>")
    );
    assert_eq!(all.text.matches("<subnetId>").count(), 4);
    let ids = |answer: super::Answer| {
        answer.text.split("<subnetId>").skip(1).map(|rest| rest[..24].to_owned()).collect::<Vec<_>>()
    };
    let one = stage.query("ec2", &[("Action", "DescribeSubnets"), ("SubnetId.1", PRIVATE)]).await;
    assert_eq!(ids(one), [PRIVATE]);
    // An id that is not there is no error of a filter, and filters must all match.
    let form = [
        ("Action", "DescribeSubnets"),
        ("Filter.1.Name", "subnet-id"),
        ("Filter.1.Value.1", PRIVATE),
        ("Filter.1.Value.2", "subnet-none"),
        ("Filter.2.Name", "availability-zone-id"),
        ("Filter.2.Value.1", "apne1-az*"),
    ];
    assert_eq!(ids(stage.query("ec2", &form).await), [PRIVATE]);
    let page = stage.query("ec2", &[("Action", "DescribeSubnets"), ("MaxResults", "5")]).await;
    assert_eq!(page.tag("nextToken"), "");
}

#[tokio::test]
async fn pages_follow_each_other() {
    let stage = Stage::start();
    // Five is the least that EC2 takes; route tables are two, so this is one page.
    let few = stage.query("ec2", &[("Action", "DescribeSubnets"), ("MaxResults", "3")]).await;
    assert_eq!(few.code(), "InvalidParameterValue", "{}", few.text);
    let second = stage.query("ec2", &[("Action", "DescribeSubnets"), ("NextToken", "3")]).await;
    assert_eq!(second.text.matches("<subnetId>").count(), 1);
}

#[tokio::test]
async fn refusals_have_ec2s_shape_and_codes() {
    let stage = Stage::start();
    let gone = stage.query("ec2", &[("Action", "DescribeSubnets"), ("SubnetId.1", "subnet-none")]).await;
    assert_eq!((gone.status, gone.code().as_str()), (400, "InvalidSubnetID.NotFound"));
    assert_eq!(gone.message(), "The subnet ID 'subnet-none' does not exist");
    assert!(
        gone.text.contains("<Response><Errors><Error><Code>") && gone.text.contains("<RequestID>"),
        "{}",
        gone.text
    );
    let form = [("Action", "DescribeSubnets"), ("Filter.1.Name", "nonsense"), ("Filter.1.Value.1", "x")];
    assert_eq!(stage.query("ec2", &form).await.message(), "The filter 'nonsense' is invalid");
    let runs = stage.query("ec2", &[("Action", "RunInstances")]).await;
    assert_eq!(runs.code(), "InvalidAction");
    assert!(runs.message().contains("does not offer RunInstances of EC2"), "{}", runs.text);
    let dry = stage.query("ec2", &[("Action", "DescribeVpcs"), ("DryRun", "true")]).await;
    assert_eq!((dry.status, dry.code().as_str()), (412, "DryRunOperation"));
}

#[tokio::test]
async fn iam_decides_about_ec2_as_about_everything() {
    let stage = Stage::start();
    let arn =
        stage.role("reader", &json!([{ "Effect": "Allow", "Action": "ec2:DescribeVpcs", "Resource": "*" }])).await;
    let key = stage.session(&arn).await;
    let call = async |action: &str| stage.query_as(Some(&key), "ec2", "/", &[("Action", action)]).await;
    assert_eq!(call("DescribeVpcs").await.status, 200);
    let refused = call("DescribeSubnets").await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "UnauthorizedOperation"));
    assert!(
        refused.message().starts_with("You are not authorized to perform this operation. User: "),
        "{}",
        refused.text
    );
}

#[tokio::test]
async fn private_subnets_lead_to_a_nat_gateway_and_public_ones_to_the_internet() {
    let stage = Stage::start();
    let form =
        [("Action", "DescribeRouteTables"), ("Filter.1.Name", "association.subnet-id"), ("Filter.1.Value.1", PRIVATE)];
    let own = stage.query("ec2", &form).await;
    assert!(own.text.contains("<natGatewayId>nat-") && !own.text.contains("igw-"), "{}", own.text);
    let form = [("Action", "DescribeRouteTables"), ("Filter.1.Name", "association.main"), ("Filter.1.Value.1", "true")];
    let main = stage.query("ec2", &form).await;
    assert!(main.text.contains("<gatewayId>igw-"), "{}", main.text);
    let zones = stage.query("ec2", &[("Action", "DescribeAvailabilityZones")]).await;
    assert!(
        zones.text.contains("<zoneId>apne1-az1</zoneId>") && zones.text.contains("<zoneId>apne1-az3</zoneId>"),
        "{}",
        zones.text
    );
    let endpoints = stage.query("ec2", &[("Action", "DescribeVpcEndpoints")]).await;
    assert!(endpoints.text.contains("<vpcEndpointSet></vpcEndpointSet>"), "{}", endpoints.text);
}

/// A tag of what is made.
const TAG: [(&str, &str); 2] = [("TagSpecification.1.Tag.1.Key", "team"), ("TagSpecification.1.Tag.1.Value", "shop")];

async fn done(stage: &Stage, form: &[(&str, &str)]) -> super::Answer {
    let answer = stage.query("ec2", form).await;
    assert_eq!(answer.status, 200, "{form:?}: {}", answer.text);
    answer
}

#[tokio::test]
async fn a_network_is_made_and_goes_in_the_order_that_ec2_wants() {
    let stage = Stage::start();
    let made = [("Action", "CreateVpc"), ("CidrBlock", "10.7.0.0/16"), ("TagSpecification.1.ResourceType", "vpc")];
    let vpc = done(&stage, &[made.as_slice(), &TAG].concat()).await;
    assert!(vpc.text.contains("<state>pending</state>"), "{}", vpc.text);
    let vpc = vpc.tag("vpcId");
    let (vpc, call) = (vpc.as_str(), async |form: &[(&str, &str)]| stage.query("ec2", form).await);
    let by_tag = [("Action", "DescribeVpcs"), ("Filter.1.Name", "tag:team"), ("Filter.1.Value.1", "shop")];
    assert_eq!(done(&stage, &by_tag).await.tag("vpcId"), vpc);
    let subnet = async |cidr: &str| call(&[("Action", "CreateSubnet"), ("VpcId", vpc), ("CidrBlock", cidr)]).await;
    assert_eq!(subnet("10.8.0.0/24").await.code(), "InvalidSubnet.Range");
    let public = subnet("10.7.0.0/24").await.tag("subnetId");
    assert_eq!(subnet("10.7.0.128/25").await.code(), "InvalidSubnet.Conflict");
    let gateway = done(&stage, &[("Action", "CreateInternetGateway")]).await.tag("internetGatewayId");
    let address = done(&stage, &[("Action", "AllocateAddress"), ("Domain", "vpc")]).await.tag("allocationId");
    let nat_form =
        [("Action", "CreateNatGateway"), ("SubnetId", &*public), ("AllocationId", &*address), ("ClientToken", "one")];
    let early = done(&stage, &nat_form).await;
    assert_eq!(early.tag("failureCode"), "Gateway.NotAttached", "{}", early.text);
    let attach = |action| [("Action", action), ("InternetGatewayId", &*gateway), ("VpcId", vpc)];
    done(&stage, &attach("AttachInternetGateway")).await;
    let nat_form = [nat_form[0], nat_form[1], nat_form[2], ("ClientToken", "two")];
    let nat = done(&stage, &nat_form).await.tag("natGatewayId");
    assert_eq!(done(&stage, &nat_form).await.tag("natGatewayId"), nat, "the same request");
    let table = done(&stage, &[("Action", "CreateRouteTable"), ("VpcId", vpc)]).await.tag("routeTableId");
    let route = [
        ("Action", "CreateRoute"),
        ("RouteTableId", &*table),
        ("DestinationCidrBlock", "0.0.0.0/0"),
        ("NatGatewayId", &*nat),
    ];
    done(&stage, &route).await;
    assert_eq!(call(&route).await.code(), "RouteAlreadyExists");
    let associate = [("Action", "AssociateRouteTable"), ("RouteTableId", &*table), ("SubnetId", &*public)];
    let association = done(&stage, &associate).await.tag("associationId");
    // Each waits for what needs it.
    for (form, code) in [
        (vec![("Action", "DeleteVpc"), ("VpcId", vpc)], "DependencyViolation"),
        (vec![("Action", "DeleteSubnet"), ("SubnetId", &*public)], "DependencyViolation"),
        (vec![("Action", "ReleaseAddress"), ("AllocationId", &*address)], "InvalidIPAddress.InUse"),
        (attach("DetachInternetGateway").to_vec(), "DependencyViolation"),
        (vec![("Action", "DeleteInternetGateway"), ("InternetGatewayId", &*gateway)], "DependencyViolation"),
        (vec![("Action", "DeleteRouteTable"), ("RouteTableId", &*table)], "DependencyViolation"),
        (vec![("Action", "DeleteSubnet"), ("SubnetId", PRIVATE)], "OperationNotPermitted"),
        (vec![("Action", "DeleteVpc"), ("VpcId", "vpc-none")], "InvalidVpcID.NotFound"),
    ] {
        assert_eq!(call(&form).await.code(), code, "{form:?}");
    }
    done(&stage, &[("Action", "DeleteNatGateway"), ("NatGatewayId", &*nat)]).await;
    let shown = [("Action", "DescribeNatGateways"), ("NatGatewayId.1", &*nat)];
    assert_eq!(done(&stage, &shown).await.tag("state"), "deleting");
    stage.handle.advance(Duration::from_secs(90));
    assert_eq!(done(&stage, &shown).await.tag("state"), "deleted");
    let tables = [("Action", "DescribeRouteTables"), ("RouteTableId.1", &*table)];
    assert!(done(&stage, &tables).await.text.contains("<state>blackhole</state>"));
    for form in [
        vec![("Action", "ReleaseAddress"), ("AllocationId", &*address)],
        attach("DetachInternetGateway").to_vec(),
        vec![("Action", "DeleteInternetGateway"), ("InternetGatewayId", &*gateway)],
        vec![("Action", "DisassociateRouteTable"), ("AssociationId", &*association)],
        vec![("Action", "DeleteRouteTable"), ("RouteTableId", &*table)],
        vec![("Action", "DeleteSubnet"), ("SubnetId", &*public)],
        vec![("Action", "DeleteVpc"), ("VpcId", vpc)],
    ] {
        done(&stage, &form).await;
    }
}

#[tokio::test]
async fn tags_come_and_go_and_iam_decides_about_the_thing() {
    let stage = Stage::start();
    let form = [("Action", "CreateVpc"), ("CidrBlock", "10.7.0.0/16"), ("TagSpecification.1.ResourceType", "vpc")];
    let vpc = done(&stage, &[form.as_slice(), &TAG].concat()).await.tag("vpcId");
    let change =
        |action| [("Action", action), ("ResourceId.1", &*vpc), ("Tag.1.Key", "stage"), ("Tag.1.Value", "test")];
    done(&stage, &change("CreateTags")).await;
    let look = [("Action", "DescribeVpcs"), ("VpcId.1", &*vpc)];
    assert!(done(&stage, &look).await.text.contains("<key>stage</key><value>test</value>"));
    done(&stage, &change("DeleteTags")).await;
    assert!(!done(&stage, &look).await.text.contains("stage"));
    let own = json!({ "StringEquals": { "aws:ResourceTag/team": "other" } });
    let statement = json!([
        { "Effect": "Allow", "Action": "ec2:DeleteVpc", "Resource": "arn:aws:ec2:*:*:vpc/*", "Condition": own },
        { "Effect": "Allow", "Action": "ec2:CreateVpc", "Resource": "*" },
    ]);
    let arn = stage.role("networker", &statement).await;
    let key = stage.session(&arn).await;
    let call = async |form: &[(&str, &str)]| stage.query_as(Some(&key), "ec2", "/", form).await;
    assert_eq!(call(&[("Action", "DeleteVpc"), ("VpcId", &*vpc)]).await.code(), "UnauthorizedOperation");
    // With tags it takes ec2:CreateTags as well.
    assert_eq!(call(&[form.as_slice(), &TAG].concat()).await.code(), "UnauthorizedOperation");
    assert_eq!(call(&form[..2]).await.status, 200);
}
