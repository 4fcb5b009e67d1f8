//! The node object that a Fargate pod has to itself.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::fargate::Capacity;
use crate::object::{annotation, second, uid};

pub(crate) const PREFIX: &str = "fargate-ip-";
const POD_UID: &str = "sluice.local/pod-uid";

pub(super) fn name(address: Ipv4Addr) -> String {
    format!("{PREFIX}{}", address.to_string().replace('.', "-"))
}

/// The uid of the pod for which a node was made; none for other nodes.
pub(super) fn pod_uid(node: &Value) -> Option<&str> {
    annotation(node, POD_UID)
}

pub(super) fn build(pod: &Value, address: Ipv4Addr, capacity: Capacity, now: Timestamp) -> Value {
    let name = name(address);
    let now = second(now);
    let cpu = capacity.milli_cpu.div_ceil(1000).max(1).to_string();
    let memory = format!("{}Ki", capacity.mebibytes * 1024);
    let resources = json!({"cpu": cpu, "memory": memory, "pods": "1", "ephemeral-storage": "20Gi"});
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": message,
               "lastHeartbeatTime": now, "lastTransitionTime": now})
    };
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "eks.amazonaws.com/compute-type": "fargate", "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux",
                "beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux", "kubernetes.io/hostname": name,
            },
            "annotations": {POD_UID: uid(pod)},
        },
        "spec": {
            "providerID": format!("aws:///local/{name}"),
            "taints": [{"key": "eks.amazonaws.com/compute-type", "value": "fargate", "effect": "NoSchedule"}],
        },
        "status": {
            "capacity": resources, "allocatable": resources,
            "addresses": [
                {"type": "InternalIP", "address": address.to_string()}, {"type": "Hostname", "address": name},
            ],
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
            ],
            "nodeInfo": {
                "architecture": "amd64", "operatingSystem": "linux", "bootID": "", "machineID": "", "systemUUID": "",
                "containerRuntimeVersion": "sluice://processes", "kernelVersion": "", "kubeProxyVersion": "",
                "kubeletVersion": "v1.35.0-sluice", "osImage": "Sluice local cloud",
            },
        },
    })
}
