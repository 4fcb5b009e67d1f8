//! What the account asks of everything in it: tags, path and boundary of the roles, the control plane's logs, key and endpoint. Each
//! follows the stack file, and an ordinary AWS client sees it.

use aws_config::SdkConfig;

use crate::scenarios::clients;
use crate::scenarios::stage::access_of;
use crate::workspace::Workspace;

const FIRST: &str = "\
tags: { team: scaling, stage: test }
roles: { path: /team/, permissionsBoundary: 'arn:aws:iam::aws:policy/AdministratorAccess' }
cluster: { logs: [audit], logRetention: 30, endpoint: { publicAccessCidrs: [203.0.113.0/24] } }
";

const SECOND: &str = "\
tags: { team: others }
roles: { path: /team/ }
cluster:
  logs: [api]
  logRetention: 0
  secretsKey: alias/eks
  endpoint: { public: false }
";

/// The stack's AWS endpoint, as anybody may look into it.
struct Account {
    runtime: tokio::runtime::Runtime,
    config: SdkConfig,
}

impl Account {
    fn of(workspace: &Workspace) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let config = runtime.block_on(clients::aws(&access_of(workspace)));
        Self { runtime, config }
    }

    fn cluster(&self) -> aws_sdk_eks::types::Cluster {
        let call = aws_sdk_eks::Client::new(&self.config).describe_cluster().name("e2e");
        self.runtime.block_on(call.send()).unwrap().cluster.unwrap()
    }

    fn role(&self, name: &str) -> aws_sdk_iam::types::Role {
        let call = aws_sdk_iam::Client::new(&self.config).get_role().role_name(name);
        self.runtime.block_on(call.send()).unwrap().role.unwrap()
    }

    fn tag_role(&self, name: &str, key: &str, value: &str) {
        let tag = aws_sdk_iam::types::Tag::builder().key(key).value(value).build().unwrap();
        let call = aws_sdk_iam::Client::new(&self.config).tag_role().role_name(name).tags(tag);
        self.runtime.block_on(call.send()).unwrap();
    }
}

fn tags(role: &aws_sdk_iam::types::Role) -> Vec<(&str, &str)> {
    let mine = role.tags().iter().filter(|tag| !tag.key().starts_with("sluice:"));
    let mut found: Vec<_> = mine.map(|tag| (tag.key(), tag.value())).collect();
    found.sort_unstable();
    found
}

#[test]
fn tags_roles_logs_key_and_endpoint_follow_the_stack_file() {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", FIRST);
    let up = workspace.run("up").with(0);
    assert!(up.stdout.contains("aws_cloudwatch_log_group.cluster"), "{}", up.stdout);
    workspace.run("plan --detailed-exitcode").with(0);
    let account = Account::of(&workspace);
    let role = account.role("e2e-myapp");
    assert!(role.arn().ends_with(":role/team/e2e-myapp"), "{}", role.arn());
    let trust = percent_encoding::percent_decode_str(role.assume_role_policy_document().unwrap()).decode_utf8_lossy();
    assert!(trust.contains(":role/team/e2e-keda-operator"), "{trust}");
    let boundary = role.permissions_boundary().and_then(|boundary| boundary.permissions_boundary_arn());
    assert_eq!(boundary, Some("arn:aws:iam::aws:policy/AdministratorAccess"));
    assert_eq!(tags(&role), [("stage", "test"), ("team", "scaling")]);
    let cluster = account.cluster();
    assert_eq!(cluster.tags().unwrap().get("team").map(String::as_str), Some("scaling"));
    let vpc = cluster.resources_vpc_config().unwrap();
    assert_eq!((vpc.public_access_cidrs(), vpc.endpoint_public_access()), (&["203.0.113.0/24".to_owned()][..], true));

    // Somebody else's tag is nobody's business here, and is not taken off with ours.
    account.tag_role("e2e-myapp", "cost", "others");
    workspace.run("plan --detailed-exitcode").with(0);
    workspace.write("stack.yaml", SECOND);
    let up = workspace.run("up").with(0);
    assert!(
        up.stdout.contains("\n0 added, ") && up.stdout.contains(", 0 destroyed."),
        "all of it in place: {}",
        up.stdout
    );
    workspace.run("plan --detailed-exitcode").with(0);
    let role = account.role("e2e-myapp");
    assert_eq!(tags(&role), [("cost", "others"), ("team", "others")]);
    assert!(role.permissions_boundary().is_none(), "{role:?}");
    let cluster = account.cluster();
    let vpc = cluster.resources_vpc_config().unwrap();
    assert!(!vpc.endpoint_public_access() && vpc.endpoint_private_access(), "{vpc:?}");
    assert_eq!(cluster.tags().unwrap().get("stage"), None);
    let key = cluster.encryption_config()[0].provider().unwrap().key_arn().unwrap();
    assert!(key.contains(":key/"), "{key}");

    // A key that is named no more stays; another one would be another cluster.
    workspace.write("stack.yaml", &SECOND.replace("  secretsKey: alias/eks\n", ""));
    workspace.run("plan --detailed-exitcode").with(0);
    workspace.write("stack.yaml", &SECOND.replace("alias/eks", "alias/other"));
    let plan = workspace.run("plan --detailed-exitcode").with(3);
    assert!(plan.stdout.contains("aws_eks_cluster.this must be replaced"), "{}", plan.stdout);
    let down = workspace.run("down").with(0);
    assert!(down.stdout.contains("aws_cloudwatch_log_group.cluster"), "{}", down.stdout);
    assert!(down.stdout.contains("nothing of this stack is left"), "{}", down.stdout);
    workspace.nothing_is_left();
}

#[test]
fn a_log_group_that_comes_back_after_its_cluster_is_deleted_again() {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", "local: { faults: 'logs-late:1' }\ncluster: { logs: [api, audit] }\n");
    let folder = tempfile::tempdir().unwrap();
    let trail = folder.path().join("trail");
    workspace.run(&format!("local start --trail-path {}", trail.display())).with(0);
    workspace.run("up").with(0);
    let down = workspace.run("down").with(0);
    let calls = std::fs::read_to_string(trail).unwrap();
    assert_eq!(calls.matches("\"DeleteLogGroup\"").count(), 2, "deleted, and again once it was back");
    assert!(down.stdout.contains("nothing of this stack is left"), "{}", down.stdout);
    workspace.nothing_is_left();
}

#[test]
fn a_log_group_that_eks_made_for_the_stack_s_cluster_is_found_and_goes_with_it() {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", "cluster: { logs: [api] }\n");
    workspace.run("up").with(0);
    std::fs::remove_file(workspace.stack_file("state.json")).unwrap();
    // The file says nothing of logs any more, and no record is left.
    workspace.write("stack.yaml", "cluster: { logs: [] }\n");
    let up = workspace.run("up").with(0);
    assert!(up.stdout.contains("- aws_cloudwatch_log_group./aws/eks/e2e/cluster will be destroyed"), "{}", up.stdout);
    let down = workspace.run("down").with(0);
    assert!(down.stdout.contains("nothing of this stack is left"), "{}", down.stdout);
    workspace.nothing_is_left();
}

#[test]
fn the_profile_seed_makes_the_tutorial_s_policies_and_logs_and_takes_them_away() {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", "profile: seed\n");
    let up = workspace.run("up").with(0);
    for address in
        ["aws_iam_policy.myapp", "aws_iam_role_policy_attachment.sqs_scaler", "aws_cloudwatch_log_group.cluster"]
    {
        assert!(up.stdout.contains(address), "{address}: {}", up.stdout);
    }
    workspace.run("plan --detailed-exitcode").with(0);
    workspace.run("verify").with(0);
    // Back to one policy inside each role, without the logs.
    workspace.write("stack.yaml", "profile: lean\n");
    workspace.run("up").with(0);
    workspace.run("plan --detailed-exitcode").with(0);
    let audit = workspace.run("audit");
    assert!(!audit.stdout.contains("aws_iam_policy") && !audit.stdout.contains("log_group"), "{}", audit.stdout);
    workspace.run("down").with(0);
    workspace.nothing_is_left();
}
