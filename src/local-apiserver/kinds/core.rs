//! The core group, and events.

use k8s_openapi::api;
use serde_json::json;

use super::printer_column::{AGE, CONTAINERS, CREATED_AT, IMAGES, NAME, PrinterColumn, integer, text};
use super::row::{
    CLUSTER_STATUS, GroupVersion, NAMESPACED, NewStatus, ONE_BY_ONE, Row, SCALED, WITH_STATUS, WORKLOAD, schema,
};
use crate::table::built_in::{cluster, data, dated, network, pod, volume, workload};

pub(super) const CORE: GroupVersion =
    GroupVersion { group: "", version: "v1", priority: 18_000, version_priority: 1, rows: CORE_ROWS };

const CORE_ROWS: &[Row] = &[
    Row {
        kind: "ConfigMap",
        plural: "configmaps",
        short_names: &["cm"],
        columns: &[NAME, text("Data").of("ConfigMap", "data"), AGE],
        cells: data::config_map,
        schema: Some(schema::<api::core::v1::ConfigMap>),
        ..NAMESPACED
    },
    Row {
        kind: "Endpoints",
        plural: "endpoints",
        short_names: &["ep"],
        columns: &[NAME, text("Endpoints").of("Endpoints", "subsets"), AGE],
        cells: network::endpoints,
        schema: Some(schema::<api::core::v1::Endpoints>),
        ..NAMESPACED
    },
    Row { schema: Some(schema::<api::core::v1::Event>), ..EVENT },
    Row {
        kind: "LimitRange",
        plural: "limitranges",
        short_names: &["limits"],
        columns: &[NAME, CREATED_AT],
        cells: dated,
        zero: || json!({"spec": {}}),
        schema: Some(schema::<api::core::v1::LimitRange>),
        ..NAMESPACED
    },
    Row {
        kind: "Namespace",
        plural: "namespaces",
        short_names: &["ns"],
        verbs: ONE_BY_ONE,
        subresources: &[("finalize", "Namespace", &["update"])],
        selectable: &["status.phase"],
        columns: &[NAME, text("Status").says("The status of the namespace"), AGE],
        cells: cluster::namespace,
        new_status: NewStatus::Begins(|| json!({"phase": "Active"})),
        zero: || json!({"spec": {}, "status": {}}),
        schema: Some(schema::<api::core::v1::Namespace>),
        ..CLUSTER_STATUS
    },
    Row {
        kind: "Node",
        plural: "nodes",
        short_names: &["no"],
        selectable: &["spec.unschedulable"],
        columns: &[
            NAME,
            text("Status").says("The status of the node"),
            text("Roles").says("The roles of the node"),
            AGE,
            text("Version").of("NodeSystemInfo", "kubeletVersion"),
            text("Internal-IP").wide().of("NodeStatus", "addresses"),
            text("External-IP").wide().of("NodeStatus", "addresses"),
            text("OS-Image").wide().of("NodeSystemInfo", "osImage"),
            text("Kernel-Version").wide().of("NodeSystemInfo", "kernelVersion"),
            text("Container-Runtime").wide().of("NodeSystemInfo", "containerRuntimeVersion"),
        ],
        cells: cluster::node,
        new_status: NewStatus::Sent,
        zero: || json!({"spec": {}, "status": {}}),
        schema: Some(schema::<api::core::v1::Node>),
        ..CLUSTER_STATUS
    },
    Row {
        kind: "PersistentVolumeClaim",
        plural: "persistentvolumeclaims",
        short_names: &["pvc"],
        columns: &[
            NAME,
            text("Status").of("PersistentVolumeClaimStatus", "phase"),
            text("Volume").of("PersistentVolumeClaimSpec", "volumeName"),
            text("Capacity").of("PersistentVolumeClaimStatus", "capacity"),
            text("Access Modes").of("PersistentVolumeClaimStatus", "accessModes"),
            text("StorageClass").says("StorageClass of the pvc"),
            text("VolumeAttributesClass").says("VolumeAttributesClass of the pvc"),
            AGE,
            text("VolumeMode").wide().of("PersistentVolumeClaimSpec", "volumeMode"),
        ],
        cells: volume::claim,
        new_status: NewStatus::Begins(|| json!({"phase": "Pending"})),
        zero: || json!({"spec": {"resources": {}}, "status": {}}),
        schema: Some(schema::<api::core::v1::PersistentVolumeClaim>),
        ..WITH_STATUS
    },
    Row {
        kind: "PersistentVolume",
        plural: "persistentvolumes",
        short_names: &["pv"],
        columns: &[
            NAME,
            text("Capacity").of("PersistentVolumeSpec", "capacity"),
            text("Access Modes").of("PersistentVolumeSpec", "accessModes"),
            text("Reclaim Policy").of("PersistentVolumeSpec", "persistentVolumeReclaimPolicy"),
            text("Status").of("PersistentVolumeStatus", "phase"),
            text("Claim").of("PersistentVolumeSpec", "claimRef"),
            text("StorageClass").says("StorageClass of the pv"),
            text("VolumeAttributesClass").says("VolumeAttributesClass of the pv"),
            text("Reason").of("PersistentVolumeStatus", "reason"),
            AGE,
            text("VolumeMode").wide().of("PersistentVolumeSpec", "volumeMode"),
        ],
        cells: volume::volume,
        new_status: NewStatus::Begins(|| json!({"phase": "Pending"})),
        zero: || json!({"spec": {}, "status": {}}),
        schema: Some(schema::<api::core::v1::PersistentVolume>),
        ..CLUSTER_STATUS
    },
    Row {
        kind: "Pod",
        plural: "pods",
        short_names: &["po"],
        subresources: &[
            ("log", "Pod", &["get"]),
            ("eviction", "Eviction", &["create"]),
            ("binding", "Binding", &["create"]),
        ],
        generation: true,
        selectable: &[
            "spec.hostNetwork",
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.nominatedNodeName",
            "status.phase",
            "status.podIP",
        ],
        columns: &[
            NAME,
            text("Ready").says("The aggregate readiness state of this pod for accepting traffic."),
            text("Status").says("The aggregate status of the containers in this pod."),
            text("Restarts").says(
                "The number of times the containers in this pod have been restarted and when the last \
                 container in this pod has restarted.",
            ),
            AGE,
            text("IP").wide().of("PodStatus", "podIP"),
            text("Node").wide().of("PodSpec", "nodeName"),
            text("Nominated Node").wide().of("PodStatus", "nominatedNodeName"),
            text("Readiness Gates").wide().of("PodSpec", "readinessGates"),
        ],
        cells: pod::cells,
        zero: || json!({"spec": {"containers": null}, "status": {}}),
        schema: Some(schema::<api::core::v1::Pod>),
        ..WORKLOAD
    },
    Row {
        kind: "ReplicationController",
        plural: "replicationcontrollers",
        short_names: &["rc"],
        columns: &[
            NAME,
            integer("Desired"),
            integer("Current"),
            integer("Ready"),
            AGE,
            CONTAINERS,
            IMAGES,
            text("Selector").wide(),
        ],
        cells: workload::replicas,
        schema: Some(schema::<api::core::v1::ReplicationController>),
        ..SCALED
    },
    Row {
        kind: "ResourceQuota",
        plural: "resourcequotas",
        short_names: &["quota"],
        columns: &[
            NAME,
            text("Request").says("Request represents a minimum amount of cpu/memory that a container may consume."),
            text("Limit").says(
                "Limits control the maximum amount of cpu/memory that a container may use independent \
                 of contention on the node.",
            ),
            AGE,
        ],
        cells: cluster::quota,
        zero: || json!({"spec": {}, "status": {}}),
        schema: Some(schema::<api::core::v1::ResourceQuota>),
        ..WITH_STATUS
    },
    Row {
        kind: "Secret",
        plural: "secrets",
        selectable: &["type"],
        columns: &[NAME, text("Type").of("Secret", "type"), text("Data").of("Secret", "data"), AGE],
        cells: data::secret,
        schema: Some(schema::<api::core::v1::Secret>),
        ..NAMESPACED
    },
    Row {
        kind: "ServiceAccount",
        plural: "serviceaccounts",
        short_names: &["sa"],
        subresources: &[("token", "TokenRequest", &["create"])],
        schema: Some(schema::<api::core::v1::ServiceAccount>),
        ..NAMESPACED
    },
    Row {
        kind: "Service",
        plural: "services",
        short_names: &["svc"],
        selectable: &["spec.clusterIP", "spec.type"],
        columns: &[
            NAME,
            text("Type").of("ServiceSpec", "type"),
            text("Cluster-IP").of("ServiceSpec", "clusterIP"),
            text("External-IP").of("ServiceSpec", "externalIPs"),
            text("Port(s)").of("ServiceSpec", "ports"),
            AGE,
            text("Selector").wide().of("ServiceSpec", "selector"),
        ],
        cells: network::service,
        zero: || json!({"spec": {}, "status": {"loadBalancer": {}}}),
        schema: Some(schema::<api::core::v1::Service>),
        ..WORKLOAD
    },
];

pub(super) const EVENTS: GroupVersion =
    GroupVersion { group: "events.k8s.io", version: "v1", priority: 17_750, version_priority: 15, rows: EVENTS_ROWS };

const EVENTS_ROWS: &[Row] = &[EVENT];

/// An Event, in both groups.
const EVENT: Row = Row {
    kind: "Event",
    plural: "events",
    short_names: &["ev"],
    selectable: EVENT_FIELDS,
    columns: EVENT_COLUMNS,
    cells: cluster::event,
    zero: || {
        json!({
            "involvedObject": {}, "source": {}, "reportingComponent": "", "reportingInstance": "",
            "eventTime": null,
            "firstTimestamp": null, "lastTimestamp": null,
        })
    },
    ..NAMESPACED
};

/// Fields by which events are selected, in both groups.
const EVENT_FIELDS: &[&str] = &[
    "involvedObject.apiVersion",
    "involvedObject.fieldPath",
    "involvedObject.kind",
    "involvedObject.name",
    "involvedObject.namespace",
    "involvedObject.resourceVersion",
    "involvedObject.uid",
    "reason",
    "regarding.kind",
    "regarding.name",
    "regarding.namespace",
    "regarding.uid",
    "reportingComponent",
    "reportingController",
    "source",
    "type",
];

const EVENT_COLUMNS: &[PrinterColumn] = &[
    text("Last Seen").of("Event", "lastTimestamp"),
    text("Type").of("Event", "type"),
    text("Reason").of("Event", "reason"),
    text("Object").of("Event", "involvedObject"),
    text("Subobject").wide().of("ObjectReference", "fieldPath"),
    text("Source").wide().of("Event", "source"),
    text("Message").of("Event", "message"),
    text("First Seen").wide().of("Event", "firstTimestamp"),
    text("Count").wide().of("Event", "count"),
    NAME.wide(),
];
