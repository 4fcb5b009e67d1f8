//! Mistakes and mishaps: one clear message with the place, the documented exit code, nothing half-written.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;

use serde_json::Value;

use crate::workspace::{Running, Workspace, ended};

const USAGE: i32 = 2;
const FAILED: i32 = 1;
const PREFLIGHT: i32 = 6;

/// A stack file with one mistake ends `up` before anything is written.
#[track_caller]
fn refused(stack: &str, says: &[&str]) {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", stack);
    let up = workspace.run("up").with(USAGE).says(says);
    assert!(up.stdout.is_empty(), "{}", up.stdout);
    // The next step is reported as well.
    assert!(up.stderr.contains("\n  → "), "{}", up.stderr);
    assert_eq!(workspace.files(), ["stack.yaml"]);
    workspace.nothing_runs();
}

#[test]
fn an_unknown_key_is_named_with_line_column_and_the_likely_one() {
    refused("region: eu-central-1\nclusterr: {}\n", &["stack.yaml:2:1:", "clusterr", "did you mean \"cluster\"?"]);
    let nested = "workloads:\n  - name: myapp\n    scaling:\n      maxReplicas: 5\n";
    refused(nested, &["stack.yaml:4:7:", "workloads[0].scaling.maxReplicas", "maxReplicaCount"]);
}

#[test]
fn a_wrong_type_is_named_with_what_was_expected_and_found() {
    refused("cluster:\n  subnets: 3\n", &["stack.yaml:2:12:", "cluster.subnets", "expected a list of texts"]);
    let text = "workloads:\n  - name: myapp\n    scaling: { maxReplicaCount: lots }\n";
    refused(text, &["stack.yaml:3:", "workloads[0].scaling.maxReplicaCount", "expected a whole number, found text"]);
}

#[test]
fn all_mistakes_of_a_file_are_reported_at_once() {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", "regoin: x\ncluster:\n  subnets: 3\n");
    let plan = workspace.run("plan").with(USAGE);
    assert!(plan.stderr.contains("stack.yaml:1:1:") && plan.stderr.contains("stack.yaml:3:12:"), "{}", plan.stderr);
}

#[test]
fn broken_yaml_is_named_with_its_line() {
    refused("region: eu-central-1\ncluster: [\n", &["stack.yaml:"]);
}

#[test]
fn a_stack_file_that_is_not_there_is_named() {
    let workspace = Workspace::new();
    workspace.run("up --file missing.yaml").with(USAGE).says(&["missing.yaml", "--file"]);
    assert!(workspace.files().is_empty());
}

#[test]
fn a_sixth_selector_is_refused_with_the_limit() {
    let text = "cluster:\n  fargate:\n    selectors: [default, kube-system, keda, myproject, five, six]\n";
    refused(text, &["stack.yaml:3:", "cluster.fargate.selectors", "6 selectors", "takes five"]);
}

#[test]
fn an_invalid_cluster_name_is_refused_with_the_rule() {
    let workspace = Workspace::new();
    // What is made from a wrong name is not reported on top of it.
    workspace.run("up --stack=-wrong-").with(USAGE).says(&["flag --stack", "\"-wrong-\" is no valid stack name"]);
    refused("cluster:\n  name: not a name\n", &["stack.yaml:2:9:", "cluster.name", "\"not a name\"", "100 letters"]);
}

#[test]
fn a_mistake_is_reported_to_programs_as_well() {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", "clusterr: {}\n");
    let up = workspace.run("up --output json").with(USAGE);
    let event: Value = serde_json::from_str(&up.stdout).expect("exactly one object");
    assert_eq!(
        (&event["type"], &event["severity"], &event["exit_code"]),
        (&"diagnostic".into(), &"error".into(), &2.into())
    );
}

#[test]
fn an_endpoint_that_does_not_answer_is_named_and_nothing_is_written() {
    let workspace = Workspace::new();
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = workspace.sluice("up --target aws --yes");
    command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"));
    command.env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "do-not-print-me");
    let up = ended(&mut command).with(PREFLIGHT).says(&["sts:GetCallerIdentity", "AWS_ENDPOINT_URL"]);
    assert!(!up.stderr.contains("do-not-print-me"), "{}", up.stderr);
    assert!(workspace.files().is_empty());
}

#[test]
fn an_image_that_pods_could_get_from_nowhere_is_refused_before_anything_is_made() {
    let workspace = Workspace::new();
    let says = ["sluice:latest names no registry", "--image", "--push"];
    workspace.run("up --push").with(PREFLIGHT).says(&says);
    workspace.nothing_runs();
    // AWS itself is asked for nothing but who calls.
    workspace.run("local start").with(0);
    workspace.write("stack.yaml", "cluster: { subnets: [subnet-0a1b2c3d4e5f60001, subnet-0a1b2c3d4e5f60002] }");
    let words = "eval \"$(\"$0\" env)\"; exec \"$0\" up --target aws --yes";
    let mut command = Command::new("sh");
    command.args(["-c", words, env!("CARGO_BIN_EXE_sluice")]);
    workspace.at_home(&mut command);
    ended(&mut command).with(PREFLIGHT).says(&says);
    let of_stack = |file: &&String| file.starts_with(".sluice/e2e@aws/") && !file.contains("/logs/");
    assert_eq!(workspace.files().iter().find(of_stack), None, "nothing but what it said");
    workspace.run("local stop").with(0);
    workspace.nothing_runs();
}

/// A kubeconfig with one context.
fn kubeconfig(server: &str) -> String {
    "apiVersion: v1\nkind: Config\ncurrent-context: mine\nclusters: [{name: c, cluster: {server: 'SERVER'}}]\n\
     users: [{name: u, user: {token: t}}]\ncontexts: [{name: mine, context: {cluster: c, user: u}}]\n"
        .replace("SERVER", server)
}

#[test]
fn a_context_that_is_not_there_is_named_with_those_that_are() {
    let workspace = Workspace::new();
    workspace.write("kubeconfig", &kubeconfig("https://127.0.0.1:1"));
    for target in ["local", "localstack"] {
        let up = |context: &str| {
            let mut command = workspace.sluice(&format!("up --target {target} --context {context}"));
            ended(command.env("KUBECONFIG", workspace.path().join("kubeconfig"))).with(PREFLIGHT)
        };
        up("theirs").says(&["no context \"theirs\"", "there are: mine"]);
        // It is named, but nobody answers there.
        up("mine").says(&["127.0.0.1:1", "OpenID discovery document"]);
    }
    workspace.nothing_runs();
    assert_eq!(workspace.files(), ["kubeconfig"]);
}

/// Answers each request with what `answer` makes of its path: a whole response, after which the connection is closed.
fn serve(listener: TcpListener, answer: impl Fn(&str) -> String + Send + 'static) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let request = String::from_utf8_lossy(&request);
            let _ = stream.write_all(answer(request.split(' ').nth(1).unwrap_or_default()).as_bytes());
        }
    });
}

#[test]
fn an_endpoint_that_answers_with_a_page_is_no_localstack() {
    let workspace = Workspace::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // It stands for the cluster as well, of which only this much is asked before.
    workspace.write("kubeconfig", &kubeconfig(&format!("http://{address}")));
    serve(listener, |path| {
        let page = match path {
            "/.well-known/openid-configuration" => r#"{"issuer":"https://issuer.example.com"}"#,
            "/api/v1/namespaces/kube-system" => r#"{"metadata":{"name":"kube-system","uid":"u"}}"#,
            _ => "<html><body>It works!</body></html>",
        };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n", page.len());
        format!("{head}connection: close\r\n\r\n{page}")
    });
    let mut command =
        workspace.sluice(&format!("up --yes --target localstack --context mine --endpoint http://{address}"));
    let up = ended(command.env("KUBECONFIG", workspace.path().join("kubeconfig"))).with(PREFLIGHT);
    up.says(&[&format!("http://{address}"), "LocalStack"]);
    assert_eq!(workspace.files(), ["kubeconfig"]);
}

#[test]
fn an_api_server_that_is_away_is_reported_in_this_programs_own_words_only() {
    let workspace = Workspace::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    workspace.write("kubeconfig", &kubeconfig(&format!("http://{address}")));
    serve(listener, |_| {
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned()
    });
    let mut command = workspace.sluice("up --context mine");
    let up = ended(command.env("KUBECONFIG", workspace.path().join("kubeconfig"))).with(PREFLIGHT);
    crate::foreign::only_own_lines(&up.stderr);
    up.says(&["503", "OpenID discovery document"]);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let workspace = Workspace::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let start = workspace.run(&format!("local start --port {}", address.port()));
    start.with(PREFLIGHT).says(&[&address.to_string(), "choose another port with --port"]);
    workspace.nothing_runs();
    // The log that the message names is there; nothing that says a cloud is running.
    assert_eq!(workspace.files(), [".sluice/e2e/local.log"]);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let workspace = Workspace::new();
    workspace.write(".sluice", "a file, not a folder");
    workspace.run("up").with(USAGE).says(&["cannot be .sluice", ".sluice is no folder", "--directory"]);
    workspace.nothing_runs();
}

#[test]
fn a_state_in_use_says_by_whom() {
    let workspace = Workspace::new();
    let up = Running::start(&workspace, "up");
    up.until_event("apply_start", "aws_eks_cluster.this");
    let holder = format!("`up` of process {} on ", up.pid());
    for words in ["plan", "up", "down"] {
        workspace.run(words).with(PREFLIGHT).says(&["state.json is in use", &holder, " since 2"]);
    }
    up.kill();
    // The lock goes with its holder.
    workspace.run("down").with(0);
    workspace.nothing_is_left();
}

#[test]
fn a_state_that_is_none_is_left_as_it_is() {
    let workspace = Workspace::new();
    std::fs::create_dir_all(workspace.stack_file("")).unwrap();
    std::fs::write(workspace.stack_file("state.json"), "{ half").unwrap();
    workspace.run("up").with(FAILED).says(&["state.json is not a state file", "move it away"]);
    assert_eq!(std::fs::read_to_string(workspace.stack_file("state.json")).unwrap(), "{ half");
    workspace.nothing_runs();
}

#[test]
fn a_state_of_another_account_is_not_taken_for_gone() {
    let workspace = Workspace::new();
    workspace.run("local start").with(0);
    let state = r#"{"version":1,"serial":1,"lineage":"l","run":"r","updated_at":"2026-01-01T00:00:00Z",
        "place":{"account":"999999999999"},"resources":{"aws_sqs_queue.myapp":{"depends_on":[]}}}"#;
    std::fs::write(workspace.stack_file("state.json"), state).unwrap();
    for words in ["plan", "up", "down", "send 1", "drift"] {
        workspace.run(words).with(PREFLIGHT).says(&[
            "account 999999999999",
            "would look in 111122223333",
            "state.json",
        ]);
    }
    assert_eq!(std::fs::read_to_string(workspace.stack_file("state.json")).unwrap(), state);
    workspace.run("local stop").with(0);
    workspace.nothing_runs();
}

/// The state on the disk is whole, whatever happened to the last write.
#[track_caller]
fn state_is_whole(workspace: &Workspace) {
    let text = std::fs::read_to_string(workspace.stack_file("state.json")).unwrap();
    let state: Value = serde_json::from_str(&text).unwrap();
    assert!(!state["resources"].as_object().unwrap().is_empty(), "{state}");
    assert!(!workspace.stack_file("state.json.new").exists(), "half a state is left");
}

#[test]
fn a_state_that_cannot_grow_ends_up_with_the_last_checkpoint_whole() {
    let workspace = Workspace::new();
    workspace.run("local start").with(0);
    // Files may grow to 4096 bytes only, and who writes more gets an error instead of being killed.
    let script = format!("trap '' XFSZ; ulimit -f 8; exec {} up", env!("CARGO_BIN_EXE_sluice"));
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    workspace.at_home(&mut command);
    let up = ended(&mut command).with(FAILED).says(&["cannot write the state", "state.json", "File too large"]);
    assert!(up.stderr.contains("everything is found by name and tag"), "{}", up.stderr);
    state_is_whole(&workspace);
    // What was made since the last checkpoint is found again.
    workspace.run("down").with(0);
    workspace.nothing_is_left();
}

/// Whether this machine lets us mount a file system of our own.
pub(crate) fn can_mount() -> bool {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]);
    command.output().is_ok_and(|output| output.status.success())
}

#[test]
fn a_full_disk_ends_up_and_the_state_is_saved_elsewhere() {
    if !can_mount() {
        println!("not run: this machine lets nobody mount a small disk; the test with a file limit stands for it");
        return;
    }
    let workspace = Workspace::new();
    let script = "mkdir -p .sluice && mount -t tmpfs -o size=48k none .sluice && sluice up; echo \"up $?\" >&2
        mount -o remount,size=64m none .sluice; test -e .sluice/e2e/state.json.new && echo 'half a state' >&2
        sluice down; echo \"down $?\" >&2; find .sluice -type f ! -name durations.json ! -path '*/logs/*' >&2";
    let script = script.replace("sluice up", &format!("{} up", env!("CARGO_BIN_EXE_sluice")));
    let script = script.replace("sluice down", &format!("{} down", env!("CARGO_BIN_EXE_sluice")));
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]);
    workspace.at_home(&mut command);
    let ended =
        ended(&mut command).with(0).says(&["cannot write the state", "No space left on device", "was saved as"]);
    assert!(ended.stderr.contains("up 1\n"), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("down 0\n"), "something is left, or down failed: {}", ended.stderr);
    let saved = std::fs::read_to_string(workspace.path().join("tmp/sluice-e2e-state.json")).unwrap();
    assert!(serde_json::from_str::<Value>(&saved).unwrap()["resources"].is_object());
    workspace.nothing_runs();
}
