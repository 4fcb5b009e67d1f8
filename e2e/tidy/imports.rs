//! Which file of a crate names which: its imports, at the granularity of files, and the circles in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

use super::source::{Source, module_file};

/// A module's path from the crate's root; the root itself is empty.
type Module = Vec<String>;

/// The product's files of one crate, and which others each of them names.
pub(super) struct Imports(BTreeMap<Module, BTreeSet<Module>>);

impl Imports {
    /// Of the crate with this root file, one of `sources`.
    pub(super) fn of(root: &Path, sources: &BTreeMap<PathBuf, Source>) -> Self {
        let mut found = BTreeMap::new();
        collect(root, Module::new(), sources, &mut found);
        let modules: BTreeSet<Module> = found.keys().cloned().collect();
        let names = |(module, source): (&Module, &&Source)| {
            let named = source.paths.iter().filter_map(|path| resolved(module, path, &modules));
            (module.clone(), named.filter(|named| named != module).collect())
        };
        Self(found.iter().map(names).collect())
    }

    /// Of a crate with these files; the first is its root.
    pub(super) fn of_texts(files: &[(&str, &str)]) -> Self {
        let parsed = |(path, text): &(&str, &str)| (PathBuf::from(path), Source::parse(text).unwrap());
        Self::of(Path::new(files[0].0), &files.iter().map(parsed).collect())
    }

    /// The files' modules; the root is empty.
    pub(super) fn files(&self) -> impl Iterator<Item = String> {
        self.0.keys().map(|module| module.join("::"))
    }

    /// Who names whom.
    pub(super) fn arrows(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().flat_map(|(from, named)| named.iter().map(|to| (from.join("::"), to.join("::"))))
    }

    /// The circles: groups of files each of which names every other of its group, directly or through others. Largest first.
    pub(super) fn circles(&self) -> Vec<Vec<String>> {
        let reach: BTreeMap<&Module, BTreeSet<&Module>> =
            self.0.keys().map(|module| (module, self.reachable(module))).collect();
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        for module in self.0.keys() {
            let group: BTreeSet<&Module> =
                reach[module].iter().copied().filter(|other| reach[*other].contains(module)).collect();
            if group.len() > 1 && seen.insert(group.clone()) {
                found.push(group.into_iter().map(|module| format!("crate::{}", module.join("::"))).collect::<Vec<_>>());
            }
        }
        found.sort_by_key(|group| std::cmp::Reverse(group.len()));
        found
    }

    fn reachable(&self, from: &Module) -> BTreeSet<&Module> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&Module> = self.0[from].iter().collect();
        while let Some(module) = open.pop() {
            if reached.insert(module) {
                open.extend(&self.0[module]);
            }
        }
        reached
    }
}

fn collect<'a>(
    path: &Path,
    module: Module,
    sources: &'a BTreeMap<PathBuf, Source>,
    found: &mut BTreeMap<Module, &'a Source>,
) {
    let source = sources.get(path).unwrap_or_else(|| panic!("{} was not read", path.display()));
    for declared in source.modules.iter().filter(|declared| !declared.is_test) {
        let child = module.iter().cloned().chain([declared.name.clone()]).collect();
        collect(&module_file(path, declared), child, sources, found);
    }
    found.insert(module, source);
}

/// The file that a path in `module` leads to: the longest part of it that is a module.
fn resolved(module: &Module, path: &[String], modules: &BTreeSet<Module>) -> Option<Module> {
    let (first, rest) = path.split_first()?;
    let (mut base, mut rest) = match first.as_str() {
        "crate" => (Module::new(), rest),
        "self" => (module.clone(), rest),
        "super" => (parent(module), rest),
        // A name of one's own child, or nothing of this crate.
        _ => {
            let child: Module = module.iter().chain([first]).cloned().collect();
            return modules.contains(&child).then(|| longest(child, rest, modules));
        }
    };
    while let Some((_, tail)) = rest.split_first().filter(|(first, _)| *first == "super") {
        base = parent(&base);
        rest = tail;
    }
    Some(longest(base, rest, modules))
}

fn parent(module: &Module) -> Module {
    module.split_last().map(|(_, parent)| parent.to_vec()).unwrap_or_default()
}

fn longest(base: Module, rest: &[String], modules: &BTreeSet<Module>) -> Module {
    rest.iter()
        .fold((base, true), |(base, goes_on), name| {
            let child: Module = base.iter().chain([name]).cloned().collect();
            if goes_on && modules.contains(&child) { (child, true) } else { (base, false) }
        })
        .0
}

/// Every path of two or more names in the tokens, imports in braces taken apart; those in macros too.
pub(super) fn paths(tokens: TokenStream) -> BTreeSet<Vec<String>> {
    let mut paths = Vec::new();
    scan(tokens, &mut paths);
    paths.into_iter().collect()
}

fn scan(tokens: TokenStream, paths: &mut Vec<Vec<String>>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => scan(group.stream(), paths),
            TokenTree::Ident(_) => {
                at = path(&tokens, at, &[], paths);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
}

/// Reads the path at `at` after the names of `before`; returns where it ends.
fn path(tokens: &[TokenTree], mut at: usize, before: &[String], paths: &mut Vec<Vec<String>>) -> usize {
    let mut names = before.to_vec();
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(name)) => names.push(name.to_string()),
            Some(TokenTree::Group(group)) if names.len() > before.len() || !before.is_empty() => {
                // `use a::{b, c::d}`
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let mut inside = 0;
                while inside < inner.len() {
                    inside = match &inner[inside] {
                        TokenTree::Ident(_) => path(&inner, inside, &names, paths),
                        _ => inside + 1,
                    };
                }
                return at + 1;
            }
            _ => break,
        }
        at += 1;
        if !is_colons(tokens, at) {
            break;
        }
        at += 2;
    }
    if names.len() > 1 {
        paths.push(names);
    }
    at
}

fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    let is_colon = |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(mark)) if mark.as_char() == ':');
    is_colon(tokens.get(at)) && is_colon(tokens.get(at + 1))
}

#[test]
fn circles_are_found_through_imports_paths_and_macros() {
    let imports = Imports::of_texts(&[
        ("lib.rs", "mod a; mod b; mod c; mod leaf; #[cfg(test)] mod tests;"),
        ("a.rs", "use crate::{b::{self, thing}, leaf::Leaf}; fn f() { b::g() }"),
        ("b.rs", "mod inner; fn g() { println!(\"{}\", crate::c::X) }"),
        ("b/inner.rs", "use super::super::leaf;"),
        ("c.rs", "fn h(_: super::a::A) {}"),
        ("leaf.rs", "#[cfg(test)] mod tests { use crate::a; }"),
    ]);
    assert_eq!(imports.circles(), [["crate::a", "crate::b", "crate::c"]]);
}
