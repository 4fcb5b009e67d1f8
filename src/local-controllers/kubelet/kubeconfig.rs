//! The kubeconfig that stands in for in-cluster configuration, where a container has no file system of its own:
//! its paths are fixed.

use std::path::PathBuf;

use serde_json::json;

use super::mounts::Mounts;
use super::pod::Pod;
use crate::error::{Error, Result};

const TOKEN_MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Writes the file if the container has an API token, and gives its path.
pub(super) fn write(pod: &Pod, mounts: &Mounts) -> Result<Option<PathBuf>> {
    use base64::Engine as _;
    let Some(token) = mounts.at(std::path::Path::new(TOKEN_MOUNT)).map(|folder| folder.join("token")) else {
        return Ok(None);
    };
    let options = &pod.node.options;
    let ca = base64::engine::general_purpose::STANDARD.encode(&options.ca_pem);
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "pod",
        "clusters": [{"name": options.cluster_name,
                      "cluster": {"server": options.server_url, "certificate-authority-data": ca}}],
        "users": [{"name": "pod", "user": {"tokenFile": token}}],
        "contexts": [{"name": "pod", "context": {
            "cluster": options.cluster_name, "user": "pod", "namespace": pod.key.namespace}}],
    });
    // JSON is YAML, and needs no writer.
    let path = pod.dir.join("kubeconfig");
    std::fs::write(&path, format!("{config:#}\n")).map_err(Error::file(&path))?;
    Ok(Some(path))
}
