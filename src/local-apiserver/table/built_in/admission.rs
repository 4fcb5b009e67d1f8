//! Webhook configurations and admission policies.

use serde_json::Value;

use super::cell::text_or;

fn named(object: &Value) -> Value {
    object["metadata"]["name"].clone()
}

fn count(list: &Value) -> Value {
    list.as_array().map_or(0, Vec::len).into()
}

pub(super) fn webhooks(object: &Value, created: Value) -> Vec<Value> {
    vec![named(object), count(&object["webhooks"]), created]
}

pub(super) fn policy(object: &Value, created: Value) -> Vec<Value> {
    let (spec, kind) = (&object["spec"], &object["spec"]["paramKind"]);
    let shown = if kind.is_object() {
        format!("{}/{}", text_or(&kind["apiVersion"], ""), text_or(&kind["kind"], ""))
    } else {
        "<unset>".to_owned()
    };
    vec![named(object), count(&spec["validations"]), shown.into(), created]
}

pub(super) fn binding(object: &Value, created: Value) -> Vec<Value> {
    let (spec, parameter) = (&object["spec"], &object["spec"]["paramRef"]);
    let shown = match parameter["name"].as_str().filter(|name| !name.is_empty()) {
        // Whether it lives in a namespace is not known here.
        Some(name) => format!("{}/{name}", text_or(&parameter["namespace"], "*")),
        None => "<unset>".to_owned(),
    };
    vec![named(object), text_or(&spec["policyName"], "").into(), shown.into(), created]
}
