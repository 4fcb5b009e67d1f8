//! The documents are true as far as a machine can check: citations, links, paths, crates and arrows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::tidy::{ARROWS, files, root};

/// The README is for newcomers; everything else is in `docs/`.
const README_LINES_MAX: usize = 100;
/// Documents that a reader of this repository does not have.
const ELSEWHERE: [&str; 3] = [concat!("KEDA", ".md"), concat!("FAC", "TS"), concat!("../", "shared")];
/// Folders that a path in a document may begin with.
const FOLDERS: [&str; 6] = ["docs/", "e2e/", "examples/", "practice/", "src/", "templates/"];

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn documents() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md"].iter().map(|name| root().join(name)).collect();
    for folder in ["docs", "examples", "practice"] {
        files(&root().join(folder), "md", &mut found);
    }
    assert!(found.len() > 12, "found only {found:?}");
    found
}

fn sources() -> Vec<PathBuf> {
    let mut found = vec![root().join("Cargo.toml")];
    for (folder, ending) in [("src", "rs"), ("src", "toml"), ("e2e", "rs"), ("e2e", "py"), ("templates", "yaml")] {
        files(&root().join(folder), ending, &mut found);
    }
    found
}

/// The lines outside fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        !fenced && !is_fence
    })
}

/// The anchors of a document, as GitHub makes them of its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let slug = |heading: &str| {
        let kept = heading.trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    prose(text).filter(|line| line.starts_with('#')).map(|line| slug(line.trim_start_matches('#'))).collect()
}

/// Why `target`, a path below `folder` with or without an anchor, leads nowhere; none if it leads somewhere.
fn broken(folder: &Path, own: &Path, target: &str) -> Option<String> {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = if path.is_empty() { own.to_owned() } else { folder.join(path) };
    if !file.exists() {
        return Some(format!("{target}: there is no {}", file.display()));
    }
    let is_missing = !anchor.is_empty() && !anchors(&read(&file)).contains(anchor);
    is_missing.then(|| format!("{target}: {} has no such heading", file.display()))
}

/// What follows each `before` in `text`, up to the first character that `ends`.
fn after<'a>(text: &'a str, before: &'a str, ends: impl Fn(char) -> bool + 'a) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).map(move |rest| rest.split(&ends).next().unwrap_or_default())
}

/// What stands between backticks in a line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Cells of a table's row; none for other lines.
fn cells(line: &str) -> Vec<&str> {
    let row = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |"));
    row.map(|row| row.split(" | ").collect()).unwrap_or_default()
}

#[test]
fn every_citation_of_a_document_finds_its_section() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for path in sources().into_iter().chain(documents()) {
        let text = read(&path);
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/' | '.' | '#');
        for cited in after(&text, "docs/", |c| !is_word(c)) {
            let cited = cited.trim_end_matches('.');
            if cited.contains(".md") {
                count += 1;
                let target = format!("docs/{cited}");
                wrong.extend(broken(&root(), &path, &target).map(|why| format!("{}: {why}", path.display())));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 30, "found only {count} citations; this test looks in the wrong place");
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for path in documents() {
        let text = read(&path);
        for target in prose(&text).flat_map(|line| after(line, "](", |c| c == ')')) {
            if !target.contains("://") {
                let why = broken(path.parent().unwrap(), &path, target);
                wrong.extend(why.map(|why| format!("{}: {why}", path.display())));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_path_that_a_document_names_exists() {
    let mut wrong = Vec::new();
    for path in documents() {
        for named in prose(&read(&path)).flat_map(quoted) {
            let is_path =
                FOLDERS.iter().any(|folder| named.starts_with(folder)) && !named.contains(['*', '<', '{', ' ']);
            let file = named.split(['#', ':']).next().unwrap_or_default();
            if is_path && !root().join(file).exists() {
                wrong.push(format!("{}: {named}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "no longer there: {wrong:#?}");
}

/// The rows of the table of crates: the crate, and the files and folders that its row names.
fn crates(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let section = text.split("\n## ").find(|section| section.starts_with("Crates")).unwrap();
    let row = |line| {
        let cells = cells(line);
        let name = cells.first()?.strip_prefix('`')?.strip_suffix('`')?;
        Some((
            name,
            quoted(cells[2])
                .filter(|name| {
                    Path::new(name).extension().is_some_and(|extension| extension == "rs") || name.ends_with('/')
                })
                .collect(),
        ))
    };
    section.lines().filter_map(row).collect()
}

#[test]
fn the_architecture_names_every_crate_and_only_what_exists() {
    let text = read(&root().join("docs/architecture.md"));
    let table = crates(&text);
    let names: BTreeSet<&str> = table.keys().copied().collect();
    assert_eq!(names, ARROWS.iter().map(|(name, _)| *name).collect(), "every crate has a row");
    let mut wrong = Vec::new();
    for (name, parts) in table {
        assert!(!parts.is_empty(), "the row of {name} says nowhere where things are");
        for part in parts {
            // Some are named from the root.
            if !root().join("src").join(name).join(part).exists() && !root().join(part).exists() {
                wrong.push(format!("{name}: {part}"));
            }
        }
    }
    assert!(wrong.is_empty(), "no longer there: {wrong:#?}");
}

#[test]
fn the_drawn_arrows_are_those_of_the_manifests() {
    let text = read(&root().join("docs/architecture.md"));
    let drawn: BTreeSet<(&str, &str)> = text.lines().filter_map(|line| line.trim().split_once(" --> ")).collect();
    let all = ARROWS.iter().flat_map(|(from, to)| to.iter().map(|to| (*from, *to)));
    assert_eq!(drawn, all.filter(|(from, to)| *from != "cli" && *to != "clock").collect());
}

#[test]
fn each_question_is_answered_by_files_that_exist() {
    let text = read(&root().join("docs/architecture.md"));
    let section = text.split("\n## ").find(|section| section.starts_with("Where is")).unwrap();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for row in section.lines().map(cells).filter(|cells| cells.len() == 2 && cells[1].contains('`')) {
        count += 1;
        let mut folder = root();
        for named in quoted(row[1]) {
            if named.ends_with('/') {
                folder = root().join(named);
            }
            let is_file = [".rs", ".py"].iter().any(|ending| named.ends_with(ending));
            if is_file && !folder.join(named).exists() && !root().join(named).exists() {
                wrong.push(format!("{}: {named}", row[0]));
            }
        }
    }
    assert!(wrong.is_empty(), "no longer there: {wrong:#?}");
    assert_eq!(count, 12);
}

#[test]
fn the_readme_is_short_and_begins_with_two_commands() {
    let text = read(&root().join("README.md"));
    let lines = text.lines().count();
    assert!(lines <= README_LINES_MAX, "README.md has {lines} lines; move what is for others than newcomers to docs/");
    for command in ["cargo run -- demo", "cargo test"] {
        assert!(text.lines().any(|line| line.trim_start().starts_with(command)), "README.md lacks `{command}`");
    }
}

#[test]
fn no_source_cites_what_a_reader_does_not_have() {
    let mut wrong = Vec::new();
    for path in sources() {
        let text = read(&path);
        wrong.extend(
            ELSEWHERE.iter().filter(|word| text.contains(**word)).map(|word| format!("{}: {word}", path.display())),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
