//! The table by itself; what it is compared with is in the tests of the whole program.

use std::fmt::Write as _;

use super::*;

fn site(account_id: &str) -> Site {
    Site {
        partition: "aws".to_owned(),
        region: "ap-northeast-1".to_owned(),
        account_id: account_id.to_owned(),
        cluster: "sluice-demo".to_owned(),
        path: "/".to_owned(),
        passed_roles: vec!["sluice-demo-cluster".to_owned(), "sluice-demo-fargate".to_owned()],
        queues: vec!["sluice-demo-myapp".to_owned()],
        repository: None,
        key: None,
        network: false,
        issuers: None,
    }
}

#[test]
fn the_rows_are_in_order_and_each_stands_once() {
    let keys: Vec<_> = PERMISSIONS.iter().map(|row| (row.operation, row.operation != row.action, row.action)).collect();
    assert!(keys.is_sorted_by(|before, after| before < after), "{keys:#?}");
    assert!(FREE.iter().all(|free| PERMISSIONS.iter().all(|row| row.operation != *free)));
}

/// What is on everything: lists, and a login of the whole registry.
const WIDE: [&str; 14] = [
    "ec2:DescribeAddresses",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeNatGateways",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "ecr:DescribeRepositories",
    "ecr:GetAuthorizationToken",
    "eks:ListClusters",
    "iam:ListOpenIDConnectProviders",
    "iam:ListPolicies",
    "iam:ListRoles",
    "logs:DescribeLogGroups",
    "sqs:ListQueues",
];

/// What pods call by the stack's roles, or whoever tries an emulator.
const BY_OTHERS: [&str; 5] = [
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:ReceiveMessage",
    "sts:AssumeRole",
    "sts:AssumeRoleWithWebIdentity",
];

/// What this crate can do and no stack asks for: it declares no thumbprints and no groups of an entry, and nobody purges.
const BY_NO_STACK: [&str; 3] = ["eks:UpdateAccessEntry", "iam:UpdateOpenIDConnectProviderThumbprint", "sqs:PurgeQueue"];

const SERVICES: [&str; 9] = ["ec2", "ecr", "eks", "iam", "kms", "logs", "servicequotas", "sqs", "sts"];

/// Condition keys that look like operations.
const KEYS: [&str; 2] = ["iam:AWSServiceName", "iam:PassedToService"];

fn is_operation(word: &str) -> bool {
    let Some((service, name)) = word.split_once(':') else { return false };
    SERVICES.contains(&service) && name.len() > 3 && name.bytes().all(|byte| byte.is_ascii_alphabetic())
}

#[test]
fn every_operation_of_this_crate_has_a_row() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut folders, mut named) = (vec![root.to_owned()], BTreeSet::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("permissions") && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs")
                && !path.ends_with("permissions.rs")
                && !path.ends_with("tests.rs")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                // A call that fails names its operation.
                named.extend(
                    text.split('"').filter(|word| is_operation(word) && !KEYS.contains(word)).map(str::to_owned),
                );
            }
        }
    }
    let known: BTreeSet<&str> = PERMISSIONS.iter().map(|row| row.operation).chain(FREE.iter().copied()).collect();
    let known: BTreeSet<&str> = known.into_iter().chain(BY_OTHERS).chain(BY_NO_STACK).collect();
    let named: BTreeSet<&str> = named.iter().map(String::as_str).collect();
    assert_eq!(named, known);
}

#[test]
fn a_managed_policy_holds_it() {
    // IAM User Guide, "IAM and AWS STS quotas": 6,144 characters without white space.
    let longest = Site { cluster: "c".repeat(40), ..site("123456789012") };
    let text = policy(&longest).to_string();
    assert!(text.len() <= 6144, "{}", text.len());
}

#[test]
fn resources_are_the_stacks_by_name() {
    let mut site = site("123456789012");
    site.queues.push("orders".to_owned());
    assert_eq!(
        site.resources(Scope::Queues),
        ["arn:aws:sqs:ap-northeast-1:123456789012:sluice-demo-*", "arn:aws:sqs:ap-northeast-1:123456789012:orders",]
    );
    assert_eq!(
        site.resources(Scope::OidcProviders),
        ["arn:aws:iam::123456789012:oidc-provider/oidc.eks.ap-northeast-1.amazonaws.com/id/*",]
    );
    let pass = needs(&site, &[Part::Make]).into_iter().find(|need| need.action == "iam:PassRole").unwrap();
    assert_eq!(
        pass.resources,
        ["arn:aws:iam::123456789012:role/sluice-demo-cluster", "arn:aws:iam::123456789012:role/sluice-demo-fargate",]
    );
    assert_eq!(pass.operations, BTreeSet::from(["eks:CreateCluster", "eks:CreateFargateProfile"]));
    // Only what lists the account is on everything.
    let wide = needs(&site, &[Part::Look, Part::Make, Part::Remove, Part::Messages]);
    let wide = wide.into_iter().filter(|need| need.resources == ["*"]);
    assert!(wide.into_iter().all(|need| WIDE.contains(&need.action)));
}

/// What `derive.py` took from the Service Authorization Reference: the ARN of each kind, and for each action the kinds that it is on
/// and the actions that it needs besides.
#[derive(serde::Deserialize)]
struct Reference {
    kinds: BTreeMap<String, String>,
    actions: BTreeMap<String, Action>,
}

#[derive(serde::Deserialize)]
struct Action {
    required: Vec<String>,
    optional: Vec<String>,
    needs: Vec<String>,
}

/// Whether an ARN of ours is of the kind whose ARN is this: the same service, a region and an account where it has them, and the same
/// beginning.
fn is_of_kind(ours: &str, theirs: &str) -> bool {
    let ours: Vec<&str> = ours.splitn(6, ':').collect();
    let theirs: Vec<&str> = theirs.splitn(6, ':').collect();
    let beginning = theirs[5].split("${").next().unwrap_or_default();
    let same = |field: usize| ours[field].is_empty() == theirs[field].is_empty();
    ours[2] == theirs[2] && same(3) && same(4) && ours[5].starts_with(beginning)
}

/// On everything although the reference knows a kind for it.
const WIDER: [(&str, &str); 4] = [
    ("ec2:DescribeVpcAttribute", "whose VPC it is shows only once the subnets were looked at"),
    ("ecr:DescribeRepositories", "the audit lists all of them"),
    ("iam:SimulatePrincipalPolicy", "who calls is not known before"),
    ("servicequotas:GetServiceQuota", "quotas are nobody's"),
];

/// Narrower than the reference says, by AWS's own documents: the EKS User Guide has policies for `eks:CreateCluster` on a cluster's ARN
/// ("Amazon EKS identity-based policy examples", "Create a cluster"), and a refusal names it (cortexlabs/cortex issue 1232).
const NARROWER: [&str; 1] = ["eks:CreateCluster"];

/// `servicequotas:GetServiceQuota` needs these for quotas of services that no stack uses.
const OF_OTHER_SERVICES: [&str; 7] =
    ["autoscaling:", "cloudformation:", "dynamodb:", "elasticloadbalancing:", "kinesis:", "rds:", "route53:"];

#[test]
fn resources_are_what_the_service_authorization_reference_has() {
    let Reference { kinds, actions } = serde_json::from_str(include_str!("service_authorization.json")).unwrap();
    let mut site = site("123456789012");
    (site.network, site.repository, site.key) = (true, Some("team/app".into()), Some("alias/secrets".into()));
    let (mut wrong, mut wider, mut narrower) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for Permission { operation, action, scope, .. } in PERMISSIONS {
        let Some(reference) = actions.get(*action) else {
            wrong.push(format!("{action}: the reference has no such action"));
            continue;
        };
        let (service, resources) = (action.split(':').next().unwrap(), site.resources(*scope));
        let has = |kind: &String| resources.iter().any(|arn| is_of_kind(arn, &kinds[&format!("{service}:{kind}")]));
        let mut all = reference.required.iter().chain(&reference.optional);
        match (resources == ["*"], all.clone().next().is_none()) {
            (true, true) => {}
            (true, false) => drop(wider.insert(*action)),
            (false, true) => drop(narrower.insert(*action)),
            (false, false) => {
                let lacks: Vec<_> = reference.required.iter().filter(|kind| !has(kind)).collect();
                if !lacks.is_empty() || !all.any(has) {
                    wrong.push(format!("{action} is on {resources:?} and lacks {lacks:?}"));
                }
            }
        }
        if operation == action {
            let rows = || PERMISSIONS.iter().filter(|row| row.operation == *operation || row.operation == row.action);
            let is_there = |needed: &&String| rows().any(|row| row.action == **needed);
            let is_other = |needed: &&String| OF_OTHER_SERVICES.iter().any(|service| needed.starts_with(service));
            let needed = reference.needs.iter().filter(|needed| !is_there(needed) && !is_other(needed));
            wrong.extend(needed.map(|needed| format!("{action} needs {needed} as well")));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(wider, WIDER.map(|(action, _)| action).into());
    assert_eq!(narrower, NARROWER.into());
}

/// The table as `docs/permissions.md` shows it.
fn table() -> String {
    let mut text = String::from("| Operation | Action | On | For | Why |\n|---|---|---|---|---|\n");
    for Permission { operation, action, scope, part, why } in PERMISSIONS {
        writeln!(text, "| `{operation}` | `{action}` | {scope:?} | {part:?} | {why} |").unwrap();
    }
    text
}

#[test]
fn the_documents_show_the_table() {
    let document = include_str!("../../../docs/permissions.md");
    for expected in [table(), format!("```json\n{:#}\n```", policy(&site("*")))] {
        assert!(document.contains(&expected), "docs/permissions.md must hold:\n{expected}");
    }
}
