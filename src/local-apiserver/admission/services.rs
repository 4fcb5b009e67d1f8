//! Cluster addresses of Services, from 10.100.0.0/16 as EKS has it.

use serde_json::{Value, json};

use crate::handlers::Asked;
use crate::status::{FieldError, Status};

/// Gives a new Service its address, and keeps it afterwards.
pub(crate) fn allocate(asked: &Asked<'_>, old: Option<&Value>, object: &mut Value) -> Result<(), Status> {
    if object["spec"]["type"] == "ExternalName" {
        return Ok(());
    }
    let (all, _) = asked.cluster.store.list("services", None);
    if let Some(old) = old {
        let held = &old["spec"]["clusterIP"];
        if object["spec"]["clusterIP"].is_null() {
            object["spec"]["clusterIP"] = held.clone();
            object["spec"]["clusterIPs"] = json!([held]);
        } else if object["spec"]["clusterIP"] != *held {
            let error =
                FieldError::invalid("spec.clusterIPs[0]", &object["spec"]["clusterIP"], "may not change once set");
            return Err(Status::invalid("", "Service", &asked.target.name, &[error]));
        }
    } else if object["spec"]["clusterIP"].as_str().unwrap_or_default().is_empty() {
        let used = |address: &str| all.iter().any(|service| service["spec"]["clusterIP"] == address);
        let free = (10_u32..65_534).map(|n| format!("10.100.{}.{}", n >> 8, n & 255)).find(|address| !used(address));
        let address = free.ok_or_else(|| Status::internal("failed to allocate a serviceIP: range is full"))?;
        object["spec"]["clusterIP"] = address.into();
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
