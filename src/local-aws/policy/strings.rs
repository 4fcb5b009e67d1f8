//! Texts of a policy document: one, or a list of them.

use serde_json::Value;

/// One string or a list of strings; an empty list is a syntax error.
pub(super) fn strings(value: &Value, element: &str) -> Result<Vec<String>, String> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(format!("Syntax errors in policy: {element} must be a string or a list of strings.")),
    };
    match value {
        Value::Array(list) if list.is_empty() => Err(format!("Syntax errors in policy: {element} is empty.")),
        Value::Array(list) => list.iter().map(one).collect(),
        single => Ok(vec![one(single)?]),
    }
}
