//! What adds kinds, servers and checks to this one.

use k8s_openapi::api;
use serde_json::json;

use super::printer_column::{AGE, CREATED_AT, NAME, integer, text};
use super::row::{CLUSTER, CLUSTER_STATUS, GroupVersion, NewStatus, Row, schema};
use crate::table::built_in::{admission, cluster, dated};

pub(super) const AGGREGATION: GroupVersion = GroupVersion {
    group: "apiregistration.k8s.io",
    version: "v1",
    priority: 16_000,
    version_priority: 15,
    rows: AGGREGATION_ROWS,
};

const AGGREGATION_ROWS: &[Row] = &[Row {
    kind: "APIService",
    plural: "apiservices",
    categories: &["api-extensions"],
    columns: &[
        NAME,
        text("Service").says("The reference to the service that hosts this API endpoint."),
        text("Available").says("Whether this service is available."),
        AGE,
    ],
    cells: cluster::api_service,
    new_status: NewStatus::Sent,
    zero: || json!({"spec": {"groupPriorityMinimum": 0, "versionPriority": 0}, "status": {}}),
    ..CLUSTER_STATUS
}];

pub(super) const ADMISSION: GroupVersion = GroupVersion {
    group: "admissionregistration.k8s.io",
    version: "v1",
    priority: 16_700,
    version_priority: 15,
    rows: ADMISSION_ROWS,
};

const ADMISSION_ROWS: &[Row] = &[
    Row {
        kind: "MutatingWebhookConfiguration",
        plural: "mutatingwebhookconfigurations",
        schema: Some(schema::<api::admissionregistration::v1::MutatingWebhookConfiguration>),
        ..WEBHOOKS
    },
    Row {
        kind: "ValidatingAdmissionPolicy",
        plural: "validatingadmissionpolicies",
        categories: &["api-extensions"],
        columns: &[
            NAME,
            integer("Validations")
                .says("Validations indicates the number of validation rules defined in this configuration"),
            text("ParamKind").says("ParamKind specifies the kind of resources used to parameterize this policy"),
            AGE,
        ],
        cells: admission::policy,
        schema: Some(schema::<api::admissionregistration::v1::ValidatingAdmissionPolicy>),
        ..CLUSTER_STATUS
    },
    Row {
        kind: "ValidatingAdmissionPolicyBinding",
        plural: "validatingadmissionpolicybindings",
        categories: &["api-extensions"],
        columns: &[
            NAME,
            text("PolicyName").says("PolicyName indicates the policy definition which the policy binding binded to"),
            text("ParamRef").says("ParamRef indicates the param resource which sets the configuration param"),
            AGE,
        ],
        cells: admission::binding,
        schema: Some(schema::<api::admissionregistration::v1::ValidatingAdmissionPolicyBinding>),
        ..CLUSTER
    },
    Row {
        kind: "ValidatingWebhookConfiguration",
        plural: "validatingwebhookconfigurations",
        schema: Some(schema::<api::admissionregistration::v1::ValidatingWebhookConfiguration>),
        ..WEBHOOKS
    },
];

/// What both configurations of webhooks have alike.
const WEBHOOKS: Row = Row {
    categories: &["api-extensions"],
    columns: &[
        NAME,
        integer("Webhooks").says("Webhooks indicates the number of webhooks registered in this configuration"),
        AGE,
    ],
    cells: admission::webhooks,
    generation: true,
    ..CLUSTER
};

pub(super) const DEFINITIONS: GroupVersion = GroupVersion {
    group: "apiextensions.k8s.io",
    version: "v1",
    priority: 16_700,
    version_priority: 15,
    rows: DEFINITIONS_ROWS,
};

const DEFINITIONS_ROWS: &[Row] = &[Row {
    kind: "CustomResourceDefinition",
    plural: "customresourcedefinitions",
    short_names: &["crd", "crds"],
    categories: &["api-extensions"],
    generation: true,
    columns: &[NAME, CREATED_AT],
    cells: dated,
    zero: || {
        json!({
            "spec": {"group": "", "names": {"plural": "", "kind": ""}, "scope": "", "versions": null}, "status": {},
        })
    },
    ..CLUSTER_STATUS
}];
