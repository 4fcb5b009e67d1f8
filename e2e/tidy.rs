//! The house rules that a machine can keep: sizes, arrows between crates and files, names.

mod floors;
mod imports;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use imports::Imports;
use source::{Source, module_file};

/// Non-test lines a file may have.
const LINES_MAX: usize = 500;
/// Lines the body of a function may have, blank ones and comments aside.
const FUNCTION_LINES_MAX: usize = 70;
/// Files that may name each other in a circle.
const CIRCLE_FILES_MAX: usize = 5;
/// The same where it is another number: none in crates with floors, more where state does not lie below operations yet. To be
/// lowered, never raised.
const CIRCLE_FILES_MAX_OF: [(&str, usize); 10] = [
    ("aws", 11),
    ("cli", 11),
    ("cluster", 11),
    ("local-apiserver", 0),
    ("local-aws", 0),
    ("local-container", 14),
    ("local-controllers", 15),
    ("operator", 9),
    ("provision", 0),
    ("verify", 9),
];
/// Traits the product may have; each needs real plurality.
const TRAITS_MAX: usize = 10;
const NAMES_BANNED: [&str; 6] = ["common", "util", "utils", "helpers", "misc", "mod"];

/// Every crate of the house and the siblings that it may point at.
pub(crate) const ARROWS: [(&str, &[&str]); 24] = [
    ("aws", &["clock", "provision"]),
    (
        "cli",
        &[
            "aws",
            "clock",
            "cluster",
            "identity",
            "image",
            "local",
            "localstack",
            "operator",
            "provision",
            "stack",
            "verify",
            "worker",
            "workshop",
            "yaml",
        ],
    ),
    ("clock", &[]),
    ("cluster", &["clock", "provision"]),
    ("identity", &[]),
    ("image", &[]),
    ("keda", &["clock"]),
    (
        "local",
        &[
            "clock",
            "local-apiserver",
            "local-aws",
            "local-container",
            "local-controllers",
            "local-eks",
            "local-faults",
            "local-server",
        ],
    ),
    ("local-apiserver", &["clock", "local-eks", "local-faults", "local-server"]),
    ("local-aws", &["clock", "local-eks", "local-faults", "local-server"]),
    ("local-container", &[]),
    ("local-controllers", &["clock", "local-apiserver", "local-container", "local-eks", "local-faults"]),
    ("local-eks", &[]),
    ("local-faults", &["clock"]),
    ("local-server", &["clock"]),
    ("localstack", &["clock"]),
    ("operator", &["clock", "keda", "scalers"]),
    ("provision", &["clock"]),
    ("scalers", &["aws", "clock", "keda"]),
    ("stack", &["clock", "yaml"]),
    ("verify", &["aws", "clock", "cluster", "yaml"]),
    ("worker", &["aws", "clock"]),
    ("workshop", &["clock"]),
    ("yaml", &[]),
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

/// The product's files: those that a crate's root reaches without a `#[cfg(test)]`. Parsed once for all tests.
fn product() -> &'static BTreeMap<PathBuf, Source> {
    static PRODUCT: OnceLock<BTreeMap<PathBuf, Source>> = OnceLock::new();
    PRODUCT.get_or_init(read)
}

fn read() -> BTreeMap<PathBuf, Source> {
    let mut found = BTreeMap::new();
    let mut open: Vec<PathBuf> = ARROWS.iter().map(|(name, _)| root().join("src").join(name).join("lib.rs")).collect();
    open.push(root().join("src/main.rs"));
    while let Some(path) = open.pop() {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let source = Source::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        open.extend(
            source.modules.iter().filter(|declared| !declared.is_test).map(|declared| module_file(&path, declared)),
        );
        found.insert(path, source);
    }
    found
}

#[test]
fn no_file_outgrows_its_limit() {
    let long: Vec<String> = product()
        .iter()
        .filter(|(_, source)| source.lines > LINES_MAX)
        .map(|(path, source)| format!("{} has {} lines", path.display(), source.lines))
        .collect();
    assert!(long.is_empty(), "split these by the nouns in them: {long:#?}");
}

#[test]
fn no_function_outgrows_its_limit() {
    let functions =
        product().iter().flat_map(|(path, source)| source.functions.iter().map(move |function| (path, function)));
    let long: Vec<String> = functions
        .filter(|(_, function)| function.lines > FUNCTION_LINES_MAX)
        .map(|(path, function)| format!("{}: {} has {} lines", path.display(), function.name, function.lines))
        .collect();
    assert!(long.is_empty(), "split these by their steps: {long:#?}");
}

#[test]
fn circles_of_files_stay_small() {
    for (name, _) in ARROWS {
        let own = CIRCLE_FILES_MAX_OF.iter().find(|(crate_name, _)| *crate_name == name);
        let limit = own.map_or(CIRCLE_FILES_MAX, |(_, limit)| *limit);
        let circles = Imports::of(&root().join("src").join(name).join("lib.rs"), product()).circles();
        let largest = circles.first().map_or(0, Vec::len);
        assert!(largest <= limit, "{name}: {largest} files name each other in a circle: {:#?}", circles[0]);
    }
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
    let traits: Vec<String> = product()
        .iter()
        .flat_map(|(path, source)| source.traits.iter().map(move |name| format!("{}: {name}", path.display())))
        .collect();
    assert!(!traits.is_empty() && traits.len() <= TRAITS_MAX, "too many traits: {traits:#?}");
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
