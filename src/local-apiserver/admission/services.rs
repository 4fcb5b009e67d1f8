//! Cluster addresses of Services, from 10.100.0.0/16 as EKS has it.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::request::resource_request::ResourceRequest;
use crate::status::{FieldError, Status};

/// Gives a new Service its address, and keeps it afterwards.
pub(crate) fn allocate(request: &ResourceRequest<'_>, old: Option<&Value>, object: &mut Value) -> Result<(), Status> {
    if object["spec"]["type"] == "ExternalName" {
        return Ok(());
    }
    if let Some(old) = old {
        let held = &old["spec"]["clusterIP"];
        if object["spec"]["clusterIP"].is_null() {
            object["spec"]["clusterIP"] = held.clone();
            object["spec"]["clusterIPs"] = json!([held]);
        } else if object["spec"]["clusterIP"] != *held {
            let error =
                FieldError::invalid("spec.clusterIPs[0]", &object["spec"]["clusterIP"], "may not change once set");
            return Err(Status::invalid("", "Service", &request.target.name, &[error]));
        }
    } else {
        assign(request, object)?;
    }
    if object["spec"]["clusterIPs"].is_null() {
        object["spec"]["clusterIPs"] = json!([object["spec"]["clusterIP"]]);
    }
    for (field, value) in [("ipFamilies", json!(["IPv4"])), ("ipFamilyPolicy", "SingleStack".into())] {
        if object["spec"][field].is_null() {
            object["spec"][field] =
                old.map(|old| old["spec"][field].clone()).filter(|held| !held.is_null()).unwrap_or(value);
        }
    }
    if object["status"].is_null() {
        object["status"] = json!({"loadBalancer": {}});
    }
    Ok(())
}

/// The address that is asked for, if nobody has it, or else the first free one.
fn assign(request: &ResourceRequest<'_>, object: &mut Value) -> Result<(), Status> {
    let (all, _) = request.cluster.store.list("services", None);
    let used: HashSet<&str> = all.iter().filter_map(|service| service["spec"]["clusterIP"].as_str()).collect();
    let wanted = object["spec"]["clusterIP"].as_str().unwrap_or_default();
    if wanted.is_empty() {
        let free = (10_u32..65_534)
            .map(|n| format!("10.100.{}.{}", n >> 8, n & 255))
            .find(|address| !used.contains(address.as_str()));
        let address = free.ok_or_else(|| Status::internal("failed to allocate a serviceIP: range is full"))?;
        object["spec"]["clusterIP"] = address.into();
    } else if wanted != "None" && used.contains(wanted) {
        let detail = format!("failed to allocate IP {wanted}: provided IP is already allocated");
        let error = FieldError::invalid("spec.clusterIPs", &json!([wanted]), &detail);
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        return Err(Status::invalid("", "Service", name, &[error]));
    }
    Ok(())
}
