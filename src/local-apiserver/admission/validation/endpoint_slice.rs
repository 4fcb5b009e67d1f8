//! EndpointSlices.
//!
//! Source: `pkg/apis/discovery/validation` of Kubernetes.

use std::net::IpAddr;

use serde_json::Value;

use super::checks::{listed, text, texts};
use crate::admission::names;
use crate::status::FieldError;

const ADDRESS_TYPES: [&str; 3] = ["FQDN", "IPv4", "IPv6"];
const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
const PORTS_MAX: usize = 20_000;
const ENDPOINTS_MAX: usize = 1000;
const ADDRESSES_MAX: usize = 100;

pub(super) fn check(old: Option<&Value>, slice: &Value, errors: &mut Vec<FieldError>) {
    let kind = text(&slice["addressType"]);
    if kind.is_empty() {
        errors.push(FieldError::required("addressType", ""));
    } else if !ADDRESS_TYPES.contains(&kind) {
        errors.push(FieldError::unsupported("addressType", &kind.into(), &listed(&ADDRESS_TYPES)));
    }
    ports(&slice["ports"], errors);
    if old.is_none_or(|old| old["endpoints"] != slice["endpoints"]) {
        endpoints(&slice["endpoints"], kind, errors);
    }
    if old.is_some_and(|old| old["addressType"] != slice["addressType"]) {
        errors.push(FieldError::invalid("addressType", &kind.into(), "field is immutable"));
    }
}

fn ports(ports: &Value, errors: &mut Vec<FieldError>) {
    let ports = ports.as_array().map(Vec::as_slice).unwrap_or_default();
    if ports.len() > PORTS_MAX {
        errors.push(FieldError::too_many("ports", ports.len(), PORTS_MAX));
        return;
    }
    let mut seen = std::collections::BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let at = |field: &str| format!("ports[{index}].{field}");
        let name = text(&port["name"]);
        if !name.is_empty() {
            errors.extend(names::label(name).iter().map(|why| FieldError::invalid(at("name"), &name.into(), why)));
        }
        if !seen.insert(name) {
            errors.push(FieldError::duplicate(at("name"), &name.into()));
        }
        let protocol = text(&port["protocol"]);
        if !PROTOCOLS.contains(&protocol) {
            errors.push(FieldError::unsupported(at("protocol"), &protocol.into(), &listed(&PROTOCOLS)));
        }
    }
}

fn endpoints(endpoints: &Value, kind: &str, errors: &mut Vec<FieldError>) {
    let endpoints = endpoints.as_array().map(Vec::as_slice).unwrap_or_default();
    if endpoints.len() > ENDPOINTS_MAX {
        errors.push(FieldError::too_many("endpoints", endpoints.len(), ENDPOINTS_MAX));
        return;
    }
    for (index, endpoint) in endpoints.iter().enumerate() {
        let path = format!("endpoints[{index}].addresses");
        let addresses: Vec<&str> = texts(&endpoint["addresses"]).collect();
        if addresses.is_empty() {
            errors.push(FieldError::required(path.as_str(), "must contain at least 1 address"));
        } else if addresses.len() > ADDRESSES_MAX {
            errors.push(FieldError::too_many(path.as_str(), addresses.len(), ADDRESSES_MAX));
        }
        for (number, given) in addresses.into_iter().enumerate() {
            address(given, kind, &path, number, errors);
        }
        let host = text(&endpoint["hostname"]);
        if !host.is_empty() {
            let path = format!("endpoints[{index}].hostname");
            errors.extend(names::label(host).iter().map(|why| FieldError::invalid(path.as_str(), &host.into(), why)));
        }
    }
}

/// Loopback addresses, which the real server refuses, are those of all pods here.
fn address(given: &str, kind: &str, path: &str, number: usize, errors: &mut Vec<FieldError>) {
    if !matches!(kind, "IPv4" | "IPv6") {
        return;
    }
    let at = format!("{path}[{number}]");
    match given.parse::<IpAddr>() {
        Err(_) => {
            let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
            errors.push(FieldError::invalid(at, &given.into(), why));
        }
        Ok(found) if found.is_ipv4() != (kind == "IPv4") => {
            errors.push(FieldError::invalid(path, &given.into(), &format!("must be an {kind} address")));
        }
        Ok(found) if found.is_unspecified() => {
            errors.push(FieldError::invalid(at, &given.into(), &format!("may not be unspecified ({given})")));
        }
        Ok(_) => {}
    }
}
