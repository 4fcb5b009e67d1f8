//! Classes of volumes; the volumes are in the core group.

use k8s_openapi::api;
use serde_json::json;

use super::printer_column::{AGE, NAME, text};
use super::row::{CLUSTER, GroupVersion, Row, schema};
use crate::table::built_in::volume;

pub(super) const STORAGE: GroupVersion =
    GroupVersion { group: "storage.k8s.io", version: "v1", priority: 16_800, version_priority: 15, rows: STORAGE_ROWS };

const STORAGE_ROWS: &[Row] = &[Row {
    kind: "StorageClass",
    plural: "storageclasses",
    short_names: &["sc"],
    columns: &[
        NAME,
        text("Provisioner").of("StorageClass", "provisioner"),
        text("ReclaimPolicy").of("StorageClass", "reclaimPolicy"),
        text("VolumeBindingMode").of("StorageClass", "volumeBindingMode"),
        text("AllowVolumeExpansion").of("StorageClass", "allowVolumeExpansion"),
        AGE,
    ],
    cells: volume::class,
    zero: || json!({"provisioner": ""}),
    schema: Some(schema::<api::storage::v1::StorageClass>),
    ..CLUSTER
}];
