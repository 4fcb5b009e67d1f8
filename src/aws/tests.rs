//! Sessions, tokens and errors against a scripted service on loopback.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::queue::Queue;
use crate::session::{Session, Settings};
use crate::{ec2, eks_token, service_quotas};

/// A service that gives `answers` (status, body) in order; its URL.
async fn scripted(answers: Vec<(u16, &'static str)>) -> String {
    recorded(answers).await.0
}

/// The same, and each request as it comes.
async fn recorded(answers: Vec<(u16, &'static str)>) -> (String, UnboundedReceiver<String>) {
    let (seen, requests) = unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 16384];
            let length = stream.read(&mut request).await.unwrap();
            let _ = seen.send(String::from_utf8_lossy(&request[..length]).into_owned());
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            stream.write_all(head.as_bytes()).await.unwrap();
        }
    });
    (url, requests)
}

async fn session(endpoint: String) -> Session {
    let settings =
        Settings { region: Some("eu-west-1".into()), endpoint_url: Some(endpoint), ..Settings::new("worker") };
    Session::load(settings).await.unwrap().with_static_credentials("AKIDEXAMPLE", "hush-hush", Some("hushed-token"))
}

#[tokio::test]
async fn a_refusal_names_operation_code_and_next_step_and_is_not_retryable() {
    let body = r"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>";
    let error = session(scripted(vec![(403, body)]).await).await.caller_identity().await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDenied"));
    assert!(!error.is_retryable() && !error.is_not_found());
    assert!(error.to_string().starts_with("sts:GetCallerIdentity failed: AccessDenied: not you; allow"), "{error}");
}

#[tokio::test]
async fn the_error_of_an_assumed_role_comes_through_the_call_that_needed_it() {
    let body = r"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no trust</Message></Error></ErrorResponse>";
    let caller = session(scripted(vec![(403, body)]).await).await;
    let role = caller.assume_role("arn:aws:iam::111122223333:role/x", "test");
    let error = role.caller_identity().await.unwrap_err();
    assert!(error.to_string().starts_with("sts:AssumeRole failed: AccessDenied: no trust"), "{error}");
    assert_eq!(error.code(), Some("AccessDenied"));
}

#[tokio::test]
async fn an_assumed_role_lasts_a_quarter_of_an_hour() {
    let body = r"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no trust</Message></Error></ErrorResponse>";
    let (url, mut requests) = recorded(vec![(403, body)]).await;
    let role = session(url).await.assume_role("arn:aws:iam::111122223333:role/x", "test");
    role.caller_identity().await.unwrap_err();
    let request = requests.recv().await.unwrap();
    assert!(request.contains("Action=AssumeRole&") && request.contains("DurationSeconds=900"), "{request}");
}

#[tokio::test]
async fn every_request_names_the_program_those_for_credentials_too() {
    let role = r"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
    let counts = r#"{"Attributes":{}}"#;
    let (url, mut requests) = recorded(vec![(200, role), (200, counts), (200, counts)]).await;
    let caller = session(url.clone()).await;
    let assumed = caller.assume_role("arn:aws:iam::111122223333:role/x", "test");
    Queue::new(&assumed, "q").attributes(&[]).await.unwrap();
    Queue::new(&caller.with_region("us-east-1"), "q").attributes(&[]).await.unwrap();
    let wanted = format!("\r\nuser-agent: sluice/{} (worker)\r\n", env!("CARGO_PKG_VERSION"));
    for operation in ["Action=AssumeRole&", "GetQueueAttributes", "GetQueueAttributes"] {
        let request = requests.recv().await.unwrap();
        assert!(request.contains(operation) && request.contains(&wanted), "{request}");
    }
}

#[tokio::test]
async fn a_missing_count_is_an_error_and_never_zero() {
    let url = scripted(vec![(200, r#"{"Attributes":{"ApproximateNumberOfMessages":"3"}}"#)]).await;
    let queue = Queue::new(&session(url.clone()).await, &format!("{url}/111122223333/q"));
    let error = queue.counts().await.unwrap_err().to_string();
    assert!(error.contains("ApproximateNumberOfMessagesNotVisible is missing"), "{error}");
}

const DNS: &str = "<DescribeVpcAttributeResponse><vpcId>vpc-1</vpcId><enableDnsSupport><value>true</value></enableDnsSupport>\
                   </DescribeVpcAttributeResponse>";

#[tokio::test]
async fn a_signed_read_is_repeated_while_it_is_throttled() {
    let busy =
        "<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>slow</Message></Error></Errors></Response>";
    // Three in a row, as a busy account gives them.
    let (url, mut requests) = recorded(vec![(503, busy), (503, busy), (503, busy), (200, DNS)]).await;
    assert!(ec2::vpc_attribute(&session(url).await, "vpc-1", "enableDnsSupport").await.unwrap());
    for _ in 0..4 {
        let request = requests.recv().await.unwrap();
        assert!(
            request.starts_with("POST / HTTP/1.1\r\n") && request.contains("/eu-west-1/ec2/aws4_request"),
            "{request}"
        );
        assert!(request.contains("Action=DescribeVpcAttribute&Version=2016-11-15&VpcId=vpc-1"), "{request}");
        assert!(request.contains("x-amz-security-token: hushed-token") && !request.contains("hush-hush"), "{request}");
    }
}

#[tokio::test]
async fn a_signed_read_that_is_refused_is_sent_once_and_an_answer_without_a_value_is_none() {
    let refused = "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>not you</Message></Error></Errors></Response>";
    let caller = session(scripted(vec![(403, refused)]).await).await;
    let error = ec2::vpc_attribute(&caller, "vpc-1", "enableDnsSupport").await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), (Some("UnauthorizedOperation"), false));
    let caller = session(scripted(vec![(200, DNS)]).await).await;
    let error = ec2::vpc_attribute(&caller, "vpc-1", "enableDnsHostnames").await.unwrap_err().to_string();
    assert!(error.contains("it has no enableDnsHostnames"), "{error}");
}

#[tokio::test]
async fn all_pages_of_a_signed_list_are_read() {
    let first = "<r><vpcEndpointSet><item><serviceName>a.sqs</serviceName><state>available</state></item></vpcEndpointSet>\
                 <nextToken>more</nextToken></r>";
    let second =
        "<r><vpcEndpointSet><item><serviceName>a.sts</serviceName><state>pending</state></item></vpcEndpointSet></r>";
    let (url, mut requests) = recorded(vec![(200, first), (200, second)]).await;
    let found = ec2::endpoints(&session(url).await, "vpc-1").await.unwrap();
    assert_eq!(found.iter().map(|one| one.service.as_str()).collect::<Vec<_>>(), ["a.sqs", "a.sts"]);
    requests.recv().await.unwrap();
    assert!(requests.recv().await.unwrap().contains("NextToken=more"));
}

#[tokio::test]
async fn a_quota_that_was_never_changed_is_aws_s_default() {
    let none = r#"{"__type":"NoSuchResourceException","Message":"no"}"#;
    let url = scripted(vec![(400, none), (200, r#"{"Quota":{"Value":6.0}}"#)]).await;
    assert_eq!(service_quotas::value(&session(url).await, "fargate", "L-3032A538").await.unwrap().to_string(), "6");
}

#[tokio::test]
async fn a_missing_token_file_is_named() {
    let caller = session("http://127.0.0.1:9".into()).await;
    let file = std::path::Path::new("/nowhere/token");
    let role = caller.assume_role_with_web_identity("arn:aws:iam::111122223333:role/x", file, "test");
    let error = role.caller_identity().await.unwrap_err().to_string();
    assert!(error.contains("cannot read the token file /nowhere/token"), "{error}");
}

#[tokio::test]
async fn a_token_is_a_presigned_url_that_covers_the_cluster_and_shows_no_secret() {
    let caller = session("http://127.0.0.1:9/".into()).await;
    let token = eks_token::token(&caller, "demo").await.unwrap();
    let url = URL_SAFE_NO_PAD.decode(token.value.strip_prefix("k8s-aws-v1.").unwrap()).unwrap();
    let url = String::from_utf8(url).unwrap();
    assert!(url.starts_with("http://127.0.0.1:9/?"), "{url}");
    for part in ["Action=GetCallerIdentity", "X-Amz-Expires=60", "X-Amz-SignedHeaders=host%3Bx-k8s-aws-id"] {
        assert!(url.contains(part), "{part} in {url}");
    }
    assert!(!url.contains("hush-hush"));
    assert!(!format!("{token:?}{caller:?}").contains("hush") && !format!("{token:?}").contains("k8s-aws"));
}

#[tokio::test]
async fn a_token_never_names_a_vpc_endpoint_of_sts() {
    let caller = session("https://vpce-0a1b-2c3d.sts.eu-west-1.vpce.amazonaws.com".into()).await;
    let token = eks_token::token(&caller, "demo").await.unwrap();
    let url = URL_SAFE_NO_PAD.decode(token.value.strip_prefix("k8s-aws-v1.").unwrap()).unwrap();
    let url = String::from_utf8(url).unwrap();
    assert!(url.starts_with("https://sts.eu-west-1.amazonaws.com/?"), "{url}");
}
