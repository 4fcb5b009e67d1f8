//! Who somebody is, and what he may do.

use k8s_openapi::api;
use serde_json::json;

use super::printer_column::{AGE, CREATED_AT, NAME, text};
use super::row::{CLUSTER, GroupVersion, NAMESPACED, REVIEW, Row, schema};
use crate::table::built_in::{access, dated};

pub(super) const AUTHENTICATION: GroupVersion = GroupVersion {
    group: "authentication.k8s.io",
    version: "v1",
    priority: 17_700,
    version_priority: 15,
    rows: AUTHENTICATION_ROWS,
};

const AUTHENTICATION_ROWS: &[Row] = &[
    Row { kind: "SelfSubjectReview", plural: "selfsubjectreviews", ..REVIEW },
    Row { kind: "TokenReview", plural: "tokenreviews", ..REVIEW },
];

pub(super) const AUTHORIZATION: GroupVersion = GroupVersion {
    group: "authorization.k8s.io",
    version: "v1",
    priority: 17_600,
    version_priority: 15,
    rows: AUTHORIZATION_ROWS,
};

const AUTHORIZATION_ROWS: &[Row] = &[
    Row { kind: "LocalSubjectAccessReview", plural: "localsubjectaccessreviews", namespaced: true, ..REVIEW },
    Row { kind: "SelfSubjectAccessReview", plural: "selfsubjectaccessreviews", ..REVIEW },
    Row { kind: "SelfSubjectRulesReview", plural: "selfsubjectrulesreviews", ..REVIEW },
    Row { kind: "SubjectAccessReview", plural: "subjectaccessreviews", ..REVIEW },
];

pub(super) const RBAC: GroupVersion = GroupVersion {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    priority: 17_000,
    version_priority: 15,
    rows: RBAC_ROWS,
};

const RBAC_ROWS: &[Row] = &[
    Row {
        kind: "ClusterRoleBinding",
        plural: "clusterrolebindings",
        columns: &[
            NAME,
            text("Role").of_until(" This field is immutable", "ClusterRoleBinding", "roleRef"),
            AGE,
            text("Users").wide().says("Users in the clusterRoleBinding"),
            text("Groups").wide().says("Groups in the clusterRoleBinding"),
            text("ServiceAccounts").wide().says("ServiceAccounts in the clusterRoleBinding"),
        ],
        cells: access::binding,
        zero: || json!({"roleRef": {"apiGroup": "", "kind": "", "name": ""}}),
        schema: Some(schema::<api::rbac::v1::ClusterRoleBinding>),
        ..CLUSTER
    },
    Row {
        kind: "ClusterRole",
        plural: "clusterroles",
        columns: &[NAME, CREATED_AT],
        cells: dated,
        zero: || json!({"rules": null}),
        schema: Some(schema::<api::rbac::v1::ClusterRole>),
        ..CLUSTER
    },
    Row {
        kind: "RoleBinding",
        plural: "rolebindings",
        columns: &[
            NAME,
            text("Role").of_until(" This field is immutable", "RoleBinding", "roleRef"),
            AGE,
            text("Users").wide().says("Users in the roleBinding"),
            text("Groups").wide().says("Groups in the roleBinding"),
            text("ServiceAccounts").wide().says("ServiceAccounts in the roleBinding"),
        ],
        cells: access::binding,
        zero: || json!({"roleRef": {"apiGroup": "", "kind": "", "name": ""}}),
        schema: Some(schema::<api::rbac::v1::RoleBinding>),
        ..NAMESPACED
    },
    Row {
        kind: "Role",
        plural: "roles",
        columns: &[NAME, CREATED_AT],
        cells: dated,
        zero: || json!({"rules": null}),
        schema: Some(schema::<api::rbac::v1::Role>),
        ..NAMESPACED
    },
];
