//! What the commands say: for programs one object a line, for a person what happened in the order of causes, and advice that
//! can be followed.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::workspace::{Ended, Running, Workspace, ended, kill, signal, wait_until};

const DONE: i32 = 0;
const USAGE: i32 = 2;
const VERIFICATION_FAILED: i32 = 4;
const LEFTOVERS: i32 = 5;
const PREFLIGHT: i32 = 6;

/// Every command that has something to say, as it can be called on a stack that is up; in this order.
const COMMANDS: [(&str, i32); 35] = [
    ("workshop", DONE),
    ("workshop 1 show", DONE),
    ("workshop 1 hint 2", DONE),
    ("local status", 1),
    ("local start", DONE),
    ("preflight", DONE),
    ("plan", DONE),
    ("up --yes", DONE),
    ("demo", PREFLIGHT),
    ("status", DONE),
    ("outputs", DONE),
    ("outputs queue_url", DONE),
    ("outputs --stack-file", DONE),
    ("drift", DONE),
    ("graph", DONE),
    ("audit", DONE),
    ("send 2", DONE),
    ("watch --seconds 2", DONE),
    ("verify --evidence recorded.jsonl", VERIFICATION_FAILED),
    ("evidence diff recorded.jsonl recorded.jsonl", DONE),
    ("explain", DONE),
    ("explain --evidence recorded.jsonl", DONE),
    ("env", DONE),
    ("policy", DONE),
    ("identity", DONE),
    ("kubeconfig", DONE),
    ("kubeconfig --write config.yaml", DONE),
    ("token", DONE),
    ("operator manifests", DONE),
    ("operator chart charts", DONE),
    ("image save image.tar", DONE),
    ("image push no/registry/", USAGE),
    ("verfiy", USAGE),
    ("down --yes", DONE),
    ("local stop", DONE),
];

/// Those that are not for a person's terminal: they run inside pods, or until they are stopped.
const SERVICES: [&str; 3] = ["worker", "help", "local run"];

#[track_caller]
fn objects(words: &str, ended: &Ended) -> Vec<Value> {
    assert_eq!(ended.stderr, "", "{words}");
    assert!(!ended.stdout.is_empty(), "{words} says nothing");
    let parse = |line: &str| {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{words}: {error}: {line}"));
        assert!(object["version"] == 1 && object["type"].is_string() && object["at"].is_string(), "{words}: {line}");
        object
    };
    ended.stdout.lines().map(parse).collect()
}

/// The commands that a help text lists.
fn listed(help: &str) -> BTreeSet<String> {
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let lines = list.lines().take_while(|line| !line.is_empty());
    lines
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .collect()
}

/// A recorded run that saw nothing: it proves nothing, and can be evaluated.
fn recorded() -> String {
    let scaling = json!({ "polling_seconds": 30, "cooldown_seconds": 300, "window_seconds": 300, "min_replicas": 0,
        "max_replicas": 3, "queue_length": 3 });
    let thresholds = json!({ "cadence_seconds": 5.0, "slack_seconds": 30.0, "tolerance_seconds": 30.0, "agreeing_reads": 2,
        "settle_seconds": 60.0, "hold_seconds": 90.0, "gap_seconds": 20.0 });
    let header = json!({ "format": "sluice-evidence", "version": 2, "product": "0.1.0", "run": "r", "story": "tutorial", "stack": "e2e",
        "started": "2026-11-24T04:00:00Z", "time_scale": 30.0, "seed": null, "messages": 9, "workload": "myproject/myapp",
        "scaling": scaling, "thresholds": thresholds, "environment": {}, "limits": [] })
    .to_string();
    let seal = hex::encode(Sha256::digest(&header));
    format!("{},\"seal\":\"{seal}\"}}\n", header.trim_end_matches('}'))
}

#[test]
fn every_command_gives_one_object_a_line_with_version_type_and_time() {
    let workspace = Workspace::new();
    for parent in ["", "evidence", "local", "image", "operator"] {
        for name in listed(&workspace.run(&format!("{parent} --help")).with(DONE).stdout) {
            let name = format!("{parent} {name}").trim().to_owned();
            let is_called = COMMANDS.iter().any(|(words, _)| *words == name || words.starts_with(&format!("{name} ")));
            assert!(
                is_called || SERVICES.contains(&name.as_str()) || name.ends_with("help"),
                "{name} is not called here"
            );
        }
    }
    workspace.write("recorded.jsonl", &recorded());
    for (words, code) in COMMANDS {
        let said = objects(words, &workspace.run(&format!("{words} --output json")).with(code));
        let last = said.last().unwrap();
        assert!(![USAGE, PREFLIGHT].contains(&code) || last["exit_code"] == code, "{words}: {said:#?}");
    }
    for file in ["recorded.jsonl", "config.yaml", "image.tar"] {
        std::fs::remove_file(workspace.path().join(file)).unwrap();
    }
    std::fs::remove_dir_all(workspace.path().join("charts")).unwrap();
    workspace.nothing_is_left();
}

/// kubectl calls `sluice token` with its user's variables, and takes nothing but a credential.
#[test]
fn a_token_is_kubectl_s_credential_whatever_the_variable_says() {
    let workspace = Workspace::with(vec![("SLUICE_OUTPUT".to_owned(), "json".into())]);
    workspace.run("up").with(DONE);
    let token: Value = serde_json::from_str(&workspace.run("token").with(DONE).stdout).unwrap();
    assert_eq!((token["kind"].as_str(), token["type"].as_str()), (Some("ExecCredential"), None), "{token}");
    assert!(token["status"]["token"].as_str().unwrap().starts_with("k8s-aws-v1."));
    let event: Value = serde_json::from_str(&workspace.run("token --output json").with(DONE).stdout).unwrap();
    assert_eq!((event["type"].as_str(), &event["credential"]["kind"]), (Some("token"), &token["kind"]));
    let kubeconfig: Value = serde_json::from_str(&workspace.run("kubeconfig").with(DONE).stdout).unwrap();
    let text = workspace.run("kubeconfig --output human").with(DONE).stdout;
    assert_eq!(kubeconfig["kubeconfig"], serde_json::from_str::<Value>(&text).unwrap());
    workspace.run("down").with(DONE);
    workspace.nothing_is_left();
}

/// Real time until the workload is at its maximum.
const PATIENCE: Duration = Duration::from_mins(3);

#[test]
fn watch_and_explain_show_every_decision_once_and_in_the_order_of_causes() {
    let workspace = Workspace::new();
    workspace.run("up").with(DONE);
    let (programs, persons) = (Running::start(&workspace, "watch"), workspace.path().join("watched"));
    let mut watch = workspace.sluice("watch");
    let mut watch = watch.stdout(std::fs::File::create(&persons).unwrap()).spawn().unwrap();
    programs.until("an observation", |event| event["type"] == "observation");
    wait_until("the person's watch begins", PATIENCE, || {
        std::fs::read_to_string(&persons).ok().filter(|text| text.contains("0/0 ready"))
    })
    .unwrap();
    workspace.run("send 9").with(DONE);
    let decided = |by: &'static str, to: u64| {
        move |event: &Value| {
            event["type"] == "decision" && event["decision"]["by"] == by && event["decision"]["to"] == to
        }
    };
    let first = programs.until("the operator's decision", decided("operator", 1));
    assert!(first["decision"]["why"].to_string().contains("ceil(9 / 3) = 3"), "{first}");
    let second = programs.until("the HPA's decision", decided("hpa", 3));
    assert!(first["decision"]["time"].as_str() < second["decision"]["time"].as_str(), "{first} {second}");

    let text = wait_until("a person sees both", PATIENCE, || {
        std::fs::read_to_string(&persons).ok().filter(|text| text.contains("hpa ") && text.contains("-> 3: "))
    });
    let text = text.unwrap();
    let line =
        |part: &str| text.lines().position(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}: {text}"));
    assert!(line("operator 0 -> 1: ceil(9 / 3) = 3") < line("-> 3: "), "{text}");
    assert_eq!(text.matches("operator 0 -> 1").count(), 1, "{text}");
    // What cannot be read and what is refused is said in full.
    let in_full = |line: &&str| line.contains("cannot read") || line.contains("refused: ");
    let wide = text.lines().find(|line| !in_full(line) && line.chars().count() > 80);
    assert_eq!(wide, None, "{text}");

    // What the operator decided before it was started again is known as well.
    let is_operator = |line: &str| line.contains("/keda-operator/container.json");
    let operator = || workspace.processes().into_iter().find(|(_, line)| is_operator(line));
    let (old, _) = operator().expect("the operator");
    kill(old);
    wait_until("the operator runs again", PATIENCE, || operator().filter(|(pid, _)| *pid != old)).unwrap();
    wait_until("the HPA's Event is there", PATIENCE, || {
        workspace.run("explain").with(DONE).stdout.contains("from 1 to 3").then_some(())
    })
    .unwrap();
    let explained: Value = serde_json::from_str(&workspace.run("explain --output json").with(DONE).stdout).unwrap();
    let entries = explained["timeline"]["entries"].as_array().unwrap();
    let entry = |part: &str| {
        let found = entries.iter().position(|entry| entry["text"].as_str().unwrap().contains(part));
        found.unwrap_or_else(|| panic!("{part}: {entries:#?}"))
    };
    let chain = ["decides 0 -> 1", "Scaled up replica set", "New size: 3", "from 1 to 3"];
    assert!(chain.map(entry).is_sorted(), "{entries:#?}");
    for (effect, entry) in entries.iter().enumerate() {
        assert!(entry["cause"].as_u64().is_none_or(|cause| cause < effect as u64), "{entries:#?}");
    }
    assert_eq!(entries[entry("KEDAScaleTargetActivated")]["cause"], entry("decides 0 -> 1"));

    signal(watch.id(), "-INT");
    watch.wait().unwrap();
    drop(programs);
    std::fs::remove_file(persons).unwrap();
    workspace.run("down").with(DONE);
    workspace.nothing_is_left();
}

/// The commands between backquotes in a message's next step.
fn advised(ended: &Ended) -> Vec<String> {
    let (_, help) = ended.stderr.split_once("\n  → ").unwrap_or_else(|| panic!("no advice: {}", ended.stderr));
    help.split('`').skip(1).step_by(2).filter_map(|one| one.strip_prefix("sluice ")).map(str::to_owned).collect()
}

/// The command is refused, with a message that holds `says`; whoever follows the advice has what was asked for.
#[track_caller]
fn follow(workspace: &Workspace, words: &str, code: i32, says: &str, advice: &[&str]) {
    let refused = workspace.run(words).with(code).says(&[says]);
    assert_eq!(advised(&refused), advice, "{}", refused.stderr);
    for command in advised(&refused) {
        workspace.run(&command).with(DONE);
    }
}

#[test]
fn what_cannot_take_effect_is_refused_and_the_advice_can_be_followed() {
    let workspace = Workspace::new();
    workspace.run("up --region us-est-1").with(USAGE).says(&["us-est-1", "us-east-1"]);
    assert!(workspace.files().is_empty(), "{:?}", workspace.files());

    workspace.run("local start").with(DONE);
    workspace.run("local start").with(DONE);
    workspace.run("local start --port 1").with(PREFLIGHT).says(&["--port 1 cannot take effect", "`sluice local stop`"]);
    let cannot = "--time-scale 20 cannot change it";
    follow(
        &workspace,
        "local start --time-scale 20",
        PREFLIGHT,
        cannot,
        &["local stop", "local start --time-scale 20"],
    );
    workspace.run("local start --time-scale 20").with(DONE);
    let other = "stands for ap-northeast-1, and eu-west-1 was asked for";
    follow(&workspace, "up --region eu-west-1", USAGE, other, &["down --region ap-northeast-1"]);
    workspace.run("up --region eu-west-1").with(DONE);

    // From here on the state knows the region, and a variable that another stack was meant by does not stand in the way.
    for words in ["status", "send 1", "watch --seconds 1", "outputs queue_url", "drift"] {
        workspace.run(words).with(DONE);
    }
    for words in ["verify --time-scale 3", "status --time-scale 3", "down --time-scale 3"] {
        workspace.run(words).with(PREFLIGHT).says(&["--time-scale 3 cannot change it while it runs"]);
    }
    workspace.run("up --time-scale 30").with(DONE);
    let scaled = "--time-scale 25 cannot change it";
    follow(&workspace, "up --time-scale 25", PREFLIGHT, scaled, &["down", "up --time-scale 25"]);
    let mut down = workspace.sluice("down");
    ended(down.env("SLUICE_TIME_SCALE", "3")).with(DONE);
    workspace.nothing_is_left();
}

#[test]
fn a_demo_refuses_what_is_up_and_leaves_a_cloud_that_was_there() {
    let workspace = Workspace::new();
    workspace.run("up").with(DONE);
    let refused = workspace.run("demo").with(PREFLIGHT).says(&["this stack is up already", "--stack"]);
    assert_eq!(advised(&refused), ["verify", "down"]);
    // Without a record it is found where it is.
    std::fs::rename(workspace.stack_file("state.json"), workspace.path().join("state.json")).unwrap();
    workspace.run("demo").with(PREFLIGHT).says(&["this stack is up already", "of its resources exist"]);
    workspace.run("status").with(DONE);
    // Nothing says any more that these are this folder's own.
    workspace.run("audit").with(LEFTOVERS);
    std::fs::rename(workspace.path().join("state.json"), workspace.stack_file("state.json")).unwrap();
    workspace.run("down").with(DONE);

    workspace.run("local start").with(DONE);
    let demo = workspace.run("demo");
    // On a busy machine a check of time may fail; the rest is the same.
    assert!([Some(DONE), Some(VERIFICATION_FAILED)].contains(&demo.code), "{demo:?}");
    let verdict = demo.stdout.rsplit_once("\nVerdict\n").unwrap().1;
    assert!(verdict.starts_with("scenario tutorial of myproject/myapp: "), "{verdict}");
    workspace.run("local status").with(DONE);
    workspace.run("audit").with(DONE);
    workspace.run("down").with(DONE);
    workspace.nothing_is_left();
}
