//! Ingresses and their classes.

use serde_json::Value;

use super::cell::text_or;

pub(super) fn ingress(object: &Value, created: Value) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]["loadBalancer"]["ingress"]);
    let hosts: Vec<&str> =
        spec["rules"].as_array().into_iter().flatten().filter_map(|rule| rule["host"].as_str()).collect();
    let shown = match hosts.as_slice() {
        [] => "*".to_owned(),
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!("{first},{second},{third} + {} more...", rest.len())
        }
        few => few.join(","),
    };
    let secure = spec["tls"].as_array().is_some_and(|tls| !tls.is_empty());
    let addresses: Vec<&str> = status
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["ip"].as_str().or_else(|| one["hostname"].as_str()))
        .collect();
    vec![
        object["metadata"]["name"].clone(),
        text_or(&spec["ingressClassName"], "<none>").into(),
        shown.into(),
        addresses.join(",").into(),
        if secure { "80, 443" } else { "80" }.into(),
        created,
    ]
}

pub(super) fn ingress_class(object: &Value, created: Value) -> Vec<Value> {
    let (spec, parameters) = (&object["spec"], &object["spec"]["parameters"]);
    let shown = match parameters["name"].as_str() {
        Some(name) => {
            let group = parameters["apiGroup"].as_str().map(|group| format!(".{group}")).unwrap_or_default();
            format!("{}{group}/{name}", text_or(&parameters["kind"], ""))
        }
        None => "<none>".to_owned(),
    };
    vec![object["metadata"]["name"].clone(), text_or(&spec["controller"], "").into(), shown.into(), created]
}
