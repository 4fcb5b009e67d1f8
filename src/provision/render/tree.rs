//! A JSON value as short indented lines: a field a line, deep parts folded where the whole would fill screens.

use serde_json::Value;

use crate::reference::UNKNOWN;

/// Lines that one value may take. A Deployment fits; the schema inside a CustomResourceDefinition is folded.
const LINES_MAX: usize = 60;
/// Ends a line whose value is folded to a number.
pub(super) const FOLDED: &str = " values)";
/// Longest list of plain values on one line.
const LIST_CHARACTERS_MAX: usize = 100;

/// One line of a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Twig {
    /// How deep it is nested.
    pub(super) depth: usize,
    /// `key: value`, or `key:` with more below.
    pub(super) text: String,
}

/// The value on one line, if it fits there: plain values, empty ones, lists of plain values.
pub(super) fn short(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text == UNKNOWN => Some(UNKNOWN.to_owned()),
        Value::Array(items) => {
            let items: Option<Vec<String>> =
                items.iter().map(|item| plain(item).then(|| short(item)).flatten()).collect();
            let text = format!("[{}]", items?.join(", "));
            (text.chars().count() <= LIST_CHARACTERS_MAX).then_some(text)
        }
        Value::Object(map) => map.is_empty().then(|| "{}".to_owned()),
        plain => Some(plain.to_string()),
    }
}

fn plain(value: &Value) -> bool {
    !matches!(value, Value::Array(_) | Value::Object(_))
}

/// The fields of a value, as deep as [`LINES_MAX`] allows; what lies deeper is folded to its number of values.
pub(super) fn grow(value: &Value) -> Vec<Twig> {
    let deepest = depth(value);
    let fits = |depth: &usize| lines(value, *depth).len() <= LINES_MAX;
    // The first level is shown in any case: a fold of everything would say nothing.
    let depth = (1..=deepest).rev().find(fits).unwrap_or(1);
    lines(value, depth)
}

fn depth(value: &Value) -> usize {
    children(value).map(|(_, child)| 1 + depth(child)).max().unwrap_or(0)
}

fn lines(value: &Value, depth_max: usize) -> Vec<Twig> {
    let mut found = Vec::new();
    branch(value, 0, depth_max, &mut found);
    found
}

fn branch(value: &Value, depth: usize, depth_max: usize, found: &mut Vec<Twig>) {
    for (key, child) in children(value) {
        let (text, goes_on) = match short(child) {
            Some(text) => (format!("{key}: {text}"), false),
            None if depth + 1 < depth_max => (format!("{key}:"), true),
            None => (format!("{key}: ({}{FOLDED}", leaves(child)), false),
        };
        found.push(Twig { depth, text });
        if goes_on {
            branch(child, depth + 1, depth_max, found);
        }
    }
}

fn children(value: &Value) -> Box<dyn Iterator<Item = (String, &Value)> + '_> {
    match value {
        Value::Object(map) => Box::new(map.iter().map(|(key, child)| (key.clone(), child))),
        Value::Array(items) => Box::new(items.iter().enumerate().map(|(index, child)| (format!("[{index}]"), child))),
        _ => Box::new(std::iter::empty()),
    }
}

fn leaves(value: &Value) -> usize {
    if plain(value) { 1 } else { children(value).map(|(_, child)| leaves(child)).sum() }
}
