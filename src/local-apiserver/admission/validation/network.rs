//! Ingresses and their classes.

use serde_json::Value;

use super::checks::{is_set, text};
use crate::admission::names;
use crate::status::FieldError;

const PATH_TYPES: [&str; 3] = ["Exact", "ImplementationSpecific", "Prefix"];

pub(super) fn ingress(spec: &Value, errors: &mut Vec<FieldError>) {
    let rules = spec["rules"].as_array().map(Vec::as_slice).unwrap_or_default();
    let default = &spec["defaultBackend"];
    if rules.is_empty() && default.is_null() {
        let detail = "either `defaultBackend` or `rules` must be specified";
        let shown = if spec["rules"].is_null() { "null".to_owned() } else { "[]".to_owned() };
        errors.push(FieldError::invalid_shown("spec", &shown, detail));
    }
    if is_set(default) {
        backend(default, "spec.defaultBackend", errors);
    }
    for (index, rule) in rules.iter().enumerate() {
        let at = format!("spec.rules[{index}]");
        let host = text(&rule["host"]);
        if host.parse::<std::net::IpAddr>().is_ok() {
            errors.push(FieldError::invalid(
                format!("{at}.host"),
                &host.into(),
                "must be a DNS name, not an IP address",
            ));
        } else if !host.is_empty() && !host.starts_with("*.") {
            errors.extend(
                names::subdomain(host).iter().map(|why| FieldError::invalid(format!("{at}.host"), &host.into(), why)),
            );
        }
        if !rule["http"].is_object() {
            continue;
        }
        let paths = rule["http"]["paths"].as_array().map(Vec::as_slice).unwrap_or_default();
        if paths.is_empty() {
            errors.push(FieldError::required(format!("{at}.http.paths"), ""));
        }
        for (number, path) in paths.iter().enumerate() {
            check_path(path, &format!("{at}.http.paths[{number}]"), errors);
        }
    }
}

fn check_path(path: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let given = text(&path["path"]);
    match text(&path["pathType"]) {
        "" => errors.push(FieldError::required(format!("{at}.pathType"), "pathType must be specified")),
        "Exact" | "Prefix" if !given.starts_with('/') => {
            errors.push(FieldError::invalid(format!("{at}.path"), &given.into(), "must be an absolute path"));
        }
        kind if !PATH_TYPES.contains(&kind) => {
            let supported = PATH_TYPES.map(str::to_owned);
            errors.push(FieldError::unsupported(format!("{at}.pathType"), &kind.into(), &supported));
        }
        _ => {}
    }
    backend(&path["backend"], &format!("{at}.backend"), errors);
}

fn backend(backend: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let (service, other) = (&backend["service"], &backend["resource"]);
    if is_set(service) && is_set(other) {
        let detail = "cannot set both resource and service backends";
        errors.push(FieldError::invalid(at, &"".into(), detail));
        return;
    }
    if is_set(other) {
        return;
    }
    if service.is_null() {
        errors.push(FieldError::required(at, "backend is required: name a service or a resource"));
        return;
    }
    let name = text(&service["name"]);
    if name.is_empty() {
        errors.push(FieldError::required(format!("{at}.service.name"), ""));
    } else {
        let path = format!("{at}.service.name");
        errors.extend(names::service(name).iter().map(|why| FieldError::invalid(path.as_str(), &name.into(), why)));
    }
    let (port, number) = (text(&service["port"]["name"]), service["port"]["number"].as_i64().unwrap_or(0));
    if port.is_empty() && number == 0 {
        errors.push(FieldError::required(at, "port name or number is required"));
    } else if number != 0 {
        super::checks::port_number(&service["port"]["number"], format!("{at}.service.port.number"), errors);
    }
}

pub(super) fn ingress_class(old: Option<&Value>, spec: &Value, errors: &mut Vec<FieldError>) {
    if text(&spec["controller"]).is_empty() && old.is_none() {
        errors.push(FieldError::required("spec.controller", ""));
    }
    if old.is_some_and(|old| old["spec"]["controller"] != spec["controller"]) {
        errors.push(FieldError::invalid("spec.controller", &spec["controller"], "field is immutable"));
    }
}
