//! Webhook configurations and admission policies.

use jiff::Timestamp;
use serde_json::Value;

use super::cell::{created, name, text_or};

fn count(list: &Value) -> Value {
    list.as_array().map_or(0, Vec::len).into()
}

pub(crate) fn webhooks(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), count(&object["webhooks"]), created(object, now)]
}

pub(crate) fn policy(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, kind) = (&object["spec"], &object["spec"]["paramKind"]);
    let shown = if kind.is_object() {
        format!("{}/{}", text_or(&kind["apiVersion"], ""), text_or(&kind["kind"], ""))
    } else {
        "<unset>".to_owned()
    };
    vec![name(object), count(&spec["validations"]), shown.into(), created(object, now)]
}

pub(crate) fn binding(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, parameter) = (&object["spec"], &object["spec"]["paramRef"]);
    let shown = match parameter["name"].as_str().filter(|name| !name.is_empty()) {
        // Whether it lives in a namespace is not known here.
        Some(name) => format!("{}/{name}", text_or(&parameter["namespace"], "*")),
        None => "<unset>".to_owned(),
    };
    vec![name(object), text_or(&spec["policyName"], "").into(), shown.into(), created(object, now)]
}
