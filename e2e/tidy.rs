//! The house rules that a machine can keep: sizes, arrows between crates, names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Non-test lines a file may have.
const LINES_MAX: usize = 500;
/// Traits the product may have; each needs real plurality.
const TRAITS_MAX: usize = 10;
const NAMES_BANNED: [&str; 6] = ["common", "util", "utils", "helpers", "misc", "mod"];

/// Every crate of the house and the siblings that it may point at.
pub(crate) const ARROWS: [(&str, &[&str]); 19] = [
    ("aws", &["clock", "provision"]),
    (
        "cli",
        &[
            "aws",
            "clock",
            "cluster",
            "image",
            "local",
            "localstack",
            "operator",
            "provision",
            "stack",
            "verify",
            "worker",
            "workshop",
        ],
    ),
    ("clock", &[]),
    ("cluster", &["clock", "provision"]),
    ("image", &[]),
    ("keda", &["clock"]),
    ("local", &["clock", "local-apiserver", "local-aws", "local-container", "local-controllers"]),
    ("local-apiserver", &["clock"]),
    ("local-aws", &["clock"]),
    ("local-container", &[]),
    ("local-controllers", &["clock", "local-apiserver", "local-container"]),
    ("localstack", &["clock"]),
    ("operator", &["clock", "keda", "scalers"]),
    ("provision", &["clock"]),
    ("scalers", &["aws", "clock", "keda"]),
    ("stack", &["clock"]),
    ("verify", &["aws", "clock", "cluster"]),
    ("worker", &["aws", "clock"]),
    ("workshop", &["clock"]),
];

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for folder in ["src", "e2e"] {
        files(&root().join(folder), "rs", &mut found);
    }
    assert!(found.len() > 50, "found only {} files; this test looks in the wrong place", found.len());
    found.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

fn manifest(name: &str) -> String {
    std::fs::read_to_string(root().join("src").join(name).join("Cargo.toml")).unwrap()
}

/// The part of a file that is not its test module.
fn product(text: &str) -> &str {
    text.split("\n#[cfg(test)]").next().unwrap_or(text)
}

fn is_test(path: &Path) -> bool {
    path.ends_with("tests.rs")
        || path.components().any(|part| part.as_os_str() == "tests")
        || path.starts_with(root().join("e2e"))
}

#[test]
fn no_file_outgrows_its_limit() {
    let long: Vec<String> = sources()
        .iter()
        .filter(|(path, _)| !is_test(path))
        .map(|(path, text)| (path, product(text).lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(path, lines)| format!("{} has {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "split these by the nouns in them: {long:#?}");
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<_> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "no module doc: {silent:#?}");
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    let bad: Vec<_> = sources()
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| path.file_stem().is_some_and(|stem| NAMES_BANNED.iter().any(|name| stem == *name)))
        .collect();
    assert!(bad.is_empty(), "name these after the noun that they define: {bad:#?}");
}

#[test]
fn arrows_between_crates_are_those_of_the_design() {
    let names: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let folders: BTreeSet<String> = std::fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        folders,
        names.iter().map(|name| (*name).to_owned()).collect(),
        "every folder of src/ is a crate of the table"
    );
    for (name, allowed) in ARROWS {
        let text = manifest(name);
        // Tests may know more than the product.
        let text = text.split("[dev-dependencies]").next().unwrap();
        for sibling in &names {
            let points = text
                .lines()
                .any(|line| line.starts_with(&format!("{sibling}.")) || line.starts_with(&format!("{sibling} =")));
            assert!(!points || allowed.contains(sibling), "{name} must not point at {sibling}");
        }
    }
}

#[test]
fn heavy_libraries_stay_in_their_boxes() {
    let owners: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("aws-sdk-", ["aws"].as_slice()),
        ("aws-config", &["aws"]),
        ("tera", &["stack"]),
        ("clap", &["cli"]),
        ("oci-", &["image"]),
        ("kube", &["cli", "cluster", "keda", "operator", "verify"]),
    ]);
    for (library, allowed) in owners {
        for (name, _) in ARROWS {
            let used = manifest(name).lines().any(|line| {
                line.starts_with(&format!("{library}.")) || (library.ends_with('-') && line.starts_with(library))
            });
            assert!(!used || allowed.contains(&name), "{name} must not know {library}");
        }
    }
}

#[test]
fn traits_are_few() {
    let traits: Vec<String> = sources()
        .iter()
        .filter(|(path, _)| !is_test(path))
        .flat_map(|(path, text)| {
            product(text)
                .lines()
                .filter(|line| {
                    line.trim_start().starts_with("pub trait ")
                        || line.trim_start().starts_with("trait ")
                        || line.trim_start().starts_with("pub(crate) trait ")
                })
                .map(|line| format!("{}: {line}", path.display()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(traits.len() <= TRAITS_MAX, "too many traits: {traits:#?}");
}

#[test]
fn nothing_is_left_undone() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
    ];
    let found: Vec<String> = sources()
        .iter()
        .flat_map(|(path, text)| {
            text.lines()
                .enumerate()
                .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
                .map(|(number, line)| format!("{}:{}: {line}", path.display(), number + 1))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}
