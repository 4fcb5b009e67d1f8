//! AWS's validation errors where no service has words of its own.

use serde_json::Value;

use crate::fault::Fault;

/// `RoleName` as validation messages spell it: `roleName`.
pub(crate) fn member(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// A required, non-empty parameter of a query service.
pub(crate) fn required<'a>(input: &'a Value, name: &str) -> Result<&'a str, Fault> {
    input.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).ok_or_else(|| {
        let member = member(name);
        Fault::sender(
            "ValidationError",
            format!("1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"),
        )
    })
}
