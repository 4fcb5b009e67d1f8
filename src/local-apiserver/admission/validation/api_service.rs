//! APIServices.
//!
//! Source: `pkg/apis/apiregistration/validation` of Kubernetes' aggregator.

use serde_json::Value;

use super::checks::{port_number, text};
use crate::admission::names;
use crate::status::FieldError;

pub(super) fn check(name: &str, spec: &Value, errors: &mut Vec<FieldError>) {
    let (group, version) = (text(&spec["group"]), text(&spec["version"]));
    let wrong = names::segment(name);
    let wanted = format!("{version}.{group}");
    if !wrong.is_empty() {
        errors.extend(wrong.iter().map(|why| FieldError::invalid("metadata.name", &name.into(), why)));
    } else if name != wanted {
        let detail = format!("must be `spec.version+\".\"+spec.group`: \"{wanted}\"");
        errors.push(FieldError::invalid("metadata.name", &name.into(), &detail));
    }
    if !group.is_empty() {
        errors.extend(names::subdomain(group).iter().map(|why| FieldError::invalid("spec.group", &group.into(), why)));
    } else if version != "v1" {
        let detail = "only v1 may have an empty group and it better be legacy kube";
        errors.push(FieldError::required("spec.group", detail));
    }
    errors.extend(names::service(version).iter().map(|why| FieldError::invalid("spec.version", &version.into(), why)));
    for (field, most) in [("groupPriorityMinimum", 20_000), ("versionPriority", 1000)] {
        let given = spec[field].as_i64().unwrap_or(0);
        if given <= 0 || given > most {
            let detail = format!("must be positive and less than {most}");
            errors.push(FieldError::invalid(format!("spec.{field}"), &given.into(), &detail));
        }
    }
    service(spec, errors);
}

fn service(spec: &Value, errors: &mut Vec<FieldError>) {
    let (bundle, service) = (text(&spec["caBundle"]), &spec["service"]);
    let insecure = &spec["insecureSkipTLSVerify"];
    if service.is_null() {
        if !bundle.is_empty() {
            let detail = "local APIServices may not have a caBundle";
            errors.push(FieldError::invalid("spec.caBundle", &bundle.into(), detail));
        }
        if insecure == true {
            let detail = "local APIServices may not have insecureSkipTLSVerify";
            errors.push(FieldError::invalid("spec.insecureSkipTLSVerify", insecure, detail));
        }
        return;
    }
    for field in ["namespace", "name"] {
        if text(&service[field]).is_empty() {
            errors.push(FieldError::required(format!("spec.service.{field}"), ""));
        }
    }
    let mut wrong = Vec::new();
    port_number(&service["port"], "spec.service.port".to_owned(), &mut wrong);
    if !wrong.is_empty() {
        let detail = "port is not valid: must be between 1 and 65535, inclusive";
        errors.push(FieldError::invalid("spec.service.port", &service["port"], detail));
    }
    if insecure == true && !bundle.is_empty() {
        let detail = "may not be true if caBundle is present";
        errors.push(FieldError::invalid("spec.insecureSkipTLSVerify", insecure, detail));
    }
}
