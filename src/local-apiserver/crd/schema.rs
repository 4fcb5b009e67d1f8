//! Structural schemas: defaulting, pruning (or naming) of unknown fields, validation.

use serde_json::{Map, Value};

use crate::status::FieldError;

/// Fields that every object has, whatever its schema says.
const ROOT: &[&str] = &["apiVersion", "kind", "metadata"];

/// Fills in defaults.
pub(crate) fn default(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                let wanted = &property["default"];
                let absent = map.get(name).is_none_or(|held| held.is_null() && property["nullable"] != true);
                if absent && !wanted.is_null() {
                    map.insert(name.clone(), wanted.clone());
                }
                if let Some(inner) = map.get_mut(name) {
                    default(property, inner);
                }
            }
            if schema["additionalProperties"].is_object() {
                map.values_mut().for_each(|inner| default(&schema["additionalProperties"], inner));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| default(&schema["items"], item)),
        _ => {}
    }
}

/// Removes fields that the schema does not know; their paths go to `unknown`.
pub(crate) fn prune(schema: &Value, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    let embedded = schema["x-kubernetes-embedded-resource"] == true || path.is_empty();
    let keep = schema["x-kubernetes-preserve-unknown-fields"] == true;
    match value {
        Value::Object(map) => {
            let properties = schema["properties"].as_object();
            let additional = &schema["additionalProperties"];
            let open = keep || additional.is_object() || *additional == true;
            let names: Vec<String> = map.keys().cloned().collect();
            for name in names {
                let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                if embedded && ROOT.contains(&name.as_str()) {
                    continue;
                }
                match (properties.and_then(|known| known.get(&name)), map.get_mut(&name)) {
                    (Some(property), Some(inner)) => prune(property, inner, &at, unknown),
                    (None, Some(inner)) if additional.is_object() => prune(additional, inner, &at, unknown),
                    (None, _) if !open => {
                        unknown.push(at);
                        map.remove(&name);
                    }
                    _ => {}
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                prune(&schema["items"], item, &format!("{path}[{index}]"), unknown);
            }
        }
        _ => {}
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Everything that the schema forbids about `value`.
pub(crate) fn validate(schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if value.is_null() && (schema["nullable"] == true || path.is_empty()) {
        return;
    }
    let found = type_of(value);
    let fits = match schema["type"].as_str() {
        _ if schema["x-kubernetes-int-or-string"] == true => matches!(found, "integer" | "string"),
        None => true,
        Some("number") => matches!(found, "integer" | "number"),
        Some(wanted) => wanted == found,
    };
    if !fits {
        let wanted = schema["type"].as_str().unwrap_or("integer,string");
        let detail = format!("{path} in body must be of type {wanted}: \"{found}\"");
        errors.push(FieldError::wrong_type(path, found, &detail));
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        let supported: Vec<String> =
            allowed.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect();
        errors.push(FieldError::unsupported(path, value, &supported));
    }
    match value {
        Value::Object(map) => validate_map(schema, map, path, errors),
        Value::Array(items) => {
            if let Some(least) = limit(schema, "minItems").filter(|least| items.len() < *least) {
                let detail = format!("{path} in body should have at least {least} items");
                errors.push(FieldError::invalid(path, value, &detail));
            }
            if let Some(most) = limit(schema, "maxItems").filter(|most| items.len() > *most) {
                errors.push(FieldError::too_many(path, items.len(), most));
            }
            for (index, item) in items.iter().enumerate() {
                validate(&schema["items"], item, &format!("{path}[{index}]"), errors);
            }
        }
        Value::String(text) => validate_string(schema, text, path, errors),
        Value::Number(number) => validate_number(schema, number.as_f64().unwrap_or_default(), value, path, errors),
        _ => {}
    }
    alternatives(schema, value, path, errors);
}

fn alternatives(schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let passes = |alternative: &Value| {
        let mut inner = Vec::new();
        validate(alternative, value, path, &mut inner);
        inner.is_empty()
    };
    for part in schema["allOf"].as_array().into_iter().flatten() {
        validate(part, value, path, errors);
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return;
    }
    if let Some(any) = schema["anyOf"].as_array()
        && !any.iter().any(passes)
    {
        errors.push(FieldError::invalid(
            path,
            value,
            &format!("{path} in body must validate at least one schema (anyOf)"),
        ));
    }
    if let Some(one) = schema["oneOf"].as_array()
        && one.iter().filter(|alternative| passes(alternative)).count() != 1
    {
        errors.push(FieldError::invalid(
            path,
            value,
            &format!("{path} in body must validate one and only one schema (oneOf)"),
        ));
    }
    if schema["not"].is_object() && passes(&schema["not"]) {
        errors.push(FieldError::invalid(path, value, &format!("{path} in body must not validate the schema (not)")));
    }
}

fn validate_map(schema: &Value, map: &Map<String, Value>, path: &str, errors: &mut Vec<FieldError>) {
    let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !map.contains_key(name) {
            errors.push(FieldError::required(at(name), ""));
        }
    }
    for (name, value) in map {
        if path.is_empty() && ROOT.contains(&name.as_str()) {
            continue;
        }
        let property = &schema["properties"][name];
        let property = if property.is_null() { &schema["additionalProperties"] } else { property };
        if property.is_object() {
            validate(property, value, &at(name), errors);
        }
    }
}

fn limit(schema: &Value, field: &str) -> Option<usize> {
    schema[field].as_u64().and_then(|limit| usize::try_from(limit).ok())
}

/// Only the first mistake of a string is told.
fn validate_string(schema: &Value, text: &str, path: &str, errors: &mut Vec<FieldError>) {
    let (value, length) = (Value::from(text), text.chars().count());
    if let Some(most) = limit(schema, "maxLength").filter(|most| length > *most) {
        errors.push(FieldError::too_long(path, most));
    } else if let Some(least) = limit(schema, "minLength").filter(|least| length < *least) {
        let detail = format!("{path} in body should be at least {least} chars long");
        errors.push(FieldError::invalid(path, &value, &detail));
    } else if let Some(pattern) = schema["pattern"].as_str()
        && regex::Regex::new(pattern).is_ok_and(|regex| !regex.is_match(text))
    {
        errors.push(FieldError::invalid(path, &value, &format!("{path} in body should match '{pattern}'")));
    }
}

fn validate_number(schema: &Value, number: f64, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let exclusive = |field: &str| schema[field] == true;
    if let Some(minimum) = schema["minimum"].as_f64()
        && (number < minimum || (exclusive("exclusiveMinimum") && number <= minimum))
    {
        errors.push(FieldError::invalid(
            path,
            value,
            &format!("{path} in body should be greater than or equal to {minimum}"),
        ));
    }
    if let Some(maximum) = schema["maximum"].as_f64()
        && (number > maximum || (exclusive("exclusiveMaximum") && number >= maximum))
    {
        errors.push(FieldError::invalid(
            path,
            value,
            &format!("{path} in body should be less than or equal to {maximum}"),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({"type": "object", "properties": {"spec": {
            "type": "object", "required": ["name"],
            "properties": {
                "name": {"type": "string", "pattern": "^[a-z]+$"}, "count": {"type": "integer", "minimum": 1, "default": 3},
                "mode": {"type": "string", "enum": ["a", "b"]}, "port": {"x-kubernetes-int-or-string": true},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        }}})
    }

    #[test]
    fn defaults_come_and_unknown_fields_go() {
        let mut object = json!({"kind": "X", "spec": {"name": "x", "odd": 1, "free": {"any": 1}, "map": {"k": "v"}}});
        let mut unknown = Vec::new();
        prune(&schema(), &mut object, "", &mut unknown);
        default(&schema(), &mut object);
        assert_eq!(unknown, ["spec.odd"]);
        assert_eq!(object["spec"], json!({"name": "x", "count": 3, "free": {"any": 1}, "map": {"k": "v"}}));
    }

    #[test]
    fn mistakes_are_named_with_their_fields() {
        let mut errors = Vec::new();
        let object = json!({"spec": {"count": "1", "mode": "c", "port": true, "map": {"k": 1}}});
        validate(&schema(), &object, "", &mut errors);
        let mut fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["spec.count", "spec.map.k", "spec.mode", "spec.name", "spec.port"]);
    }
}
