//! A service of the user's: its image mapped to a program of this machine, evaluated by its queue, beside others.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::workspace::{Workspace, ended, wait_until};

/// Programs that are not Sluice's work in real time, whatever the load of this machine.
const PATIENCE: Duration = Duration::from_mins(8);
const USAGE: i32 = 2;

pub(crate) fn script(workspace: &Workspace, name: &str, text: &str) {
    let path = workspace.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

pub(crate) fn json(workspace: &Workspace, name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(workspace.stack_file(name)).unwrap()).unwrap()
}

/// The first of these that can be run, or why the test is left out.
pub(crate) fn found(program: &str, probe: &[&str]) -> Option<String> {
    let output = Command::new(program).args(probe).output().ok().filter(|output| output.status.success());
    if output.is_none() {
        println!("left out: `{program} {}` does not run here", probe.join(" "));
        assert!(std::env::var_os("SLUICE_E2E_REQUIRED").is_none(), "{program} is missing");
    }
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[test]
fn an_image_without_a_program_is_refused_where_it_is_written_and_nothing_is_made() {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", "workloads:\n  - image: mycorp/consumer:1.2\n");
    for words in ["up", "plan", "demo"] {
        workspace.run(words).with(USAGE).says(&[
            "stack.yaml:2:12: workloads[0].image: no program is mapped to the image \"mycorp/consumer:1.2\"",
            "--run-image mycorp/consumer:1.2=PROGRAM",
        ]);
    }
    script(&workspace, "text.py", "import boto3\n");
    for (flag, why) in [
        ("consumer=./nowhere", "there is no program"),
        ("consumer=.", "is a folder"),
        ("consumer=stack.yaml", "not executable"),
        ("consumer=text.py", "#!/usr/bin/env python3"),
        ("consumer=~/nowhere", "/home/nowhere"),
    ] {
        workspace.run(&format!("up --run-image {flag}")).with(USAGE).says(&[why]);
    }
    workspace.write("stack.yaml", "images:\n  consumer: ./nowhere\nworkloads:\n  - image: mycorp/consumer:1.2\n");
    workspace.run("demo").with(USAGE).says(&["stack.yaml:2:13: images.consumer: there is no program", "nowhere"]);
    workspace.run("up --target aws --run-image consumer=./text.py").with(USAGE).says(&["--run-image", "pull images"]);
    assert!(!workspace.path().join(".sluice").exists(), "{:?}", workspace.files());
}

#[test]
fn every_workload_is_evaluated_and_one_of_the_users_by_its_queue() {
    let workspace = Workspace::new();
    // Sluice's own consumer with its receipts thrown away, in the folder that a container sees of its program.
    script(&workspace, "services/orders.sh", "#!/bin/sh\nexec backend worker --work-seconds=20 \"$@\" >/dev/null\n");
    let backend = workspace.path().join("services/backend");
    std::fs::copy(env!("CARGO_BIN_EXE_sluice"), backend).unwrap();
    std::fs::write(
        workspace.path().join("services/stack.yaml"),
        "images: {mycorp/orders: ./orders.sh}\n\
         workloads:\n\
         - {name: orders, image: 'mycorp/orders:1', args: [--parallelism=1], identity: operator,\n\
            scaling: {maxReplicaCount: 4, queueLength: 2}}\n\
         - {name: mails, identity: workload, scaling: {maxReplicaCount: 2, queueLength: 1}}\n",
    )
    .unwrap();
    let stack = "--file services/stack.yaml";
    workspace
        .run(&format!("demo --workload mail {stack}"))
        .with(USAGE)
        .says(&["no workload mail", "did you mean mails?"]);
    workspace.run(&format!("up {stack}")).with(0);
    let outputs = workspace.run(&format!("outputs {stack}")).with(0).stdout;
    for name in ["queue_url ", "queue_url_orders", "queue_url_mails", "orders_role_arn", "mails_role_arn"] {
        assert!(outputs.contains(name), "{name} is missing:\n{outputs}");
    }
    let sent = workspace.run(&format!("send 1 --workload mails {stack}")).with(0).stdout;
    assert!(sent.contains("(workload mails)") && sent.contains("e2e-mails"), "{sent}");
    // Verification begins at zero.
    let verified =
        workspace.run_within(&format!("verify --workload orders --workload mails {stack}"), PATIENCE).with(0);
    assert!(verified.stdout.contains("Note: orders is a program of your own"), "{}", verified.stdout);
    assert!(verified.stdout.contains("--time-scale 1"), "{}", verified.stdout);
    let report = json(&workspace, "report/report.json");
    let runs = report["runs"].as_array().unwrap();
    let said = |key: &str| runs.iter().map(|run| run[key].clone()).collect::<Vec<_>>();
    assert_eq!(said("workload"), ["myproject/orders", "myproject/mails"]);
    assert_eq!(said("consumer"), ["own", "sample"]);
    assert_eq!(said("messages"), [9, 4]);
    let outcome = |workload: &str, name: &str| {
        let mut all = report["verdicts"].as_array().unwrap().iter();
        let it = all.find(|it| it["workload"] == workload && it["name"] == name);
        it.map_or(Value::Null, |it| it["outcome"].clone())
    };
    assert_eq!(outcome("myproject/orders", "every-message-deleted-once"), "not-applicable");
    assert_eq!(outcome("myproject/orders", "every-message-accounted-for"), "pass");
    assert_eq!(outcome("myproject/orders", "reaches-maximum"), "pass");
    assert_eq!(outcome("myproject/mails", "every-message-deleted-once"), "pass");
    let junit = std::fs::read_to_string(workspace.stack_file("report/junit.xml")).unwrap();
    assert!(junit.contains("sluice.tutorial.orders") && junit.contains("sluice.tutorial.mails"), "{junit}");
    workspace.run(&format!("down {stack}")).with(0);
}

#[test]
fn a_mapping_takes_effect_while_the_cloud_runs_and_paths_are_seen_from_where_they_are_typed() {
    let Some(_) = found("kubectl", &["version", "--client"]) else { return };
    let workspace = Workspace::new();
    workspace.run("up").with(0);
    script(&workspace, "bin/greet", "#!/bin/sh\nexec helper\n");
    script(&workspace, "bin/helper", "#!/bin/sh\necho \"$AWS_ENDPOINT_URL\"\nexec sleep 1000\n");
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: default}\nspec: {containers: [{name: c, image: 'mycorp/greet:1'}]}\n";
    workspace.write("pod.yaml", pod);
    kubectl(&workspace, "apply -f pod.yaml");
    let waiting = "get pod p -n default -o jsonpath={.status.containerStatuses[0].state.waiting.message}";
    wait_until("the image is missed", PATIENCE, || {
        kubectl(&workspace, waiting).contains("--run-image greet=PROGRAM").then_some(())
    })
    .unwrap();
    workspace.run("local start --run-image greet=./bin/greet").with(0);
    // A program of its folder is found, and the endpoint is there without a role.
    let log = wait_until("the pod says something", PATIENCE, || {
        let log = ended(&mut at(&workspace, "kubectl logs p -n default")).stdout;
        (!log.trim().is_empty()).then_some(log)
    })
    .unwrap();
    assert!(log.starts_with("http://127.0.0.1:"), "{log}");
    workspace.run("down").with(0);
}

#[test]
fn the_example_in_python_scales_and_is_evaluated() {
    let Some(python) = found("python3", &["-c", "import sys, boto3; print(sys.executable)"]) else { return };
    let workspace = Workspace::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/own-service");
    let read = |name: &str| std::fs::read_to_string(example.join(name)).unwrap();
    // The interpreter that has boto3, as the example's README says.
    let consumer = read("consumer.py").replacen("/usr/bin/env python3", &python, 1);
    script(&workspace, "own/consumer.py", &consumer);
    std::fs::write(workspace.path().join("own/stack.yaml"), read("stack.yaml")).unwrap();
    let demo = workspace.run_within("demo --file own/stack.yaml", PATIENCE).with(0);
    assert_eq!(demo.stdout.matches("scenario tutorial: pass").count(), 2, "{}", demo.stdout);
    workspace.nothing_runs();
}

/// A line of a program that is looked for on the path, with what `sluice env` exports.
pub(crate) fn at(workspace: &Workspace, line: &str) -> Command {
    let mut command = Command::new("sh");
    workspace.at_home(&mut command);
    let variables = workspace.run("env").with(0).stdout;
    command.args(["-c", &format!("{variables}\n{line}")]);
    command
}

#[track_caller]
pub(crate) fn kubectl(workspace: &Workspace, words: &str) -> String {
    // JSON paths have brackets, which a shell would take.
    ended(&mut at(workspace, &format!("kubectl {}", words.replace('[', "\\[").replace(']', "\\]")))).with(0).stdout
}

#[test]
fn the_tutorials_own_manifests_scale_from_0_to_3_to_0() {
    let Some(_) = found("kubectl", &["version", "--client"]) else { return };
    let Some(aws) = found(
        "sh",
        &["-c", "aws --version >/dev/null 2>&1 && python3 -c 'import shutil; print(shutil.which(\"aws\"))'"],
    ) else {
        return;
    };
    let workspace = Workspace::new();
    // The loop works for 20 s of real time a message, which is ten minutes of this system.
    let hidden = "workloads[0].queue.visibilityTimeout=7200";
    workspace.run(&format!("up --run-image amazon/aws-cli={aws} --set {hidden}")).with(0);
    let output = |name: &str| workspace.run(&format!("outputs {name}")).with(0).stdout.trim().to_owned();
    let queue = output("queue_url");
    let manifests = include_str!("stock/tutorial.yaml")
        .replace("<myapp IRSA ARN>", &output("myapp_role_arn"))
        .replace("<Role ARN>", &output("sqs_scaler_role_arn"))
        .replace("<SQS URL>", &queue);
    workspace.write("tutorial.yaml", &manifests);
    kubectl(&workspace, "delete scaledobject,triggerauthentication,deployment myapp -n myproject --wait");
    kubectl(&workspace, "apply -f tutorial.yaml");
    let ready = "wait scaledobject/myapp -n myproject --for=condition=Ready --timeout=120s";
    kubectl(&workspace, ready);
    workspace.run("send 7").with(0);
    let replicas = |field: &str| {
        kubectl(&workspace, &format!("get deployment myapp -n myproject -o jsonpath={{.status.{field}}}"))
    };
    wait_until("three replicas are ready", PATIENCE, || (replicas("readyReplicas") == "3").then_some(())).unwrap();
    let left = || {
        let names = "ApproximateNumberOfMessages ApproximateNumberOfMessagesNotVisible";
        let line = format!("aws sqs get-queue-attributes --queue-url {queue} --attribute-names {names} --output text");
        ended(&mut at(&workspace, &line)).with(0).stdout
    };
    let is_empty = |text: &str| text.split_whitespace().filter(|word| *word == "0").count() == 2;
    wait_until("all messages are deleted", PATIENCE, || is_empty(&left()).then_some(())).unwrap();
    wait_until("no replica is left", PATIENCE, || replicas("replicas").is_empty().then_some(())).unwrap();
    assert!(is_empty(&left()), "{}", left());
    // What a person applied goes with the stack.
    workspace.run_within("down", PATIENCE).with(0);
    workspace.nothing_runs();
}
