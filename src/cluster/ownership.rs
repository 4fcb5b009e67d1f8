//! Which fields of a live object are a manager's, by the record that the API server keeps (`metadata.managedFields`).
//!
//! A field that we applied once and apply no longer is removed by the next server-side apply, if nobody else applies it.
//! Whoever compares only what is wanted would not see that there is something to remove.
//!
//! The format: <https://kubernetes.io/docs/reference/using-api/server-side-apply/> and
//! <https://pkg.go.dev/sigs.k8s.io/structured-merge-diff/v6/fieldpath> (`f:` a field, `k:` an item by its keys, `v:` an
//! item by its value, `.` the thing itself).

use serde_json::{Map, Value};

/// The fields that `manager` has applied to the live object; empty if it has applied none.
pub(crate) fn of(live: &Value, manager: &str) -> Value {
    let entries = live.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten();
    let mut ours = entries.filter(|entry| {
        entry["manager"] == manager
            && entry["operation"] == "Apply"
            && entry.get("subresource").is_none_or(Value::is_null)
    });
    ours.next().map_or(Value::Null, |entry| entry["fieldsV1"].clone())
}

/// What is owned below a field.
pub(crate) fn field<'a>(owned: &'a Value, name: &str) -> &'a Value {
    &owned[format!("f:{name}")]
}

/// What is owned below an item of a list.
pub(crate) fn item<'a>(owned: &'a Value, item: &Value) -> &'a Value {
    let below = entries(owned).find(|(key, _)| names(key, item));
    below.map_or(&Value::Null, |(_, below)| below)
}

fn entries(owned: &Value) -> impl Iterator<Item = (&String, &Value)> {
    owned.as_object().into_iter().flatten()
}

/// Whether the entry stands for this item of a list.
fn names(key: &str, item: &Value) -> bool {
    if let Some(keys) = key.strip_prefix("k:") {
        let Ok(Value::Object(keys)) = serde_json::from_str(keys) else { return false };
        return keys.iter().all(|(key, value)| item.get(key) == Some(value));
    }
    key.strip_prefix("v:").and_then(|value| serde_json::from_str::<Value>(value).ok()).as_ref() == Some(item)
}

/// The part of a live value that is owned; `None` if none of it is.
pub(crate) fn part(owned: &Value, live: &Value) -> Option<Value> {
    let fields = owned.as_object()?;
    let is_leaf = fields.is_empty();
    match live {
        Value::Object(live) if !is_leaf => {
            let owned_field = |(name, value): (&String, &Value)| Some((name.clone(), part(field(owned, name), value)?));
            let part: Map<String, Value> = live.iter().filter_map(owned_field).collect();
            (!part.is_empty() || fields.contains_key(".")).then_some(Value::Object(part))
        }
        Value::Array(live) if !is_leaf => {
            let part: Vec<Value> = live.iter().filter_map(|one| part(item(owned, one), one)).collect();
            (!part.is_empty() || fields.contains_key(".")).then_some(Value::Array(part))
        }
        live => Some(live.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_the_manager_applied_is_its() {
        let live = json!({ "metadata": { "managedFields": [
            { "manager": "sluice", "operation": "Update", "fieldsV1": { "f:spec": { "f:other": {} } } },
            { "manager": "sluice", "operation": "Apply", "subresource": "status", "fieldsV1": { "f:status": {} } },
            { "manager": "somebody", "operation": "Apply", "fieldsV1": { "f:spec": { "f:theirs": {} } } },
            { "manager": "sluice", "operation": "Apply", "fieldsV1": { "f:spec": { "f:ours": {} } } },
        ] } });
        assert_eq!(of(&live, "sluice"), json!({ "f:spec": { "f:ours": {} } }));
        assert_eq!(of(&json!({}), "sluice"), Value::Null);
    }

    #[test]
    fn a_part_holds_fields_items_by_key_and_items_by_value() {
        let owned = json!({
            "f:text": {}, "f:map": { "f:a": {} }, "f:set": { "v:\"x\"": {} },
            "f:list": { "k:{\"name\":\"A\"}": { ".": {}, "f:name": {}, "f:value": {} } },
        });
        let live = json!({
            "text": "t", "other": 1, "map": { "a": 1, "b": 2 }, "set": ["x", "y"],
            "list": [{ "name": "A", "value": "1", "more": 2 }, { "name": "B", "value": "2" }],
        });
        let wanted = json!({ "text": "t", "map": { "a": 1 }, "set": ["x"], "list": [{ "name": "A", "value": "1" }] });
        assert_eq!(part(&owned, &live), Some(wanted));
        assert_eq!(part(&Value::Null, &live), None);
    }
}
