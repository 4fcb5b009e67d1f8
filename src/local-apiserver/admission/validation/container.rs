//! The containers of a pod.

use serde_json::Value;

use super::checks::{at_least, is_set, listed, not_negative, port_number, text};
use crate::admission::names;
use crate::quantity::Quantity;
use crate::status::FieldError;

/// Resources that a container may ask for without a domain.
const RESOURCES: &[&str] = &["cpu", "memory", "ephemeral-storage"];
const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
const HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];

pub(super) fn check(container: &Value, at: &str, volumes: &[&Value], errors: &mut Vec<FieldError>) {
    let name = &container["name"];
    match text(name) {
        "" => errors.push(FieldError::required(format!("{at}.name"), "")),
        given => {
            errors.extend(
                names::label(given).into_iter().map(|detail| FieldError::invalid(format!("{at}.name"), name, &detail)),
            );
        }
    }
    if text(&container["image"]).is_empty() {
        errors.push(FieldError::required(format!("{at}.image"), ""));
    }
    ports(&container["ports"], at, errors);
    variables(&container["env"], at, errors);
    for (number, mount) in container["volumeMounts"].as_array().into_iter().flatten().enumerate() {
        let name = text(&mount["name"]);
        if !volumes.contains(&&mount["name"]) && !name.starts_with("kube-api-access-") {
            errors.push(FieldError::not_found(format!("{at}.volumeMounts[{number}].name"), &name.into()));
        }
    }
    let policy = text(&container["imagePullPolicy"]);
    if !matches!(policy, "Always" | "IfNotPresent" | "Never") {
        let supported = listed(&["Always", "IfNotPresent", "Never"]);
        errors.push(FieldError::unsupported(format!("{at}.imagePullPolicy"), &policy.into(), &supported));
    }
    resources(&container["resources"], &format!("{at}.resources"), errors);
    for kind in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if container[kind].is_object() {
            probe(kind, &container[kind], &format!("{at}.{kind}"), errors);
        }
    }
}

/// A port's protocol, which has been defaulted.
pub(super) fn protocol(value: &Value, path: String, errors: &mut Vec<FieldError>) {
    if !PROTOCOLS.contains(&text(value)) {
        errors.push(FieldError::unsupported(path, value, &listed(&PROTOCOLS)));
    }
}

fn ports(ports: &Value, at: &str, errors: &mut Vec<FieldError>) {
    for (index, port) in ports.as_array().into_iter().flatten().enumerate() {
        let path = |field: &str| format!("{at}.ports[{index}].{field}");
        match port["containerPort"].as_i64().unwrap_or(0) {
            0 => errors.push(FieldError::required(path("containerPort"), "")),
            _ => port_number(&port["containerPort"], path("containerPort"), errors),
        }
        if port["hostPort"].as_i64().is_some_and(|port| port != 0) {
            port_number(&port["hostPort"], path("hostPort"), errors);
        }
        protocol(&port["protocol"], path("protocol"), errors);
    }
}

fn variables(variables: &Value, at: &str, errors: &mut Vec<FieldError>) {
    for (index, variable) in variables.as_array().into_iter().flatten().enumerate() {
        let path = format!("{at}.env[{index}]");
        if text(&variable["name"]).is_empty() {
            errors.push(FieldError::required(format!("{path}.name"), ""));
        }
        let Some(sources) = variable["valueFrom"].as_object() else { continue };
        let path = format!("{path}.valueFrom");
        if sources.is_empty() {
            let detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`";
            errors.push(FieldError::invalid(path.as_str(), &"".into(), detail));
        } else if !text(&variable["value"]).is_empty() {
            errors.push(FieldError::invalid(path, &"".into(), "may not be specified when `value` is not empty"));
        } else if sources.len() > 1 {
            let detail = "may not have more than one field specified at a time";
            errors.push(FieldError::invalid(path, &"".into(), detail));
        }
    }
}

fn resources(resources: &Value, at: &str, errors: &mut Vec<FieldError>) {
    for field in ["limits", "requests"] {
        for (name, amount) in resources[field].as_object().into_iter().flatten() {
            let path = format!("{at}.{field}[{name}]");
            let value = Value::from(name.as_str());
            for detail in names::qualified(name) {
                errors.push(FieldError::invalid(path.as_str(), &value, &detail));
            }
            if !name.contains('/') && !RESOURCES.contains(&name.as_str()) && !name.starts_with("hugepages-") {
                let detail = "must be a standard resource type or fully qualified";
                errors.push(FieldError::invalid(path.as_str(), &value, detail));
                let detail = "must be a standard resource for containers";
                errors.push(FieldError::invalid(path.as_str(), &value, detail));
            }
            let given = Quantity::of(amount).map(Quantity::nanos);
            if given.is_some_and(|amount| amount < 0) {
                errors.push(FieldError::invalid(path, amount, "must be greater than or equal to 0"));
            }
            let limit = &resources["limits"][name];
            if field == "requests"
                && Quantity::of(limit).map(Quantity::nanos).zip(given).is_some_and(|(limit, given)| given > limit)
            {
                let shown = limit.as_str().map_or_else(|| limit.to_string(), str::to_owned);
                let detail = format!("must be less than or equal to {name} limit of {shown}");
                errors.push(FieldError::invalid(format!("{at}.requests"), amount, &detail));
            }
        }
    }
}

fn probe(kind: &str, probe: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let handlers: Vec<&str> = HANDLERS.into_iter().filter(|handler| is_set(&probe[handler])).collect();
    if handlers.is_empty() {
        errors.push(FieldError::required(at, "must specify a handler type"));
    }
    for more in handlers.iter().skip(1) {
        let detail = "may not specify more than 1 handler type";
        errors.push(FieldError::forbidden(format!("{at}.{more}"), detail));
    }
    for field in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        not_negative(&probe[field], &format!("{at}.{field}"), errors);
    }
    if kind != "readinessProbe" && probe["successThreshold"].as_i64().is_some_and(|times| times != 1) {
        let path = format!("{at}.successThreshold");
        errors.push(FieldError::invalid(path, &probe["successThreshold"], "must be 1"));
    }
    let grace = &probe["terminationGracePeriodSeconds"];
    at_least(1, grace, &format!("{at}.terminationGracePeriodSeconds"), "must be greater than 0", errors);
}
