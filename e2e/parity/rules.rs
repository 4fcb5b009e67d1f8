//! The rules of `rules.json` for answers of Kubernetes: what must differ between two clusters becomes what must not.

use regex::Regex;
use serde_json::Value;

use super::recording::read;

/// Patterns with what takes their place.
pub(crate) struct Replacements(Vec<(Regex, String)>);

impl Replacements {
    pub(crate) fn new(pairs: &Value) -> Self {
        let pair = |pair: &Value| (pattern(&pair[0]), pair[1].as_str().unwrap().to_owned());
        Self(pairs.as_array().unwrap().iter().map(pair).collect())
    }

    pub(crate) fn apply(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (pattern, with)| pattern.replace_all(&text, with).into_owned())
    }
}

pub(crate) fn pattern(text: &Value) -> Regex {
    Regex::new(text.as_str().unwrap()).unwrap()
}

pub(crate) fn names(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

pub(crate) struct Rules {
    pub(crate) headers: Vec<String>,
    volatile: Vec<String>,
    texts: Replacements,
    ids: Replacements,
    cells: Replacements,
    adapted: Vec<Value>,
}

impl Rules {
    pub(crate) fn new() -> Self {
        let rules = read("rules.json")["kubernetes"].take();
        Self {
            headers: names(&rules["headers"]),
            volatile: names(&rules["volatile"]),
            texts: Replacements::new(&rules["texts"]),
            ids: Replacements::new(&Value::Array(vec![rules["texts"][0].clone()])),
            cells: Replacements::new(&rules["cells"]),
            adapted: rules["adapted"].as_array().unwrap().clone(),
        }
    }

    /// The answer as a recording of this test holds it.
    pub(crate) fn comparable(&self, mut answer: Value, test: &str, label: &str) -> Value {
        for rule in &self.adapted {
            let names_us =
                |key: &str, what: &str| rule[key].as_array().is_none_or(|all| all.iter().any(|one| one == what));
            if names_us("tests", test) && names_us("labels", label) {
                for pointer in rule["without"].as_array().into_iter().flatten() {
                    without(&mut answer, &pieces(pointer));
                }
                for pointer in rule["sorted"].as_array().into_iter().flatten() {
                    sort(&mut answer, &pieces(pointer));
                }
            }
        }
        self.normal(answer, "")
    }

    fn normal(&self, value: Value, key: &str) -> Value {
        let is_volatile = self.volatile.iter().any(|name| name == key);
        match value {
            // Keys of managedFields hold uids of owners.
            Value::Object(members) => {
                members.into_iter().map(|(name, member)| (self.ids.apply(&name), self.normal(member, &name))).collect()
            }
            Value::Array(mut items) => {
                if key == "managedFields" {
                    // They are in the order of their times, to the second.
                    items.sort_by_key(|entry| {
                        ["operation", "manager", "subresource"]
                            .map(|part| entry[part].as_str().unwrap_or_default().to_owned())
                    });
                }
                items.into_iter().map(|item| self.normal(item, key)).collect()
            }
            Value::String(text) if text.is_empty() => text.into(),
            Value::String(_) | Value::Number(_) if is_volatile => format!("<{key}>").into(),
            Value::String(text) => {
                let text = self.texts.apply(&text);
                if key == "cells" { self.cells.apply(&text) } else { text }.into()
            }
            other => other,
        }
    }
}

fn pieces(pointer: &Value) -> Vec<String> {
    let text = pointer.as_str().unwrap();
    text.split('/').skip(1).map(|piece| piece.replace("~1", "/").replace("~0", "~")).collect()
}

/// The members that a piece of a pointer means; `*` means all.
fn chosen<'a>(value: &'a mut Value, piece: &str) -> Vec<&'a mut Value> {
    match value {
        Value::Object(members) => {
            members.iter_mut().filter(|(name, _)| piece == "*" || *name == piece).map(|(_, member)| member).collect()
        }
        Value::Array(items) if piece == "*" => items.iter_mut().collect(),
        _ => Vec::new(),
    }
}

fn without(value: &mut Value, path: &[String]) {
    let [first, rest @ ..] = path else { return };
    if !rest.is_empty() {
        for member in chosen(value, first) {
            without(member, rest);
        }
    } else if let Value::Object(members) = value {
        members.remove(first);
    }
}

fn sort(value: &mut Value, path: &[String]) {
    match path {
        [first, rest @ ..] => {
            for member in chosen(value, first) {
                sort(member, rest);
            }
        }
        [] => {
            if let Value::Array(items) = value {
                items.sort_by_key(Value::to_string);
            }
        }
    }
}
