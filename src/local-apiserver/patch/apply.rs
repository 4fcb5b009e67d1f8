//! Server-side apply and the bookkeeping of `managedFields`.

use serde_json::{Value, json};

use super::fields::{self, Path};
use super::last_applied;
use super::lists::{ListKind, for_apply, key_of};
pub(crate) use super::managers::Writer;
use super::managers::{self, entry, fields_of, in_order};
use crate::kinds::Resource;
use crate::object::zero;
use crate::status::Status;

/// Who owns what was there before the first apply, where nobody owned anything.
const BEFORE_APPLY: &str = "before-first-apply";

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
    let mut wanted = fields::collect(resource, &config);
    wanted.retain(|path| writer.may_own(resource, path));
    let mut managers = live.map_or_else(Vec::new, |live| owners(resource, live, writer));
    let before = live.cloned().unwrap_or_else(|| json!({}));
    let mut merged = merge(resource, &before, &config, &mut Vec::new());
    let owned = |entry: &Value| writer.is(resource, entry, "Apply");
    let previous = managers.iter().find(|entry| owned(entry)).cloned();
    managers.retain(|entry| !owned(entry));
    let earlier = previous.as_ref().map(fields_of).unwrap_or_default();
    let held = managers.iter().map(fields_of).fold(wanted.clone(), |all, more| all.union(&more).cloned().collect());
    let kept = fields::with_parents(resource, &held);
    for path in fields::with_parents(resource, &earlier).difference(&kept) {
        fields::remove(&mut merged, path);
    }
    let changes = fields::compare(resource, &before, &merged);
    refuse_conflicts(resource, &before, conflicts(&managers, &changes), writer, force)?;
    take_over(&mut managers, &changes);
    if !wanted.is_empty() {
        let mut entry = entry(resource, writer, "Apply", &wanted);
        // Who applies what is so already keeps the time of the last change, or has none.
        if live.is_some() && changes == fields::Changes::default() {
            match previous.map(|mut entry| entry["time"].take()).filter(|time| !time.is_null()) {
                Some(time) => entry["time"] = time,
                None => drop(entry.as_object_mut().and_then(|entry| entry.remove("time"))),
            }
        }
        managers.push(entry);
    }
    if managers.is_empty() {
        if let Some(metadata) = merged["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
    } else {
        merged["metadata"]["managedFields"] = in_order(managers);
    }
    if writer.manager == last_applied::MANAGER {
        last_applied::refresh(&mut merged, &config);
    }
    Ok(merged)
}

/// The managers of a stored object; where nobody is noted, all that is there is somebody's from before.
fn owners(resource: &Resource, live: &Value, writer: &Writer) -> Vec<Value> {
    let held = managers::of(live);
    if !held.is_empty() {
        return held;
    }
    let mut present = live.clone();
    let before = Writer { manager: BEFORE_APPLY.to_owned(), ..writer.clone() };
    track_update(resource, None, &mut present, &before);
    managers::of(&present)
}

/// A manager as conflicts name it, and the field that it holds.
type Conflict = (String, Path);

fn conflicts(managers: &[Value], changes: &fields::Changes) -> Vec<Conflict> {
    let held_by = |entry: &Value| {
        let held = fields_of(entry);
        let who = who(entry);
        held.intersection(&changes.set).map(|path| (who.clone(), path.clone())).collect::<Vec<_>>()
    };
    managers.iter().flat_map(held_by).collect()
}

fn refuse_conflicts(
    resource: &Resource,
    live: &Value,
    mut conflicts: Vec<Conflict>,
    writer: &Writer,
    force: bool,
) -> Result<(), Status> {
    if force || conflicts.is_empty() {
        return Ok(());
    }
    if writer.manager == last_applied::MANAGER {
        let own = last_applied::still_owned(resource, live);
        conflicts.retain(|(_, path)| !own.contains(path));
    }
    if conflicts.is_empty() { Ok(()) } else { Err(conflict(&conflicts)) }
}

/// Takes the changed fields from those who own them.
fn take_over(managers: &mut Vec<Value>, changes: &fields::Changes) {
    for entry in managers.iter_mut() {
        let held = fields_of(entry);
        let left = held.into_iter().filter(|path| !changes.set.contains(path) && !changes.removed.contains(path));
        entry["fieldsV1"] = fields::render(&left.collect());
    }
    managers.retain(|entry| !fields_of(entry).is_empty());
}

/// A manager as conflicts name it.
fn who(entry: &Value) -> String {
    let text = |field: &str| entry[field].as_str().unwrap_or_default();
    let using = if entry["operation"] == "Update" { format!(" using {}", text("apiVersion")) } else { String::new() };
    let sub = entry["subresource"].as_str().map(|sub| format!(" with subresource \"{sub}\"")).unwrap_or_default();
    format!("\"{}\"{sub}{using}", text("manager"))
}

fn conflict(conflicts: &[Conflict]) -> Status {
    let mut conflicts: Vec<(String, String)> =
        conflicts.iter().map(|(who, path)| (who.clone(), fields::shown(path))).collect();
    conflicts.sort();
    let message = if let [(who, field)] = conflicts.as_slice() {
        format!("Apply failed with 1 conflict: conflict with {who}: {field}")
    } else {
        let mut lines = Vec::new();
        let mut last = "";
        for (who, field) in &conflicts {
            if who != last {
                lines.push(format!("conflicts with {who}:"));
            }
            lines.push(format!("- {field}"));
            last = who;
        }
        format!("Apply failed with {} conflicts: {}", conflicts.len(), lines.join("\n"))
    };
    let cause = |(who, field): &(String, String)| json!({"reason": "FieldManagerConflict", "message": format!("conflict with {who}"), "field": field});
    let causes: Vec<Value> = conflicts.iter().map(cause).collect();
    Status::failure(409, "Conflict", message).with_details(json!({"causes": causes}))
}

fn merge<'a>(resource: &Resource, live: &Value, config: &'a Value, path: &mut Vec<&'a str>) -> Value {
    match config {
        Value::Object(_) if for_apply(resource, path).atomic => config.clone(),
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
            match for_apply(resource, path).list {
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
    let mut managers = managers::of_update(old, new, writer);
    if let Some(metadata) = new["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    // Once nobody is noted any more, only apply begins anew.
    if old.is_some() && managers.is_empty() {
        return;
    }
    let whole = |object: &Value| zero::filled(resource, object);
    let mut changes = fields::compare(resource, &whole(old.unwrap_or(&json!({}))), &whole(new));
    changes.set.retain(|path| writer.may_own(resource, path));
    changes.removed.retain(|path| writer.may_own(resource, path));
    let mut own = changes.set.clone();
    for entry in &mut managers {
        let mut held = fields_of(entry);
        held.retain(|path| !changes.removed.contains(path));
        if writer.is(resource, entry, "Update") {
            own.extend(held.iter().cloned());
        }
        held.retain(|path| !changes.set.contains(path));
        entry["fieldsV1"] = fields::render(&held);
    }
    if changes.set.is_empty() {
        managers.retain(|entry| !fields_of(entry).is_empty());
    } else {
        managers.retain(|entry| !fields_of(entry).is_empty() && !writer.is(resource, entry, "Update"));
        managers.push(entry(resource, writer, "Update", &own));
    }
    if !managers.is_empty() {
        new["metadata"]["managedFields"] = in_order(managers::limited(managers));
    }
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
