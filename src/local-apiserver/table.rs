//! Tables: what `kubectl get` prints.

mod built_in;
mod columns;
mod custom;
mod descriptions;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::request::resource_request::ResourceRequest;

/// A column: name, type, format, and whether only `-o wide` shows it.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) format: String,
    pub(crate) description: String,
    pub(crate) wide: bool,
}

impl Column {
    pub(crate) fn new(name: &str, kind: &str, wide: bool) -> Self {
        let format = if name == "Name" { "name" } else { "" };
        let description = String::new();
        Self { name: name.to_owned(), kind: kind.to_owned(), format: format.to_owned(), description, wide }
    }
}

/// `meta.k8s.io/v1` Table of some objects.
pub(crate) fn render(request: &ResourceRequest<'_>, objects: &[Arc<Value>], metadata: &Value, headers: bool) -> Value {
    let resource = &request.resource;
    let now = request.cluster.clock.now();
    let custom = resource.custom.as_ref().map(|version| &version.columns);
    let columns = custom.map_or_else(|| columns::of(resource), |own| custom::columns(own));
    let cells = |object: &Value| match custom {
        Some(own) => custom::cells(own, object, now),
        None => built_in::cells(resource, object, now),
    };
    let include = request.call.query.get("includeObject").unwrap_or("Metadata");
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut row = json!({"cells": cells(object)});
            match include {
                "None" => {}
                "Object" => row["object"] = crate::object::versions::served(resource, object),
                _ => {
                    row["object"] = json!({
                        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"],
                    });
                }
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
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": if headers { json!(definitions) } else { Value::Null }, "rows": rows,
    })
}

/// How long ago a timestamp was, as kubectl says it (`HumanDuration`).
pub(crate) fn age(timestamp: &Value, now: jiff::Timestamp) -> String {
    let Some(at) = timestamp.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()) else {
        return "<unknown>".to_owned();
    };
    human(now.as_second() - at.as_second())
}

/// A duration in seconds, as kubectl says it.
pub(crate) fn human(seconds: i64) -> String {
    if seconds < -1 {
        return "<invalid>".to_owned();
    }
    let seconds = seconds.max(0);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let both = |large: i64, unit: &str, small: i64, rest: &str| {
        if small == 0 { format!("{large}{unit}") } else { format!("{large}{unit}{small}{rest}") }
    };
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => both(minutes, "m", seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => both(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if hours < 24 * 8 => both(hours / 24, "d", hours % 24, "h"),
        () if hours < 24 * 365 * 2 => format!("{}d", hours / 24),
        () if hours < 24 * 365 * 8 => both(hours / 24 / 365, "y", (hours / 24) % 365, "d"),
        () => format!("{}y", hours / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_as_kubectl_prints_them() {
        for (seconds, text) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (3600, "60m"),
            (4 * 3600 + 60, "4h1m"),
            (9 * 3600, "9h"),
            (49 * 3600, "2d1h"),
        ] {
            assert_eq!(human(seconds), text);
        }
    }
}
