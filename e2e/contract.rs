//! The command line's contract is the same in the code, in `--help` and in the documents: options, variables, exit codes.

use std::collections::{BTreeMap, BTreeSet};

use crate::tidy::{files, root};
use crate::workspace::Workspace;

/// Programs whose commands stand in our documents.
const OTHERS: [&str; 3] = ["cargo ", "git ", "kubectl "];
/// Options of those, of the `aws` command and of our scripts, where they stand alone.
const OTHERS_OPTIONS: [&str; 5] = ["--check", "--endpoint-url", "--locked", "--release", "--timings"];
/// Commands whose output is a protocol or a log, not events.
const WITHOUT_EVENTS: [&str; 3] = ["operator run", "operator", "worker"];

fn read(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// What readers are given; not the changelog, which is about what was.
fn documents() -> Vec<(String, String)> {
    let mut found: Vec<_> = ["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root().join(name)).into();
    for folder in ["docs", "examples", "practice"] {
        files(&root().join(folder), "md", &mut found);
    }
    found.into_iter().map(|path| (path.display().to_string(), read(&path))).collect()
}

/// The long help of every command, by its words; the program itself has none.
fn helps() -> BTreeMap<String, String> {
    let workspace = Workspace::new();
    let (mut helps, mut open) = (BTreeMap::new(), vec![String::new()]);
    while let Some(command) = open.pop() {
        let help = workspace.run(&format!("{command} --help")).with(0).stdout;
        let section = help.split("\nCommands:\n").nth(1).unwrap_or_default();
        let names = section.lines().take_while(|line| !line.is_empty());
        let names = names.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        open.extend(names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(
            |name| {
                let words = format!("{command} {name}");
                words.trim().to_owned()
            },
        ));
        helps.insert(command, help);
    }
    assert!(helps.len() > 25, "found only {:?}", helps.keys());
    helps
}

/// The names `--…` in a text.
fn options(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let long = words.filter(|word| word.len() > 2 && word.starts_with("--") && !word[2..].starts_with('-'));
    long.map(|word| word.trim_end_matches('-').to_owned()).collect()
}

/// Names of variables of this program in a text.
fn variables(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
    words.filter(|word| word.len() > 7 && word.starts_with("SLUICE_")).map(str::to_owned).collect()
}

#[test]
fn every_command_that_a_document_shows_is_understood() {
    let helps = helps();
    let mut all: BTreeSet<String> = helps.values().flat_map(|help| options(help)).collect();
    // The scripts' own options stand in documents as well.
    let mut scripts = Vec::new();
    files(&root().join("e2e"), "py", &mut scripts);
    all.extend(scripts.iter().flat_map(|path| options(&read(path))));
    let (mut wrong, mut shown) = (Vec::new(), 0);
    for (path, text) in documents() {
        let spans = text.lines().flat_map(|line| {
            let block = line.strip_prefix("    ").map(|line| line.split("  #").next().unwrap_or(line));
            block.into_iter().chain(line.split('`').skip(1).step_by(2))
        });
        for span in spans {
            // The options of other programs, and what follows a pipe, are theirs.
            let calls =
                span.split(['|', ';', '&', '(']).filter_map(|part| part.split_once("sluice ").map(|(_, call)| call));
            for call in calls.filter(|_| !OTHERS.iter().any(|other| span.trim_start().starts_with(other))) {
                let words: Vec<&str> = call.split_whitespace().collect();
                let known = |words: &[&str]| helps.get(&words.join(" "));
                let Some(help) = words.get(..2).and_then(known).or_else(|| words.get(..1).and_then(known)) else {
                    continue;
                };
                shown += 1;
                let mine = options(help);
                wrong.extend(options(call).difference(&mine).map(|option| format!("{path}: {call}: {option}")));
            }
            if span.starts_with("--") {
                let named = options(span);
                let unknown = named.difference(&all).filter(|option| !OTHERS_OPTIONS.contains(&option.as_str()));
                wrong.extend(unknown.map(|option| format!("{path}: {option}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(shown > 40, "found only {shown} commands; this test looks in the wrong place");
}

#[test]
fn every_variable_that_is_read_is_documented_and_the_reverse() {
    let mut sources = Vec::new();
    for (folder, ending) in [("src", "rs"), ("e2e", "rs"), ("e2e", "py"), ("e2e", "sh"), ("templates", "yaml")] {
        files(&root().join(folder), ending, &mut sources);
    }
    let read_by_code: BTreeSet<String> = sources.iter().flat_map(|path| variables(&read(path))).collect();
    let documented: BTreeSet<String> = documents().iter().flat_map(|(_, text)| variables(text)).collect();
    assert_eq!(read_by_code, documented);
    let shown: BTreeSet<String> = helps().values().flat_map(|help| variables(help)).collect();
    let unknown: Vec<&String> = shown.difference(&documented).collect();
    assert!(unknown.is_empty() && shown.len() > 10, "{unknown:?} of {shown:?}");
}

#[test]
fn the_exit_codes_are_the_same_in_the_code_the_help_and_the_document() {
    let code = read(&root().join("src/cli/exit.rs"));
    let constants: BTreeSet<u8> =
        code.lines().filter_map(|line| line.trim().strip_suffix(',')?.split_once(" = ")?.1.parse().ok()).collect();
    let table: BTreeSet<u8> = read(&root().join("docs/exit-codes.md"))
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next()?.parse().ok())
        .collect();
    let helps = helps();
    let text = helps[""].split("Exit codes:").nth(1).unwrap().split("\n\n").next().unwrap();
    let help: BTreeSet<u8> =
        text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
    assert!(constants.len() > 6, "{constants:?}");
    assert_eq!((&constants, &constants), (&table, &help));
    // Each is seen by a test of the program.
    let mut tests = Vec::new();
    files(&root().join("e2e"), "rs", &mut tests);
    let tests: String = tests.iter().map(|path| read(path)).collect();
    for number in constants {
        let seen = [format!(".with({number})"), format!(": i32 = {number};")].iter().any(|text| tests.contains(text));
        assert!(seen, "no test sees the exit code {number}");
    }
}

#[test]
fn every_command_can_speak_json() {
    let helps = helps();
    let leaves = helps.iter().filter(|(_, help)| !help.contains("\nCommands:\n"));
    let without: Vec<&String> = leaves.filter(|(_, help)| !help.contains("--output <")).map(|(name, _)| name).collect();
    let unexpected: Vec<&&String> = without.iter().filter(|name| !WITHOUT_EVENTS.contains(&name.as_str())).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
}

#[test]
fn changes_that_are_pending_have_a_code_of_their_own() {
    let workspace = Workspace::new();
    workspace.run("plan --detailed-exitcode").with(3);
    workspace.run("plan").with(0);
}

#[test]
fn a_variable_with_a_mistake_is_wrong_usage() {
    for (name, value) in
        [("SLUICE_LOG", "inof"), ("SLUICE_TIME_SCALE", "fast"), ("SLUICE_OUTPUT", "xml"), ("SLUICE_TARGET", "gcp")]
    {
        let workspace = Workspace::with(vec![(name.to_owned(), value.into())]);
        let ended = workspace.run("status").with(2);
        assert!(ended.stderr.contains(value), "{name}: {}", ended.stderr);
        assert_eq!(workspace.files(), Vec::<String>::new());
    }
}
