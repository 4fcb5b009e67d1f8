//! Server-side apply and the bookkeeping of `managedFields`.

use serde_json::{Value, json};

use super::fields::{self, Fields};
use super::lists::{ListKind, for_apply, key_of};
use crate::kinds::Resource;
use crate::status::Status;

/// Whose write it is.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    pub(crate) manager: String,
    pub(crate) subresource: String,
    pub(crate) time: String,
}

/// The object after `config` is applied by `writer`; conflicts are refused unless forced.
pub(crate) fn apply(
    resource: &Resource,
    live: Option<&Value>,
    config: &Value,
    writer: &Writer,
    force: bool,
) -> Result<Value, Status> {
    let mut config = config.clone();
    if let Some(metadata) = config["metadata"].as_object_mut() {
        metadata.remove("managedFields");
        metadata.remove("resourceVersion");
    }
    let wanted = fields::collect(resource, &config);
    let mut managers = live.map_or_else(Vec::new, managers);
    let before = live.cloned().unwrap_or_else(|| json!({}));
    let mut path = Vec::new();
    let mut merged = merge(resource, &before, &config, &mut path);
    let owned = |entry: &Value| {
        entry["manager"] == writer.manager.as_str()
            && entry["operation"] == "Apply"
            && entry["subresource"].as_str().unwrap_or_default() == writer.subresource
    };
    let earlier = managers.iter().find(|entry| owned(entry)).map(fields_of).unwrap_or_default();
    managers.retain(|entry| !owned(entry));
    take_over(&mut managers, &wanted, &before, &merged, force)?;
    let others = managers.iter().fold(Fields::new(), |all, entry| fields::union(&all, &fields_of(entry)));
    let dropped = fields::difference(&fields::difference(&earlier, &wanted), &others);
    for path in fields::paths(&dropped) {
        fields::remove(&mut merged, &path);
    }
    managers.push(entry(resource, writer, "Apply", &wanted));
    merged["metadata"]["managedFields"] = Value::Array(managers);
    Ok(merged)
}

/// Finds the fields whose value the applier changes although somebody else owns them.
fn take_over(
    managers: &mut Vec<Value>,
    wanted: &Fields,
    before: &Value,
    merged: &Value,
    force: bool,
) -> Result<(), Status> {
    let mut causes = Vec::new();
    for entry in managers.iter_mut() {
        let shared = fields::intersection(&fields_of(entry), wanted);
        for path in fields::paths(&shared) {
            if path.last().is_some_and(|step| step == ".") || fields::at(before, &path) == fields::at(merged, &path) {
                continue;
            }
            if force {
                let only = path.iter().rev().fold(json!({}), |inner, step| {
                    let mut outer = Fields::new();
                    outer.insert(step.clone(), inner);
                    Value::Object(outer)
                });
                let left = fields::difference(&fields_of(entry), only.as_object().unwrap_or(&Fields::new()));
                entry["fieldsV1"] = Value::Object(left);
                continue;
            }
            causes.push((entry.clone(), fields::shown(&path)));
        }
    }
    managers.retain(|entry| !fields_of(entry).is_empty());
    if causes.is_empty() { Ok(()) } else { Err(conflict(&causes)) }
}

fn conflict(causes: &[(Value, String)]) -> Status {
    let who = |entry: &Value| {
        let text = |field: &str| entry[field].as_str().unwrap_or_default();
        let using = if entry["operation"] == "Update" {
            format!(" using {} at {}", text("apiVersion"), text("time"))
        } else {
            String::new()
        };
        let sub = entry["subresource"].as_str().map(|sub| format!(" with subresource \"{sub}\"")).unwrap_or_default();
        format!("conflict with \"{}\"{sub}{using}", text("manager"))
    };
    let plural = if causes.len() == 1 { "conflict" } else { "conflicts" };
    let lines: Vec<String> = causes.iter().map(|(entry, field)| format!("{}: {field}", who(entry))).collect();
    let message = format!("Apply failed with {} {plural}: {}", causes.len(), lines.join("\n"));
    let causes: Vec<Value> = causes
        .iter()
        .map(|(entry, field)| json!({"reason": "FieldManagerConflict", "message": who(entry), "field": field}))
        .collect();
    Status::failure(409, "Conflict", message).with_details(json!({"causes": causes}))
}

fn merge<'a>(resource: &Resource, live: &Value, config: &'a Value, path: &mut Vec<&'a str>) -> Value {
    match config {
        Value::Object(wanted) => {
            let mut merged = live.as_object().cloned().unwrap_or_default();
            for (key, value) in wanted {
                path.push(key);
                let held = merged.get(key).cloned().unwrap_or_default();
                merged.insert(key.clone(), merge(resource, &held, value, path));
                path.pop();
            }
            Value::Object(merged)
        }
        Value::Array(items) => {
            let held = live.as_array().cloned().unwrap_or_default();
            match for_apply(resource, path) {
                ListKind::Atomic => config.clone(),
                ListKind::Set => {
                    let mut list = held;
                    let new: Vec<Value> = items.iter().filter(|item| !list.contains(item)).cloned().collect();
                    list.extend(new);
                    Value::Array(list)
                }
                ListKind::Map(keys) => {
                    let mut list = held;
                    for item in items {
                        let key = key_of(item, &keys);
                        match list.iter().position(|other| key_of(other, &keys) == key) {
                            Some(at) => list[at] = merge(resource, &list[at], item, path),
                            None => list.push(item.clone()),
                        }
                    }
                    Value::Array(list)
                }
            }
        }
        scalar => scalar.clone(),
    }
}

/// Notes in `new`'s managedFields what `writer` changed by a write other than apply.
pub(crate) fn track_update(resource: &Resource, old: Option<&Value>, new: &mut Value, writer: &Writer) {
    let nothing = Value::Null;
    let old = old.unwrap_or(&nothing);
    let mut before = fields::collect(resource, old);
    let mut after = fields::collect(resource, new);
    if writer.subresource.is_empty() && resource.status {
        before.remove("f:status");
        after.remove("f:status");
    }
    let mut changed = fields::difference(&after, &before);
    for path in fields::paths(&fields::intersection(&after, &before)) {
        if path.last().is_some_and(|step| step != ".") && fields::at(old, &path) != fields::at(new, &path) {
            let only = path.iter().rev().fold(json!({}), |inner, step| json!({step: inner}));
            changed = fields::union(&changed, only.as_object().unwrap_or(&Fields::new()));
        }
    }
    let mut managers = if old.is_null() { Vec::new() } else { managers(old) };
    let removed = fields::difference(&before, &after);
    let same = |entry: &Value| {
        entry["manager"] == writer.manager.as_str()
            && entry["operation"] == "Update"
            && entry["subresource"].as_str().unwrap_or_default() == writer.subresource
    };
    let mut own = Fields::new();
    for entry in &mut managers {
        let held = fields::difference(&fields_of(entry), &removed);
        let left = if same(entry) { held } else { fields::difference(&held, &changed) };
        if same(entry) {
            own.clone_from(&left);
        }
        entry["fieldsV1"] = Value::Object(left);
    }
    if !changed.is_empty() {
        managers.retain(|entry| !same(entry));
        managers.push(entry(resource, writer, "Update", &fields::union(&own, &changed)));
    }
    managers.retain(|entry| !fields_of(entry).is_empty());
    new["metadata"]["managedFields"] = Value::Array(managers);
}

fn managers(object: &Value) -> Vec<Value> {
    object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default()
}

fn fields_of(entry: &Value) -> Fields {
    entry["fieldsV1"].as_object().cloned().unwrap_or_default()
}

fn entry(resource: &Resource, writer: &Writer, operation: &str, fields: &Fields) -> Value {
    let mut entry = json!({
        "manager": writer.manager, "operation": operation, "apiVersion": resource.api_version(),
        "time": writer.time, "fieldsType": "FieldsV1", "fieldsV1": fields,
    });
    if !writer.subresource.is_empty() {
        entry["subresource"] = writer.subresource.clone().into();
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::BUILT_IN;

    fn writer(manager: &str) -> Writer {
        Writer { manager: manager.to_owned(), subresource: String::new(), time: "t".to_owned() }
    }

    fn deployment() -> &'static Resource {
        BUILT_IN.iter().find(|r| r.kind == "Deployment").unwrap()
    }

    #[test]
    fn a_field_that_is_no_longer_applied_goes_and_foreign_ones_stay() {
        let one = json!({"metadata": {"name": "x", "labels": {"a": "1", "b": "1"}}, "spec": {"replicas": 1}});
        let live = apply(deployment(), None, &one, &writer("me"), false).unwrap();
        let mut scaled = live.clone();
        scaled["spec"]["paused"] = true.into();
        track_update(deployment(), Some(&live), &mut scaled, &writer("other"));
        let two = json!({"metadata": {"name": "x", "labels": {"a": "1"}}, "spec": {"replicas": 1}});
        let after = apply(deployment(), Some(&scaled), &two, &writer("me"), false).unwrap();
        assert_eq!(after["metadata"]["labels"], json!({"a": "1"}));
        assert_eq!(after["spec"], json!({"replicas": 1, "paused": true}));
    }

    #[test]
    fn somebody_elses_field_is_a_conflict_unless_forced() {
        let one = json!({"metadata": {"name": "x"}, "spec": {"replicas": 1}});
        let live = apply(deployment(), None, &one, &writer("me"), false).unwrap();
        let two = json!({"metadata": {"name": "x"}, "spec": {"replicas": 2}});
        let refused = apply(deployment(), Some(&live), &two, &writer("you"), false).unwrap_err();
        assert_eq!(refused.message(), "Apply failed with 1 conflict: conflict with \"me\": .spec.replicas");
        let forced = apply(deployment(), Some(&live), &two, &writer("you"), true).unwrap();
        assert_eq!(forced["spec"]["replicas"], 2);
        assert_eq!(forced["metadata"]["managedFields"].as_array().unwrap().len(), 1);
    }
}
