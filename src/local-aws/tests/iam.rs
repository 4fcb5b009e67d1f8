//! IAM's own operations and their error codes.

use serde_json::json;

use super::{ACCOUNT, Stage, document};

async fn code(stage: &Stage, form: &[(&str, &str)]) -> String {
    stage.query("iam", form).await.code()
}

#[tokio::test]
async fn a_role_goes_only_once_nothing_hangs_on_it() {
    let stage = Stage::start();
    let all = json!([{ "Effect": "Allow", "Action": "sqs:*", "Resource": "*" }]);
    stage.role("worker", &all).await;
    let role = ("RoleName", "worker");
    let policy = document(&all);
    let create = [("Action", "CreatePolicy"), ("PolicyName", "queues"), ("PolicyDocument", policy.as_str())];
    let arn = stage.query("iam", &create).await.tag("Arn");
    assert_eq!(code(&stage, &create).await, "EntityAlreadyExists");
    let arn = ("PolicyArn", arn.as_str());
    assert_eq!(code(&stage, &[("Action", "AttachRolePolicy"), role, arn]).await, "");
    let refused = stage.query("iam", &[("Action", "DeleteRole"), role]).await;
    assert_eq!(refused.code(), "DeleteConflict");
    assert_eq!(refused.message(), "Cannot delete entity, must detach all policies first.");
    assert_eq!(code(&stage, &[("Action", "DeletePolicy"), arn]).await, "DeleteConflict");
    assert_eq!(code(&stage, &[("Action", "DetachRolePolicy"), role, arn]).await, "");
    assert_eq!(code(&stage, &[("Action", "DetachRolePolicy"), role, arn]).await, "NoSuchEntity");
    assert_eq!(code(&stage, &[("Action", "DeleteRole"), role]).await, "DeleteConflict");
    assert_eq!(code(&stage, &[("Action", "DeleteRolePolicy"), role, ("PolicyName", "inline")]).await, "");
    assert_eq!(code(&stage, &[("Action", "DeleteRole"), role]).await, "");
    assert_eq!(code(&stage, &[("Action", "GetRole"), role]).await, "NoSuchEntity");
    assert_eq!(code(&stage, &[("Action", "DeletePolicy"), arn]).await, "");
    assert_eq!(code(&stage, &[("Action", "GetPolicy"), arn]).await, "NoSuchEntity");
}

#[tokio::test]
async fn a_policy_has_five_versions_and_the_default_one_stays() {
    let stage = Stage::start();
    let policy = document(&json!([{ "Effect": "Allow", "Action": "sqs:*", "Resource": "*" }]));
    let policy = ("PolicyDocument", policy.as_str());
    let arn = stage.query("iam", &[("Action", "CreatePolicy"), ("PolicyName", "queues"), policy]).await.tag("Arn");
    let arn = ("PolicyArn", arn.as_str());
    for _ in 0..4 {
        assert_eq!(code(&stage, &[("Action", "CreatePolicyVersion"), arn, policy]).await, "");
    }
    assert_eq!(code(&stage, &[("Action", "CreatePolicyVersion"), arn, policy]).await, "LimitExceeded");
    let delete = |version| [("Action", "DeletePolicyVersion"), arn, ("VersionId", version)];
    assert_eq!(code(&stage, &delete("v1")).await, "DeleteConflict");
    assert_eq!(code(&stage, &[("Action", "SetDefaultPolicyVersion"), arn, ("VersionId", "v5")]).await, "");
    assert_eq!(code(&stage, &delete("v1")).await, "");
    assert_eq!(code(&stage, &delete("v1")).await, "NoSuchEntity");
    assert_eq!(code(&stage, &[("Action", "DeletePolicy"), arn]).await, "DeleteConflict");
}

#[tokio::test]
async fn a_document_that_iam_would_not_take_is_malformed() {
    let stage = Stage::start();
    let nobody = format!("arn:aws:iam::{ACCOUNT}:role/none");
    let documents = [
        ("{".to_owned(), "This policy contains invalid Json"),
        (
            document(&json!([{ "Effect": "Allow", "Principal": { "AWS": nobody }, "Action": "sts:AssumeRole" }])),
            "Invalid principal in policy",
        ),
        (
            document(&json!([{ "Effect": "Allow", "Principal": "*", "Action": "sqs:*" }])),
            "may only specify STS AssumeRole actions",
        ),
        (document(&json!([{ "Effect": "Allow", "Action": "sts:AssumeRole" }])), "Missing required field Principal"),
    ];
    for (text, expected) in documents {
        let form = [("Action", "CreateRole"), ("RoleName", "r"), ("AssumeRolePolicyDocument", text.as_str())];
        let answer = stage.query("iam", &form).await;
        assert_eq!(answer.code(), "MalformedPolicyDocument", "{text}");
        assert!(answer.message().contains(expected), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_provider_is_registered_once_and_deleted_as_often_as_one_likes() {
    let stage = Stage::start();
    let url = ("Url", "https://issuer.test/id/1");
    let client = ("ClientIDList.member.1", "sts.amazonaws.com");
    let arn = stage.query("iam", &[("Action", "CreateOpenIDConnectProvider"), url, client]).await;
    let arn = arn.tag("OpenIDConnectProviderArn");
    assert_eq!(arn, format!("arn:aws:iam::{ACCOUNT}:oidc-provider/issuer.test/id/1"));
    assert_eq!(code(&stage, &[("Action", "CreateOpenIDConnectProvider"), url]).await, "EntityAlreadyExists");
    let arn = ("OpenIDConnectProviderArn", arn.as_str());
    let tag = [("Action", "TagOpenIDConnectProvider"), arn, ("Tags.member.1.Key", "a"), ("Tags.member.1.Value", "b")];
    assert_eq!(code(&stage, &tag).await, "");
    let shown = stage.query("iam", &[("Action", "GetOpenIDConnectProvider"), arn]).await;
    assert_eq!(
        (shown.tag("ClientIDList"), shown.tag("Key")),
        ("<member>sts.amazonaws.com</member>".into(), "a".into())
    );
    for _ in 0..2 {
        assert_eq!(code(&stage, &[("Action", "DeleteOpenIDConnectProvider"), arn]).await, "");
    }
    assert_eq!(code(&stage, &[("Action", "GetOpenIDConnectProvider"), arn]).await, "NoSuchEntity");
}

#[tokio::test]
async fn lists_are_filtered_and_come_in_pages() {
    let stage = Stage::start();
    let trust = document(
        &json!([{ "Effect": "Allow", "Principal": { "Service": "eks.amazonaws.com" }, "Action": "sts:AssumeRole" }]),
    );
    for (name, path) in [("a", "/team/"), ("b", "/team/"), ("c", "/other/")] {
        let form = [
            ("Action", "CreateRole"),
            ("RoleName", name),
            ("Path", path),
            ("AssumeRolePolicyDocument", trust.as_str()),
        ];
        assert_eq!(code(&stage, &form).await, "");
    }
    let queues = "arn:aws:iam::aws:policy/AmazonSQSFullAccess";
    for name in ["a", "b"] {
        assert_eq!(
            code(&stage, &[("Action", "AttachRolePolicy"), ("RoleName", name), ("PolicyArn", queues)]).await,
            ""
        );
    }
    let bound = [("Action", "PutRolePermissionsBoundary"), ("RoleName", "c"), ("PermissionsBoundary", queues)];
    assert_eq!(code(&stage, &bound).await, "");
    let entities = |more: Vec<(&'static str, &'static str)>| {
        let form = [vec![("Action", "ListEntitiesForPolicy"), ("PolicyArn", queues)], more].concat();
        let stage = &stage;
        async move {
            let text = stage.query("iam", &form).await.text;
            (
                ["a", "b", "c"].map(|name| text.contains(&format!("<RoleName>{name}<"))),
                text.contains("<IsTruncated>true"),
            )
        }
    };
    assert_eq!(entities(vec![]).await, ([true, true, true], false));
    assert_eq!(entities(vec![("PolicyUsageFilter", "PermissionsBoundary")]).await, ([false, false, true], false));
    assert_eq!(entities(vec![("PathPrefix", "/team/"), ("MaxItems", "1")]).await, ([true, false, false], true));
    assert_eq!(entities(vec![("EntityFilter", "User")]).await, ([false, false, false], false));
    let attached = [("Action", "ListAttachedRolePolicies"), ("RoleName", "a"), ("PathPrefix", "/team/")];
    assert!(!stage.query("iam", &attached).await.text.contains("AmazonSQSFullAccess"));
    let used =
        stage.query("iam", &[("Action", "ListPolicies"), ("PolicyUsageFilter", "PermissionsBoundary")]).await.text;
    assert!(used.contains("AmazonSQSFullAccess") && !used.contains("AdministratorAccess"), "{used}");
    let users = stage.query("iam", &[("Action", "ListUsers"), ("PathPrefix", "/team/")]).await.text;
    assert!(!users.contains("<UserName>"), "{users}");
    let tags: Vec<_> = (1..=3)
        .flat_map(|n| {
            [(format!("Tags.member.{n}.Key"), format!("k{n}")), (format!("Tags.member.{n}.Value"), "v".to_owned())]
        })
        .collect();
    let mut form = vec![("Action", "TagRole"), ("RoleName", "a")];
    form.extend(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    assert_eq!(code(&stage, &form).await, "");
    let page = stage.query("iam", &[("Action", "ListRoleTags"), ("RoleName", "a"), ("MaxItems", "2")]).await;
    assert_eq!((page.tag("IsTruncated"), page.tag("Marker")), ("true".into(), "2".into()));
    for path in ["team", "/team", "/te am/", "/té/"] {
        let form =
            [("Action", "CreateRole"), ("RoleName", "d"), ("Path", path), ("AssumeRolePolicyDocument", trust.as_str())];
        assert_eq!(code(&stage, &form).await, "ValidationError", "{path}");
    }
    assert_eq!(code(&stage, &[("Action", "ListRoles"), ("PathPrefix", "team")]).await, "ValidationError");
    let over = stage.query("iam", &[("Action", "ListRoles"), ("MaxItems", "1001")]).await;
    assert!(over.message().contains("Member must have value less than or equal to 1000"), "{}", over.text);
}
