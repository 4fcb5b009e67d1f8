//! The wire between the product and AWS: each request and each answer against the service models, and what the caller is allowed
//! against the policy that is published.
//!
//! The local cloud writes the exchanges down (`local start --wire-log-path`); `check` holds them against the extracts in
//! `wire/models`, which neither the product nor the local cloud reads.

pub(crate) mod check;
mod errors;
mod exchange;
mod model;
mod own;
mod shape;

use std::collections::BTreeSet;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_eks::types::AddonStatus;
use aws_sdk_iam::types::Tag;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::scenarios::clients::{Access, aws};
use crate::scenarios::stage::access_of;
use crate::tidy::root;
use crate::workspace::{Workspace, wait_until};

/// A whole scenario, beside others on a loaded machine.
const LIMIT: Duration = Duration::from_mins(10);
/// Name of the role that whoever runs the program has here. It is none of the stack's.
const CALLER: &str = "deployer";

/// Operations of the table that this scenario does not call. A stack must say more for them: a key, a boundary, a repository, the
/// profile `seed`, logs for ever, a network of the user's own, or a route of the stack's that somebody changed. The default of a quota
/// is asked for where an account has none of its own.
const ELSEWHERE: [&str; 18] = [
    "ec2:DeleteRoute",
    "ec2:DescribeVpcEndpoints",
    "ec2:ReplaceRoute",
    "ecr:CreateRepository",
    "ecr:DeleteRepository",
    "ecr:GetAuthorizationToken",
    "ecr:ListTagsForResource",
    "ecr:TagResource",
    "ecr:UntagResource",
    "eks:AssociateEncryptionConfig",
    "iam:CreatePolicy",
    "iam:CreatePolicyVersion",
    "iam:DeleteRolePermissionsBoundary",
    "iam:PutRolePermissionsBoundary",
    "iam:TagPolicy",
    "iam:UntagPolicy",
    "logs:DeleteRetentionPolicy",
    "servicequotas:GetAWSDefaultServiceQuota",
];

/// A local cloud whose exchanges are written down, and a caller with a policy of its own.
struct Stage {
    workspace: Workspace,
    /// Lies outside: `down` leaves nothing in the workspace.
    log: tempfile::NamedTempFile,
    runtime: Runtime,
    /// As the administrator.
    administrator: SdkConfig,
    account: String,
}

impl Stage {
    fn new() -> Self {
        Self::started("")
    }

    /// With further options of `local start`.
    fn started(options: &str) -> Self {
        let (workspace, log) = (Workspace::new(), tempfile::NamedTempFile::new().unwrap());
        workspace.run(&format!("local start --wire-log-path {} {options}", log.path().display())).with(0);
        let access: Access = access_of(&workspace);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let administrator = runtime.block_on(aws(&access));
        let account = runtime.block_on(async {
            aws_sdk_sts::Client::new(&administrator).get_caller_identity().send().await.unwrap().account.unwrap()
        });
        Self { workspace, log, runtime, administrator, account }
    }

    fn iam(&self) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&self.administrator)
    }

    /// A role that anybody of the account may assume; its ARN.
    fn role(&self, name: &str) -> String {
        let principal = format!("arn:aws:iam::{}:root", self.account);
        let statement = json!({ "Effect": "Allow", "Principal": { "AWS": principal }, "Action": "sts:AssumeRole" });
        let trust = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
        let call = self.iam().create_role().role_name(name).assume_role_policy_document(trust);
        self.runtime.block_on(async { call.send().await.unwrap().role.unwrap().arn })
    }

    /// The policy that the program publishes for the stack file as it is.
    fn published(&self) -> Value {
        serde_json::from_str(&self.workspace.run("policy").with(0).stdout).unwrap()
    }

    fn allow(&self, policy: &Value) {
        let call =
            self.iam().put_role_policy().role_name(CALLER).policy_name("all").policy_document(policy.to_string());
        self.runtime.block_on(async { call.send().await.unwrap() });
    }

    /// From here on the program is run by a role that may do what this policy says.
    fn call_as(&self, policy: &Value) {
        let arn = self.role(CALLER);
        self.allow(policy);
        let sts = aws_sdk_sts::Client::new(&self.administrator);
        let assume = sts.assume_role().role_arn(arn).role_session_name("test");
        let given = self.runtime.block_on(async { assume.send().await.unwrap().credentials.unwrap() });
        let (id, secret, token) = (given.access_key_id, given.secret_access_key, given.session_token);
        let text = format!(
            "[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\naws_session_token = {token}\n"
        );
        std::fs::write(self.workspace.stack_file("credentials"), text).unwrap();
    }

    /// Changes by hand what the program is to set right again.
    fn disturb(&self, admin: &str) {
        let (iam, eks) = (self.iam(), aws_sdk_eks::Client::new(&self.administrator));
        let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": { "AWS": format!("arn:aws:iam::{}:root", self.account) } }] });
        let queues = json!({ "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*" }] });
        self.runtime.block_on(async {
            let scaler = "e2e-sqs-scaler";
            iam.update_role().role_name(scaler).description("Sluice stack e2e: changed").send().await.unwrap();
            iam.update_assume_role_policy().role_name(scaler).policy_document(trust.to_string()).send().await.unwrap();
            let providers = iam.list_open_id_connect_providers().send().await.unwrap();
            let provider = providers.open_id_connect_provider_list()[0].arn().unwrap();
            let audience = "sts.amazonaws.com";
            let add = iam.add_client_id_to_open_id_connect_provider().open_id_connect_provider_arn(provider);
            add.client_id("other").send().await.unwrap();
            let remove = iam.remove_client_id_from_open_id_connect_provider().open_id_connect_provider_arn(provider);
            remove.client_id(audience).send().await.unwrap();
            // A policy with the stack's tag, of two versions and in use.
            let tag = Tag::builder().key("sluice:stack").value("e2e").build().unwrap();
            let made = iam.create_policy().policy_name("e2e-extra").policy_document(queues.to_string()).tags(tag);
            let arn = made.send().await.unwrap().policy.unwrap().arn.unwrap();
            let version = iam.create_policy_version().policy_arn(&arn).policy_document(queues.to_string());
            version.set_as_default(true).send().await.unwrap();
            iam.attach_role_policy().role_name("e2e-myapp").policy_arn(&arn).send().await.unwrap();
            eks.create_access_entry().cluster_name("e2e").principal_arn(admin).send().await.unwrap();
            let addon = eks.update_addon().cluster_name("e2e").addon_name("coredns");
            addon.configuration_values(r#"{"computeType":"Fargate","replicaCount":1}"#).send().await.unwrap();
        });
        wait_until("the addon is active", LIMIT, || {
            let look = eks.describe_addon().cluster_name("e2e").addon_name("coredns").send();
            let status = self.runtime.block_on(look).unwrap().addon.unwrap().status;
            (status == Some(AddonStatus::Active)).then_some(())
        })
        .unwrap();
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }
}

/// The rows of the published table: operation and action.
fn table() -> BTreeSet<(String, String)> {
    let text = std::fs::read_to_string(root().join("docs/permissions.md")).unwrap();
    let rows = text.lines().filter_map(|line| {
        let mut words = line.strip_prefix("| `")?.split('`');
        Some((words.next()?.to_owned(), words.nth(1)?.to_owned()))
    });
    rows.collect()
}

fn stack(version: &str, logs: &str, admin: &str, tags: &str, visibility: u32) -> String {
    format!(
        "tags: {{ {tags} }}\n\
         cluster: {{ network: create, version: '{version}', logs: [{logs}], admins: ['{admin}'] }}\n\
         workloads: [{{ name: myapp, queue: {{ visibilityTimeout: {visibility} }} }}]\n"
    )
}

#[test]
fn the_whole_scenario_keeps_the_contract_and_needs_exactly_the_published_policy() {
    let stage = Stage::new();
    let (one, other) = (stage.role("colleague"), stage.role("successor"));
    let workspace = &stage.workspace;
    workspace.write("stack.yaml", &stack("1.34", "api, audit", &one, "team: one, cost: a", 60));
    stage.call_as(&stage.published());
    workspace.run_within("up", LIMIT).with(0);
    for look in ["plan --detailed-exitcode", "status", "audit", "send 1"] {
        workspace.run_within(look, LIMIT).with(0);
    }
    workspace.run_within("verify", LIMIT).with(0);
    stage.disturb(&other);
    workspace.write("stack.yaml", &stack("1.35", "api", &other, "team: two", 90));
    workspace.run_within("up", LIMIT).with(0);
    workspace.run_within("plan --detailed-exitcode", LIMIT).with(0);
    let down = workspace.run_within("down", LIMIT).with(0);
    assert!(down.stdout.contains("nothing of this stack is left"), "{}", down.stdout);
    workspace.nothing_is_left();

    let checked = check::check(&stage.log());
    println!("{}", checked.summary());
    assert!(checked.violations.is_empty(), "{}", checked.summary());
    assert!(checked.exchanges > 500, "{}", checked.summary());
    let session = format!("arn:aws:sts::{}:assumed-role/{CALLER}/test", stage.account);
    let (needed, table) = (&checked.allowed[&session], table());
    println!("permissions: {} rows of the table, {} needed", table.len(), needed.len());
    let missing: Vec<_> = needed.difference(&table).collect();
    let (elsewhere, superfluous): (Vec<_>, Vec<_>) =
        table.difference(needed).partition(|(operation, _)| ELSEWHERE.contains(&operation.as_str()));
    let elsewhere: BTreeSet<_> = elsewhere.into_iter().map(|(operation, _)| operation.as_str()).collect();
    assert_eq!(elsewhere, BTreeSet::from(ELSEWHERE), "what is left out here is in the table and is not called");
    assert!(missing.is_empty() && superfluous.is_empty(), "missing: {missing:#?}\nsuperfluous: {superfluous:#?}");
}

/// A policy without one of its actions.
fn without(policy: &Value, action: &str) -> Value {
    let mut policy = policy.clone();
    let mut found = 0;
    for statement in policy["Statement"].as_array_mut().unwrap() {
        let actions = statement["Action"].as_array_mut().unwrap();
        found += actions.len();
        actions.retain(|one| one != action);
        found -= actions.len();
    }
    assert_eq!(found, 1, "{policy:#}");
    policy
}

#[test]
fn without_one_action_of_the_policy_the_run_names_it() {
    let stage = Stage::new();
    let (action, simulation) = ("iam:PutRolePolicy", "iam:SimulatePrincipalPolicy");
    let policy = without(&stage.published(), action);
    stage.call_as(&policy);
    // The preflight asks IAM, and nothing is made.
    let refused = stage.workspace.run_within("up", LIMIT).with(6);
    let caller = format!("role/{CALLER}");
    assert!(refused.stderr.contains(action) && refused.stderr.contains(&caller), "{}", refused.stderr);
    // Who may not ask is refused by IAM in the middle.
    stage.allow(&without(&policy, simulation));
    let up = stage.workspace.run_within("up", LIMIT).with(1);
    let session = format!("assumed-role/{CALLER}/test is not authorized to perform: {action}");
    let said = up.stdout + &up.stderr;
    assert!(said.contains(&session), "{said}");
    // With the whole policy it goes on, and down.
    stage.allow(&stage.published());
    stage.workspace.run_within("up", LIMIT).with(0);
    stage.workspace.run_within("down", LIMIT).with(0);
    stage.workspace.nothing_is_left();
    let checked = check::check(&stage.log());
    println!("{}", checked.summary());
    assert!(checked.violations.is_empty() && checked.exchanges > 100, "{}", checked.summary());
}

/// What AWS answers while things are late, busy or refused is documented as well, and so is what is asked again for it.
#[test]
fn the_contract_is_kept_under_all_faults() {
    let stage = Stage::started("--faults aws:3");
    let workspace = &stage.workspace;
    workspace.write("stack.yaml", "cluster: { network: create, logs: [api] }\n");
    workspace.run_within("up", LIMIT).with(0);
    workspace.write("stack.yaml", "cluster: { network: create, logs: [audit] }\n");
    workspace.run_within("up", LIMIT).with(0);
    let down = workspace.run_within("down", LIMIT).with(0);
    assert!(down.stdout.contains("nothing of this stack is left"), "{}", down.stdout);
    let checked = check::check(&stage.log());
    println!("{}", checked.summary());
    assert!(checked.violations.is_empty(), "{}", checked.summary());
    let of_faults = ["ConcurrentModification", "RequestLimitExceeded", "ResourceInUseException", "Throttling"];
    let met = checked.errors();
    assert!(of_faults.iter().all(|error| met.contains(error)), "{met:?}");
}
