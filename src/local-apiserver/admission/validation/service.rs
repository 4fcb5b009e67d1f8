//! Services.

use serde_json::Value;

use super::checks::{listed, port_number, text};
use super::container;
use crate::status::FieldError;

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

pub(super) fn check(spec: &Value, errors: &mut Vec<FieldError>) {
    let ports = spec["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    if ports.is_empty() && spec["clusterIP"] != "None" && spec["type"] != "ExternalName" {
        errors.push(FieldError::required("spec.ports", ""));
    }
    for (index, port) in ports.iter().enumerate() {
        let at = |field: &str| format!("spec.ports[{index}].{field}");
        if ports.len() > 1 && text(&port["name"]).is_empty() {
            errors.push(FieldError::required(at("name"), ""));
        }
        port_number(&port["port"], at("port"), errors);
        container::protocol(&port["protocol"], at("protocol"), errors);
        if port["targetPort"].is_number() {
            port_number(&port["targetPort"], at("targetPort"), errors);
        }
    }
    if !TYPES.contains(&text(&spec["type"])) {
        errors.push(FieldError::unsupported("spec.type", &spec["type"], &listed(&TYPES)));
    }
}
