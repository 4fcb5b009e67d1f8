//! What a built-in kind is: one row of the table.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use super::printer_column::{AGE, NAME, PrinterColumn};
use crate::table::built_in::{Cells, plain};

/// A group in one version, with its kinds as discovery lists them.
pub(crate) struct GroupVersion {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    /// `groupPriorityMinimum` of its APIService.
    pub(crate) priority: i64,
    /// `versionPriority` of its APIService.
    pub(crate) version_priority: i64,
    pub(crate) rows: &'static [Row],
}

/// A subresource besides `status` and `scale`: its name, its kind and its verbs.
pub(crate) type Subresource = (&'static str, &'static str, &'static [&'static str]);

/// One built-in kind, without its defaults and its validation, which lie in `admission`.
#[expect(clippy::struct_excessive_bools, reason = "a row of yes and no per kind is what discovery is made of")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) short_names: &'static [&'static str],
    pub(crate) categories: &'static [&'static str],
    pub(crate) namespaced: bool,
    pub(crate) verbs: &'static [&'static str],
    /// Has a `/status` subresource.
    pub(crate) status: bool,
    /// Has a `/scale` subresource, of `spec.replicas`.
    pub(crate) scale: bool,
    pub(crate) subresources: &'static [Subresource],
    /// Its objects carry a generation.
    pub(crate) generation: bool,
    /// Fields that may be selected by, besides name and namespace.
    pub(crate) selectable: &'static [&'static str],
    /// What `kubectl get` shows.
    pub(crate) columns: &'static [PrinterColumn],
    /// The cells below the columns.
    pub(crate) cells: Cells,
    pub(crate) new_status: NewStatus,
    /// The fields that every object has, as Go's struct values are never absent.
    pub(crate) zero: fn() -> Value,
    /// The schema of its objects; none for kinds whose fields nobody checks.
    pub(crate) schema: Option<fn(&mut SchemaGenerator) -> Value>,
}

/// What becomes of the status that is sent with a new object.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NewStatus {
    /// It stays.
    Sent,
    /// It goes; whoever works on the kind writes the first one.
    Absent,
    /// This is the first one.
    Begins(fn() -> Value),
}

/// Everything that can be done with an ordinary resource.
const ALL_VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
/// The same, one object at a time.
pub(super) const ONE_BY_ONE: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];
/// The answer is computed and nothing is stored.
pub(super) const COMPUTED: &[&str] = &["create"];

/// The rest of a row, by what most kinds of a sort have in common.
pub(super) const CLUSTER: Row = Row {
    kind: "",
    plural: "",
    short_names: &[],
    categories: &[],
    namespaced: false,
    verbs: ALL_VERBS,
    status: false,
    scale: false,
    subresources: &[],
    generation: false,
    selectable: &[],
    columns: &[NAME, AGE],
    cells: plain,
    new_status: NewStatus::Sent,
    zero: || json!({}),
    schema: None,
};
pub(super) const NAMESPACED: Row = Row { namespaced: true, ..CLUSTER };
pub(super) const REVIEW: Row = Row { verbs: COMPUTED, ..CLUSTER };
pub(super) const WITH_STATUS: Row = Row { status: true, new_status: NewStatus::Absent, ..NAMESPACED };
pub(super) const CLUSTER_STATUS: Row = Row { namespaced: false, ..WITH_STATUS };
pub(super) const WORKLOAD: Row = Row { categories: &["all"], ..WITH_STATUS };
pub(super) const SCALED: Row = Row { scale: true, ..WORKLOAD };

/// The schema of a kind's Rust type.
pub(super) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}
