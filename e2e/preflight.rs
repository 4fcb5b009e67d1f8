//! What would keep `up` from coming to its end is said before anything is made: all of it in one list, each with its repair.

use std::process::Command;

use aws_sdk_iam::Client as Iam;
use aws_sdk_sts::Client as Sts;
use serde_json::{Value, json};

use crate::scenarios::clients::aws;
use crate::scenarios::stage::access_of;
use crate::workspace::{Ended, Workspace, ended};

const PREFLIGHT: i32 = 6;
/// The local cloud's public subnets, as its EC2 lists them.
const PUBLIC: &str = "cluster: { subnets: [subnet-0a1b2c3d4e5f60011, subnet-0a1b2c3d4e5f60012] }\n";
const PRIVATE: &str = "cluster: { subnets: [subnet-0a1b2c3d4e5f60001, subnet-0a1b2c3d4e5f60002] }\n";

fn under(faults: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", &format!("local: {{ faults: '{faults}' }}\n"));
    workspace
}

/// The findings of a run that speaks JSON.
fn findings(ended: &Ended) -> Vec<Value> {
    let objects = ended.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let event = objects.into_iter().find(|object| object["type"] == "preflight");
    event.unwrap_or_else(|| panic!("no preflight in {}", ended.stdout))["findings"].as_array().unwrap().clone()
}

fn of_outcome(findings: &[Value], outcome: &str) -> Vec<String> {
    let some = findings.iter().filter(|found| found["outcome"] == outcome);
    some.map(|found| found["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_stack_that_can_come_up_has_no_problem_and_nothing_is_started_for_it() {
    let workspace = Workspace::new();
    let text = workspace.run("preflight").with(0);
    assert!(text.stdout.contains("may do all that up, verify and down need"), "{}", text.stdout);
    assert!(text.stdout.contains("Preflight: 0 problems, 0 could not be checked"), "{}", text.stdout);
    let found = findings(&workspace.run("preflight --output json").with(0));
    assert!(found.len() >= 9 && of_outcome(&found, "fine").len() == found.len(), "{found:#?}");
    workspace.nothing_is_left();
}

#[test]
fn all_problems_come_in_one_list_and_nothing_was_made() {
    let workspace = under("no-way-out,zone-forbidden,vpc-dns-off,quotas-low");
    for words in ["preflight", "up", "demo"] {
        let said = workspace.run(words).with(PREFLIGHT);
        for part in [
            "where Fargate is not offered",
            "has no way out",
            "no endpoints for ecr.api, ecr.dkr, s3, sqs, sts",
            "enableDnsSupport off",
            "enableDnsHostnames off",
            "may have 0 EKS clusters",
            "may have 0 OIDC providers",
            "may have 1 virtual CPUs of Fargate",
        ] {
            assert!(said.stderr.contains(part), "{words} lacks {part:?}:\n{}", said.stderr);
        }
        let messages = said.stderr.lines().filter(|line| line.starts_with("error")).count();
        let repairs = said.stderr.lines().filter(|line| line.starts_with("  →")).count();
        assert!(messages >= 8 && repairs == messages, "{words}:\n{}", said.stderr);
        // Neither a plan nor a resource: the cloud that was started for the look is gone.
        assert!(!said.stdout.contains("Plan:"), "{}", said.stdout);
        workspace.nothing_is_left();
    }
}

#[test]
fn each_fault_by_itself_is_found() {
    for (fault, says) in [
        ("subnets-public", "is public: its route table rtb-0a1b2c3d4e5f60001 leads to igw-"),
        ("zone-forbidden", "is in zone ap-northeast-1c (apne1-az3), where Fargate is not offered"),
        ("no-way-out", "has no way out"),
        ("vpc-dns-off", "enableDnsSupport off"),
        ("quotas-low", "may have 0 EKS clusters"),
    ] {
        let workspace = under(fault);
        let said = workspace.run("preflight").with(PREFLIGHT);
        assert!(said.stderr.contains(says), "{fault}:\n{}", said.stderr);
        workspace.nothing_is_left();
    }
}

/// The local cloud as an AWS that the target `aws` finds, called by a role with these statements besides everything allowed.
struct Account {
    workspace: Workspace,
    variables: Vec<(&'static str, String)>,
}

impl Account {
    fn new(statements: &Value) -> Self {
        let workspace = Workspace::new();
        workspace.run("local start").with(0);
        let access = access_of(&workspace);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (id, secret, token) = runtime.block_on(async {
            let config = aws(&access).await;
            let (iam, sts) = (Iam::new(&config), Sts::new(&config));
            let user = sts.get_caller_identity().send().await.unwrap().arn.unwrap();
            let trust = json!({ "Version": "2012-10-17", "Statement": [
                { "Effect": "Allow", "Principal": { "AWS": user }, "Action": "sts:AssumeRole" }] });
            let made =
                iam.create_role().role_name("pilot").path("/team/").assume_role_policy_document(trust.to_string());
            let arn = made.send().await.unwrap().role.unwrap().arn;
            let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
            iam.put_role_policy().role_name("pilot").policy_name("own").policy_document(policy).send().await.unwrap();
            let assumed = sts.assume_role().role_arn(arn).role_session_name("me").send().await.unwrap();
            let keys = assumed.credentials.unwrap();
            (keys.access_key_id, keys.secret_access_key, keys.session_token)
        });
        let variables = vec![
            ("AWS_ENDPOINT_URL", access.endpoint),
            ("AWS_ACCESS_KEY_ID", id),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_SESSION_TOKEN", token),
        ];
        Self { workspace, variables }
    }

    fn command(&self, words: &str) -> Command {
        let mut command = self.workspace.sluice(words);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    fn run(&self, words: &str) -> Ended {
        ended(&mut self.command(words))
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let _ = self.workspace.sluice("local stop").status();
    }
}

fn allow_all() -> Value {
    json!({ "Effect": "Allow", "Action": "*", "Resource": "*" })
}

#[test]
fn an_action_that_is_taken_out_is_named_with_what_it_is_needed_on() {
    let out = json!([
        { "Effect": "Allow", "NotAction": "eks:CreateAddon", "Resource": "*" },
        { "Effect": "Deny", "Action": "iam:PassRole", "Resource": "*" },
    ]);
    let account = Account::new(&out);
    account.workspace.write("stack.yaml", PRIVATE);
    let words = "preflight --target aws --image 127.0.0.1:9/sluice:1";
    let said = account.run(words).with(PREFLIGHT);
    for part in [
        "eks:CreateAddon on arn:aws:eks:",
        "iam:PassRole on arn:aws:iam::",
        "no policy allows it",
        "a policy denies it",
    ] {
        assert!(said.stderr.contains(part), "{part:?}:\n{}", said.stderr);
    }
    // The session names its role only; IAM says where it is.
    assert!(said.stderr.contains(":role/team/pilot may not"), "{}", said.stderr);
    // An image that no registry gives away is unknown, not fine.
    assert!(said.stdout.contains("whether 127.0.0.1:9/sluice:1 is there could not be checked"), "{}", said.stdout);
}

#[test]
fn what_may_not_be_looked_at_could_not_be_checked_unless_it_is_needed() {
    let closed = json!([allow_all(), { "Effect": "Deny", "Resource": "*", "Action": [
        "iam:SimulatePrincipalPolicy", "servicequotas:*", "eks:DescribeClusterVersions", "ec2:DescribeVpcAttribute" ] }]);
    let account = Account::new(&closed);
    account.workspace.write("stack.yaml", PRIVATE);
    let words = "preflight --target aws --image 127.0.0.1:9/sluice:1 --output json";
    let found = findings(&account.run(words).with(0));
    let unknown = of_outcome(&found, "unchecked");
    for part in [
        "may do could not be checked",
        "the quota of EKS clusters",
        "makes clusters of Kubernetes",
        "enableDnsSupport of vpc-",
    ] {
        assert!(unknown.iter().any(|text| text.contains(part)), "{part:?} in {unknown:#?}");
    }
    let closed = json!([allow_all(), { "Effect": "Deny", "Resource": "*", "Action": "ec2:DescribeSubnets" }]);
    let account = Account::new(&closed);
    account.workspace.write("stack.yaml", PRIVATE);
    let said = account.run(words).with(PREFLIGHT);
    let problems = of_outcome(&findings(&said), "problem");
    assert!(
        problems.iter().any(|text| text.contains("the subnets could not be checked: ec2:DescribeSubnets")),
        "{problems:#?}"
    );
}

#[test]
fn the_target_aws_finds_the_beginners_mistakes_before_the_question() {
    let account = Account::new(&json!([allow_all()]));
    account.workspace.write("stack.yaml", PUBLIC);
    // Nobody is there to be asked, and nobody is: the list comes first.
    let up = account.run("up --target aws").with(PREFLIGHT);
    assert_eq!(up.stderr.matches("is public: its route table").count(), 2, "{}", up.stderr);
    assert!(up.stderr.contains("names no registry that pods could get it from"), "{}", up.stderr);
    account
        .workspace
        .write("stack.yaml", "cluster: { subnets: [subnet-0a1b2c3d4e5f60001, subnet-00000000], vpc: vpc-1 }\n");
    let said = account.run("preflight --target aws --image 127.0.0.1:9/sluice:1").with(PREFLIGHT);
    for part in ["there is no subnet subnet-00000000", "cluster.vpc says vpc-1"] {
        assert!(said.stderr.contains(part), "{part:?}:\n{}", said.stderr);
    }
    let none = account.run("preflight --target aws --region us-gov-west-1 --image 127.0.0.1:9/sluice:1");
    assert_ne!(none.code, Some(0), "{}", none.stdout);
}

#[test]
fn a_role_of_others_is_a_problem_like_the_rest() {
    let account = Account::new(&json!([allow_all()]));
    let access = access_of(&account.workspace);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let iam = Iam::new(&aws(&access).await);
        let trust = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Principal": { "Service": "eks.amazonaws.com" }, "Action": "sts:AssumeRole" }] });
        let made = iam.create_role().role_name("e2e-cluster").assume_role_policy_document(trust.to_string());
        made.send().await.unwrap();
    });
    account.workspace.write("stack.yaml", PUBLIC);
    let said = account.run("preflight --target aws --image 127.0.0.1:9/sluice:1").with(PREFLIGHT);
    assert!(said.stderr.contains("e2e-cluster exists and is not ours"), "{}", said.stderr);
    assert!(said.stderr.contains("is public"), "{}", said.stderr);
}
