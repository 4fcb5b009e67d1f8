//! What is served: the table of built-in kinds, one row a kind, and the shape that custom ones take.

mod access;
mod core;
mod extensions;
mod network;
pub(crate) mod printer_column;
pub(crate) mod row;
mod storage;
mod workloads;

use std::sync::{Arc, LazyLock};

use serde_json::Value;

use self::row::{COMPUTED, GroupVersion, NewStatus, Row, Subresource};
use crate::crd::rules::Rules;

/// What can be done with a custom resource, in the order in which discovery shows it.
const CUSTOM_VERBS: &[&str] = &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];

/// A served resource in one version.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) list_kind: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) namespaced: bool,
    /// Has a `/status` subresource.
    pub(crate) status: bool,
    /// Where `/scale` finds its numbers.
    pub(crate) scale: Option<Scale>,
    /// Only `create`: the answer is computed and nothing is stored.
    pub(crate) virtual_only: bool,
    /// The row of a built-in kind; none for a custom one.
    pub(crate) row: Option<&'static Row>,
    /// Schema and columns of a custom resource.
    pub(crate) custom: Option<Arc<CustomVersion>>,
}

/// One served version of a definition.
#[derive(Debug, Clone)]
pub(crate) struct CustomVersion {
    /// The structural schema (OpenAPI v3) of the whole object.
    pub(crate) schema: Option<Value>,
    /// Its `x-kubernetes-validations`.
    pub(crate) rules: Option<Arc<Rules>>,
    /// Fields that may be selected by, without the leading dot.
    pub(crate) selectable: Vec<String>,
    /// `additionalPrinterColumns`.
    pub(crate) columns: Vec<Value>,
    /// The uid of the definition.
    pub(crate) definition: String,
    /// The definition waits for the end of its instances; there will be no new ones.
    pub(crate) terminating: bool,
    /// Names the version in which objects are stored, as discovery shows it.
    pub(crate) storage_hash: String,
}

/// JSON paths (without the leading dot) of the scale subresource.
#[derive(Debug, Clone)]
pub(crate) struct Scale {
    pub(crate) spec_replicas: String,
    pub(crate) status_replicas: String,
    /// A string field, or a `metav1.LabelSelector`.
    pub(crate) selector: String,
}

impl Resource {
    /// `apps/v1`, or `v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The name of a built-in kind; empty for a custom one, which may be called the same.
    pub(crate) fn built_in_kind(&self) -> &'static str {
        self.row.map_or("", |row| row.kind)
    }

    /// The collection that holds its objects. Both groups of Event share one.
    pub(crate) fn collection(&self) -> String {
        if self.built_in_kind() == "Event" { self.plural.clone() } else { collection(&self.group, &self.plural) }
    }

    pub(crate) fn verbs(&self) -> &'static [&'static str] {
        match (&self.custom, self.row) {
            (Some(custom), _) if custom.terminating => &["delete", "deletecollection", "get", "list", "watch"],
            (_, Some(row)) => row.verbs,
            (_, None) => CUSTOM_VERBS,
        }
    }

    /// Subresources besides `status` and `scale`.
    pub(crate) fn extra_subresources(&self) -> &'static [Subresource] {
        self.row.map_or(&[], |row| row.subresources)
    }

    /// Whether its objects carry a generation.
    pub(crate) fn has_generation(&self) -> bool {
        self.row.is_none_or(|row| row.generation)
    }

    /// Whether a status that is sent with a new object goes.
    pub(crate) fn drops_new_status(&self) -> bool {
        self.row.map_or(self.status, |row| !matches!(row.new_status, NewStatus::Sent))
    }

    /// The status that a new object begins with, where the server itself gives one.
    pub(crate) fn first_status(&self) -> Option<Value> {
        match self.row?.new_status {
            NewStatus::Begins(status) => Some(status()),
            NewStatus::Sent | NewStatus::Absent => None,
        }
    }
}

/// The collection's name for a group and plural.
pub(crate) fn collection(group: &str, plural: &str) -> String {
    crate::status::qualified(plural, group)
}

/// Groups and versions in the order in which discovery prefers them.
pub(crate) const GROUP_VERSIONS: &[GroupVersion] = &[
    core::CORE,
    extensions::AGGREGATION,
    workloads::APPS,
    core::EVENTS,
    access::AUTHENTICATION,
    access::AUTHORIZATION,
    workloads::AUTOSCALING_V2,
    workloads::AUTOSCALING_V1,
    workloads::BATCH,
    network::NETWORKING,
    workloads::POLICY,
    access::RBAC,
    storage::STORAGE,
    extensions::ADMISSION,
    extensions::DEFINITIONS,
    workloads::SCHEDULING,
    workloads::COORDINATION,
    network::DISCOVERY,
];

/// The built-in resources, in discovery order.
pub(crate) static BUILT_IN: LazyLock<Vec<Arc<Resource>>> = LazyLock::new(|| {
    let of = |group: &'static GroupVersion| group.rows.iter().map(move |row| Arc::new(built_in(group, row)));
    GROUP_VERSIONS.iter().flat_map(of).collect()
});

fn built_in(of: &GroupVersion, row: &'static Row) -> Resource {
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    Resource {
        group: of.group.to_owned(),
        version: of.version.to_owned(),
        kind: row.kind.to_owned(),
        list_kind: format!("{}List", row.kind),
        plural: row.plural.to_owned(),
        singular: row.kind.to_lowercase(),
        short_names: texts(row.short_names),
        categories: texts(row.categories),
        namespaced: row.namespaced,
        status: row.status,
        scale: row.scale.then(|| Scale {
            spec_replicas: "spec.replicas".to_owned(),
            status_replicas: "status.replicas".to_owned(),
            selector: "spec.selector".to_owned(),
        }),
        virtual_only: row.verbs == COMPUTED,
        row: Some(row),
        custom: None,
    }
}
