//! What EC2 says of the network, in its own protocol.

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
