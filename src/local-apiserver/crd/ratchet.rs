//! What an update leaves as it was may stay as it was, though a newer schema would refuse it.
//!
//! Source: "Validation ratcheting" in the Kubernetes documentation of custom resource definitions.

use serde_json::Value;

/// Whether the value at `field`, or one around it, is what it was before.
pub(crate) fn unchanged(schema: &Value, new: &Value, old: &Value, field: &str) -> bool {
    // Combinations of schemas name no field, and are evaluated anew.
    if field == "<nil>" {
        return false;
    }
    let (mut schema, mut new, mut old, mut rest) = (schema, new, old, field.trim_start_matches('.'));
    loop {
        if new == old {
            return true;
        }
        if rest.is_empty() {
            return false;
        }
        let next = match new {
            Value::Object(map) => {
                // Keys may have dots: the longest one that fits is meant.
                let fits = |key: &&String| {
                    rest.strip_prefix(key.as_str())
                        .is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
                };
                let Some(key) = map.keys().filter(fits).max_by_key(|key| key.len()) else { return false };
                rest = &rest[key.len()..];
                let property = &schema["properties"][key];
                schema = if property.is_null() { &schema["additionalProperties"] } else { property };
                old.get(key).map(|old| (&map[key], old))
            }
            Value::Array(items) => {
                let Some((index, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
                    return false;
                };
                rest = after;
                let item = index.parse::<usize>().ok().and_then(|index| items.get(index));
                let found = item.and_then(|item| Some((item, older(schema, old, item)?)));
                schema = &schema["items"];
                found
            }
            _ => return false,
        };
        let Some(next) = next else { return false };
        (new, old) = next;
        rest = rest.strip_prefix('.').unwrap_or(rest);
    }
}

/// What an item of a list was: only lists with keys say it.
pub(crate) fn older<'a>(schema: &Value, old: &'a Value, item: &Value) -> Option<&'a Value> {
    if schema["x-kubernetes-list-type"] != "map" {
        return None;
    }
    let keys: Vec<&str> = schema["x-kubernetes-list-map-keys"].as_array()?.iter().filter_map(Value::as_str).collect();
    old.as_array()?.iter().find(|old| keys.iter().all(|key| old[*key] == item[*key]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_found_by_its_path() {
        let keyed = json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]});
        let schema = json!({"properties": {"spec": {"properties": {"keyed": keyed}}}});
        let old =
            json!({"spec": {"a.b": {"c": 1}, "list": [1], "keyed": [{"k": "x", "v": 1}, {"k": "y", "v": 2}], "n": 1}});
        let mut new = old.clone();
        new["spec"]["n"] = 2.into();
        new["spec"]["list"] = json!([1, 2]);
        new["spec"]["keyed"] = json!([{"k": "y", "v": 2}, {"k": "x", "v": 3}]);
        for (field, expected) in [
            ("spec.a.b.c", true),
            ("spec.n", false),
            ("spec.missing", false),
            ("spec.list[0]", false),
            ("spec.keyed[0].v", true),
            ("spec.keyed[1].v", false),
            ("<nil>", false),
        ] {
            assert_eq!(unchanged(&schema, &new, &old, field), expected, "{field}");
        }
    }
}
