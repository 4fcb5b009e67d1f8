//! Sets of fields in the notation of `managedFields` (`FieldsV1`): collecting, comparing, reading and removing.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::lists::{ListKind, for_apply, key_of};
use crate::kinds::Resource;

/// Steps (`f:…`, `k:…`, `v:…`) from the root to a field.
pub(crate) type Path = Vec<String>;

/// A set of fields. A field and those inside it are members of their own.
pub(crate) type Fields = BTreeSet<Path>;

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
];

/// A place in an object: the steps as they are written down, and the names that a schema knows.
#[derive(Clone, Default)]
struct FieldPath<'a> {
    steps: Path,
    names: Vec<&'a str>,
}

impl<'a> FieldPath<'a> {
    fn field(&self, name: &'a str) -> Self {
        let mut inner = self.clone();
        inner.steps.push(format!("f:{name}"));
        inner.names.push(name);
        inner
    }

    fn element(&self, step: String) -> Self {
        let mut inner = self.clone();
        inner.steps.push(step);
        inner
    }
}

/// Reads the notation; `.` marks a field that is a member beside those inside it.
pub(crate) fn parse(notation: &Value) -> Fields {
    fn walk(notation: &Value, path: &mut Path, fields: &mut Fields) {
        for (step, inner) in notation.as_object().into_iter().flatten() {
            if step == "." {
                fields.insert(path.clone());
                continue;
            }
            path.push(step.clone());
            if inner.as_object().is_none_or(Map::is_empty) {
                fields.insert(path.clone());
            }
            walk(inner, path, fields);
            path.pop();
        }
    }
    let mut fields = Fields::new();
    walk(notation, &mut Path::new(), &mut fields);
    fields
}

/// Whether a text is the notation: steps are fields, keys, values or places in a list.
pub(crate) fn is_notation(notation: &Value) -> bool {
    let is_step = |step: &str| match step.split_once(':') {
        Some(("f", _)) => true,
        Some(("k", key)) => serde_json::from_str::<Map<String, Value>>(key).is_ok(),
        Some(("v", value)) => serde_json::from_str::<Value>(value).is_ok(),
        Some(("i", index)) => index.parse::<u32>().is_ok(),
        _ => step == ".",
    };
    match notation {
        Value::Null => true,
        Value::Object(map) => map.iter().all(|(step, inner)| is_step(step) && is_notation(inner)),
        _ => false,
    }
}

/// Writes the notation.
pub(crate) fn render(fields: &Fields) -> Value {
    let mut notation = json!({});
    for path in fields {
        let mut at = &mut notation;
        for step in path {
            // A member comes before what is inside it: it is there, empty, when the first of those comes.
            at = &mut at[step.as_str()];
            if at.is_null() {
                *at = json!({});
            }
        }
    }
    for path in fields {
        let Some(node) = path.iter().try_fold(&mut notation, |at, step| at.get_mut(step)) else { continue };
        if let Value::Object(inner) = node
            && !inner.is_empty()
        {
            inner.insert(".".to_owned(), json!({}));
        }
    }
    notation
}

/// Top-level fields of an object that can have owners, with their values.
fn owned(object: &Value) -> impl Iterator<Item = (&str, Value)> {
    object.as_object().into_iter().flatten().filter_map(|(key, value)| match key.as_str() {
        "apiVersion" | "kind" => None,
        "metadata" => {
            let mut map = value.as_object().cloned().unwrap_or_default();
            map.retain(|name, _| !IDENTITY.contains(&name.as_str()));
            Some((key.as_str(), Value::Object(map)))
        }
        _ => Some((key.as_str(), value.clone())),
    })
}

/// The fields that an applied configuration names.
pub(crate) fn collect(resource: &Resource, config: &Value) -> Fields {
    let mut fields = Fields::new();
    for (key, value) in owned(config) {
        let at = FieldPath::default().field(key);
        if key != "metadata" && is_empty(&value) && !value.is_array() {
            fields.insert(at.steps.clone());
        }
        collect_value(resource, &value, &at, false, &mut fields);
    }
    fields
}

fn collect_value(resource: &Resource, value: &Value, at: &FieldPath<'_>, in_list: bool, fields: &mut Fields) {
    let shape = for_apply(resource, &at.names);
    match value {
        Value::Object(_) if shape.atomic => {
            fields.insert(at.steps.clone());
        }
        Value::Object(map) => {
            for (key, inner) in map {
                let field_path = at.field(key);
                let leaf = inner.is_null() || inner.as_object().is_some_and(Map::is_empty);
                if leaf || !for_apply(resource, &field_path.names).declared {
                    fields.insert(field_path.steps.clone());
                }
                collect_value(resource, inner, &field_path, false, fields);
            }
        }
        Value::Array(items) if !in_list => match elements(items, &shape.list) {
            None => {
                fields.insert(at.steps.clone());
            }
            Some(elements) => {
                for (step, item) in elements {
                    let field_path = at.element(step);
                    fields.insert(field_path.steps.clone());
                    collect_value(resource, item, &field_path, true, fields);
                }
            }
        },
        _ => {
            fields.insert(at.steps.clone());
        }
    }
}

/// The elements of a list under their steps; none if the list is replaced as a whole.
fn elements<'a>(items: &'a [Value], kind: &ListKind) -> Option<Vec<(String, &'a Value)>> {
    match kind {
        ListKind::Atomic => None,
        ListKind::Set => Some(items.iter().map(|item| (format!("v:{item}"), item)).collect()),
        ListKind::Map(keys) => Some(items.iter().map(|item| (format!("k:{}", key_of(item, keys)), item)).collect()),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// What became of the fields of an object.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// New, or with another value.
    pub(crate) set: Fields,
    pub(crate) removed: Fields,
}

/// Compares two states of an object field by field.
pub(crate) fn compare(resource: &Resource, old: &Value, new: &Value) -> Changes {
    let mut changes = Changes::default();
    let before: Map<String, Value> = owned(old).map(|(key, value)| (key.to_owned(), value)).collect();
    let after: Map<String, Value> = owned(new).map(|(key, value)| (key.to_owned(), value)).collect();
    compare_maps(resource, Some(&before), Some(&after), &FieldPath::default(), &mut changes);
    // The metadata as such belongs to nobody.
    changes.set.remove(&vec!["f:metadata".to_owned()]);
    changes.removed.remove(&vec!["f:metadata".to_owned()]);
    changes
}

fn compare_maps(
    resource: &Resource,
    old: Option<&Map<String, Value>>,
    new: Option<&Map<String, Value>>,
    at: &FieldPath<'_>,
    changes: &mut Changes,
) {
    let keys: BTreeSet<&String> = old.into_iter().chain(new).flat_map(Map::keys).collect();
    for key in keys {
        let (left, right) = (old.and_then(|map| map.get(key)), new.and_then(|map| map.get(key)));
        let names: Vec<&str> = at.names.iter().copied().chain([key.as_str()]).collect();
        let mut steps = at.steps.clone();
        steps.push(format!("f:{key}"));
        compare_values(resource, left, right, &FieldPath { steps, names }, false, changes);
    }
}

fn compare_values(
    resource: &Resource,
    old: Option<&Value>,
    new: Option<&Value>,
    at: &FieldPath<'_>,
    in_list: bool,
    changes: &mut Changes,
) {
    let shape = for_apply(resource, &at.names);
    let both_empty = old.is_none_or(is_empty) && new.is_none_or(is_empty);
    let either = |test: fn(&Value) -> bool| old.is_some_and(test) || new.is_some_and(test);
    if !both_empty && !shape.atomic && either(Value::is_object) {
        let (left, right) = (old.and_then(Value::as_object), new.and_then(Value::as_object));
        compare_maps(resource, left, right, at, changes);
    } else if !both_empty && !in_list && either(Value::is_array) && shape.list != ListKind::Atomic {
        compare_lists(resource, old, new, (at, &shape.list), changes);
    } else if old.is_some() && new.is_some() && old != new {
        changes.set.insert(at.steps.clone());
    }
    match (old, new) {
        (None, Some(_)) => changes.set.insert(at.steps.clone()),
        (Some(_), None) => changes.removed.insert(at.steps.clone()),
        _ => false,
    };
}

fn compare_lists(
    resource: &Resource,
    old: Option<&Value>,
    new: Option<&Value>,
    (at, kind): (&FieldPath<'_>, &ListKind),
    changes: &mut Changes,
) {
    let of = |value: Option<&'_ Value>| -> Vec<(String, Value)> {
        let items = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        elements(items, kind).into_iter().flatten().map(|(step, item)| (step, item.clone())).collect()
    };
    let (before, after) = (of(old), of(new));
    let find = |list: &[(String, Value)], step: &str| list.iter().position(|(other, _)| other == step);
    for (step, item) in &before {
        let other = find(&after, step).map(|index| &after[index].1);
        compare_values(resource, Some(item), other, &at.element(step.clone()), true, changes);
    }
    for (step, item) in after.iter().filter(|(step, _)| find(&before, step).is_none()) {
        compare_values(resource, None, Some(item), &at.element(step.clone()), true, changes);
    }
}

/// `fields` with every declared field on the way to a member.
pub(crate) fn with_parents(resource: &Resource, fields: &Fields) -> Fields {
    let mut all = fields.clone();
    for path in fields {
        for length in 1..path.len() {
            let names: Vec<&str> = path[..length].iter().filter_map(|step| step.strip_prefix("f:")).collect();
            if path[length - 1].starts_with("f:") && for_apply(resource, &names).declared {
                all.insert(path[..length].to_vec());
            }
        }
    }
    all
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

/// Removes the value at a path of steps.
pub(crate) fn remove(object: &mut Value, path: &[String]) {
    let [step, rest @ ..] = path else { return };
    if !rest.is_empty() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::BUILT_IN;

    fn resource(kind: &str) -> &'static Resource {
        BUILT_IN.iter().find(|resource| resource.kind == kind).unwrap()
    }

    #[test]
    fn what_is_new_is_owned_with_all_that_it_brings_and_what_was_there_is_not() {
        let old = json!({"metadata": {"name": "x"}, "spec": {"template": {"spec": {"containers": null}}}});
        let container = json!({"name": "a", "env": [{"name": "X", "value": "1"}], "securityContext": {}});
        let new = json!({
            "metadata": {"name": "x", "labels": {"a": "b"}},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {"containers": [container]}}},
        });
        let one = json!({"k:{\"name\":\"X\"}": {".": {}, "f:name": {}, "f:value": {}}, ".": {}});
        let container = json!({".": {}, "f:name": {}, "f:env": one, "f:securityContext": {}});
        assert_eq!(
            render(&compare(resource("Deployment"), &old, &new).set),
            json!({
                "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
                "f:spec": {"f:selector": {}, "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"a\"}": container}}}},
            })
        );
    }

    #[test]
    fn the_notation_survives_being_read() {
        let notation = json!({"f:data": {".": {}, "f:a": {}}, "f:spec": {"f:b": {}}, "f:c": {}});
        assert_eq!(render(&parse(&notation)), notation);
    }
}
