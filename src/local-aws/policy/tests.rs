//! The documented semantics, one line a case.

use serde_json::{Value, json};

use super::{Context, Decision, Document, Kind, Layers, Named, Principal, Question, decide};

const QUEUE: &str = "arn:aws:sqs:ap-northeast-1:111122223333:team-orders";

fn context() -> Context {
    let mut context = Context::default();
    context.set("aws:PrincipalTag/team", "team");
    context.set("aws:PrincipalAccount", "111122223333");
    context.set("aws:PrincipalArn", "arn:aws:iam::111122223333:role/worker");
    context.set("aws:CurrentTime", "2026-11-24T00:00:00Z");
    context.set("aws:SourceIp", "10.1.2.3");
    context.set("aws:SecureTransport", "true");
    context.set_all("aws:TagKeys", vec!["a".into(), "b".into()]);
    context
}

fn named(document: &Value, kind: Kind) -> Named {
    let document = Document::parse(&document.to_string(), kind).unwrap();
    Named { name: "policy".into(), document: std::sync::Arc::new(document) }
}

fn permits(document: &Value) -> bool {
    let (principal, context, policy) = (Principal::default(), context(), named(document, Kind::Identity));
    let question =
        Question { action: "sqs:GetQueueAttributes", resource: QUEUE, principal: &principal, context: &context };
    let layers = Layers { identity: std::slice::from_ref(&policy), ..Layers::default() };
    matches!(decide(&layers, &question), Decision::Allowed)
}

fn allows(statements: &Value) -> bool {
    permits(&json!({ "Version": "2012-10-17", "Statement": statements }))
}

fn action(action: &str) -> Value {
    json!({ "Effect": "Allow", "Action": action, "Resource": "*" })
}

fn resource(resource: &str) -> Value {
    json!({ "Effect": "Allow", "Action": "sqs:*", "Resource": resource })
}

fn when(operator: &str, key: &str, value: impl Into<Value>) -> Value {
    json!({ "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": { operator: { key: value.into() } } })
}

#[test]
fn actions_match_without_case_and_with_wildcards() {
    for covers in ["sqs:getqueueattributes", "SQS:Get*", "sqs:GetQueueAttribute?", "*"] {
        assert!(allows(&action(covers)), "{covers}");
    }
    for not in ["sqs:GetQueueUrl", "sns:*", "sqs:GetQueueAttributes?"] {
        assert!(!allows(&action(not)), "{not}");
    }
    assert!(allows(&json!({ "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" })));
    assert!(!allows(&json!({ "Effect": "Allow", "NotAction": "sqs:*", "Resource": "*" })));
}

#[test]
fn resources_match_part_by_part() {
    for covers in [
        "*",
        QUEUE,
        "arn:aws:sqs:*:*:team-*",
        "arn:aws:sqs:ap-northeast-?:111122223333:*",
        "arn:aws:sqs",
        "arn:aws:sqs:*",
        "arn:aws:sqs:*:${aws:PrincipalAccount}:${aws:PrincipalTag/team}-*",
    ] {
        assert!(allows(&resource(covers)), "{covers}");
    }
    for not in ["arn:aws:sqs:*:team-orders", "arn:aws:sqs:*:*:Team-*", "arn:aws:sqs:*:*:${aws:PrincipalTag/other}*"] {
        assert!(!allows(&resource(not)), "{not}");
    }
    assert!(!allows(&json!({ "Effect": "Allow", "Action": "*", "NotResource": "arn:aws:sqs:*:*:team-*" })));
    assert!(allows(&json!({ "Effect": "Allow", "Action": "*", "NotResource": "arn:aws:sqs:*:*:other" })));
}

#[test]
fn conditions_hold_or_not() {
    for (operator, key, value, expected) in [
        ("StringEquals", "aws:principaltag/TEAM", "team", true),
        ("StringEquals", "aws:PrincipalTag/team", "Team", false),
        ("StringEqualsIgnoreCase", "aws:PrincipalTag/team", "Team", true),
        ("StringNotEquals", "aws:PrincipalTag/team", "team", false),
        ("StringLike", "aws:PrincipalTag/team", "t*", true),
        ("StringEquals", "aws:PrincipalTag/team", "t*", false),
        // A missing key fails a match, passes its negation, and passes with IfExists.
        ("StringEquals", "aws:Missing", "x", false),
        ("StringNotEquals", "aws:Missing", "x", true),
        ("StringEqualsIfExists", "aws:Missing", "x", true),
        ("StringEqualsIfExists", "aws:PrincipalTag/team", "x", false),
        ("Null", "aws:Missing", "true", true),
        ("Null", "aws:PrincipalTag/team", "true", false),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/w*", true),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::${aws:PrincipalAccount}:role/worker", true),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam:*:role/worker", false),
        ("ArnNotEquals", "aws:PrincipalArn", "arn:aws:iam::111122223333:role/worker", false),
        ("Bool", "aws:SecureTransport", "true", true),
        ("Bool", "aws:SecureTransport", "false", false),
        ("IpAddress", "aws:SourceIp", "10.0.0.0/8", true),
        ("IpAddress", "aws:SourceIp", "10.1.2.0/28", true),
        ("NotIpAddress", "aws:SourceIp", "10.0.0.0/8", false),
        ("DateLessThan", "aws:CurrentTime", "2026-11-25", true),
        ("DateGreaterThan", "aws:CurrentTime", "2026-11-24T00:00:00Z", false),
        ("DateGreaterThanEquals", "aws:CurrentTime", "2026-11-24T00:00:00Z", true),
        ("NumericLessThan", "aws:PrincipalAccount", "111122223334", true),
        ("ForAllValues:StringEquals", "aws:TagKeys", "a", false),
        ("ForAnyValue:StringEquals", "aws:TagKeys", "a", true),
        ("ForAllValues:StringEquals", "aws:Missing", "a", true),
        ("ForAnyValue:StringEquals", "aws:Missing", "a", false),
    ] {
        assert_eq!(allows(&when(operator, key, value)), expected, "{operator} {key} {value}");
    }
    assert!(allows(&when("ForAllValues:StringEquals", "aws:TagKeys", json!(["a", "b", "c"]))));
}

#[test]
fn an_explicit_deny_wins_wherever_it_stands() {
    let deny = json!({ "Effect": "Deny", "Action": "sqs:Get*", "Resource": "arn:aws:sqs:*:*:team-*" });
    assert!(!allows(&json!([action("*"), deny])));
    assert!(!allows(&json!([deny, action("*")])));
    let elsewhere = json!({ "Effect": "Deny", "Action": "*", "Resource": "arn:aws:sqs:*:*:other" });
    assert!(allows(&json!([elsewhere, action("*")])));
    assert!(!allows(&json!([elsewhere])));
}

#[test]
fn before_2012_10_17_a_variable_is_plain_text() {
    let statement = resource("arn:aws:sqs:*:${aws:PrincipalAccount}:team-orders");
    assert!(permits(&json!({ "Version": "2012-10-17", "Statement": statement })));
    assert!(!permits(&json!({ "Version": "2008-10-17", "Statement": statement })));
    assert!(!permits(&json!({ "Statement": statement })));
}

/// The refusal, if any, of a caller who is `role` with an identity policy or none.
fn by_resource(principal: &Value, identity: bool) -> bool {
    let role = "arn:aws:iam::111122223333:role/worker";
    let asker = Principal { arns: vec![role.into()], account: Some("111122223333".into()), ..Principal::default() };
    let statement = json!({ "Effect": "Allow", "Principal": principal, "Action": "sqs:*", "Resource": "*" });
    let policy = named(&json!({ "Version": "2012-10-17", "Statement": statement }), Kind::Resource);
    let own = named(&json!({ "Version": "2012-10-17", "Statement": action("sqs:*") }), Kind::Identity);
    let context = context();
    let question = Question { action: "sqs:SendMessage", resource: QUEUE, principal: &asker, context: &context };
    let identity = if identity { std::slice::from_ref(&own) } else { &[] };
    matches!(decide(&Layers { identity, resource: Some(&policy), ..Layers::default() }, &question), Decision::Allowed)
}

#[test]
fn a_resource_policy_grants_to_the_caller_it_names_and_delegates_to_an_account() {
    let account = json!({ "AWS": "arn:aws:iam::111122223333:root" });
    assert!(by_resource(&json!({ "AWS": "arn:aws:iam::111122223333:role/worker" }), false));
    assert!(by_resource(&json!("*"), false));
    assert!(!by_resource(&account, false));
    assert!(by_resource(&account, true));
    assert!(!by_resource(&json!({ "AWS": "arn:aws:iam::111122223333:role/other" }), false));
}

#[test]
fn documents_that_iam_would_not_take_are_refused() {
    for (statement, expected) in [
        (json!({ "Effect": "Allow", "Action": "sqs:*" }), "must contain resources"),
        (json!({ "Effect": "allow", "Action": "sqs:*", "Resource": "*" }), "Invalid effect"),
        (action("ListQueues"), "prefaced by a vendor"),
        (resource("queue"), "must be in ARN format"),
        (resource("arn:aws:*:*:*:queue"), "cannot contain regexes"),
        (when("StringEqual", "aws:x", "y"), "Invalid Condition type"),
        (json!({ "Effect": "Allow", "Action": "sqs:*", "Resource": "*", "Sid": "a b" }), "alpha-numeric"),
        (json!({ "Effect": "Allow", "Action": "sqs:*", "Resource": "*", "Extra": 1 }), "unknown element"),
    ] {
        let text = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
        let error = Document::parse(&text, Kind::Identity).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
