//! Tables: what `kubectl get` prints.

mod age;
pub(crate) mod built_in;
mod column;
mod columns;
mod custom;
pub(crate) mod row;

use std::sync::Arc;

use serde_json::{Value, json};

use self::row::RowObject;
use crate::object::metadata;
use crate::request::resource_request::ResourceRequest;

/// A Table of some objects, in a version of `meta.k8s.io`.
pub(crate) fn render(request: &ResourceRequest<'_>, version: &str, objects: &[Arc<Value>], metadata: &Value) -> Value {
    let resource = &request.resource;
    let now = request.cluster.clock.now();
    let own = resource.custom.as_ref().map_or(&[][..], |version| &version.columns);
    let columns = resource.row.map_or_else(|| custom::columns(own), columns::of);
    let cells =
        |object: &Value| resource.row.map_or_else(|| custom::cells(own, object, now), |row| (row.cells)(object, now));
    // That it is one of them was checked before.
    let held = row::held(request.call.query.get("includeObject")).unwrap_or(RowObject::Metadata);
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut row = json!({"cells": cells(object)});
            match held {
                RowObject::Nothing => row["object"] = Value::Null,
                RowObject::Whole => row["object"] = crate::object::versions::served(resource, object),
                RowObject::Metadata => row["object"] = metadata::only(object, version),
            }
            row
        })
        .collect();
    let definitions: Vec<Value> = columns
        .iter()
        .map(|column| {
            json!({
                "name": column.name, "type": column.kind, "format": column.format, "description": column.description,
                "priority": i32::from(column.wide),
            })
        })
        .collect();
    json!({
        "kind": "Table", "apiVersion": version, "metadata": metadata, "columnDefinitions": definitions, "rows": rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::BUILT_IN;

    #[test]
    fn a_built_in_kind_has_a_cell_for_each_column() {
        for resource in BUILT_IN.iter().filter(|resource| !resource.virtual_only) {
            let row = resource.row.unwrap();
            let cells = (row.cells)(&json!({}), jiff::Timestamp::UNIX_EPOCH);
            assert_eq!(cells.len(), columns::of(row).len(), "{} {}", resource.api_version(), row.kind);
        }
    }
}
