//! Sets of fields in the notation of `managedFields` (`FieldsV1`): collecting, comparing, reading and removing.

use serde_json::{Map, Value, json};

use super::lists::{ListKind, for_apply, key_of};
use crate::kinds::Resource;

/// A set of fields: `{"f:spec": {"f:replicas": {}}}`. An empty map is a member.
pub(crate) type Fields = Map<String, Value>;

/// Fields that identify an object and that nobody owns.
const IDENTITY: &[&str] = &[
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "managedFields",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generateName",
];

/// All leaf fields of an object, identity left out.
pub(crate) fn collect(resource: &Resource, object: &Value) -> Fields {
    let mut fields = Fields::new();
    for (key, value) in object.as_object().into_iter().flatten() {
        if key == "apiVersion" || key == "kind" {
            continue;
        }
        let mut path = vec![key.as_str()];
        let mut inner = collect_value(resource, value, &mut path);
        if key == "metadata" {
            inner.retain(|name, _| !IDENTITY.contains(&name.trim_start_matches("f:")));
            if inner.is_empty() {
                continue;
            }
        }
        fields.insert(format!("f:{key}"), Value::Object(inner));
    }
    fields
}

fn collect_value<'a>(resource: &Resource, value: &'a Value, path: &mut Vec<&'a str>) -> Fields {
    let mut fields = Fields::new();
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                path.push(key);
                fields.insert(format!("f:{key}"), Value::Object(collect_value(resource, inner, path)));
                path.pop();
            }
        }
        Value::Array(items) => match for_apply(resource, path) {
            ListKind::Atomic => {}
            ListKind::Set => fields.extend(items.iter().map(|item| (format!("v:{item}"), json!({})))),
            ListKind::Map(keys) => {
                for item in items {
                    let mut inner = collect_value(resource, item, path);
                    inner.insert(".".to_owned(), json!({}));
                    fields.insert(format!("k:{}", key_of(item, &keys)), Value::Object(inner));
                }
            }
        },
        _ => {}
    }
    fields
}

fn child(value: &Value) -> &Fields {
    static EMPTY: std::sync::LazyLock<Fields> = std::sync::LazyLock::new(Fields::new);
    value.as_object().unwrap_or(&EMPTY)
}

/// Members of `left` or `right`.
pub(crate) fn union(left: &Fields, right: &Fields) -> Fields {
    let mut all = left.clone();
    for (key, value) in right {
        let merged = match all.get(key) {
            Some(held) => Value::Object(union(child(held), child(value))),
            None => value.clone(),
        };
        all.insert(key.clone(), merged);
    }
    all
}

/// Members of `left` that are not in `right`.
pub(crate) fn difference(left: &Fields, right: &Fields) -> Fields {
    let mut rest = Fields::new();
    for (key, value) in left {
        let Some(other) = right.get(key) else {
            rest.insert(key.clone(), value.clone());
            continue;
        };
        if child(value).is_empty() {
            continue;
        }
        let inner = difference(child(value), child(other));
        if !inner.is_empty() {
            rest.insert(key.clone(), Value::Object(inner));
        }
    }
    rest
}

/// Members of both.
pub(crate) fn intersection(left: &Fields, right: &Fields) -> Fields {
    let mut both = Fields::new();
    for (key, value) in left {
        let Some(other) = right.get(key) else { continue };
        let (inner, theirs) = (child(value), child(other));
        if inner.is_empty() || theirs.is_empty() {
            both.insert(key.clone(), json!({}));
            continue;
        }
        let shared = intersection(inner, theirs);
        if !shared.is_empty() {
            both.insert(key.clone(), Value::Object(shared));
        }
    }
    both
}

/// The members as paths of steps (`f:…`, `k:…`, `v:…`, `.`).
pub(crate) fn paths(fields: &Fields) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for (key, value) in fields {
        if child(value).is_empty() {
            all.push(vec![key.clone()]);
        }
        for mut rest in paths(child(value)) {
            rest.insert(0, key.clone());
            all.push(rest);
        }
    }
    all
}

fn find<'a>(value: &'a Value, step: &str) -> Option<&'a Value> {
    if step == "." {
        return Some(value);
    }
    if let Some(field) = step.strip_prefix("f:") {
        return value.get(field);
    }
    position(value, step).and_then(|at| value.get(at))
}

fn position(value: &Value, step: &str) -> Option<usize> {
    let items = value.as_array()?;
    if let Some(member) = step.strip_prefix("v:") {
        let member: Value = serde_json::from_str(member).ok()?;
        return items.iter().position(|item| *item == member);
    }
    let key: Value = serde_json::from_str(step.strip_prefix("k:")?).ok()?;
    let names: Vec<String> = key.as_object()?.keys().cloned().collect();
    items.iter().position(|item| key_of(item, &names) == key)
}

/// The value at a path of steps.
pub(crate) fn at<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, step| find(value, step))
}

/// Removes the value at a path of steps, and the parents that it leaves empty.
pub(crate) fn remove(object: &mut Value, path: &[String]) {
    let [step, rest @ ..] = path else { return };
    if !rest.is_empty() && rest != ["."] {
        let inner = match step.strip_prefix("f:") {
            Some(field) => object.get_mut(field),
            None => position(object, step).and_then(|at| object.get_mut(at)),
        };
        if let Some(inner) = inner {
            remove(inner, rest);
        }
        return;
    }
    if let (Some(field), Some(map)) = (step.strip_prefix("f:"), object.as_object_mut()) {
        map.remove(field);
    } else if let Some(at) = position(object, step)
        && let Some(items) = object.as_array_mut()
    {
        items.remove(at);
    }
}

/// A path as conflicts show it: `.spec.containers[name="a"].image`.
pub(crate) fn shown(path: &[String]) -> String {
    let mut text = String::new();
    for step in path {
        if let Some(field) = step.strip_prefix("f:") {
            text.push('.');
            text.push_str(field);
        } else if let Some(key) = step.strip_prefix("k:") {
            let key: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
            let parts: Vec<String> = key.iter().map(|(name, value)| format!("{name}={value}")).collect();
            text.extend(["[", &parts.join(","), "]"]);
        } else if let Some(member) = step.strip_prefix("v:") {
            text.extend(["[=", member, "]"]);
        }
    }
    text
}
