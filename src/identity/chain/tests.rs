//! Whole chains, and each way to break one.

use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "oidc.eks.eu-west-1.amazonaws.com/id/AB";
const OPERATOR: &str = "arn:aws:iam::111122223333:role/demo-operator";
const SCALER: &str = "arn:aws:iam::111122223333:role/demo-scaler";
const QUEUE: &str = "arn:aws:sqs:eu-west-1:111122223333:orders";
const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/AB";

fn document(name: &str, statements: &Value) -> Document {
    Document::parse(name, &json!({ "Version": "2012-10-17", "Statement": statements })).unwrap()
}

fn token_trust(subject: &str, audience: &str, provider: &str) -> Document {
    let equals = json!({ format!("{ISSUER}:sub"): subject, format!("{ISSUER}:aud"): audience });
    document(
        "the trust policy of role demo-operator",
        &json!([{
            "Sid": "ServiceAccount", "Effect": "Allow", "Principal": { "Federated": provider },
            "Action": "sts:AssumeRoleWithWebIdentity", "Condition": { "StringEquals": equals },
        }]),
    )
}

fn trust_of(principal: &str) -> Document {
    document(
        "the trust policy of role demo-scaler",
        &json!([{
            "Sid": "Operator", "Effect": "Allow", "Principal": { "AWS": principal }, "Action": "sts:AssumeRole",
        }]),
    )
}

fn policy(name: &str, effect: &str, action: &str, resource: &str) -> Document {
    document(name, &json!([{ "Sid": "One", "Effect": effect, "Action": action, "Resource": resource }]))
}

/// The chain of identity `role`, whole.
fn whole() -> (Facts, Wanted) {
    let operator = Role {
        trust: token_trust("system:serviceaccount:keda:keda-operator", "sts.amazonaws.com", PROVIDER),
        policies: vec![policy("policy demo-operator", "Allow", "sts:AssumeRole", SCALER)],
        boundary: None,
    };
    let scaler = Role {
        trust: trust_of(OPERATOR),
        policies: vec![policy("policy demo-scaler", "Allow", "sqs:GetQueueAttributes", QUEUE)],
        boundary: None,
    };
    let account =
        ServiceAccount { namespace: "keda".into(), name: "keda-operator".into(), role: Some(OPERATOR.into()) };
    let facts = Facts {
        issuer: ISSUER.into(),
        audience: "sts.amazonaws.com".into(),
        providers: vec![Provider {
            arn: PROVIDER.into(),
            url: ISSUER.into(),
            client_ids: vec!["sts.amazonaws.com".into()],
        }],
        roles: [(OPERATOR.to_owned(), operator), (SCALER.to_owned(), scaler)].into(),
        queue_policies: BTreeMap::new(),
        service_accounts: vec![account],
    };
    let wanted = Wanted {
        service_account: ("keda".into(), "keda-operator".into()),
        role: OPERATOR.into(),
        assumed: Some(SCALER.into()),
        actions: vec!["sqs:GetQueueAttributes".into()],
        queue: QUEUE.into(),
    };
    (facts, wanted)
}

fn role<'a>(facts: &'a mut Facts, arn: &str) -> &'a mut Role {
    facts.roles.get_mut(arn).unwrap()
}

#[test]
fn a_whole_chain_holds_and_names_what_permits_each_link() {
    let (facts, wanted) = whole();
    let links = prove(&facts, &wanted);
    let found: Vec<_> = links.iter().map(|link| (link.what.as_str(), link.finding.clone())).collect();
    let by = |text: &str| Finding::Allowed(text.to_owned());
    assert_eq!(
        found,
        [
            ("ServiceAccount keda/keda-operator names role demo-operator", by("annotation eks.amazonaws.com/role-arn")),
            ("IAM takes tokens of oidc.eks.eu-west-1.amazonaws.com/id/AB", by(&format!("OIDC provider {PROVIDER}"))),
            (
                "the token of system:serviceaccount:keda:keda-operator becomes role demo-operator",
                by("statement ServiceAccount of the trust policy of role demo-operator")
            ),
            ("role demo-operator uses role demo-scaler", by("statement One of policy demo-operator")),
            (
                &*format!("role demo-scaler may sqs:GetQueueAttributes on {QUEUE}"),
                by("statement One of policy demo-scaler")
            ),
        ]
    );
    assert!(links.iter().all(|link| link.holds() && link.repair.is_none()));
}

/// What is broken, the link that fails, words of what is found and of the repair.
type Row = (&'static str, fn(&mut Facts), usize, &'static str, &'static str);

/// ServiceAccount and issuer.
fn of_accounts() -> Vec<Row> {
    vec![
        ("no ServiceAccount", |f| f.service_accounts.clear(), 0, "does not exist", "make it: `sluice up` does"),
        (
            "no annotation",
            |f| f.service_accounts[0].role = None,
            0,
            "has no annotation",
            "role-arn=arn:aws:iam::111122223333:role/demo-operator",
        ),
        (
            "another role",
            |f| f.service_accounts[0].role = Some(SCALER.into()),
            0,
            "names arn:aws:iam::111122223333:role/demo-scaler",
            "restart its pods",
        ),
        (
            "no provider",
            |f| f.providers.clear(),
            1,
            "no OIDC provider of that issuer",
            "give IAM an OIDC provider of https://oidc.eks",
        ),
        (
            "another audience of the provider",
            |f| f.providers[0].client_ids = vec!["other".into()],
            1,
            "for other and not for sts.amazonaws.com",
            "client id sts.amazonaws.com",
        ),
    ]
}

/// The token's role.
fn of_tokens() -> Vec<Row> {
    vec![
        (
            "another subject",
            |f| {
                role(f, OPERATOR).trust =
                    token_trust("system:serviceaccount:keda:other", "sts.amazonaws.com", PROVIDER);
            },
            2,
            "statement ServiceAccount of the trust policy of role demo-operator: StringEquals wants oidc.eks.eu-west-1.amazonaws.com/id/AB:sub to be system:serviceaccount:keda:other",
            "sub is system:serviceaccount:keda:keda-operator",
        ),
        (
            "another audience",
            |f| role(f, OPERATOR).trust = token_trust("system:serviceaccount:keda:keda-operator", "other", PROVIDER),
            2,
            "AB:aud to be other",
            "aud is sts.amazonaws.com",
        ),
        (
            "another issuer",
            |f| {
                role(f, OPERATOR).trust = token_trust(
                    "system:serviceaccount:keda:keda-operator",
                    "sts.amazonaws.com",
                    "arn:aws:iam::111122223333:oidc-provider/old",
                );
            },
            2,
            "it is for arn:aws:iam::111122223333:oidc-provider/old",
            "allow sts:AssumeRoleWithWebIdentity",
        ),
        (
            "no first role",
            |f| drop(f.roles.remove(OPERATOR)),
            2,
            "there is no role arn:aws:iam::111122223333:role/demo-operator",
            "make role demo-operator",
        ),
    ]
}

/// The second role.
fn of_roles() -> Vec<Row> {
    vec![
        (
            "a trust for somebody else",
            |f| role(f, SCALER).trust = trust_of("arn:aws:iam::111122223333:role/other"),
            3,
            "statement Operator of the trust policy of role demo-scaler: it is for arn:aws:iam::111122223333:role/other",
            "allow sts:AssumeRole to arn:aws:iam::111122223333:role/demo-operator",
        ),
        (
            "a trust for the account, and no policy",
            |f| {
                role(f, SCALER).trust = trust_of("arn:aws:iam::111122223333:root");
                role(f, OPERATOR).policies.clear();
            },
            3,
            "there is no policy",
            "a policy of role demo-operator allow it",
        ),
        (
            "no second role",
            |f| drop(f.roles.remove(SCALER)),
            3,
            "there is no role arn:aws:iam::111122223333:role/demo-scaler",
            "make role demo-scaler",
        ),
    ]
}

/// The action.
fn of_queues() -> Vec<Row> {
    vec![
        (
            "another queue",
            |f| {
                role(f, SCALER).policies = vec![policy(
                    "policy demo-scaler",
                    "Allow",
                    "sqs:GetQueueAttributes",
                    "arn:aws:sqs:eu-west-1:111122223333:mails",
                )];
            },
            4,
            "it is about arn:aws:sqs:eu-west-1:111122223333:mails",
            "allow sqs:GetQueueAttributes on arn:aws:sqs:eu-west-1:111122223333:orders",
        ),
        (
            "a deny",
            |f| role(f, SCALER).policies.push(policy("policy guard", "Deny", "sqs:*", "*")),
            4,
            "statement One of policy guard",
            "take statement One of policy guard away",
        ),
        (
            "a boundary",
            |f| role(f, SCALER).boundary = Some(Ok(policy("policy boundary", "Allow", "s3:*", "*"))),
            4,
            "permissions boundary: statement One of policy boundary: it is about s3:*",
            "allow sqs:GetQueueAttributes",
        ),
        (
            "the queue's policy",
            |f| {
                let deny =
                    json!([{ "Sid": "No", "Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": QUEUE }]);
                f.queue_policies.insert(QUEUE.into(), Ok(document("the policy of queue orders", &deny)));
            },
            4,
            "statement No of the policy of queue orders",
            "take statement No",
        ),
    ]
}

#[test]
fn each_broken_link_is_named_with_the_statement_and_its_repair() {
    for (name, broken, index, found, repair) in
        of_accounts().into_iter().chain(of_tokens()).chain(of_roles()).chain(of_queues())
    {
        let (mut facts, wanted) = whole();
        broken(&mut facts);
        let links = prove(&facts, &wanted);
        let first = links.iter().position(|link| !link.holds());
        assert_eq!(first, Some(index), "{name}: {links:#?}");
        let said = format!("{:?}", links[index].finding);
        assert!(said.contains(found), "{name}: {said}");
        assert!(
            links[index].repair.as_ref().is_some_and(|text| text.contains(repair)),
            "{name}: {:?}",
            links[index].repair
        );
    }
}

#[test]
fn within_an_account_a_policy_that_names_the_role_is_enough() {
    let (mut facts, wanted) = whole();
    role(&mut facts, OPERATOR).policies.clear();
    let links = prove(&facts, &wanted);
    assert_eq!(links[3].finding, Finding::Allowed("statement Operator of the trust policy of role demo-scaler".into()));
    role(&mut facts, SCALER).policies.clear();
    let allow = json!([{ "Effect": "Allow", "Principal": { "AWS": SCALER }, "Action": "sqs:GetQueueAttributes", "Resource": QUEUE }]);
    facts.queue_policies.insert(QUEUE.into(), Ok(document("the policy of queue orders", &allow)));
    assert!(prove(&facts, &wanted)[4].holds());
}

#[test]
fn a_queue_whose_policy_cannot_be_read_is_unclear() {
    let (mut facts, wanted) = whole();
    facts.queue_policies.insert(QUEUE.into(), Err("AccessDenied".into()));
    let link = &prove(&facts, &wanted)[4];
    assert!(matches!(&link.finding, Finding::Unclear(why) if why[0].contains("AccessDenied")), "{link:?}");
}

#[test]
fn a_boundary_that_is_not_known_is_no_permission() {
    let (mut facts, wanted) = whole();
    role(&mut facts, SCALER).boundary = Some(Err("AccessDenied".into()));
    let link = &prove(&facts, &wanted)[4];
    assert!(
        !link.holds() && matches!(&link.finding, Finding::Unclear(why) if why[0].contains("AccessDenied")),
        "{link:?}"
    );
}
