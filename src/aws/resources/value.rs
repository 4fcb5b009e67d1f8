//! Reading attribute values, and when two of them mean the same.

use std::collections::{BTreeMap, HashMap};

use provision::{Attributes, Failure};
use serde_json::{Value, json};

/// The attribute as text.
pub(super) fn text<'a>(attributes: &'a Attributes, name: &str) -> Result<&'a str, Failure> {
    let value = attributes.get(name).and_then(Value::as_str);
    value.ok_or_else(|| Failure::new(format!("the attribute `{name}` is missing or no text; correct the declaration")))
}

/// The attribute as text, if it is there.
pub(super) fn optional(attributes: &Attributes, name: &str) -> Option<String> {
    attributes.get(name)?.as_str().map(str::to_owned)
}

/// The attribute as a switch, if it is there.
pub(super) fn switch(attributes: &Attributes, name: &str) -> Option<bool> {
    attributes.get(name)?.as_bool()
}

/// The attribute as a list of texts, if it is there.
pub(super) fn texts(attributes: &Attributes, name: &str) -> Option<Vec<String>> {
    let items = attributes.get(name)?.as_array()?;
    Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// A document given as text or as JSON, as text.
pub(super) fn document(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Text as JSON if it is JSON, for showing differences inside.
pub(super) fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

/// The attribute `tags`.
pub(super) fn tags(attributes: &Attributes) -> HashMap<String, String> {
    let map = attributes.get("tags").and_then(Value::as_object).into_iter().flatten();
    map.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// An attribute map; nulls are left out.
pub(super) fn attributes<const N: usize>(entries: [(&str, Value); N]) -> Attributes {
    let kept = entries.into_iter().filter(|(_, value)| !value.is_null());
    kept.map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>()
}

/// Whether two texts or values are the same JSON.
pub(super) fn same_json(desired: &Value, actual: &Value) -> bool {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.clone(), parsed);
    plain(desired) == plain(actual)
}

/// Lists whose order says nothing.
const SETS: [&str; 7] = [
    "subnet_ids",
    "security_group_ids",
    "enabled_log_types",
    "client_id_list",
    "thumbprint_list",
    "kubernetes_groups",
    "public_access_cidrs",
];

/// Whether two lists hold the same, where order says nothing.
pub(super) fn same_set(path: &str, desired: &Value, actual: &Value) -> bool {
    let (Value::Array(desired), Value::Array(actual)) = (desired, actual) else { return false };
    let sorted = |items: &[Value]| {
        let mut texts: Vec<String> = items.iter().map(ToString::to_string).collect();
        texts.sort();
        texts
    };
    (SETS.contains(&path) || path == "selectors" || path == "access_scope.namespaces")
        && sorted(desired) == sorted(actual)
}

/// A URL without `https://`; IAM stores issuers that way.
pub(super) fn without_scheme(value: &Value) -> &str {
    let text = value.as_str().unwrap_or_default();
    text.strip_prefix("https://").unwrap_or(text).trim_end_matches('/')
}

/// A recorded value in which `${` cannot be mistaken for a reference.
pub(super) fn without_references(value: Value) -> Value {
    match value {
        Value::String(text) => json!(text.replace("${", "$${")),
        Value::Array(items) => Value::Array(items.into_iter().map(without_references).collect()),
        Value::Object(map) => {
            map.into_iter().map(|(key, item)| (key.replace("${", "$${"), without_references(item))).collect()
        }
        plain => plain,
    }
}
