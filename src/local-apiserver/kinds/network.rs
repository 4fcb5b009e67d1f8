//! Ways to pods.

use k8s_openapi::api;
use serde_json::json;

use super::printer_column::{AGE, NAME, text};
use super::row::{CLUSTER, GroupVersion, NAMESPACED, NewStatus, Row, WITH_STATUS, schema};
use crate::table::built_in::network;

pub(super) const NETWORKING: GroupVersion = GroupVersion {
    group: "networking.k8s.io",
    version: "v1",
    priority: 17_200,
    version_priority: 15,
    rows: NETWORKING_ROWS,
};

const NETWORKING_ROWS: &[Row] = &[
    Row {
        kind: "IngressClass",
        plural: "ingressclasses",
        generation: true,
        columns: &[
            NAME,
            text("Controller").says("Controller that is responsible for handling this class"),
            text("Parameters").says("A reference to a resource with additional parameters"),
            AGE,
        ],
        cells: network::ingress_class,
        zero: || json!({"spec": {}}),
        schema: Some(schema::<api::networking::v1::IngressClass>),
        ..CLUSTER
    },
    Row {
        kind: "Ingress",
        plural: "ingresses",
        short_names: &["ing"],
        generation: true,
        columns: &[
            NAME,
            text("Class")
                .says("The name of the IngressClass resource that should be used for additional configuration"),
            text("Hosts").says("Hosts that incoming requests are matched against before the ingress rule"),
            text("Address").says("Address is a list containing ingress points for the load-balancer"),
            text("Ports").says("Ports of TLS configurations that open"),
            AGE,
        ],
        cells: network::ingress,
        new_status: NewStatus::Begins(|| json!({"loadBalancer": {}})),
        zero: || json!({"spec": {}, "status": {"loadBalancer": {}}}),
        schema: Some(schema::<api::networking::v1::Ingress>),
        ..WITH_STATUS
    },
    Row {
        kind: "NetworkPolicy",
        plural: "networkpolicies",
        short_names: &["netpol"],
        generation: true,
        columns: &[NAME, text("Pod-Selector").of("NetworkPolicySpec", "podSelector"), AGE],
        cells: network::network_policy,
        zero: || json!({"spec": {}}),
        schema: Some(schema::<api::networking::v1::NetworkPolicy>),
        ..NAMESPACED
    },
];

pub(super) const DISCOVERY: GroupVersion = GroupVersion {
    group: "discovery.k8s.io",
    version: "v1",
    priority: 16_200,
    version_priority: 15,
    rows: DISCOVERY_ROWS,
};

const DISCOVERY_ROWS: &[Row] = &[Row {
    kind: "EndpointSlice",
    plural: "endpointslices",
    generation: true,
    columns: &[
        NAME,
        text("AddressType").of_until(" (Deprecated)", "EndpointSlice", "addressType"),
        text("Ports").of("EndpointSlice", "ports"),
        text("Endpoints").of("EndpointSlice", "endpoints"),
        AGE,
    ],
    cells: network::endpoint_slice,
    zero: || json!({"addressType": "", "endpoints": null, "ports": null}),
    schema: Some(schema::<api::discovery::v1::EndpointSlice>),
    ..NAMESPACED
}];
