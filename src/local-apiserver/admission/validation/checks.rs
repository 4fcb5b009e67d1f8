//! The checks and readings of fields that all kinds share.

use serde_json::Value;

use crate::status::FieldError;

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub(super) fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

pub(super) fn is_set(value: &Value) -> bool {
    !value.is_null()
}

pub(super) fn listed(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

pub(super) fn at_least(least: i64, value: &Value, path: &str, detail: &str, errors: &mut Vec<FieldError>) {
    if value.as_i64().is_some_and(|number| number < least) {
        errors.push(FieldError::invalid(path, value, detail));
    }
}

pub(super) fn not_negative(value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    at_least(0, value, path, "must be greater than or equal to 0", errors);
}

pub(super) fn port_number(value: &Value, path: String, errors: &mut Vec<FieldError>) {
    if !value.as_i64().is_some_and(|number| (1..=65_535).contains(&number)) {
        errors.push(FieldError::invalid(path, value, "must be between 1 and 65535, inclusive"));
    }
}
