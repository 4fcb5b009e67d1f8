//! Texts in a JSON value: a list of them, or one.

use serde_json::Value;

/// The texts of a list; none if there is no list.
pub(crate) fn list(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A list of texts, or one text.
pub(crate) fn one_or_list(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_str).map_or_else(|| list(value), |one| vec![one.to_owned()])
}
