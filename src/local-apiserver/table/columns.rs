//! The columns of built-in kinds, as the real server's printers define them.

use super::column::Column;
use super::descriptions;
use crate::kinds::Resource;

/// Name, type (`s`tring, `i`nteger, `b`oolean, `d`ate), and `+` for those that only `-o wide` shows.
fn rows(kind: &str) -> &'static [&'static str] {
    match kind {
        "Pod" => &[
            "Ready s",
            "Status s",
            "Restarts s",
            "Age s",
            "IP s+",
            "Node s+",
            "Nominated Node s+",
            "Readiness Gates s+",
        ],
        "Deployment" => {
            &["Ready s", "Up-to-date s", "Available s", "Age s", "Containers s+", "Images s+", "Selector s+"]
        }
        "ReplicaSet" | "ReplicationController" => {
            &["Desired i", "Current i", "Ready i", "Age s", "Containers s+", "Images s+", "Selector s+"]
        }
        "StatefulSet" => &["Ready s", "Age s", "Containers s+", "Images s+"],
        "Job" => &["Status s", "Completions s", "Duration s", "Age s", "Containers s+", "Images s+", "Selector s+"],
        "Service" => &["Type s", "Cluster-IP s", "External-IP s", "Port(s) s", "Age s", "Selector s+"],
        "HorizontalPodAutoscaler" => &["Reference s", "Targets s", "MinPods s", "MaxPods s", "Replicas s", "Age s"],
        "Node" => &[
            "Status s",
            "Roles s",
            "Age s",
            "Version s",
            "Internal-IP s+",
            "External-IP s+",
            "OS-Image s+",
            "Kernel-Version s+",
            "Container-Runtime s+",
        ],
        "Namespace" => &["Status s", "Age s"],
        "Secret" => &["Type s", "Data s", "Age s"],
        "ConfigMap" => &["Data s", "Age s"],
        "Lease" => &["Holder s", "Age s"],
        "Endpoints" => &["Endpoints s", "Age s"],
        "EndpointSlice" => &["AddressType s", "Ports s", "Endpoints s", "Age s"],
        "APIService" => &["Service s", "Available s", "Age s"],
        "CustomResourceDefinition" | "Role" | "ClusterRole" | "LimitRange" => &["Created At d"],
        "RoleBinding" | "ClusterRoleBinding" => &["Role s", "Age s", "Users s+", "Groups s+", "ServiceAccounts s+"],
        "PodDisruptionBudget" => &["Min Available s", "Max Unavailable s", "Allowed Disruptions i", "Age s"],
        "ResourceQuota" => &["Request s", "Limit s", "Age s"],
        "PriorityClass" => &["Value i", "Global-Default b", "Age s", "PreemptionPolicy s"],
        "CronJob" => &[
            "Schedule s",
            "Timezone s",
            "Suspend b",
            "Active i",
            "Last Schedule s",
            "Age s",
            "Containers s+",
            "Images s+",
            "Selector s+",
        ],
        _ => volumes_and_ways_in(kind),
    }
}

/// Those of storage and of networking.
fn volumes_and_ways_in(kind: &str) -> &'static [&'static str] {
    match kind {
        "PersistentVolume" => &[
            "Capacity s",
            "Access Modes s",
            "Reclaim Policy s",
            "Status s",
            "Claim s",
            "StorageClass s",
            "VolumeAttributesClass s",
            "Reason s",
            "Age s",
            "VolumeMode s+",
        ],
        "PersistentVolumeClaim" => &[
            "Status s",
            "Volume s",
            "Capacity s",
            "Access Modes s",
            "StorageClass s",
            "VolumeAttributesClass s",
            "Age s",
            "VolumeMode s+",
        ],
        "StorageClass" => {
            &["Provisioner s", "ReclaimPolicy s", "VolumeBindingMode s", "AllowVolumeExpansion s", "Age s"]
        }
        "Ingress" => &["Class s", "Hosts s", "Address s", "Ports s", "Age s"],
        "IngressClass" => &["Controller s", "Parameters s", "Age s"],
        "NetworkPolicy" => &["Pod-Selector s", "Age s"],
        _ => &["Age s"],
    }
}

pub(crate) fn of(resource: &Resource) -> Vec<Column> {
    let mut columns = named(resource);
    for column in &mut columns {
        column.description = descriptions::of(&resource.kind, &column.name);
    }
    columns
}

fn named(resource: &Resource) -> Vec<Column> {
    let mut columns = Vec::new();
    if resource.kind == "Event" {
        for text in [
            "Last Seen s",
            "Type s",
            "Reason s",
            "Object s",
            "Subobject s+",
            "Source s+",
            "Message s",
            "First Seen s+",
            "Count s+",
            "Name s+",
        ] {
            columns.push(parse(text));
        }
        return columns;
    }
    columns.push(Column::new("Name", "string", false));
    columns.extend(rows(&resource.kind).iter().map(|text| parse(text)));
    columns
}

fn parse(text: &str) -> Column {
    let (name, flags) = text.rsplit_once(' ').unwrap_or((text, "s"));
    let kind = match flags.chars().next() {
        Some('i') => "integer",
        Some('b') => "boolean",
        Some('d') => "date",
        _ => "string",
    };
    Column::new(name, kind, flags.ends_with('+'))
}
