//! Field-level differences between what should be and what is. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::reference::{UNKNOWN, is_unknown};
use crate::resource::{Attributes, Object, Resource};

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Where: `visibility_timeout`, `manifest.spec.template.spec.containers[0].image`.
    pub path: String,
    /// What is; absent if the field is new, or sensitive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What will be.
    pub after: After,
    /// Whether this difference is why the object is replaced.
    #[serde(default)]
    pub forces_replacement: bool,
    /// Whether the values were left out because they are secret.
    #[serde(default)]
    pub sensitive: bool,
}

/// The new value of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// This.
    Known(Value),
    /// The apply will know.
    Unknown,
    /// None: the field goes away.
    Removed,
}

/// The fields of an object that is to be made.
pub(crate) fn creation(resource: &dyn Resource, desired: &Attributes) -> Vec<Field> {
    let schema = resource.schema();
    let said = desired.iter().filter(|(_, value)| !value.is_null());
    let declared = said.map(|(name, value)| (name.as_str(), after(value)));
    let computed = schema.computed.iter().filter(|name| !desired.contains_key(**name));
    let fields = declared.chain(computed.map(|name| (*name, After::Unknown))).map(|(name, after)| {
        let sensitive = schema.sensitive.contains(&name);
        let after = if sensitive { After::Known(Value::Null) } else { after };
        Field { path: name.to_owned(), before: None, after, forces_replacement: false, sensitive }
    });
    fields.collect()
}

/// Where `desired` differs from `object`. Attributes that are only in the object are none of our business.
pub(crate) fn changes(resource: &dyn Resource, desired: &Attributes, object: &Object) -> Vec<Field> {
    let schema = resource.schema();
    let mut fields = Vec::new();
    for (name, value) in desired {
        let mut found = Vec::new();
        let open = schema.open.contains(&name.as_str());
        match object.attributes.get(name) {
            // To want none of an attribute is to take it away.
            Some(actual) if value.is_null() && !actual.is_null() => {
                found.push(leaf(name.clone(), Some(actual.clone()), After::Removed));
            }
            Some(actual) => compare(resource, open, name.clone(), value, actual, &mut found),
            None if value.is_null() => {}
            None => found.push(leaf(name.clone(), None, after(value))),
        }
        let is_set = object.attributes.contains_key(name);
        for field in &mut found {
            field.forces_replacement =
                schema.force_new.contains(&name.as_str()) || (is_set && schema.set_once.contains(&name.as_str()));
            if schema.sensitive.contains(&name.as_str()) {
                *field = Field { before: None, after: After::Known(Value::Null), sensitive: true, ..field.clone() };
            }
        }
        fields.append(&mut found);
    }
    fields
}

fn compare(r: &dyn Resource, open: bool, path: String, desired: &Value, actual: &Value, out: &mut Vec<Field>) {
    if desired == actual {
        return;
    }
    if !is_unknown(desired) && r.same(&path, desired, actual) {
        return;
    }
    match (desired, actual) {
        (Value::Object(want), Value::Object(have)) => {
            for (key, value) in want {
                let inner = child(&path, key);
                match have.get(key) {
                    Some(actual) => compare(r, open, inner, value, actual, out),
                    None if value.is_null() || (open && is_empty(value)) => {}
                    None => out.push(leaf(inner, None, after(value))),
                }
            }
            if !open {
                let gone = have.iter().filter(|(key, _)| !want.contains_key(*key));
                out.extend(gone.map(|(key, value)| leaf(child(&path, key), Some(value.clone()), After::Removed)));
            }
        }
        (Value::Array(want), Value::Array(have)) if want.len() == have.len() => {
            for (index, (value, actual)) in want.iter().zip(have).enumerate() {
                compare(r, open, format!("{path}[{index}]"), value, actual, out);
            }
        }
        _ => out.push(leaf(path, Some(actual.clone()), after(desired))),
    }
}

fn child(path: &str, key: &str) -> String {
    if key.contains(['.', '/', '[', ' ', ':']) { format!("{path}[\"{key}\"]") } else { format!("{path}.{key}") }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn leaf(path: String, before: Option<Value>, after: After) -> Field {
    Field { path, before, after, forces_replacement: false, sensitive: false }
}

fn after(value: &Value) -> After {
    if value == UNKNOWN { After::Unknown } else { After::Known(value.clone()) }
}
