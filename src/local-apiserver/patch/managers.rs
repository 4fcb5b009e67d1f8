//! The entries of `managedFields`: reading, validating, ordering and limiting them.
//!
//! Source: apimachinery's `util/managedfields/internal` (which entries a write may send, how many are kept).

use serde_json::{Value, json};

use super::fields::{self, Fields};
use crate::kinds::Resource;

/// Updating managers that an object keeps apart; the oldest ones beyond that share an entry.
const UPDATERS_MAX: usize = 10;

/// The entry that the oldest updating managers share.
const ANCIENT: &str = "ancient-changes";

/// Whose write it is.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    pub(crate) manager: String,
    pub(crate) subresource: String,
    pub(crate) time: String,
}

impl Writer {
    /// Whether an entry is this writer's. Updates in another version of the kind stand apart.
    pub(super) fn is(&self, resource: &Resource, entry: &Value, operation: &str) -> bool {
        entry["manager"].as_str().unwrap_or_default() == self.manager
            && entry["operation"] == operation
            && entry["subresource"].as_str().unwrap_or_default() == self.subresource
            && (operation == "Apply" || entry["apiVersion"] == resource.api_version())
    }

    /// The main resource does not write the status, and nobody owns what is not written.
    pub(super) fn may_own(&self, resource: &Resource, path: &[String]) -> bool {
        !(self.subresource.is_empty() && resource.status && path.first().is_some_and(|step| step == "f:status"))
    }
}

/// The entries of an object, as they stand.
pub(super) fn of(object: &Value) -> Vec<Value> {
    object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default()
}

/// The entries from which a create, update or patch of `new` starts.
///
/// A writer may put other ones in the place of those that the stored object has: `kubectl` moves ownership so, and one
/// empty entry clears them. A list that is empty or wrong changes nothing, nor does one that comes by a subresource.
pub(super) fn of_update(old: Option<&Value>, new: &Value, writer: &Writer) -> Vec<Value> {
    let held = || old.map(of).unwrap_or_default();
    if !writer.subresource.is_empty() {
        return held();
    }
    let given = &new["metadata"]["managedFields"];
    if let Some([only]) = given.as_array().map(Vec::as_slice)
        && is_blank(only)
    {
        return Vec::new();
    }
    decoded(given).filter(|entries| !entries.is_empty()).unwrap_or_else(held)
}

/// Whether an entry says nothing at all.
fn is_blank(entry: &Value) -> bool {
    let empty = |value: &Value| value.is_null() || value == "";
    entry.as_object().is_some_and(|entry| entry.values().all(empty))
}

/// Entries as a client wrote them, normalised; none if one of them is wrong.
fn decoded(list: &Value) -> Option<Vec<Value>> {
    let mut entries: Vec<Value> = Vec::new();
    for given in list.as_array()? {
        let text = |field: &str| given[field].as_str().unwrap_or_default();
        let operation = text("operation");
        let known = matches!(operation, "Apply" | "Update") && text("fieldsType") == "FieldsV1";
        if !known || text("apiVersion").is_empty() || !fields::is_notation(&given["fieldsV1"]) {
            return None;
        }
        let mut entry = json!({
            "manager": text("manager"), "operation": operation, "apiVersion": text("apiVersion"),
            "fieldsType": "FieldsV1", "fieldsV1": fields::render(&fields_of(given)),
        });
        let time = text("time").parse::<jiff::Timestamp>().ok();
        if let Some(time) = time {
            entry["time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
        }
        for field in ["manager", "subresource"] {
            match text(field) {
                "" => drop(entry.as_object_mut().and_then(|entry| entry.remove(field))),
                text => entry[field] = text.into(),
            }
        }
        // Of two entries of one manager the later one counts.
        let own = identity(&entry);
        entries.retain(|other| identity(other) != own);
        entries.push(entry);
    }
    Some(entries)
}

/// What distinguishes managers: appliers stay the same one in every version.
fn identity(entry: &Value) -> [String; 4] {
    let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    let version = if entry["operation"] == "Apply" { String::new() } else { text("apiVersion") };
    [text("manager"), text("operation"), text("subresource"), version]
}

/// Lets the oldest updating managers share one entry once there are too many.
pub(super) fn limited(mut entries: Vec<Value>) -> Vec<Value> {
    let is_update = |entry: &Value| entry["operation"] == "Update";
    let order = |entry: &Value| ["time", "manager"].map(|field| entry[field].as_str().unwrap_or_default().to_owned());
    let mut updaters: Vec<Value> = entries.iter().filter(|entry| is_update(entry)).cloned().collect();
    let excess = updaters.len().saturating_sub(UPDATERS_MAX);
    if excess == 0 {
        return entries;
    }
    updaters.sort_by_cached_key(order);
    // One entry takes the fields of those that go, so that one more has to go with them.
    let version = updaters[0]["apiVersion"].clone();
    let merged: Vec<Value> =
        updaters.into_iter().filter(|entry| entry["apiVersion"] == version).take(excess + 1).collect();
    let Some(newest) = merged.last().filter(|_| merged.len() > 1) else { return entries };
    let shared: Fields = merged.iter().flat_map(fields_of).collect();
    let bucket = json!({
        "manager": ANCIENT, "operation": "Update", "apiVersion": version, "time": newest["time"],
        "fieldsType": "FieldsV1", "fieldsV1": fields::render(&shared),
    });
    entries.retain(|entry| !merged.contains(entry));
    entries.push(bucket);
    entries
}

/// Appliers first, then by time, as the real server keeps them.
pub(super) fn in_order(mut managers: Vec<Value>) -> Value {
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    managers.sort_by_cached_key(|entry| {
        ["operation", "time", "manager", "apiVersion", "subresource"].map(|field| text(entry, field))
    });
    Value::Array(managers)
}

pub(super) fn fields_of(entry: &Value) -> Fields {
    fields::parse(&entry["fieldsV1"])
}

/// A new entry.
pub(super) fn entry(resource: &Resource, writer: &Writer, operation: &str, fields: &Fields) -> Value {
    let mut entry = json!({
        "manager": writer.manager, "operation": operation, "apiVersion": resource.api_version(),
        "time": writer.time, "fieldsType": "FieldsV1", "fieldsV1": fields::render(fields),
    });
    if !writer.subresource.is_empty() {
        entry["subresource"] = writer.subresource.clone().into();
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry_of(manager: &str, time: &str) -> Value {
        json!({
            "manager": manager, "operation": "Update", "apiVersion": "v1", "time": time, "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {format!("f:{manager}"): {}}},
        })
    }

    fn started_from(given: &Value, subresource: &str) -> Vec<Value> {
        let writer = Writer { manager: "me".to_owned(), subresource: subresource.to_owned(), time: "t".to_owned() };
        let old = json!({"metadata": {"managedFields": [entry_of("held", "2026-01-01T00:00:00Z")]}});
        of_update(Some(&old), &json!({"metadata": {"managedFields": given}}), &writer)
    }

    fn names(entries: &[Value]) -> Vec<&str> {
        entries.iter().map(|entry| entry["manager"].as_str().unwrap()).collect()
    }

    #[test]
    fn what_a_writer_puts_there_is_taken_over_if_it_is_right() {
        let new = json!([entry_of("new", "2026-01-01T01:00:00+01:00"), entry_of("other", "2026-01-01T00:00:00Z")]);
        let taken = started_from(&new, "");
        assert_eq!((names(&taken), &taken[0]["time"]), (vec!["new", "other"], &json!("2026-01-01T00:00:00Z")));
        assert_eq!(names(&started_from(&new, "status")), ["held"], "not by a subresource");
        for cleared in [json!([{}]), json!([{"manager": "", "time": null}])] {
            assert!(started_from(&cleared, "").is_empty(), "{cleared}");
        }
        let broken = |field: &str, value: Value| {
            let mut entry = entry_of("new", "2026-01-01T00:00:00Z");
            entry[field] = value;
            json!([entry])
        };
        for kept in [
            json!([]),
            Value::Null,
            json!([{}, {}]),
            broken("operation", "Patch".into()),
            broken("apiVersion", "".into()),
            broken("fieldsType", "FieldsV2".into()),
            broken("fieldsV1", json!({"data": {}})),
        ] {
            assert_eq!(names(&started_from(&kept, "")), ["held"], "{kept}");
        }
    }

    #[test]
    fn the_oldest_updating_managers_share_an_entry() {
        let at = |minute: usize| format!("2026-01-01T00:{minute:02}:00Z");
        let entries: Vec<Value> = (0..12).map(|number| entry_of(&format!("m{number:02}"), &at(number))).collect();
        let kept = limited(entries.clone());
        assert_eq!(kept.len(), 10);
        let shared = kept.iter().find(|entry| entry["manager"] == ANCIENT).unwrap();
        assert_eq!(shared["fieldsV1"], json!({"f:data": {"f:m00": {}, "f:m01": {}, "f:m02": {}}}));
        assert_eq!(shared["time"], json!(at(2)));
        assert_eq!(limited(entries[..10].to_vec()), entries[..10]);
    }
}
