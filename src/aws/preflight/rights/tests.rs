//! Who is asked about, what is asked, and what follows from the answers.

use super::*;
use crate::permissions::Site;
use crate::preflight::{Cluster, Outcome};

fn wanted() -> Wanted {
    Wanted {
        site: Site {
            partition: "aws".into(),
            region: "ap-northeast-1".into(),
            account_id: "111122223333".into(),
            cluster: "demo".into(),
            passed_roles: vec!["demo-cluster".into(), "demo-fargate".into()],
            queues: vec!["orders".into()],
            path: "/".into(),
            repository: None,
            key: None,
            network: false,
            issuers: None,
        },
        stack: "demo".into(),
        caller_arn: "arn:aws:sts::111122223333:assumed-role/Admin/me".into(),
        roles: vec!["demo-cluster".into(), "demo-fargate".into(), "demo-keda-operator".into()],
        fargate_profile: "default".into(),
        has_admins: false,
        cluster: Some(Cluster {
            version: "1.35".into(),
            vpc: None,
            makes_network: false,
            subnets: Vec::new(),
            pods: 1,
            millicpu: 250,
        }),
    }
}

#[test]
fn policies_are_attached_to_users_and_roles() {
    for (caller, source) in [
        ("arn:aws:iam::111122223333:root", Source::Root),
        ("arn:aws:iam::111122223333:user/team/me", Source::Arn("arn:aws:iam::111122223333:user/team/me".into())),
        (
            "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123/me@example.com",
            Source::Role("AWSReservedSSO_Admin_0123".into()),
        ),
        ("arn:aws:sts::111122223333:federated-user/me", Source::Other),
        ("nonsense", Source::Other),
    ] {
        assert_eq!(source_of(caller), source, "{caller}");
    }
}

#[test]
fn the_questions_are_about_things_and_not_about_patterns() {
    let questions = questions(&wanted());
    for question in &questions {
        let is_list = question.scope == Scope::Account;
        let patterns = question.resources.iter().filter(|resource| resource.contains('*') && !is_list);
        assert!(
            patterns.clone().all(|resource| resource.contains(":policy/") || resource.contains(":log-group:")),
            "{question:?}"
        );
    }
    let all: BTreeSet<_> = questions.iter().flat_map(|question| question.actions.iter().copied()).collect();
    let parts = [Part::Look, Part::Make, Part::Remove, Part::Messages];
    let needed: BTreeSet<_> = permissions::needs(&wanted().site, &parts).into_iter().map(|need| need.action).collect();
    let of_admins = |action: &&&str| action.contains("Access");
    assert_eq!(needed.difference(&all).filter(|action| !of_admins(action)).count(), 0, "{all:?}");
    let passed: Vec<_> = questions.iter().filter(|question| question.scope == Scope::PassedRoles).collect();
    assert_eq!(passed.len(), 2);
    assert!(
        passed
            .iter()
            .any(|one| one.context.contains(&("iam:PassedToService".into(), "eks-fargate-pods.amazonaws.com".into())))
    );
}

#[test]
fn a_cluster_of_the_users_needs_no_rights_on_eks() {
    let questions = questions(&Wanted { cluster: None, ..wanted() });
    let needed: Vec<_> =
        questions.iter().filter(|one| one.scope != Scope::Account).flat_map(|one| one.actions.clone()).collect();
    assert!(needed.iter().all(|action| !action.starts_with("eks:")), "{needed:?}");
    assert!(needed.contains(&"sqs:CreateQueue") && !needed.contains(&"iam:PassRole"), "{needed:?}");
}

fn verdict(action: &str, resource: &str, decision: Decision, missing: &[&str]) -> Verdict {
    let missing = missing.iter().map(|key| (*key).to_owned()).collect();
    let scope = if resource.contains("aws-service-role") { Scope::ServiceLinkedRoles } else { Scope::Roles };
    Verdict { scope, action: action.into(), resource: resource.into(), decision, missing }
}

const ROLE: &str = "arn:aws:iam::111122223333:role/demo-cluster";
const OF_AWS: &str = "arn:aws:iam::111122223333:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS";

#[test]
fn what_is_missing_is_named_by_resource_and_reason() {
    let verdicts = [
        verdict("iam:CreateRole", ROLE, Decision::NotAllowed, &[]),
        verdict("iam:TagRole", ROLE, Decision::NotAllowed, &[]),
        verdict("iam:GetRole", ROLE, Decision::Allowed, &[]),
        verdict("iam:DeleteRole", ROLE, Decision::Denied, &[]),
        verdict("iam:PutRolePolicy", ROLE, Decision::DeniedByOrganization, &[]),
        verdict("iam:AttachRolePolicy", ROLE, Decision::NotAllowedByBoundary, &[]),
    ];
    let found = evaluate("me", &verdicts, &BTreeMap::new());
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found.iter().all(|one| one.is_problem() && one.repair.is_some()));
    assert_eq!(found[0].text, format!("me may not iam:CreateRole, iam:TagRole on {ROLE}: no policy allows it"));
    assert!(found[0].repair.as_deref().unwrap().contains("sluice policy"));
    let fine = evaluate("me", &verdicts[2..3], &BTreeMap::new());
    assert_eq!(fine[0].outcome, Outcome::Fine);
}

#[test]
fn what_depends_on_the_call_itself_is_not_known() {
    let found =
        evaluate("me", &[verdict("iam:CreateRole", ROLE, Decision::NotAllowed, &["aws:SourceVpce"])], &BTreeMap::new());
    assert_eq!((found.len(), found[0].outcome), (1, Outcome::Unchecked));
    assert!(found[0].text.contains("aws:SourceVpce"), "{found:?}");
}

#[test]
fn roles_of_awss_own_that_exist_need_no_right() {
    let verdicts = [verdict("iam:CreateServiceLinkedRole", OF_AWS, Decision::NotAllowed, &[])];
    let with =
        |exists: Result<bool>| evaluate("me", &verdicts, &BTreeMap::from([(OF_AWS.to_owned(), exists)])).remove(0);
    assert_eq!(with(Ok(true)).outcome, Outcome::Fine);
    assert_eq!(with(Ok(false)).outcome, Outcome::Problem);
    let refused =
        Error::Service { operation: "iam:GetRole", code: "AccessDenied".into(), message: "no".into(), status: 403 };
    assert_eq!(with(Err(refused)).outcome, Outcome::Unchecked);
}
