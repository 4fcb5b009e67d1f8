//! get, list and watch.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Asked, meta};
use crate::request::{Body, Reply};
use crate::selector::Selector;
use crate::status::Status;
use crate::{table, watch};

/// Real time after which a watch without `timeoutSeconds` ends.
const WATCH_LIMIT: Duration = Duration::from_mins(30);

pub(super) fn get(asked: &Asked<'_>) -> Result<Reply, Status> {
    let object = asked.stored()?;
    Ok(one(asked, 200, &object))
}

/// A single object in the form that the client accepts.
pub(crate) fn one(asked: &Asked<'_>, code: u16, object: &Value) -> Reply {
    if table::is_wanted(asked.call.header("accept")) {
        let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
        let rows = [Arc::new(object.clone())];
        return Reply::json(code, table::render(asked, &rows, &metadata, true));
    }
    Reply::json(code, meta::served(&asked.resource, object))
}

fn selector(asked: &Asked<'_>) -> Result<Selector, Status> {
    let query = &asked.call.query;
    let mut fields = query.get("fieldSelector").unwrap_or_default().to_owned();
    if !asked.target.name.is_empty() {
        fields = format!("{fields},metadata.name={}", asked.target.name);
    }
    Selector::parse(query.get("labelSelector"), Some(&fields))
}

pub(super) fn list(asked: &Asked<'_>) -> Result<Reply, Status> {
    let namespace = Some(asked.target.namespace.as_str()).filter(|ns| !ns.is_empty());
    let selector = selector(asked)?;
    let (mut objects, revision) = asked.cluster.store.list(&asked.resource.shelf(), namespace);
    objects.retain(|object| selector.matches(object));
    let metadata = json!({"resourceVersion": revision.to_string()});
    if table::is_wanted(asked.call.header("accept")) {
        return Ok(Reply::json(200, table::render(asked, &objects, &metadata, true)));
    }
    let items: Vec<Value> = objects.iter().map(|object| meta::served(&asked.resource, object)).collect();
    Ok(Reply::json(
        200,
        json!({
            "apiVersion": asked.resource.api_version(), "kind": asked.resource.list_kind,
            "metadata": metadata, "items": items,
        }),
    ))
}

pub(super) fn watch(asked: &Asked<'_>) -> Result<Reply, Status> {
    let query = &asked.call.query;
    let initial = query.is_true("sendInitialEvents");
    if initial && query.get("resourceVersionMatch") != Some("NotOlderThan") {
        let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        return Err(Status::failure(422, "Invalid", format!("ListOptions.meta.k8s.io \"\" is invalid: {why}")));
    }
    let from = match query.get("resourceVersion") {
        None | Some("" | "0") => None,
        Some(_) if initial => None,
        Some(text) => {
            Some(text.parse().map_err(|_| Status::bad_request(format!("Invalid value: \"{text}\": resourceVersion")))?)
        }
    };
    let as_table = table::is_wanted(asked.call.header("accept"));
    let (cluster, call, resource, target) =
        (asked.cluster.clone(), asked.call.clone(), asked.resource.clone(), asked.target.clone());
    let render = move |object: &Value| {
        if !as_table {
            return meta::served(&resource, object);
        }
        let asked = Asked { cluster: &cluster, call: &call, resource: resource.clone(), target: target.clone() };
        let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
        table::render(&asked, &[Arc::new(object.clone())], &metadata, true)
    };
    let plan = watch::Plan {
        shelf: asked.resource.shelf(),
        namespace: Some(asked.target.namespace.clone()).filter(|ns| !ns.is_empty()),
        selector: selector(asked)?,
        from,
        bookmarks: query.is_true("allowWatchBookmarks"),
        announce_initial_end: initial,
        limit: query.number("timeoutSeconds").map_or(WATCH_LIMIT, |seconds| Duration::from_secs(seconds.max(1) as u64)),
        api_version: asked.resource.api_version(),
        kind: asked.resource.kind.clone(),
        render: Arc::new(render),
    };
    let events = watch::open(plan, &asked.cluster.store, &asked.cluster.clock, &asked.cluster.stop)?;
    Ok(Reply { body: Body::Events(events), ..Reply::json(200, Value::Null) })
}
