//! Structural schemas: defaulting, and pruning (or naming) of unknown fields.

use serde_json::Value;

/// Fields that every object has, whatever its schema says.
const ROOT: &[&str] = &["apiVersion", "kind", "metadata"];

/// What may stand in `metadata`.
const METADATA: &[&str] = &[
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Fills in defaults; what is null and may not be counts as absent.
pub(crate) fn default(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|name, held| {
                let property = &schema["properties"][name];
                let property = if property.is_null() { &schema["additionalProperties"] } else { property };
                !held.is_null() || !property.is_object() || property["nullable"] == true
            });
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                let wanted = &property["default"];
                if !map.contains_key(name) && !wanted.is_null() {
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
                    if name == "metadata" {
                        prune_metadata(map.get_mut(&name), &at, unknown);
                    }
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

fn prune_metadata(metadata: Option<&mut Value>, path: &str, unknown: &mut Vec<String>) {
    let Some(map) = metadata.and_then(Value::as_object_mut) else { return };
    map.retain(|name, _| {
        let known = METADATA.contains(&name.as_str());
        if !known {
            unknown.push(format!("{path}.{name}"));
        }
        known
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({"type": "object", "properties": {"spec": {
            "type": "object", "required": ["name"],
            "properties": {
                "name": {"type": "string"}, "count": {"type": "integer", "default": 3}, "none": {"type": "string", "nullable": true},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        }}})
    }

    #[test]
    fn defaults_come_and_unknown_fields_go() {
        let spec =
            json!({"name": "x", "unusual": 1, "count": null, "none": null, "free": {"any": null}, "map": {"k": "v"}});
        let mut object = json!({"kind": "X", "metadata": {"name": "x", "unusual": 1}, "spec": spec});
        let mut unknown = Vec::new();
        prune(&schema(), &mut object, "", &mut unknown);
        default(&schema(), &mut object);
        assert_eq!(unknown, ["metadata.unusual", "spec.unusual"]);
        let wanted = json!({"name": "x", "count": 3, "none": null, "free": {"any": null}, "map": {"k": "v"}});
        assert_eq!(object["spec"], wanted);
    }
}
