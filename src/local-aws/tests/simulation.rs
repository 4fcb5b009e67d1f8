//! SimulatePrincipalPolicy says what calls meet, and GetAccountSummary what there is.

use serde_json::json;

use super::{ACCOUNT, Stage};

async fn decisions(stage: &Stage, source: &str, more: &[(&str, &str)]) -> Vec<String> {
    let form = [&[("Action", "SimulatePrincipalPolicy"), ("PolicySourceArn", source)], more].concat();
    let answer = stage.query("iam", &form).await;
    assert_eq!(answer.code(), "", "{}", answer.text);
    let tags = answer.text.split("<EvalDecision>").skip(1);
    tags.map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn it_decides_each_action_on_each_resource() {
    let stage = Stage::start();
    let statements = json!([
        { "Effect": "Allow", "Action": ["sqs:SendMessage", "sqs:DeleteQueue"], "Resource": "arn:aws:sqs:*:*:mine" },
        { "Effect": "Deny", "Action": "sqs:DeleteQueue", "Resource": "*" },
    ]);
    let arn = stage.role("r", &statements).await;
    let wanted = [
        ("ActionNames.member.1", "sqs:SendMessage"),
        ("ActionNames.member.2", "sqs:DeleteQueue"),
        ("ResourceArns.member.1", "arn:aws:sqs:ap-northeast-1:111122223333:mine"),
        ("ResourceArns.member.2", "arn:aws:sqs:ap-northeast-1:111122223333:other"),
    ];
    assert_eq!(decisions(&stage, &arn, &wanted).await, ["allowed", "implicitDeny", "explicitDeny", "explicitDeny"]);
    // The user has AdministratorAccess.
    let user = format!("arn:aws:iam::{ACCOUNT}:user/sluice");
    assert_eq!(decisions(&stage, &user, &[("ActionNames.member.1", "ec2:RunInstances")]).await, ["allowed"]);
}

#[tokio::test]
async fn conditions_are_checked_with_the_context_that_is_given() {
    let stage = Stage::start();
    let statements = json!([{ "Effect": "Allow", "Action": "iam:PassRole", "Resource": "*",
        "Condition": { "StringEquals": { "iam:PassedToService": "eks.amazonaws.com" } } }]);
    let arn = stage.role("r", &statements).await;
    let action = ("ActionNames.member.1", "iam:PassRole");
    let given = [
        action,
        ("ContextEntries.member.1.ContextKeyName", "iam:PassedToService"),
        ("ContextEntries.member.1.ContextKeyType", "string"),
        ("ContextEntries.member.1.ContextKeyValues.member.1", "eks.amazonaws.com"),
    ];
    assert_eq!(decisions(&stage, &arn, &given).await, ["allowed"]);
    assert_eq!(decisions(&stage, &arn, &[action]).await, ["implicitDeny"]);
    let form = [("Action", "SimulatePrincipalPolicy"), ("PolicySourceArn", arn.as_str()), action];
    let answer = stage.query("iam", &form).await;
    assert!(answer.text.contains("<MissingContextValues><member>iam:PassedToService</member>"), "{}", answer.text);
}

#[tokio::test]
async fn a_boundary_narrows_and_nobody_is_no_source() {
    let stage = Stage::start();
    let arn = stage.role("r", &json!([{ "Effect": "Allow", "Action": "sqs:*", "Resource": "*" }])).await;
    let boundary = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    let put = [("Action", "PutRolePermissionsBoundary"), ("RoleName", "r"), ("PermissionsBoundary", boundary)];
    assert_eq!(stage.query("iam", &put).await.code(), "");
    let both = [("ActionNames.member.1", "sqs:DeleteQueue"), ("ActionNames.member.2", "sqs:GetQueueUrl")];
    assert_eq!(decisions(&stage, &arn, &both).await, ["implicitDeny", "allowed"]);
    let none = [
        ("Action", "SimulatePrincipalPolicy"),
        ("PolicySourceArn", "arn:aws:iam::111122223333:role/none"),
        ("ActionNames.member.1", "sqs:DeleteQueue"),
    ];
    assert_eq!(stage.query("iam", &none).await.code(), "NoSuchEntity");
}

#[tokio::test]
async fn who_may_not_simulate_is_refused() {
    let stage = Stage::start();
    let arn = stage.role("r", &json!([{ "Effect": "Allow", "Action": "sqs:*", "Resource": "*" }])).await;
    let key = stage.session(&arn).await;
    let form =
        [("Action", "SimulatePrincipalPolicy"), ("PolicySourceArn", arn.as_str()), ("ActionNames.member.1", "sqs:x")];
    let answer = stage.query_as(Some(&key), "iam", "/", &form).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "AccessDenied"));
}

#[tokio::test]
async fn the_summary_counts_roles_in_a_map() {
    let stage = Stage::start();
    stage.role("r", &json!([{ "Effect": "Allow", "Action": "sqs:*", "Resource": "*" }])).await;
    let answer = stage.query("iam", &[("Action", "GetAccountSummary")]).await;
    assert!(answer.text.contains("<SummaryMap><entry><key>"), "{}", answer.text);
    assert!(answer.text.contains("<key>Roles</key><value>1</value>"), "{}", answer.text);
}
