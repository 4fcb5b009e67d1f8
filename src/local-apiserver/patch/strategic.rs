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
    merge_map(resource, document, patch, &mut Vec::new())
}

type Path<'a> = Vec<&'a str>;

fn merge_map<'a>(
    resource: &Resource,
    document: &Value,
    patch: &'a Map<String, Value>,
    at: &mut Path<'a>,
) -> Result<Value, Status> {
    match patch.get("$patch").and_then(Value::as_str) {
        Some("replace") => return Ok(Value::Object(without_directives(patch))),
        Some("delete") => return Ok(Value::Object(Map::new())),
        None | Some("merge") => {}
        Some(invalid) => {
            let shown = go_syntax(&Value::Object(patch.clone()));
            return Err(Status::plain(500, format!("unknown patch type: {invalid} in map: {shown}")));
        }
    }
    let mut merged = document.as_object().cloned().unwrap_or_default();
    if let Some(Value::Array(retained)) = patch.get(RETAIN) {
        merged.retain(|key, _| retained.iter().any(|kept| kept == key));
    }
    for (key, value) in patch {
        if let (Some(field), Value::Array(removed)) = (key.strip_prefix(DELETE_PRIMITIVE), value) {
            if let Some(Value::Array(held)) = merged.get_mut(field) {
                held.retain(|item| !removed.contains(item));
            }
        } else if let (Some(field), Value::Array(_)) = (key.strip_prefix(ORDER), value) {
            if !patch.contains_key(field) {
                at.push(field);
                let held = list_of(merged.get(field));
                let list = ordered(&held, held.clone(), value, &for_strategic(resource, at));
                at.pop();
                if merged.contains_key(field) {
                    merged.insert(field.to_owned(), Value::Array(list));
                }
            }
        } else if !key.starts_with('$') {
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
                    merged.insert(key.clone(), merge_map(resource, &held, inner, at)?);
                }
                Value::Array(items) => {
                    let mut list = merge_list(resource, &held, items, at)?;
                    if let Some(order @ Value::Array(_)) = patch.get(&format!("{ORDER}{key}")) {
                        list = ordered(&list_of(Some(&held)), list, order, &for_strategic(resource, at));
                    }
                    merged.insert(key.clone(), Value::Array(list));
                }
                scalar => {
                    merged.insert(key.clone(), scalar.clone());
                }
            }
            at.pop();
        }
    }
    Ok(Value::Object(merged))
}

fn list_of(value: Option<&Value>) -> Vec<Value> {
    value.and_then(Value::as_array).cloned().unwrap_or_default()
}

fn merge_list<'a>(
    resource: &Resource,
    held: &Value,
    items: &'a [Value],
    path: &mut Path<'a>,
) -> Result<Vec<Value>, Status> {
    let held = list_of(Some(held));
    if items.iter().any(|item| item["$patch"] == "replace") {
        return Ok(items.iter().filter(|item| item["$patch"] != "replace").cloned().collect());
    }
    let kind = for_strategic(resource, path);
    let (left, merged) = match &kind {
        ListKind::Atomic => return Ok(items.to_vec()),
        ListKind::Set => {
            let mut list = held.clone();
            list.extend(items.iter().filter(|item| !held.contains(item)).cloned());
            (held, list)
        }
        ListKind::Map(keys) => {
            let key = keys[0].as_str();
            let mut left = held;
            left.retain(|other| !items.iter().any(|item| item["$patch"] == "delete" && item[key] == other[key]));
            let mut list = left.clone();
            for item in items.iter().filter(|item| item["$patch"] != "delete") {
                let Value::Object(fields) = item else { continue };
                if item[key].is_null() {
                    let shown = go_syntax(item);
                    let message = format!("map: {shown} does not contain declared merge key: {key}");
                    return Err(Status::plain(500, message));
                }
                match list.iter().position(|other| other[key] == item[key]) {
                    Some(at) => list[at] = merge_map(resource, &list[at], fields, path)?,
                    None => list.push(merge_map(resource, &Value::Null, fields, path)?),
                }
            }
            (left, list)
        }
    };
    Ok(ordered(&left, merged, &Value::Array(items.to_vec()), &kind))
}

/// The elements in the order that the client wants; the others come between them where the present order puts them,
/// behind what it does not know.
fn ordered(present: &[Value], list: Vec<Value>, wanted: &Value, kind: &ListKind) -> Vec<Value> {
    let same = |one: &Value, other: &Value| match kind {
        ListKind::Map(keys) => one[keys[0].as_str()] == other[keys[0].as_str()],
        _ => one == other,
    };
    let find = |items: &[Value], item: &Value| items.iter().position(|other| same(other, item));
    let wanted = wanted.as_array().map(Vec::as_slice).unwrap_or_default();
    let (mut named, mut others): (Vec<Value>, Vec<Value>) =
        list.into_iter().partition(|item| find(wanted, item).is_some());
    named.sort_by_key(|item| find(wanted, item));
    others.sort_by_key(|item| find(present, item).unwrap_or(usize::MAX));
    let mut result = Vec::with_capacity(named.len() + others.len());
    let mut named = named.into_iter().peekable();
    for other in others {
        while let Some(next) = named.next_if(
            |next| !matches!((find(present, &other), find(present, next)), (Some(left), Some(right)) if left < right),
        ) {
            result.push(next);
        }
        result.push(other);
    }
    result.extend(named);
    result
}

/// A value as Go's `%v` prints it.
pub(crate) fn go_syntax(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Object(map) => {
            let parts: Vec<String> = map.iter().map(|(key, inner)| format!("{key}:{}", go_syntax(inner))).collect();
            format!("map[{}]", parts.join(" "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(go_syntax).collect::<Vec<_>>().join(" ")),
        other => other.to_string(),
    }
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

    fn document_container(document: &Value, index: usize) -> Value {
        document["spec"]["template"]["spec"]["containers"][index].clone()
    }

    #[test]
    fn containers_merge_by_name_and_directives_hold() {
        let pod = |containers: Value| json!({"spec": {"template": {"spec": {"containers": containers}}}});
        let document = pod(json!([{"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]));
        check(
            &document,
            &pod(json!([{"name": "a", "env": [{"name": "Y", "value": "2"}]}, {"name": "b", "$patch": "delete"}])),
            &pod(
                json!([{"name": "a", "image": "1", "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}]}]),
            ),
        );
        check(
            &document,
            &pod(json!([{"name": "c"}])),
            &pod(json!([{"name": "c"}, document_container(&document, 0), {"name": "b"}])),
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
