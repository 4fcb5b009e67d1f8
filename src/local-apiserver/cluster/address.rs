//! Where the pods of a Service are reached by the server itself.

use super::Cluster;

/// Why a remote server cannot be reached: a reason of the Available condition, and a sentence.
pub(crate) struct Unreachable {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// The address behind a Service's port.
pub(crate) fn address(cluster: &Cluster, namespace: &str, name: &str, port: u64) -> Result<(String, u16), Unreachable> {
    let found = cluster.get("services", namespace, name).ok_or_else(|| Unreachable {
        reason: "ServiceNotFound",
        message: format!("service/{name} in \"{namespace}\" is not present"),
    })?;
    let ports = found["spec"]["ports"].as_array().cloned().unwrap_or_default();
    let wanted = ports.iter().find(|held| held["port"].as_u64() == Some(port)).ok_or_else(|| Unreachable {
        reason: "ServicePortError",
        message: format!("service/{name} in \"{namespace}\" is not listening on port {port}"),
    })?;
    let (slices, _) = cluster.store.list("endpointslices.discovery.k8s.io", Some(namespace));
    let own = slices.iter().filter(|slice| slice["metadata"]["labels"]["kubernetes.io/service-name"] == name);
    for slice in own {
        let port = slice["ports"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|held| held["name"].as_str().unwrap_or_default() == wanted["name"].as_str().unwrap_or_default());
        let ready =
            slice["endpoints"].as_array().into_iter().flatten().find(|held| held["conditions"]["ready"] != false);
        if let (Some(port), Some(ready)) = (port.and_then(|port| port["port"].as_u64()), ready)
            && let (Ok(port), Some(host)) = (u16::try_from(port), ready["addresses"][0].as_str())
        {
            return Ok((host.to_owned(), port));
        }
    }
    Err(Unreachable {
        reason: "MissingEndpoints",
        message: format!(
            "endpoints for service/{name} in \"{namespace}\" have no addresses with port name \"{}\"",
            wanted["name"].as_str().unwrap_or_default()
        ),
    })
}
