//! Services that are not offered, in the shape of each protocol.

use serde_json::{Value, json};

use super::Stage;
use super::signer::Shape;

const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];

/// The words that every refusal has, and the operation in it.
fn says(text: &str, service: &str, operation: &str) -> bool {
    text.contains(&format!(
        "The local cloud does not offer the service {service} ({operation}). It offers SQS, STS, IAM, EKS"
    ))
}

#[tokio::test]
async fn each_protocol_has_its_own_error_shape() {
    let stage = Stage::start();
    let key = Some(&stage.administrator);
    let sns = stage.send(Shape { headers: &FORM, body: "Action=ListTopics", ..Shape::post("sns", "/") }, key).await;
    assert!(sns.text.contains("<ErrorResponse><Error><Type>Sender</Type>"), "{}", sns.text);
    assert!(says(&sns.tag("Message"), "sns", "ListTopics"), "{}", sns.text);

    let s3 = stage.send(Shape { method: "GET", ..Shape::post("s3", "/bucket/key") }, key).await;
    assert!(s3.text.contains("?><Error><Code>NotImplemented</Code>"), "{}", s3.text);
    assert!(says(&s3.tag("Message"), "s3", "GET /bucket/key"), "{}", s3.text);
    let head = stage.send(Shape { method: "HEAD", ..Shape::post("s3", "/bucket") }, key).await;
    assert_eq!((head.status, head.text.as_str()), (400, ""));
    assert!(says(head.header("x-amz-error-message"), "s3", "HEAD /bucket"), "{:?}", head.headers);

    for (service, kind, target) in [
        ("kms", "application/x-amz-json-1.1", "TrentService.ListKeys"),
        ("dynamodb", "application/x-amz-json-1.0", "DynamoDB_20120810.ListTables"),
    ] {
        let headers = [("content-type", kind), ("x-amz-target", target)];
        let answer = stage.send(Shape { headers: &headers, body: "{}", ..Shape::post(service, "/") }, key).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, kind));
        assert_eq!(answer.code(), "UnknownOperationException");
        assert!(says(&answer.message(), service, target.rsplit('.').next().unwrap()), "{}", answer.text);
    }

    let lambda = stage.send(Shape { method: "GET", ..Shape::post("lambda", "/2015-03-31/functions") }, key).await;
    assert_eq!(lambda.code(), "UnknownOperationException");
    assert!(says(&lambda.message(), "lambda", "GET /2015-03-31/functions"), "{}", lambda.text);

    let headers = [("content-type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")];
    let path = "/service/GraniteServiceVersion20100801/operation/ListMetrics";
    let metrics = stage.send(Shape { headers: &headers, ..Shape::post("monitoring", path) }, key).await;
    assert_eq!(
        (metrics.header("smithy-protocol"), metrics.header("content-type")),
        ("rpc-v2-cbor", "application/cbor")
    );
    // A map of two, whose first key is a text of six bytes.
    assert!(
        metrics.text.contains("__type") && says(&metrics.text, "monitoring", &format!("POST {path}")),
        "{}",
        metrics.text
    );
}

#[tokio::test]
async fn a_queue_is_still_found_by_its_path_and_a_list_of_one_may_lack_its_number() {
    let stage = Stage::start();
    stage.queue("orders", json!({})).await;
    let path = format!("/{}/orders", super::ACCOUNT);
    let form = [("Action", "GetQueueAttributes"), ("AttributeName", "QueueArn")];
    let answer = stage.query_as(Some(&stage.administrator), "sqs", &path, &form).await;
    assert!(answer.tag("Value").ends_with(":orders"), "{}", answer.text);
    let list = stage.query_as(Some(&stage.administrator), "sqs", &path, &[("Action", "ListQueues")]).await;
    assert_eq!(list.code(), "", "{}", list.text);
    assert_ne!(stage.eks("GET", "/clusters", Value::Null).await.status, 400);
}
