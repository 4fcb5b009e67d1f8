//! Who may do what: signatures, roles, sessions, and AWS's own words for each refusal.

use std::time::Duration;

use serde_json::json;

use super::signer::{Key, Shape};
use super::{ACCOUNT, REGION, Stage};

/// The error codes of SQS, STS and EKS for one way to sign.
async fn codes(stage: &Stage, key: &Key, ahead: i64, region: &str) -> [String; 3] {
    let sqs = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", "AmazonSQS.ListQueues")];
    let sts = [("content-type", "application/x-www-form-urlencoded")];
    let shapes = [
        Shape { headers: &sqs, body: "{}", ..Shape::post("sqs", "/") },
        Shape { headers: &sts, body: "Action=GetCallerIdentity", ..Shape::post("sts", "/") },
        Shape { method: "GET", ..Shape::post("eks", "/clusters") },
    ];
    let mut codes = Vec::new();
    for shape in shapes {
        codes.push(stage.send(Shape { region, ahead, ..shape }, Some(key)).await.code());
    }
    codes.try_into().unwrap()
}

#[tokio::test]
async fn a_bad_signature_gets_each_services_own_code() {
    const MISMATCH: [&str; 3] = ["InvalidSignatureException", "SignatureDoesNotMatch", "InvalidSignatureException"];
    let stage = Stage::start();
    let good = stage.administrator.clone();
    assert_eq!(codes(&stage, &good, 0, REGION).await, [""; 3]);
    let wrong = Key { secret: "another".into(), ..good.clone() };
    assert_eq!(codes(&stage, &wrong, 0, REGION).await, MISMATCH);
    let unknown = Key { id: "AKIAUNKNOWN000000000".into(), ..good.clone() };
    let expected = ["UnrecognizedClientException", "InvalidClientTokenId", "UnrecognizedClientException"];
    assert_eq!(codes(&stage, &unknown, 0, REGION).await, expected);
    // Five minutes ahead and fifteen behind are as far as AWS goes.
    assert_eq!(codes(&stage, &good, 300, REGION).await, [""; 3]);
    assert_eq!(codes(&stage, &good, 301, REGION).await, MISMATCH);
    assert_eq!(codes(&stage, &good, -900, REGION).await, [""; 3]);
    assert_eq!(codes(&stage, &good, -901, REGION).await, MISMATCH);
    assert_eq!(codes(&stage, &good, 0, "eu-west-1").await, MISMATCH);
}

#[tokio::test]
async fn a_changed_body_breaks_the_signature() {
    let stage = Stage::start();
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let shape = Shape { headers: &headers, body: "Action=GetCallerIdentity", ..Shape::post("sts", "/") };
    let request = super::signer::request(&stage.address, stage.clock.now(), shape, Some(&stage.administrator));
    let (parts, _) = request.into_parts();
    let body = http_body_util::Full::new(bytes::Bytes::from_static(b"Action=GetSessionToken"));
    let answer = stage.client.request(http::Request::from_parts(parts, body)).await.unwrap();
    assert_eq!(answer.status(), 403);
}

#[tokio::test]
async fn a_presigned_url_works_until_it_expires() {
    let stage = Stage::start();
    let path = "/?Action=ListQueues&Version=2012-11-05";
    let shape = Shape { method: "GET", presigned: Some(60), ..Shape::post("sqs", path) };
    assert_eq!(stage.send(Shape { ahead: -60, ..shape }, Some(&stage.administrator)).await.status, 200);
    let late = stage.send(Shape { ahead: -61, ..shape }, Some(&stage.administrator)).await;
    assert_eq!(late.code(), "SignatureDoesNotMatch");
}

#[tokio::test]
async fn sts_takes_a_presigned_url_for_fifteen_minutes_whatever_its_expiry_says() {
    let stage = Stage::start();
    let path = "/?Action=GetCallerIdentity&Version=2011-06-15";
    for seconds in [0, 1, 60, 900, 3600, 604_800] {
        let shape = Shape { method: "GET", presigned: Some(seconds), ..Shape::post("sts", path) };
        for ahead in [0, -61, -900] {
            let answer = stage.send(Shape { ahead, ..shape }, Some(&stage.administrator)).await;
            assert_eq!(answer.status, 200, "expires {seconds}, signed {ahead} s ago: {}", answer.text);
            assert_eq!(answer.tag("Arn"), format!("arn:aws:iam::{ACCOUNT}:user/sluice"));
        }
        let late = stage.send(Shape { ahead: -901, ..shape }, Some(&stage.administrator)).await;
        assert_eq!(late.code(), "SignatureDoesNotMatch", "expires {seconds}");
        assert!(late.text.contains("(15 min.)") || late.text.contains("15 min."), "{}", late.text);
    }
}

#[tokio::test]
async fn without_a_signature_only_what_a_queues_policy_opens_is_possible() {
    let stage = Stage::start();
    let url = stage.queue("orders", json!({})).await;
    let path = format!("/{ACCOUNT}/orders");
    let send = [("Action", "SendMessage"), ("MessageBody", "x")];
    let refused = stage.query_as(None, "sqs", &path, &send).await;
    assert_eq!(refused.code(), "AccessDenied");
    assert_eq!(refused.message(), format!("Access to the resource arn:aws:sqs:{REGION}:{ACCOUNT}:orders is denied."));
    let statement = json!([{ "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*" }]);
    let attributes = json!({ "Policy": super::document(&statement) });
    let change = json!({ "QueueUrl": url, "Attributes": attributes });
    assert_eq!(stage.sqs("SetQueueAttributes", change).await.code(), "");
    assert_eq!(stage.query_as(None, "sqs", &path, &send).await.code(), "");
    let other = stage.query_as(None, "sts", "/", &[("Action", "GetCallerIdentity")]).await;
    assert_eq!(other.code(), "MissingAuthenticationToken");
}

#[tokio::test]
async fn a_session_has_its_roles_rights_and_a_refusal_is_worded_as_by_aws() {
    let stage = Stage::start();
    let url = stage.queue("orders", json!({})).await;
    let queue = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:orders");
    let read = json!([{ "Effect": "Allow", "Action": "sqs:GetQueueAttributes", "Resource": queue }]);
    let key = stage.session(&stage.role("reader", &read).await).await;
    let who = stage.query_as(Some(&key), "sts", "/", &[("Action", "GetCallerIdentity")]).await;
    let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/reader/session");
    assert_eq!(who.tag("Arn"), arn);
    assert_eq!(stage.sqs_as(&key, "GetQueueAttributes", json!({ "QueueUrl": url })).await.code(), "");

    let send = json!({ "QueueUrl": url, "MessageBody": "x" });
    let refused = stage.sqs_as(&key, "SendMessage", send.clone()).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "AccessDeniedException"));
    assert_eq!(refused.header("x-amzn-query-error"), "AccessDenied;Sender");
    let words = format!("User: {arn} is not authorized to perform: sqs:sendmessage on resource: {queue}");
    let why = "because no identity-based policy allows the sqs:sendmessage action";
    assert_eq!(refused.message(), format!("{words} {why}"));
    // A batch needs the permission of the single form, and the refusal names that one.
    let entries = json!([{ "Id": "1", "MessageBody": "x" }]);
    let batch = stage.sqs_as(&key, "SendMessageBatch", json!({ "QueueUrl": url, "Entries": entries })).await;
    assert_eq!(batch.message(), refused.message());

    let denied = json!([
        { "Effect": "Allow", "Action": "sqs:*", "Resource": "*" },
        { "Effect": "Deny", "Action": "sqs:Send*", "Resource": queue },
    ]);
    stage.allow("reader", &denied).await;
    let refused = stage.sqs_as(&key, "SendMessage", send).await;
    assert_eq!(refused.message(), format!("{words} with an explicit deny in an identity-based policy"));
}

#[tokio::test]
async fn session_policies_and_boundaries_only_narrow() {
    let stage = Stage::start();
    let url = stage.queue("orders", json!({})).await;
    let all = json!([{ "Effect": "Allow", "Action": "sqs:*", "Resource": "*" }]);
    let arn = stage.role("worker", &all).await;
    let read = super::document(&json!([{ "Effect": "Allow", "Action": "sqs:Get*", "Resource": "*" }]));
    let narrow = Key::of(&stage.assume(&stage.administrator, &arn, &[("Policy", &read)]).await);
    assert_eq!(stage.sqs_as(&narrow, "GetQueueAttributes", json!({ "QueueUrl": url })).await.code(), "");
    let refused = stage.sqs_as(&narrow, "PurgeQueue", json!({ "QueueUrl": url })).await;
    assert!(refused.message().ends_with("because no session policy allows the sqs:purgequeue action"));

    let full = stage.session(&arn).await;
    let boundary = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess";
    let put = [("Action", "PutRolePermissionsBoundary"), ("RoleName", "worker"), ("PermissionsBoundary", boundary)];
    assert_eq!(stage.query("iam", &put).await.code(), "");
    assert_eq!(
        stage.query("iam", &[("Action", "GetRole"), ("RoleName", "worker")]).await.tag("PermissionsBoundaryArn"),
        boundary
    );
    let refused = stage.sqs_as(&full, "PurgeQueue", json!({ "QueueUrl": url })).await;
    assert!(refused.message().ends_with("because no permissions boundary allows the sqs:purgequeue action"));
    assert_eq!(stage.sqs_as(&full, "GetQueueAttributes", json!({ "QueueUrl": url })).await.code(), "");
    let delete = [("Action", "DeleteRolePermissionsBoundary"), ("RoleName", "worker")];
    assert_eq!(stage.query("iam", &delete).await.code(), "");
    assert_eq!(stage.sqs_as(&full, "PurgeQueue", json!({ "QueueUrl": url })).await.code(), "");
    assert_eq!(stage.query("iam", &delete).await.code(), "NoSuchEntity");
}

#[tokio::test]
async fn a_role_is_assumed_by_whom_it_trusts_and_for_as_long_as_it_says() {
    let stage = Stage::start();
    let first = stage.role("first", &json!([{ "Effect": "Allow", "Action": "sqs:*", "Resource": "*" }])).await;
    let condition = json!({ "StringEquals": { "sts:ExternalId": "secret" } });
    let trust = json!([{ "Effect": "Allow", "Principal": { "AWS": first }, "Action": "sts:AssumeRole", "Condition": condition }]);
    stage.role_trusting("second", &trust).await;
    let second = format!("arn:aws:iam::{ACCOUNT}:role/second");
    let key = stage.session(&first).await;
    let external = ("ExternalId", "secret");

    let chained = Key::of(&stage.assume(&key, &second, &[external]).await);
    let who = stage.query_as(Some(&chained), "sts", "/", &[("Action", "GetCallerIdentity")]).await;
    assert_eq!(who.tag("Arn"), format!("arn:aws:sts::{ACCOUNT}:assumed-role/second/session"));
    let too_long = stage.assume(&key, &second, &[external, ("DurationSeconds", "3601")]).await;
    assert_eq!(too_long.code(), "ValidationError");
    assert!(too_long.message().contains("role chaining"), "{}", too_long.text);

    let user = format!("arn:aws:iam::{ACCOUNT}:user/sluice");
    let session = format!("arn:aws:sts::{ACCOUNT}:assumed-role/first/session");
    let missing = format!("arn:aws:iam::{ACCOUNT}:role/none");
    let refusals = [
        (stage.assume(&key, &second, &[]).await, session, second.clone()),
        // The administrator has every permission, and still the trust policy does not name him.
        (stage.assume(&stage.administrator, &second, &[external]).await, user.clone(), second),
        (stage.assume(&stage.administrator, &missing, &[]).await, user, missing),
    ];
    for (answer, caller, role) in refusals {
        let words = format!("User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role}");
        assert_eq!((answer.code().as_str(), answer.message()), ("AccessDenied", words));
    }

    let forged = Key { token: Some("forged".into()), ..key.clone() };
    assert_eq!(stage.sqs_as(&forged, "ListQueues", json!({})).await.code(), "UnrecognizedClientException");
    stage.handle.advance(Duration::from_hours(1));
    assert_eq!(stage.sqs_as(&key, "ListQueues", json!({})).await.code(), "ExpiredTokenException");
}

#[tokio::test]
async fn a_role_made_anew_is_not_the_one_that_was_trusted() {
    let stage = Stage::start();
    let none = json!([{ "Effect": "Allow", "Action": "sts:*", "Resource": "*" }]);
    let first = stage.role("first", &none).await;
    let trust = json!([{ "Effect": "Allow", "Principal": { "AWS": first }, "Action": "sts:AssumeRole" }]);
    stage.role_trusting("second", &trust).await;
    let second = format!("arn:aws:iam::{ACCOUNT}:role/second");
    assert_eq!(stage.assume(&stage.session(&first).await, &second, &[]).await.code(), "");

    let role = ("RoleName", "first");
    let id = stage.query("iam", &[("Action", "GetRole"), role]).await.tag("RoleId");
    stage.query("iam", &[("Action", "DeleteRolePolicy"), role, ("PolicyName", "inline")]).await;
    assert_eq!(stage.query("iam", &[("Action", "DeleteRole"), role]).await.code(), "");
    stage.role("first", &none).await;
    assert_eq!(stage.assume(&stage.session(&first).await, &second, &[]).await.code(), "AccessDenied");
    let shown = stage.query("iam", &[("Action", "GetRole"), ("RoleName", "second")]).await;
    assert!(shown.tag("AssumeRolePolicyDocument").contains(&id), "{}", shown.text);
    // Written again, the policy means the role that is there now.
    let trust = super::document(&trust);
    let update = [("Action", "UpdateAssumeRolePolicy"), ("RoleName", "second"), ("PolicyDocument", trust.as_str())];
    assert_eq!(stage.query("iam", &update).await.code(), "");
    assert_eq!(stage.assume(&stage.session(&first).await, &second, &[]).await.code(), "");
}
