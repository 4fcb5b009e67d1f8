//! Strategic merge patch: objects merge, keyed lists merge by key, directives do the rest.

use serde_json::{Map, Value};

use super::lists::{ListKind, for_strategic};
use crate::kinds::Resource;
use crate::status::Status;

const ORDER: &str = "$setElementOrder/";
const DELETE_PRIMITIVE: &str = "$deleteFromPrimitiveList/";
const RETAIN: &str = "$retainKeys";

/// `document` after a strategic merge patch.
pub(crate) fn strategic(resource: &Resource, document: &Value, body: &Value) -> Result<Value, Status> {
    if resource.custom.is_some() {
        return Err(Status::unsupported_media_type(
            "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
        ));
    }
    let Value::Object(patch) = body else {
        return Err(Status::bad_request("a strategic merge patch must be an object"));
    };
    Ok(merge_map(resource, document, patch, &mut Vec::new()))
}

fn merge_map<'a>(resource: &Resource, document: &Value, patch: &'a Map<String, Value>, at: &mut Vec<&'a str>) -> Value {
    match patch.get("$patch").and_then(Value::as_str) {
        Some("replace") => return Value::Object(without_directives(patch)),
        Some("delete") => return Value::Object(Map::new()),
        _ => {}
    }
    let mut merged = document.as_object().cloned().unwrap_or_default();
    if let Some(Value::Array(retained)) = patch.get(RETAIN) {
        merged.retain(|key, _| retained.iter().any(|kept| kept == key));
    }
    for (key, value) in patch {
        if key.starts_with('$') && !key.starts_with(DELETE_PRIMITIVE) {
            continue;
        }
        if let Some(field) = key.strip_prefix(DELETE_PRIMITIVE) {
            if let (Some(Value::Array(held)), Value::Array(removed)) = (merged.get_mut(field), value) {
                held.retain(|item| !removed.contains(item));
            }
            continue;
        }
        at.push(key);
        let held = merged.get(key).cloned().unwrap_or_default();
        match value {
            Value::Null => {
                merged.remove(key);
            }
            Value::Object(inner) if inner.get("$patch").is_some_and(|directive| directive == "delete") => {
                merged.remove(key);
            }
            Value::Object(inner) => {
                merged.insert(key.clone(), merge_map(resource, &held, inner, at));
            }
            Value::Array(items) => {
                let mut list = merge_list(resource, &held, items, at);
                if let Some(Value::Array(order)) = patch.get(&format!("{ORDER}{key}")) {
                    sort_by(&mut list, order, &for_strategic(resource, at));
                }
                merged.insert(key.clone(), Value::Array(list));
            }
            scalar => {
                merged.insert(key.clone(), scalar.clone());
            }
        }
        at.pop();
    }
    Value::Object(merged)
}

fn merge_list<'a>(resource: &Resource, held: &Value, items: &'a [Value], path: &mut Vec<&'a str>) -> Vec<Value> {
    let held = held.as_array().cloned().unwrap_or_default();
    if items.iter().any(|item| item["$patch"] == "replace") {
        return items.iter().filter(|item| item["$patch"] != "replace").cloned().collect();
    }
    match for_strategic(resource, path) {
        ListKind::Atomic => items.to_vec(),
        ListKind::Set => {
            let mut list = held;
            list.extend(items.iter().filter(|item| !list.contains(item)).cloned().collect::<Vec<_>>());
            list
        }
        ListKind::Map(keys) => {
            let key = keys[0].as_str();
            let mut list = held;
            for item in items {
                let same = |other: &Value| !item[key].is_null() && other[key] == item[key];
                let at = list.iter().position(same);
                let Value::Object(fields) = item else { continue };
                match (at, item["$patch"] == "delete") {
                    (Some(at), true) => {
                        list.remove(at);
                    }
                    (None, true) => {}
                    (Some(at), false) => list[at] = merge_map(resource, &list[at], fields, path),
                    (None, false) => list.push(merge_map(resource, &Value::Null, fields, path)),
                }
            }
            list
        }
    }
}

/// Puts the listed elements in the order that the client wants; elements that it does not list keep their place at the end.
fn sort_by(list: &mut [Value], order: &[Value], kind: &ListKind) {
    let rank = |item: &Value| match kind {
        ListKind::Map(keys) => {
            let key = keys[0].as_str();
            order.iter().position(|wanted| wanted[key] == item[key])
        }
        _ => order.iter().position(|wanted| wanted == item),
    };
    list.sort_by_key(|item| rank(item).unwrap_or(usize::MAX));
}

fn without_directives(patch: &Map<String, Value>) -> Map<String, Value> {
    patch.iter().filter(|(key, _)| !key.starts_with('$')).map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::BUILT_IN;
    use serde_json::json;

    fn check(document: &Value, patch: &Value, expected: &Value) {
        let resource = BUILT_IN.iter().find(|r| r.kind == "Deployment").unwrap();
        assert_eq!(&strategic(resource, document, patch).unwrap(), expected);
    }

    #[test]
    fn containers_merge_by_name_and_directives_hold() {
        let pod = |containers: Value| json!({"spec": {"template": {"spec": {"containers": containers}}}});
        let document = pod(json!([{"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]));
        check(
            &document,
            &pod(json!([{"name": "a", "env": [{"name": "Y", "value": "2"}]}, {"name": "b", "$patch": "delete"}])),
            &pod(
                json!([{"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}]),
            ),
        );
        check(
            &document,
            &json!({"spec": {"template": {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": []}}}}),
            &pod(json!([{"name": "b"}, {"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}])),
        );
    }

    #[test]
    fn retained_keys_drop_the_others_and_null_removes() {
        check(
            &json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}, "paused": true}}),
            &json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}, "paused": null}}),
            &json!({"spec": {"strategy": {"type": "Recreate"}}}),
        );
        check(
            &json!({"metadata": {"finalizers": ["a", "b"]}}),
            &json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}),
            &json!({"metadata": {"finalizers": ["b"]}}),
        );
    }
}
