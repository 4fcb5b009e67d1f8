//! Who may do what: bindings of roles.

use jiff::Timestamp;
use serde_json::Value;

use super::cell::{created, name, text_or};

pub(crate) fn binding(object: &Value, now: Timestamp) -> Vec<Value> {
    let role = &object["roleRef"];
    let subjects = |kind: &str| {
        let all = object["subjects"].as_array().into_iter().flatten().filter(|held| held["kind"] == kind);
        let names: Vec<String> = all
            .map(|held| match held["namespace"].as_str() {
                Some(namespace) => format!("{namespace}/{}", text_or(&held["name"], "")),
                None => text_or(&held["name"], ""),
            })
            .collect();
        Value::from(names.join(", "))
    };
    let role = format!("{}/{}", text_or(&role["kind"], ""), text_or(&role["name"], ""));
    vec![
        name(object),
        role.into(),
        created(object, now),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}
