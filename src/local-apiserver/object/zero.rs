//! Fields that every object of a kind has, as Go's struct values are never absent.
//!
//! `managedFields` show it: whoever gives a value to such a field did not make the field.

use serde_json::Value;

use crate::kinds::Resource;

/// The object with these fields where it has none.
pub(crate) fn filled(resource: &Resource, object: &Value) -> Value {
    let mut filled = object.clone();
    fill(resource, &mut filled);
    filled
}

/// Gives the object these fields where it has none.
pub(crate) fn fill(resource: &Resource, object: &mut Value) {
    if let Some(row) = resource.row {
        merge(object, &(row.zero)());
    }
}

fn merge(object: &mut Value, zero: &Value) {
    match (object, zero) {
        (Value::Object(map), Value::Object(fields)) => {
            for (name, value) in fields {
                merge(map.entry(name.as_str()).or_insert(Value::Null), value);
            }
        }
        (object @ Value::Null, zero) => *object = zero.clone(),
        _ => {}
    }
}
