//! A person interrupts, a reader goes away: the command ends in order, says so with a code of its own, and leaves nothing
//! behind that nobody knows of.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::terminal::Terminal;
use crate::workspace::{Ended, Running, Workspace, ended, signal, wait_until};

const DONE: i32 = 0;
const FAILED: i32 = 1;
const INTERRUPTED: i32 = 130;

/// The three ways of telling a command to stop.
const SIGNALS: [&str; 3] = ["-INT", "-TERM", "-HUP"];

/// The first step of the scenario that `verify` runs.
fn first_step(event: &Value) -> bool {
    event["type"] == "observation" && event["record"]["payload"]["name"] == "idle"
}

/// The command ended by the signal, and said so to programs.
#[track_caller]
fn was_interrupted(running: Running) -> Value {
    let (code, events) = running.ends();
    assert_eq!(code, Some(INTERRUPTED), "{events:#?}");
    let said: Vec<_> = events.into_iter().filter(|event| event["type"] == "interrupted").collect();
    let [event] = said.as_slice() else { panic!("one event was expected: {said:#?}") };
    assert_eq!(event["exit_code"], INTERRUPTED);
    event.clone()
}

/// `sh -c SCRIPT` in the place, where `sluice` is the program.
fn shell(workspace: &Workspace, script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("sluice() {{ \"$0\" \"$@\"; }}; {script}"), env!("CARGO_BIN_EXE_sluice")]);
    workspace.at_home(&mut command);
    command
}

#[test]
fn a_signal_ends_what_looks_and_keeps_the_last_report() {
    let workspace = Workspace::new();
    workspace.run("up").with(DONE);
    std::fs::create_dir_all(workspace.stack_file("report")).unwrap();
    let files = ["report/report.html", "report/report.json", "report/junit.xml"];
    for file in files {
        std::fs::write(workspace.stack_file(file), "the last good one").unwrap();
    }
    for name in SIGNALS {
        let verify = Running::start(&workspace, "verify");
        verify.until("the first step", first_step);
        verify.signal(name);
        let said = was_interrupted(verify);
        assert!(said["summary"].as_str().unwrap().contains("step idle"), "{said}");
        let watch = Running::start(&workspace, "watch");
        watch.until("an observation", |event| event["type"] == "observation");
        watch.signal(name);
        was_interrupted(watch);
    }
    let is_kept = || {
        for file in files {
            assert_eq!(std::fs::read_to_string(workspace.stack_file(file)).unwrap(), "the last good one", "{file}");
        }
    };
    is_kept();
    // What was seen until then can be evaluated, and is called what it is; its report leaves the last whole run's as it is.
    let evidence = workspace.files().into_iter().find(|file| file.contains("/evidence/")).unwrap();
    let evaluated = workspace.run(&format!("verify --evidence {evidence}")).with(4);
    assert!(evaluated.stdout.contains("interrupted in step idle"), "{}", evaluated.stdout);
    is_kept();
    let run = std::path::Path::new(&evidence).file_stem().unwrap().to_str().unwrap();
    assert!(workspace.stack_file(&format!("report/evaluated/{run}/report.html")).exists());
    // Of a run that was killed nobody recorded the end.
    let text = std::fs::read_to_string(workspace.path().join(&evidence)).unwrap();
    let until_step = text.lines().position(|line| line.contains("\"state\":\"started\"")).unwrap();
    let killed: Vec<&str> = text.lines().take(until_step + 1).collect();
    workspace.write("killed.jsonl", &(killed.join("\n") + "\n"));
    workspace.run("verify --evidence killed.jsonl").with(4);
    is_kept();
    std::fs::remove_file(workspace.path().join("killed.jsonl")).unwrap();

    // Sending stops in the middle, and says how far it came.
    let send = Running::start(&workspace, "send 1000 --rate 0.01");
    send.until("a message", |event| event["type"] == "sent");
    send.signal("-INT");
    assert_eq!(was_interrupted(send)["summary"], "999 messages were not sent");
    workspace.run("down").with(DONE);
    workspace.nothing_is_left();
}

#[test]
fn a_reader_that_has_seen_enough_ends_a_watch_of_an_idle_queue() {
    let workspace = Workspace::new();
    workspace.run("up").with(DONE);
    for output in ["human", "json"] {
        // Nothing more is written once all is known and nothing changes.
        let script = format!("{{ sluice watch --output {output}; echo \"watch $?\" >&2; }} | head -2");
        let watched = ended(&mut shell(&workspace, &script)).with(DONE);
        assert_eq!(watched.stdout.lines().count(), 2, "{}", watched.stdout);
        assert_eq!(watched.stderr, "watch 0\n");
    }
    // A file is never closed by its reader.
    let watched = ended(&mut shell(&workspace, "sluice watch --seconds 1 >seen; wc -l <seen")).with(DONE);
    assert_ne!(watched.stdout.trim(), "0");
    std::fs::remove_file(workspace.path().join("seen")).unwrap();
    workspace.run("down").with(DONE);
    workspace.nothing_is_left();
}

#[test]
fn a_signal_ends_up_and_down_where_they_are_and_the_next_run_goes_on() {
    let workspace = Workspace::new();
    for name in SIGNALS {
        let up = Running::start(&workspace, "up");
        up.until_event("apply_start", "aws_eks_cluster.this");
        up.signal(name);
        let said = was_interrupted(up);
        assert!(said["help"].as_str().unwrap().contains("`sluice up` to go on"), "{said}");
        let down = Running::start(&workspace, "down");
        down.until("a step", |event| event["type"] == "apply_start");
        down.signal(name);
        was_interrupted(down);
        // What the interrupted `down` left is removed by the next, so that every round begins alike.
        workspace.run("down").with(DONE);
    }
    workspace.nothing_is_left();
}

#[test]
fn a_signal_in_the_middle_of_a_demo_takes_down_what_it_put_up() {
    for (name, words) in [("-INT", "demo"), ("-HUP", "demo")] {
        let workspace = Workspace::new();
        let demo = Running::start(&workspace, words);
        demo.until("the first step", first_step);
        demo.signal(name);
        let (code, events) = demo.ends();
        assert_eq!(code, Some(INTERRUPTED), "{events:#?}");
        assert!(events.iter().any(|event| event["type"] == "interrupted"), "{events:#?}");
        // What was not proved and what was taken down are said together, last.
        let last = events.last().unwrap();
        assert_eq!((&last["type"], &last["outcome"]), (&"conclusion".into(), &"interrupted".into()), "{last}");
        assert_eq!((&last["teardown"], &last["exit_code"]), (&"removed".into(), &INTERRUPTED.into()), "{last}");
        workspace.nothing_is_left();
        assert!(!workspace.stack_file("report").exists(), "an interrupted run is no report");
    }
}

#[test]
fn a_demo_whose_output_nobody_reads_any_more_leaves_nothing_up() {
    let workspace = Workspace::new();
    // Both streams end with the reader's first line; then the signal makes the demo say something on stderr.
    let script = "{ sluice demo 2>&1 & echo $! >pid; wait $!; echo $? >code; } | head -1";
    let mut demo = shell(&workspace, script).stdout(Stdio::null()).spawn().unwrap();
    let read =
        |file: &str| std::fs::read_to_string(workspace.path().join(file)).ok().filter(|text| text.ends_with('\n'));
    let begun = || workspace.files().iter().any(|file| file.contains("/evidence/")).then_some(());
    wait_until("the verification begins", crate::workspace::COMMAND_LIMIT, begun).unwrap();
    // A function in the background is a shell of its own; the program is its child.
    let program =
        workspace.processes().into_iter().find(|(_, line)| line.ends_with("/sluice demo ")).expect("the demo");
    signal(program.0, "-INT");
    demo.wait().unwrap();
    wait_until("the demo ends", crate::workspace::COMMAND_LIMIT, || read("code")).unwrap();
    assert_eq!(read("code").unwrap(), "130\n");
    for file in ["pid", "code"] {
        std::fs::remove_file(workspace.path().join(file)).unwrap();
    }
    workspace.nothing_is_left();
}

#[test]
fn a_message_to_a_closed_stderr_is_lost_and_no_panic() {
    let workspace = Workspace::new();
    for words in ["up --stack=-wrong-", "verify nostory", "outputs", "demo nostory", "up --no-such-option"] {
        let script = format!("{{ sluice {words}; echo $? >code; }} 2>&1 | true; cat code; rm code");
        let code = ended(&mut shell(&workspace, &script)).with(DONE).stdout;
        assert!(["2\n", "6\n"].contains(&code.as_str()), "{words}: {code}");
    }
    // Log lines as well.
    let mut command = shell(&workspace, "{ sluice -vv status; echo $? >code; } 2>&1 | true; cat code; rm code");
    assert_eq!(ended(&mut command).with(DONE).stdout, "0\n");
    assert!(workspace.files().is_empty(), "{:?}", workspace.files());
}

#[test]
fn the_workshop_s_prompt_ends_at_once_on_ctrl_c_and_at_the_input_s_end() {
    let workspace = Workspace::new();
    let walk = || {
        let terminal = Terminal::start(workspace.sluice("workshop 1 walk --without kubectl --without aws"));
        terminal.shows("q quits:");
        terminal
    };
    let interrupted = walk();
    interrupted.interrupt();
    let (code, screen) = interrupted.ends();
    assert_eq!(code, Some(INTERRUPTED), "{screen}");
    assert!(screen.contains("interrupted: ") && !screen.contains("error"), "{screen}");

    let mut left = walk();
    left.presses("\u{4}");
    let (code, screen) = left.ends();
    assert_eq!(code, Some(DONE), "{screen}");
    assert!(screen.contains("0 of "), "{screen}");
    workspace.nothing_is_left();
}

#[test]
fn ctrl_c_in_a_step_of_the_workshop_waits_until_the_step_has_tidied_up() {
    let workspace = Workspace::new();
    let mut walk = Terminal::start(workspace.sluice("workshop 1 walk --without kubectl --without aws"));
    walk.shows("q quits:");
    // The first step is a demo.
    walk.presses("\n");
    let begun = || workspace.files().iter().any(|file| file.contains("/evidence/")).then_some(());
    wait_until("the verification begins", crate::workspace::COMMAND_LIMIT, begun).unwrap();
    walk.interrupt();
    let (code, screen) = walk.ends();
    assert_eq!(code, Some(INTERRUPTED), "{screen}");
    workspace.nothing_is_left();
}

#[test]
fn a_walk_without_anybody_to_ask_is_refused() {
    let workspace = Workspace::new();
    workspace
        .run("workshop 1 walk --without kubectl --without aws")
        .with(2)
        .says(&["nobody to ask", "workshop 1 solve"]);
    workspace.nothing_is_left();
}

/// `up --target aws` against a local cloud, at its question.
fn at_the_question(workspace: &Workspace) -> Terminal {
    let script = "eval \"$(sluice env)\"; exec \"$0\" up --target aws --image registry.example/sluice:1";
    let terminal = Terminal::start(shell(workspace, script));
    terminal.shows("is taken as yes:");
    terminal
}

#[test]
fn the_question_before_a_change_ends_at_once_on_ctrl_c_and_at_the_input_s_end() {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", "cluster: { subnets: [subnet-0a1b2c3d4e5f60001, subnet-0a1b2c3d4e5f60002] }");
    workspace.run("local start").with(DONE);
    let process = at_the_question(&workspace);
    process.interrupt();
    let (code, screen) = process.ends();
    assert_eq!(code, Some(INTERRUPTED), "{screen}");
    assert!(screen.contains("nothing was changed"), "{screen}");

    for (keys, code) in [("\u{4}", FAILED), ("no\n", FAILED)] {
        let mut process = at_the_question(&workspace);
        process.presses(keys);
        let (seen, screen) = process.ends();
        assert_eq!(seen, Some(code), "{screen}");
        assert!(screen.contains("Nothing was changed."), "{screen}");
    }
    workspace.run("local stop").with(DONE);
    let Ended { stdout, .. } = workspace.run("status --target local").with(DONE);
    assert!(stdout.contains("Nothing is up"), "{stdout}");
}
