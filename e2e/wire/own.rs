//! The check by itself: of each kind of mistake one, in each protocol, and it is found.

use serde_json::{Value, json};

use super::check::check;

fn exchange(service: &str, request: &Value, answer: &Value) -> Value {
    let mut line = json!({ "service": service, "caller": "arn:aws:iam::111122223333:user/me", "authorized": [],
        "request": { "method": "POST", "path": "/", "query": "", "headers": {}, "body": "" },
        "answer": { "status": 200, "headers": {}, "body": "" } });
    for (side, given) in [("request", request), ("answer", answer)] {
        for (name, value) in given.as_object().unwrap() {
            line[side][name] = value.clone();
        }
    }
    line
}

/// `iam:CreateRole` with this form and this answer.
fn create_role(form: &str, status: u16, answer: &str) -> Value {
    let request = json!({ "headers": { "content-type": "application/x-www-form-urlencoded" }, "body": form });
    exchange("iam", &request, &json!({ "status": status, "headers": { "content-type": "text/xml" }, "body": answer }))
}

const FORM: &str = "Action=CreateRole&Version=2010-05-08&RoleName=reader&AssumeRolePolicyDocument=%7B%7D&MaxSessionDuration=3600\
                    &Tags.member.1.Key=a&Tags.member.1.Value=b";
const ROLE: &str = "<CreateRoleResponse><CreateRoleResult><Role><Path>/</Path><RoleName>reader</RoleName>\
                    <RoleId>AROA1234567890123456</RoleId><Arn>arn:aws:iam::111122223333:role/reader</Arn>\
                    <CreateDate>2026-11-24T04:00:00Z</CreateDate></Role></CreateRoleResult>\
                    <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></CreateRoleResponse>";

/// A call of EKS.
fn eks(method: &str, path: &str, body: &Value, answer: &Value) -> Value {
    let headers = json!({ "content-type": "application/json" });
    exchange(
        "eks",
        &json!({ "method": method, "path": path, "body": body.to_string(), "headers": headers }),
        &json!({ "headers": headers, "body": answer.to_string() }),
    )
}

fn cluster() -> Value {
    json!({ "name": "demo", "roleArn": "arn:aws:iam::111122223333:role/demo-cluster",
        "resourcesVpcConfig": { "subnetIds": ["subnet-1", "subnet-2"], "endpointPublicAccess": true },
        "accessConfig": { "authenticationMode": "API" }, "tags": { "a": "b" } })
}

fn untagged() -> Value {
    let mut cluster = cluster();
    cluster["tags"] = json!({});
    cluster
}

/// A call of SQS.
fn sqs(operation: &str, body: &Value, answer: &Value) -> Value {
    let headers =
        json!({ "content-type": "application/x-amz-json-1.0", "x-amz-target": format!("AmazonSQS.{operation}") });
    exchange("sqs", &json!({ "headers": headers, "body": body.to_string() }), &json!({ "body": answer.to_string() }))
}

const NETWORK: &str = "Action=DescribeSubnets&Version=2016-11-15&Filter.1.Name=subnet-id&Filter.1.Value.1=subnet-1&Filter.1.Value.2=subnet-2";
const SUBNETS: &str = "<DescribeSubnetsResponse><requestId>1</requestId><subnetSet><item><subnetId>subnet-1</subnetId>\
                       <state>available</state><availableIpAddressCount>250</availableIpAddressCount>\
                       <tagSet><item><key>a</key><value>b</value></item></tagSet></item></subnetSet></DescribeSubnetsResponse>";

/// `ec2:DescribeSubnets` with this form and this answer.
fn subnets(form: &str, status: u16, answer: &str) -> Value {
    let request = json!({ "headers": { "content-type": "application/x-www-form-urlencoded" }, "body": form });
    exchange("ec2", &request, &json!({ "status": status, "headers": { "content-type": "text/xml" }, "body": answer }))
}

fn found(line: &Value) -> Vec<String> {
    let checked = check(&line.to_string());
    assert_eq!(checked.exchanges, 1);
    checked.violations.into_keys().collect()
}

#[track_caller]
fn finds(line: &Value, words: &str) {
    let found = found(line);
    assert!(found.len() == 1 && found[0].contains(words), "expected {words:?}, found {found:#?}");
}

#[test]
fn what_is_in_order_is_in_order() {
    let queue = json!({ "QueueName": "q", "Attributes": { "VisibilityTimeout": "30" }, "tags": { "a": "b" } });
    for line in [
        create_role(FORM, 200, ROLE),
        eks(
            "POST",
            "/clusters",
            &cluster(),
            &json!({ "cluster": { "name": "demo", "createdAt": 1.5, "status": "CREATING" } }),
        ),
        sqs("CreateQueue", &queue, &json!({ "QueueUrl": "http://q" })),
        subnets(NETWORK, 200, SUBNETS),
    ] {
        assert_eq!(found(&line), [""; 0], "{line}");
    }
}

#[test]
fn a_request_that_breaks_the_model_is_found() {
    let form = |from: &str, to: &str| create_role(&FORM.replace(from, to), 200, ROLE);
    finds(&form("&RoleName=reader", ""), "lacks the required member RoleName");
    finds(&form("=reader", "=a%20b"), "does not match");
    finds(&form("=reader", &format!("={}", "x".repeat(65))), "65 characters are out of 1..=64");
    finds(&form("3600", "60"), "60 is out of 3600..=43200");
    finds(&form("3600", "long"), "is no integer");
    finds(&form("&Tags.", "&Colour=red&Tags."), "Colour: CreateRoleRequest has no such member");
    finds(&form("&Tags.member.1.Value=b", "&Tags.member.1.Value=b&Tags.2.Key=c"), "Tags.2.Key");
    finds(&form("CreateRole", "MakeRole"), "lacks MakeRole");
    finds(&form("2010-05-08", "2011-01-01"), "the version is");
    let mut wrong = cluster();
    wrong["accessConfig"]["authenticationMode"] = json!("NONE");
    finds(&eks("POST", "/clusters", &wrong, &json!({})), "\"NONE\" is none of");
    let mut wrong = cluster();
    wrong["resourcesVpcConfig"]["endpointPublicAccess"] = json!("true");
    finds(&eks("POST", "/clusters", &wrong, &json!({})), "is no boolean");
    let mut wrong = cluster();
    wrong["resourcesVpcConfig"]["subnetIds"] = json!("subnet-1");
    finds(&eks("POST", "/clusters", &wrong, &json!({})), "is no list");
    let mut wrong = cluster();
    wrong["colour"] = json!("red");
    finds(&eks("POST", "/clusters", &wrong, &json!({})), "has no such member");
    finds(&eks("POST", "/clusters/demo/paint", &json!({}), &json!({})), "no operation is POST /clusters/demo/paint");
    finds(
        &sqs("CreateQueue", &json!({ "QueueName": "q", "Attributes": { "Colour": "red" } }), &json!({})),
        "\"Colour\" is none of",
    );
    finds(&sqs("CreateQueue", &json!({ "QueueName": 7 }), &json!({})), "7 is no string");
    finds(&eks("POST", "/clusters", &untagged(), &json!({})), "0 entries are out of 1..=50");
    let network = |from: &str, to: &str| subnets(&NETWORK.replace(from, to), 200, SUBNETS);
    finds(&network("Filter.1.Value.2", "Filter.1.Values.2"), "DescribeSubnetsRequest has no such member");
    finds(&network("2016-11-15", "2015-11-15"), "the version is");
    finds(&network("&Filter.1.Name", "&MaxResults=1&Filter.1.Name"), "1 is out of 5..=1000");
}

#[test]
fn an_answer_that_breaks_the_model_is_found() {
    let answer = |from: &str, to: &str| create_role(FORM, 200, &ROLE.replace(from, to));
    finds(&answer("<Path>/</Path>", ""), "lacks the required member Path");
    finds(&answer("2026-11-24T04:00:00Z", "yesterday"), "is no timestamp");
    finds(&answer("<Path>", "<Colour>red</Colour><Path>"), "Colour");
    finds(&answer("<RequestId>1</RequestId>", ""), "has no RequestId");
    finds(
        &eks("POST", "/clusters", &cluster(), &json!({ "cluster": { "status": "ALMOST" } })),
        "\"ALMOST\" is none of",
    );
    finds(&eks("POST", "/clusters", &cluster(), &json!({ "cluster": { "tags": [] } })), "is no map");
    assert_eq!(found(&eks("POST", "/clusters", &cluster(), &json!({ "cluster": { "tags": {} } }))), [""; 0]);
    let network = |from: &str, to: &str| subnets(NETWORK, 200, &SUBNETS.replace(from, to));
    finds(&network("available<", "there<"), "\"there\" is none of");
    finds(&network("<state>", "<colour>red</colour><state>"), "colour");
    finds(&network("250", "many"), "is no integer");
    finds(&network("<requestId>1</requestId>", ""), "has no requestId");
}

#[test]
fn an_error_that_is_not_documented_is_found() {
    let error = |status: u16, code: &str, message: &str| {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        );
        create_role(FORM, status, &body)
    };
    assert_eq!(found(&error(409, "EntityAlreadyExists", "there")), [""; 0]);
    assert_eq!(found(&error(403, "AccessDenied", "no")), [""; 0]);
    finds(&error(400, "EntityAlreadyExists", "there"), "has the status 409, not 400");
    finds(&error(400, "TooRed", "red"), "TooRed is no documented error");
    finds(&error(409, "EntityAlreadyExists", ""), "has no message");
    let error = |code: &str| {
        let error = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
        subnets(NETWORK, 403, &format!("<Response><Errors>{error}</Errors><RequestID>1</RequestID></Response>"))
    };
    assert_eq!(found(&error("UnauthorizedOperation")), [""; 0]);
    finds(&error("TooRed"), "TooRed is no documented error");
}
