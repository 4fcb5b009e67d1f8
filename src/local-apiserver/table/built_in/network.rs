//! Services, their endpoints, and ways in.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::cell::{created, each, name, number, selector, text_or};

pub(crate) fn service(object: &Value, now: Timestamp) -> Vec<Value> {
    let spec = &object["spec"];
    let ports: Vec<String> = spec["ports"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|port| {
            let node = port["nodePort"].as_i64().map(|node| format!(":{node}")).unwrap_or_default();
            format!("{}{node}/{}", number(&port["port"]), text_or(&port["protocol"], "TCP"))
        })
        .collect();
    let ports = if ports.is_empty() { "<none>".to_owned() } else { ports.join(",") };
    let external = match spec["type"].as_str() {
        Some("ExternalName") => text_or(&spec["externalName"], "<none>"),
        Some("LoadBalancer") => "<pending>".to_owned(),
        _ => "<none>".to_owned(),
    };
    let cluster = text_or(&spec["clusterIP"], "<none>");
    vec![
        name(object),
        spec["type"].clone(),
        cluster.into(),
        external.into(),
        ports.into(),
        created(object, now),
        selector(&spec["selector"]),
    ]
}

pub(crate) fn endpoint_slice(object: &Value, now: Timestamp) -> Vec<Value> {
    let ports: Vec<String> =
        object["ports"].as_array().into_iter().flatten().map(|port| number(&port["port"]).to_string()).collect();
    let addresses: Vec<&str> = object["endpoints"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|endpoint| endpoint["addresses"].as_array().into_iter().flatten().filter_map(Value::as_str))
        .collect();
    let shown = |parts: String| if parts.is_empty() { json!("<unset>") } else { json!(parts) };
    vec![
        name(object),
        object["addressType"].clone(),
        shown(ports.join(",")),
        shown(addresses.join(",")),
        created(object, now),
    ]
}

pub(crate) fn endpoints(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), addresses(object), created(object, now)]
}

/// `address:port` of all subsets.
fn addresses(object: &Value) -> Value {
    let mut all = Vec::new();
    for subset in object["subsets"].as_array().into_iter().flatten() {
        for address in each(&subset["addresses"], "ip") {
            all.extend(
                subset["ports"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|port| format!("{address}:{}", number(&port["port"]))),
            );
        }
    }
    if all.is_empty() { "<none>".into() } else { all.join(",").into() }
}

pub(crate) fn ingress(object: &Value, now: Timestamp) -> Vec<Value> {
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
        name(object),
        text_or(&spec["ingressClassName"], "<none>").into(),
        shown.into(),
        addresses.join(",").into(),
        if secure { "80, 443" } else { "80" }.into(),
        created(object, now),
    ]
}

pub(crate) fn ingress_class(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, parameters) = (&object["spec"], &object["spec"]["parameters"]);
    let shown = match parameters["name"].as_str() {
        Some(name) => {
            let group = parameters["apiGroup"].as_str().map(|group| format!(".{group}")).unwrap_or_default();
            format!("{}{group}/{name}", text_or(&parameters["kind"], ""))
        }
        None => "<none>".to_owned(),
    };
    vec![name(object), text_or(&spec["controller"], "").into(), shown.into(), created(object, now)]
}

pub(crate) fn network_policy(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), selector(&object["spec"]["podSelector"]), created(object, now)]
}
