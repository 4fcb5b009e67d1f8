//! The words that CONTRIBUTING.md bans stay out: of identifiers and file names, and of comments, texts and documents.

use std::collections::BTreeSet;
use std::path::PathBuf;

use proc_macro2::{TokenStream, TokenTree};

use crate::tidy::{files, root};

/// The page of words, and what was released under the old ones.
const EXEMPT: [&str; 2] = ["CONTRIBUTING.md", "CHANGELOG.md"];
/// The key of file formats that keeps the word of their first version.
const KEY: &str = r#""story""#;

/// The words of the line of CONTRIBUTING.md that begins with `opening`.
fn banned(opening: &str) -> BTreeSet<String> {
    let page = std::fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let line =
        page.lines().find_map(|line| line.strip_prefix(opening)).unwrap_or_else(|| panic!("no line {opening:?}"));
    let words: BTreeSet<String> = line.trim_end_matches('.').split(',').map(|word| word.trim().to_owned()).collect();
    assert!(words.len() > 5, "found only {words:?}");
    words
}

/// The lower-case words of an identifier or path: `ScaleLoop` and `scale_loop` are `scale` and `loop`.
fn parts(name: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut before = '_';
    for letter in name.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && before.is_lowercase()) {
            found.push(String::new());
        }
        if letter.is_alphanumeric() {
            found.last_mut().unwrap().extend(letter.to_lowercase());
        }
        before = letter;
    }
    found
}

fn identifiers(tokens: TokenStream, found: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(name) => {
                found.insert(name.to_string());
            }
            TokenTree::Group(group) => identifiers(group.stream(), found),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// Every file of the given folders that ends so, relative to the root.
fn tree(folders: &[&str], endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (folder, ending) in folders.iter().flat_map(|folder| endings.iter().map(move |ending| (folder, ending))) {
        files(&root().join(folder), ending, &mut found);
    }
    found.retain(|path| !path.components().any(|part| part.as_os_str() == "recorded"));
    assert!(found.len() > 50, "found only {} files", found.len());
    found.into_iter().map(|path| path.strip_prefix(root()).unwrap().to_owned()).collect()
}

#[test]
fn no_name_has_a_private_word() {
    let banned = banned("- No identifier, file name or test contains: ");
    let mut wrong = Vec::new();
    for path in tree(&["src", "e2e"], &["rs", "py", "sh"]) {
        let mut names = BTreeSet::from([path.display().to_string()]);
        if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(root().join(&path)).unwrap();
            identifiers(text.parse().unwrap(), &mut names);
        }
        for name in names {
            let words = parts(&name).into_iter().filter(|word| banned.contains(word));
            wrong.extend(words.map(|word| format!("{}: {name} has {word:?}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "CONTRIBUTING.md has better words: {wrong:#?}");
}

#[test]
fn no_text_has_a_private_word() {
    let banned = banned("- No comment, text or document contains: ");
    let mut paths = tree(
        &["src", "e2e", "docs", "practice", "examples", "templates", ".ci"],
        &["rs", "py", "sh", "md", "toml", "yaml", "html"],
    );
    paths.extend(
        ["README.md", "SECURITY.md", "justfile", ".ci/run", ".ci/real", ".github/workflows/ci.yml"].map(PathBuf::from),
    );
    let mut wrong = Vec::new();
    for path in paths.into_iter().filter(|path| !EXEMPT.iter().any(|exempt| path.as_os_str() == *exempt)) {
        let text = std::fs::read_to_string(root().join(&path)).unwrap();
        for (index, line) in text.lines().enumerate() {
            let line = line.replace(KEY, "");
            let words =
                line.split(|letter: char| !letter.is_alphabetic()).filter(|word| banned.contains(&word.to_lowercase()));
            wrong.extend(words.map(|word| format!("{}:{}: {word:?}", path.display(), index + 1)));
        }
    }
    assert!(wrong.is_empty(), "CONTRIBUTING.md has better words: {wrong:#?}");
}
