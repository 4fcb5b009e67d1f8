//! What a session carries into conditions, what it hands on, and what a role's and a policy's sizes may be.

use serde_json::{Value, json};

use super::signer::Key;
use super::{ACCOUNT, Stage, document};

const USER: &str = "arn:aws:iam::111122223333:user/sluice";

/// A role whose trust policy allows `actions` to the administrator (and to `also`), and which may list queues on `condition`.
async fn role(stage: &Stage, name: &str, actions: &[&str], condition: Value) -> String {
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    let trust = json!([{ "Effect": "Allow", "Principal": { "AWS": [USER, root] }, "Action": actions }]);
    stage.role_trusting(name, &trust).await;
    let sts = json!({ "Effect": "Allow", "Action": "sts:*", "Resource": "*" });
    let list = json!({ "Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*", "Condition": condition });
    stage.allow(name, &json!([sts, list])).await;
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

async fn lists(stage: &Stage, key: &Key) -> bool {
    let answer = stage.sqs_as(key, "ListQueues", json!({})).await;
    assert!(matches!(answer.code().as_str(), "" | "AccessDeniedException"), "{}", answer.text);
    answer.status == 200
}

fn equals(key: &str, value: &str) -> Value {
    json!({ "StringEquals": { key: value } })
}

#[tokio::test]
async fn the_tags_of_a_role_are_those_of_its_sessions_and_session_tags_go_over_them() {
    let stage = Stage::start();
    let both = ["sts:AssumeRole", "sts:TagSession"];
    let arn = role(&stage, "tagged", &both, equals("aws:PrincipalTag/team", "blue")).await;
    let admin = stage.administrator.clone();
    assert!(!lists(&stage, &stage.session(&arn).await).await);
    let tag =
        [("Action", "TagRole"), ("RoleName", "tagged"), ("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "blue")];
    assert_eq!(stage.query("iam", &tag).await.code(), "");
    assert!(lists(&stage, &stage.session(&arn).await).await);
    let red = [("Tags.member.1.Key", "Team"), ("Tags.member.1.Value", "red")];
    assert!(!lists(&stage, &Key::of(&stage.assume(&admin, &arn, &red).await)).await);

    // A trust policy that does not let tags in refuses them.
    let plain = role(&stage, "plain", &["sts:AssumeRole"], json!({})).await;
    let refused = stage.assume(&admin, &plain, &red).await;
    assert!(refused.message().contains("sts:TagSession"), "{}", refused.text);
    let twice = [red[0], red[1], ("Tags.member.2.Key", "team"), ("Tags.member.2.Value", "x")];
    assert_eq!(stage.assume(&admin, &arn, &twice).await.code(), "InvalidParameterValue");
}

#[tokio::test]
async fn transitive_tags_and_the_source_identity_stay_through_role_chaining() {
    let stage = Stage::start();
    let all = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];
    let seen = json!({ "StringEquals": { "aws:PrincipalTag/team": "blue", "aws:SourceIdentity": "ann" }, "Null": { "aws:PrincipalTag/stage": "true" } });
    let (first, second) = (role(&stage, "first", &all, json!({})).await, role(&stage, "second", &all, seen).await);
    let admin = stage.administrator.clone();
    let tags = [
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "blue"),
        ("Tags.member.2.Key", "stage"),
        ("Tags.member.2.Value", "test"),
        ("TransitiveTagKeys.member.1", "team"),
        ("SourceIdentity", "ann"),
    ];
    let begun = stage.assume(&admin, &first, &tags).await;
    assert_eq!(begun.tag("SourceIdentity"), "ann");
    assert_ne!(begun.tag("PackedPolicySize"), "0");
    let key = Key::of(&begun);
    let chained = stage.assume(&key, &second, &[]).await;
    assert_eq!(chained.tag("SourceIdentity"), "ann");
    assert!(lists(&stage, &Key::of(&chained)).await);
    let other = [("Tags.member.1.Key", "Team"), ("Tags.member.1.Value", "red")];
    assert!(stage.assume(&key, &second, &other).await.message().contains("conflicts with a transitive tag key"));
    assert_eq!(stage.assume(&key, &second, &[("SourceIdentity", "bob")]).await.code(), "AccessDenied");
    let missing = [("TransitiveTagKeys.member.1", "team")];
    assert_eq!(stage.assume(&admin, &first, &missing).await.code(), "InvalidParameterValue");
    // Neither comes along where the trust policy does not let it in.
    let closed = role(&stage, "closed", &["sts:AssumeRole"], json!({})).await;
    for (asker, more) in [(&key, None), (&admin, Some(("SourceIdentity", "ann")))] {
        assert_eq!(stage.assume(asker, &closed, more.as_slice()).await.code(), "AccessDenied");
    }
}

#[tokio::test]
async fn a_trust_policy_sees_the_identity_and_the_transitive_keys_of_the_request() {
    let stage = Stage::start();
    let condition = json!({ "StringLike": { "sts:SourceIdentity": "a*" }, "ForAllValues:StringEquals": { "sts:TransitiveTagKeys": ["team"], "aws:TagKeys": ["team", "stage"] } });
    let actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];
    let trust = json!([{ "Effect": "Allow", "Principal": { "AWS": USER }, "Action": actions, "Condition": condition }]);
    stage.role_trusting("strict", &trust).await;
    let arn = format!("arn:aws:iam::{ACCOUNT}:role/strict");
    let team = [("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "blue"), ("TransitiveTagKeys.member.1", "team")];
    let by = |identity: &'static str| [team.as_slice(), &[("SourceIdentity", identity)]].concat();
    assert_eq!(stage.assume(&stage.administrator, &arn, &by("ann")).await.code(), "");
    assert_eq!(stage.assume(&stage.administrator, &arn, &by("bob")).await.code(), "AccessDenied");
    let mut other = by("ann");
    other[0].1 = "stage";
    other[2].1 = "stage";
    assert_eq!(stage.assume(&stage.administrator, &arn, &other).await.code(), "AccessDenied");
}

#[tokio::test]
async fn a_deny_without_mfa_bites_a_session_and_not_a_long_lived_key() {
    let stage = Stage::start();
    let arn = role(&stage, "worker", &["sts:AssumeRole"], json!({})).await;
    let deny = |operator: &str| {
        json!([
            { "Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*" },
            { "Effect": "Deny", "Action": "sqs:*", "Resource": "*", "Condition": { operator: { "aws:MultiFactorAuthPresent": "false" } } },
        ])
    };
    for operator in ["Bool", "BoolIfExists"] {
        stage.allow("worker", &deny(operator)).await;
        assert!(!lists(&stage, &stage.session(&arn).await).await, "{operator}");
    }
    let only = json!([{ "Effect": "Allow", "Action": "sqs:*", "Resource": "*", "Condition": { "Bool": { "aws:MultiFactorAuthPresent": "true" } } }]);
    stage.allow("worker", &only).await;
    assert!(!lists(&stage, &stage.session(&arn).await).await);

    // By a queue's policy: a user's own key has no such key in its context, a token of that user has it.
    let url = stage.queue("orders", json!({})).await;
    let policy = |operator: &str| {
        document(
            &json!([{ "Effect": "Deny", "Principal": "*", "Action": "sqs:PurgeQueue", "Resource": "*", "Condition": { operator: { "aws:MultiFactorAuthPresent": "false" } } }]),
        )
    };
    let token = stage.query("sts", &[("Action", "GetSessionToken")]).await;
    let token = Key::of(&token);
    for (operator, own, temporary) in [("Bool", true, false), ("BoolIfExists", false, false), ("Null", false, true)] {
        let set = json!({ "QueueUrl": url, "Attributes": { "Policy": policy(operator).replace("\"false\"", if operator == "Null" { "\"true\"" } else { "\"false\"" }) } });
        assert_eq!(stage.sqs("SetQueueAttributes", set).await.code(), "");
        let purge = json!({ "QueueUrl": url });
        let fine = |answer: super::Answer| answer.code() != "AccessDeniedException";
        assert_eq!(fine(stage.sqs("PurgeQueue", purge.clone()).await), own, "{operator}, own key");
        assert_eq!(fine(stage.sqs_as(&token, "PurgeQueue", purge).await), temporary, "{operator}, token");
    }
    let device = [("SerialNumber", "arn:aws:iam::111122223333:mfa/phone"), ("TokenCode", "123456")];
    let refused = stage.assume(&stage.administrator, &arn, &device).await;
    assert!(refused.code() == "AccessDenied" && refused.message().contains("mfa/phone"), "{}", refused.text);
}

#[tokio::test]
async fn a_users_own_sessions_are_the_user_or_a_federated_one() {
    let stage = Stage::start();
    let token = Key::of(&stage.query("sts", &[("Action", "GetSessionToken"), ("DurationSeconds", "900")]).await);
    let who = |key: Key| {
        let stage = &stage;
        async move { stage.query_as(Some(&key), "sts", "/", &[("Action", "GetCallerIdentity")]).await.tag("Arn") }
    };
    assert_eq!(who(token.clone()).await, USER);
    assert!(lists(&stage, &token).await);
    let again = stage.query_as(Some(&token), "sts", "/", &[("Action", "GetSessionToken")]).await;
    assert_eq!(again.message(), "Cannot call GetSessionToken with session credentials");
    let roles = stage.query_as(Some(&token), "iam", "/", &[("Action", "ListRoles")]).await;
    assert_eq!(roles.code(), "InvalidClientTokenId");

    let bare = stage.query("sts", &[("Action", "GetFederationToken"), ("Name", "ann")]).await;
    let arn = format!("arn:aws:sts::{ACCOUNT}:federated-user/ann");
    assert_eq!(bare.tag("Arn"), arn);
    assert!(!lists(&stage, &Key::of(&bare)).await);
    let policy = document(&json!([{ "Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*" }]));
    let narrow = [("Action", "GetFederationToken"), ("Name", "ann"), ("Policy", policy.as_str())];
    let key = Key::of(&stage.query("sts", &narrow).await);
    assert!(lists(&stage, &key).await);
    assert_eq!(who(key.clone()).await, arn);
    let made = stage.sqs_as(&key, "CreateQueue", json!({ "QueueName": "x" })).await;
    assert_eq!(made.code(), "AccessDeniedException");
}

#[tokio::test]
async fn session_policies_have_a_size() {
    let stage = Stage::start();
    let arn = role(&stage, "worker", &["sts:AssumeRole"], json!({})).await;
    let policy = |length: usize| {
        document(
            &json!([{ "Effect": "Allow", "Action": "sqs:*", "Resource": format!("arn:aws:sqs:*:*:{}", "q".repeat(length)) }]),
        )
    };
    let half = stage.assume(&stage.administrator, &arn, &[("Policy", &policy(900))]).await;
    let percent: usize = half.tag("PackedPolicySize").parse().unwrap();
    assert!((45..60).contains(&percent), "{percent}");
    let over = stage.assume(&stage.administrator, &arn, &[("Policy", &policy(2048))]).await;
    assert_eq!(over.code(), "PackedPolicyTooLarge");
}

#[tokio::test]
async fn what_iam_stores_has_its_sizes_and_white_space_does_not_count() {
    let stage = Stage::start();
    role(&stage, "worker", &["sts:AssumeRole"], json!({})).await;
    let wide = |length: usize| {
        document(
            &json!([{ "Effect": "Allow", "Action": "sqs:*", "Resource": format!("arn:aws:sqs:*:*:{}", "q".repeat(length)) }]),
        )
    };
    let put = |name: &'static str, text: String| {
        let stage = &stage;
        async move {
            let form = [
                ("Action", "PutRolePolicy"),
                ("RoleName", "worker"),
                ("PolicyName", name),
                ("PolicyDocument", text.as_str()),
            ];
            stage.query("iam", &form).await
        }
    };
    assert_eq!(put("a", wide(5000)).await.code(), "");
    assert_eq!(put("b", wide(4500)).await.code(), "");
    let over = put("b", wide(5500)).await;
    assert_eq!((over.status, over.code().as_str()), (409, "LimitExceeded"));
    assert_eq!(over.message(), "Maximum policy size of 10240 bytes exceeded for role worker");
    assert_eq!(put("b", format!("{}{}", wide(4500), " ".repeat(9000))).await.code(), "");

    let create = |text: String| {
        let stage = &stage;
        async move {
            stage
                .query("iam", &[("Action", "CreatePolicy"), ("PolicyName", "wide"), ("PolicyDocument", text.as_str())])
                .await
        }
    };
    assert_eq!(create(wide(6100)).await.message(), "Cannot exceed quota for PolicySize: 6144");
    assert_eq!(create(wide(6000)).await.code(), "");
    let trust = |length: usize| {
        let condition = equals("sts:ExternalId", &"x".repeat(length));
        document(
            &json!([{ "Effect": "Allow", "Principal": { "AWS": USER }, "Action": "sts:AssumeRole", "Condition": condition }]),
        )
    };
    for (length, expected) in [(2000, "Cannot exceed quota for ACLSizePerRole: 2048"), (1500, "")] {
        let text = trust(length);
        let update = [("Action", "UpdateAssumeRolePolicy"), ("RoleName", "worker"), ("PolicyDocument", text.as_str())];
        let answer = stage.query("iam", &update).await;
        assert_eq!(if answer.status == 200 { String::new() } else { answer.message() }, expected);
    }
}

#[tokio::test]
async fn making_something_with_tags_needs_the_right_to_tag_it() {
    let stage = Stage::start();
    let arn = role(&stage, "maker", &["sts:AssumeRole"], json!({})).await;
    let allowed = json!([{ "Effect": "Allow", "Action": ["sqs:CreateQueue", "iam:CreatePolicy"], "Resource": "*" }]);
    stage.allow("maker", &allowed).await;
    let key = stage.session(&arn).await;
    let policy = document(&json!([{ "Effect": "Allow", "Action": "sqs:*", "Resource": "*" }]));
    let plain = [("Action", "CreatePolicy"), ("PolicyName", "p"), ("PolicyDocument", policy.as_str())];
    let tagged = [plain.as_slice(), &[("Tags.member.1.Key", "a"), ("Tags.member.1.Value", "b")]].concat();
    assert!(stage.query_as(Some(&key), "iam", "/", &tagged).await.message().contains("iam:TagPolicy"));
    assert_eq!(stage.query_as(Some(&key), "iam", "/", &plain).await.code(), "");
    let queue = json!({ "QueueName": "x", "tags": { "a": "b" } });
    assert!(stage.sqs_as(&key, "CreateQueue", queue).await.message().contains("sqs:tagqueue"));
    assert_eq!(stage.sqs_as(&key, "CreateQueue", json!({ "QueueName": "x" })).await.code(), "");
}

#[tokio::test]
async fn iams_own_keys_are_of_the_role_that_is_changed() {
    let stage = Stage::start();
    let arn = role(&stage, "delegate", &["sts:AssumeRole"], json!({})).await;
    let boundary = "arn:aws:iam::aws:policy/AmazonSQSFullAccess";
    let condition = json!({ "StringEquals": { "aws:ResourceAccount": ACCOUNT, "iam:PermissionsBoundary": boundary, "aws:RequestedRegion": "us-east-1", "iam:ResourceTag/team": "blue" } });
    stage
        .allow(
            "delegate",
            &json!([{ "Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": "*", "Condition": condition }]),
        )
        .await;
    role(&stage, "target", &["sts:AssumeRole"], json!({})).await;
    let key = stage.session(&arn).await;
    let policy = document(&json!([{ "Effect": "Allow", "Action": "sqs:*", "Resource": "*" }]));
    let put =
        [("Action", "PutRolePolicy"), ("RoleName", "target"), ("PolicyName", "p"), ("PolicyDocument", policy.as_str())];
    assert_eq!(stage.query_as(Some(&key), "iam", "/", &put).await.code(), "AccessDenied");
    let bound = [("Action", "PutRolePermissionsBoundary"), ("RoleName", "target"), ("PermissionsBoundary", boundary)];
    assert_eq!(stage.query("iam", &bound).await.code(), "");
    let tag =
        [("Action", "TagRole"), ("RoleName", "target"), ("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "blue")];
    assert_eq!(stage.query("iam", &tag).await.code(), "");
    assert_eq!(stage.query_as(Some(&key), "iam", "/", &put).await.code(), "");
}
