//! What a structural schema forbids, in the words of the real validators.

use serde_json::{Map, Value};

use crate::kinds::Scale;
use crate::status::FieldError;

/// Fields that every object has, whatever its schema says.
const ROOT: &[&str] = &["apiVersion", "kind", "metadata"];

/// Where mistakes are noted: a value is validated by itself, and its fields are named below `prefix`.
struct Validator<'a> {
    prefix: &'a str,
    errors: Vec<FieldError>,
}

/// Everything that the schema forbids about `value`, which stands at `prefix`.
pub(crate) fn check(schema: &Value, value: &Value, prefix: &str) -> Vec<FieldError> {
    let mut evaluate = Validator { prefix, errors: Vec::new() };
    evaluate.value(schema, value, "");
    evaluate.lists(schema, value, "");
    evaluate.errors
}

/// The paths of a scale subresource must lead to numbers, and to a text.
pub(crate) fn check_scale(scale: &Scale, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for path in [&scale.spec_replicas, &scale.status_replicas] {
        match reach(object, path) {
            Err(why) => errors.push(FieldError::invalid(format!(".{path}"), &0.into(), &why)),
            Ok(None) => {}
            Ok(Some(value)) => match value.as_i64() {
                None => {
                    let why = accessor_error(path, value, "int64");
                    errors.push(FieldError::invalid(format!(".{path}"), &0.into(), &why));
                }
                Some(number) if number < 0 => {
                    let why = "should be a non-negative integer";
                    errors.push(FieldError::invalid(format!(".{path}"), value, why));
                }
                Some(number) if number > i64::from(i32::MAX) => {
                    let why = format!("should be less than or equal to {}", i32::MAX);
                    errors.push(FieldError::invalid(format!(".{path}"), value, &why));
                }
                Some(_) => {}
            },
        }
    }
    if !scale.selector.is_empty() {
        let why = match reach(object, &scale.selector) {
            Err(why) => Some(why),
            Ok(Some(value)) if !value.is_string() => Some(accessor_error(&scale.selector, value, "string")),
            Ok(_) => None,
        };
        errors.extend(why.map(|why| FieldError::invalid(format!(".{}", scale.selector), &"".into(), &why)));
    }
    errors
}

fn accessor_error(path: &str, value: &Value, wanted: &str) -> String {
    let (shown, found) = match value {
        Value::Null => ("<nil>".to_owned(), "<nil>"),
        Value::String(text) => (text.clone(), "string"),
        Value::Bool(held) => (held.to_string(), "bool"),
        Value::Number(number) => (number.to_string(), if number.is_f64() { "float64" } else { "int64" }),
        Value::Array(_) => (value.to_string(), "[]interface {}"),
        Value::Object(_) => (value.to_string(), "map[string]interface {}"),
    };
    format!(".{path} accessor error: {shown} is of the type {found}, expected {wanted}")
}

/// The value at a simple path; none where something on the way is absent.
fn reach<'a>(object: &'a Value, path: &str) -> Result<Option<&'a Value>, String> {
    let mut at = object;
    let mut walked = Vec::new();
    for part in path.split('.') {
        walked.push(part);
        match at {
            Value::Null => return Ok(None),
            Value::Object(map) => match map.get(part) {
                None => return Ok(None),
                Some(inner) => at = inner,
            },
            other => return Err(accessor_error(&walked.join("."), other, "map[string]interface{}")),
        }
    }
    Ok(Some(at))
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

fn limit(schema: &Value, field: &str) -> Option<usize> {
    schema[field].as_u64().and_then(|limit| usize::try_from(limit).ok())
}

/// The place of a field or an item below `path`.
fn below(path: &str, name: &str) -> String {
    if path.is_empty() || name.starts_with('[') { format!("{path}{name}") } else { format!("{path}.{name}") }
}

impl Validator<'_> {
    fn field(&self, path: &str) -> String {
        if path.is_empty() { self.prefix.to_owned() } else { below(self.prefix, path) }
    }

    fn invalid(&mut self, path: &str, value: &Value, what: &str) {
        self.errors.push(FieldError::invalid(self.field(path), value, &format!("{path} in body {what}")));
    }

    fn wrong_type(&mut self, path: &str, found: &str, wanted: &str) {
        let detail = format!("{path} in body must be of type {wanted}: \"{found}\"");
        self.errors.push(FieldError::wrong_type(self.field(path), found, &detail));
    }

    fn value(&mut self, schema: &Value, value: &Value, path: &str) {
        if value.is_null() && (schema["nullable"] == true || (path.is_empty() && self.prefix.is_empty())) {
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
            self.wrong_type(path, found, schema["type"].as_str().unwrap_or("integer,string"));
        }
        self.alternatives(schema, value, path);
        match value {
            Value::String(text) => self.string(schema, text, path),
            Value::Number(number) => self.number(schema, number.as_f64().unwrap_or_default(), value, path),
            Value::Array(items) => self.items(schema, items, path),
            _ => {}
        }
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            let supported: Vec<String> =
                allowed.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect();
            self.errors.push(FieldError::unsupported(self.field(path), value, &supported));
        }
        if let Value::Object(map) = value {
            self.map(schema, map, path);
        }
    }

    /// What an alternative finds wrong.
    fn found_by(&self, schema: &Value, value: &Value, path: &str) -> Vec<FieldError> {
        let mut evaluate = Validator { prefix: self.prefix, errors: Vec::new() };
        evaluate.value(schema, value, path);
        evaluate.errors
    }

    /// Combinations of schemas are refused without a field, which is only named in the sentence.
    fn combination(&mut self, path: &str, what: &str) {
        self.errors.push(FieldError::invalid("<nil>", &"".into(), &format!("\"{path}\" must {what}")));
    }

    fn alternatives(&mut self, schema: &Value, value: &Value, path: &str) {
        let results = |evaluate: &Self, field: &str| -> Option<Vec<Vec<FieldError>>> {
            let list = schema[field].as_array().filter(|list| !list.is_empty())?;
            Some(list.iter().map(|one| evaluate.found_by(one, value, path)).collect())
        };
        if let Some(all) = results(self, "allOf") {
            let passed = all.iter().filter(|errors| errors.is_empty()).count();
            if passed < all.len() {
                let none = if passed == 0 { ". None validated" } else { "" };
                self.combination(path, &format!("validate all the schemas (allOf){none}"));
                self.errors.extend(all.into_iter().flatten());
            }
        }
        if schema["x-kubernetes-int-or-string"] == true {
            return;
        }
        if let Some(mut any) = results(self, "anyOf")
            && !any.iter().any(Vec::is_empty)
        {
            self.combination(path, "validate at least one schema (anyOf)");
            self.errors.extend(any.swap_remove(0));
        }
        if let Some(mut one) = results(self, "oneOf") {
            match one.iter().filter(|errors| errors.is_empty()).count() {
                0 => {
                    self.combination(path, "validate one and only one schema (oneOf). Found none valid");
                    self.errors.extend(one.swap_remove(0));
                }
                1 => {}
                passed => self.combination(
                    path,
                    &format!("validate one and only one schema (oneOf). Found {passed} valid alternatives"),
                ),
            }
        }
        if schema["not"].is_object() && self.found_by(&schema["not"], value, path).is_empty() {
            self.combination(path, "not validate the schema (not)");
        }
    }

    /// Only the first mistake of a string's length and pattern is reported.
    fn string(&mut self, schema: &Value, text: &str, path: &str) {
        let (value, length) = (Value::from(text), text.chars().count());
        if let Some(most) = limit(schema, "maxLength").filter(|most| length > *most) {
            self.errors.push(FieldError::too_long(self.field(path), most));
        } else if let Some(least) = limit(schema, "minLength").filter(|least| length < *least) {
            self.invalid(path, &value, &format!("should be at least {least} chars long"));
        } else if let Some(pattern) = schema["pattern"].as_str()
            && regex::Regex::new(pattern).is_ok_and(|regex| !regex.is_match(text))
        {
            self.invalid(path, &value, &format!("should match '{pattern}'"));
        }
        if let Some(format) = schema["format"].as_str().filter(|format| !has_format(format, text)) {
            self.wrong_type(path, text, format);
        }
    }

    fn number(&mut self, schema: &Value, number: f64, value: &Value, path: &str) {
        if let Some(factor) = schema["multipleOf"].as_f64().filter(|factor| *factor > 0.0)
            && (number / factor).fract().abs() > f64::EPSILON
        {
            self.invalid(path, value, &format!("should be a multiple of {factor}"));
        }
        if let Some(maximum) = schema["maximum"].as_f64() {
            if schema["exclusiveMaximum"] == true && number >= maximum {
                self.invalid(path, value, &format!("should be less than {maximum}"));
            } else if number > maximum {
                self.invalid(path, value, &format!("should be less than or equal to {maximum}"));
            }
        }
        if let Some(minimum) = schema["minimum"].as_f64() {
            if schema["exclusiveMinimum"] == true && number <= minimum {
                self.invalid(path, value, &format!("should be greater than {minimum}"));
            } else if number < minimum {
                self.invalid(path, value, &format!("should be greater than or equal to {minimum}"));
            }
        }
    }

    fn items(&mut self, schema: &Value, items: &[Value], path: &str) {
        for (index, item) in items.iter().enumerate() {
            self.value(&schema["items"], item, &below(path, &format!("[{index}]")));
        }
        if let Some(least) = limit(schema, "minItems").filter(|least| items.len() < *least) {
            self.invalid(path, &items.len().into(), &format!("should have at least {least} items"));
        }
        if let Some(most) = limit(schema, "maxItems").filter(|most| items.len() > *most) {
            self.errors.push(FieldError::too_many(self.field(path), items.len(), most));
        }
    }

    fn map(&mut self, schema: &Value, map: &Map<String, Value>, path: &str) {
        if let Some(least) = limit(schema, "minProperties").filter(|least| map.len() < *least) {
            self.invalid(path, &map.len().into(), &format!("should have at least {least} properties"));
        }
        if let Some(most) = limit(schema, "maxProperties").filter(|most| map.len() > *most) {
            self.errors.push(FieldError::too_many(self.field(path), map.len(), most));
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !map.contains_key(name) {
                self.errors.push(FieldError::required(self.field(&below(path, name)), ""));
            }
        }
        let root = path.is_empty() && self.prefix.is_empty();
        for (name, value) in map.iter().filter(|(name, _)| !root || !ROOT.contains(&name.as_str())) {
            let property = &schema["properties"][name];
            let property = if property.is_null() { &schema["additionalProperties"] } else { property };
            if property.is_object() {
                self.value(property, value, &below(path, name));
            }
        }
    }

    /// Sets hold an item once, and lists that are maps a key.
    fn lists(&mut self, schema: &Value, value: &Value, path: &str) {
        match value {
            Value::Array(items) => {
                let keys: Vec<&str> = schema["x-kubernetes-list-map-keys"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                let identity = |item: &Value| match schema["x-kubernetes-list-type"].as_str() {
                    Some("set") => Some(item.clone()),
                    Some("map") => {
                        let held = keys.iter().filter(|key| !item[**key].is_null());
                        Some(held.map(|key| ((*key).to_owned(), item[*key].clone())).collect::<Map<_, _>>().into())
                    }
                    _ => None,
                };
                let mut seen: Vec<Value> = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    let at = below(path, &format!("[{index}]"));
                    if let Some(own) = identity(item) {
                        if seen.contains(&own) {
                            self.errors.push(FieldError::duplicate(self.field(&at), &own));
                        }
                        seen.push(own);
                    }
                    self.lists(&schema["items"], item, &at);
                }
            }
            Value::Object(map) => {
                for (name, inner) in map {
                    let property = &schema["properties"][name];
                    let property = if property.is_null() { &schema["additionalProperties"] } else { property };
                    self.lists(property, inner, &below(path, name));
                }
            }
            _ => {}
        }
    }
}

/// Whether a text has the form that a `format` asks for; forms that are not known here ask for nothing.
fn has_format(format: &str, text: &str) -> bool {
    match format {
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        "date" => text.parse::<jiff::civil::Date>().is_ok(),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        "uuid" => uuid::Uuid::try_parse(text).is_ok(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(schema: &Value, value: &Value) -> Vec<String> {
        check(schema, value, "").into_iter().map(|error| error.field).collect()
    }

    fn lines(schema: &Value, value: &Value, prefix: &str) -> Vec<String> {
        check(schema, value, prefix).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn mistakes_are_named_with_their_fields() {
        let schema = json!({"type": "object", "properties": {"spec": {
            "type": "object", "required": ["name"],
            "properties": {
                "name": {"type": "string", "pattern": "^[a-z]+$"}, "count": {"type": "integer", "minimum": 1},
                "mode": {"type": "string", "enum": ["a", "b"]}, "port": {"x-kubernetes-int-or-string": true},
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        }}});
        let object = json!({"spec": {"count": "1", "mode": "c", "port": true, "map": {"k": 1}}});
        let mut found = fields(&schema, &object);
        found.sort_unstable();
        assert_eq!(found, ["spec.count", "spec.map.k", "spec.mode", "spec.name", "spec.port"]);
    }

    #[test]
    fn a_part_is_evaluated_by_itself_and_named_by_its_place() {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
        assert_eq!(
            lines(&schema, &json!({"n": "x"}), "status"),
            ["status.n: Invalid value: \"string\": n in body must be of type integer: \"string\""]
        );
        let found = lines(&json!({"type": "integer"}), &json!("x"), "a.default");
        assert_eq!(found, ["a.default: Invalid value: \"string\":  in body must be of type integer: \"string\""]);
    }

    #[test]
    fn keys_and_set_items_stand_once_and_alternatives_exclude_each_other() {
        let keyed = json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]});
        let schema = json!({"properties": {"keyed": keyed, "set": {"x-kubernetes-list-type": "set"}}});
        let value = json!({"keyed": [{"k": "a", "v": 1}, {"k": "a"}, {"k": "b"}], "set": ["x", "y", "x"]});
        assert_eq!(
            lines(&schema, &value, ""),
            ["keyed[1]: Duplicate value: {\"k\":\"a\"}", "set[2]: Duplicate value: \"x\""]
        );
        let one = json!({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]});
        assert!(lines(&one, &json!({"a": 1}), "").is_empty());
        assert!(lines(&one, &json!({"a": 1, "b": 1}), "")[0].ends_with("Found 2 valid alternatives"));
    }

    #[test]
    fn scale_paths_lead_to_numbers() {
        let scale = Scale {
            spec_replicas: "spec.replicas".to_owned(),
            status_replicas: "status.replicas".to_owned(),
            selector: String::new(),
        };
        let found = |object: Value| check_scale(&scale, &object).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(found(json!({"spec": {"replicas": 1}})).is_empty());
        assert_eq!(
            found(json!({"spec": "x", "status": {"replicas": -1}})),
            [
                ".spec.replicas: Invalid value: 0: .spec.replicas accessor error: x is of the type string, expected map[string]interface{}",
                ".status.replicas: Invalid value: -1: should be a non-negative integer",
            ]
        );
    }
}
