//! The cells of built-in kinds, one for each column of a kind's row.

pub(crate) mod access;
pub(crate) mod admission;
pub(crate) mod autoscaler;
mod cell;
pub(crate) mod cluster;
pub(crate) mod data;
pub(crate) mod network;
pub(crate) mod pod;
pub(crate) mod volume;
pub(crate) mod workload;

use jiff::Timestamp;
use serde_json::Value;

/// The cells of an object as they are at a time.
pub(crate) type Cells = fn(&Value, Timestamp) -> Vec<Value>;

/// Name and age.
pub(crate) fn plain(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![cell::name(object), cell::created(object, now)]
}

/// Name and time of creation.
pub(crate) fn dated(object: &Value, _now: Timestamp) -> Vec<Value> {
    vec![cell::name(object), object["metadata"]["creationTimestamp"].clone()]
}
