//! get, list and watch.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::form::{self, Form};
use crate::kinds::Resource;
use crate::object::{metadata, versions};
use crate::request::resource_request::ResourceRequest;
use crate::request::{Body, Reply};
use crate::selector::Selector;
use crate::status::Status;
use crate::store::Object;
use crate::{table, watch};

/// Real time after which a watch without `timeoutSeconds` ends.
const WATCH_LIMIT: Duration = Duration::from_mins(30);

pub(super) fn get(request: &ResourceRequest<'_>) -> Result<Reply, Status> {
    let object = request.stored()?;
    Ok(one(request, 200, &object))
}

/// A single object in the form that the client accepts.
pub(crate) fn one(request: &ResourceRequest<'_>, code: u16, object: &Value) -> Reply {
    Reply::json(code, shown(request, form(request), object))
}

/// The form that the client accepts; that there is one was checked before.
fn form(request: &ResourceRequest<'_>) -> Form {
    form::accepted(request.call.header("accept")).unwrap_or(Form::Whole)
}

fn shown(request: &ResourceRequest<'_>, form: Form, object: &Value) -> Value {
    match form {
        Form::Whole => versions::served(&request.resource, object),
        Form::Metadata(version) => metadata::only(object, version),
        Form::Table(version) => {
            // What a dry run shows has no version.
            let version_of = object["metadata"]["resourceVersion"].as_str();
            let metadata = version_of.map_or_else(|| json!({}), |held| json!({"resourceVersion": held}));
            table::render(request, version, &[Arc::new(object.clone())], &metadata)
        }
    }
}

/// Objects as the items of a list; those of built-in kinds do not repeat what the list says of their kind.
pub(crate) fn items<'a>(resource: &Resource, objects: impl Iterator<Item = &'a Object>) -> Vec<Value> {
    objects
        .map(|object| {
            let mut item = versions::served(resource, object);
            if let (None, Value::Object(map)) = (&resource.custom, &mut item) {
                map.remove("apiVersion");
                map.remove("kind");
            }
            item
        })
        .collect()
}

fn selector(request: &ResourceRequest<'_>) -> Result<Selector, Status> {
    let query = &request.call.query;
    let mut fields = query.get("fieldSelector").unwrap_or_default().to_owned();
    if !request.target.name.is_empty() {
        fields = format!("{fields},metadata.name={}", request.target.name);
    }
    Selector::parse(&request.resource, query.get("labelSelector"), Some(&fields))
}

pub(super) fn list(request: &ResourceRequest<'_>) -> Result<Reply, Status> {
    let namespace = Some(request.target.namespace.as_str()).filter(|ns| !ns.is_empty());
    let selector = selector(request)?;
    let (mut objects, revision) = at_revision(request, namespace)?;
    objects.retain(|object| selector.matches(object));
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    page(request, &mut objects, revision, &mut metadata)?;
    Ok(Reply::json(
        200,
        match form(request) {
            Form::Table(version) => table::render(request, version, &objects, &metadata),
            Form::Metadata(version) => json!({
                "apiVersion": version, "kind": "PartialObjectMetadataList", "metadata": metadata,
                "items": objects.iter().map(|object| metadata::only(object, version)).collect::<Vec<_>>(),
            }),
            Form::Whole => {
                if request.resource.custom.is_some() && metadata["continue"].is_null() {
                    // Lists of custom resources always have it.
                    metadata["continue"] = "".into();
                }
                json!({
                    "apiVersion": request.resource.api_version(), "kind": request.resource.list_kind,
                    "metadata": metadata, "items": items(&request.resource, objects.iter()),
                })
            }
        },
    ))
}

/// The revision that a list or watch names; none for "any".
fn revision_requested(request: &ResourceRequest<'_>) -> Result<Option<u64>, Status> {
    match request.call.query.get("resourceVersion") {
        None | Some("" | "0") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            let why = format!("Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax");
            if request.call.query.is_true("watch") {
                return Status::plain(500, format!("resourceVersion: {why}"));
            }
            Status::bad_request(format!("invalid resource version: resourceVersion: {why}"))
        }),
    }
}

/// Where a list goes on: after the object of that namespace and name, at the revision of its first page; without one, at
/// the present.
type Token = (String, String, Option<u64>);

fn token(request: &ResourceRequest<'_>) -> Result<Option<Token>, Status> {
    let Some(given) = request.call.query.get("continue").filter(|token| !token.is_empty()) else { return Ok(None) };
    if !matches!(request.call.query.get("resourceVersion"), None | Some("" | "0")) {
        return Err(Status::bad_request("specifying resource version is not allowed when using continue"));
    }
    let decoded = URL_SAFE_NO_PAD.decode(given).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    decoded.map(Some).ok_or_else(|| Status::bad_request("invalid continue token: continue key is not valid"))
}

fn written(token: &Token) -> String {
    URL_SAFE_NO_PAD.encode(json!(token).to_string())
}

/// The objects as a list asks for them, with the revision at which they are so.
fn at_revision(request: &ResourceRequest<'_>, namespace: Option<&str>) -> Result<(Vec<Object>, u64), Status> {
    let (store, collection) = (&request.cluster.store, request.resource.collection());
    if let Some((own, name, Some(revision))) = token(request)? {
        return store.list_at(&collection, namespace, revision).map(|objects| (objects, revision)).map_err(|_| {
            let message = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";
            let mut status = Status::failure(410, "Expired", message).into_value();
            status["metadata"]["continue"] = written(&(own, name, None)).into();
            Status::from_value(status)
        });
    }
    let (objects, present) = store.list(&collection, namespace);
    let Some(wanted) = revision_requested(request)? else { return Ok((objects, present)) };
    if wanted > present {
        return Err(Status::too_large(wanted, present));
    }
    if request.call.query.get("resourceVersionMatch") == Some("Exact") && wanted < present {
        let old = store.list_at(&collection, namespace, wanted).map_err(|old| Status::too_old(wanted, old.oldest))?;
        return Ok((old, wanted));
    }
    Ok((objects, present))
}

/// Cuts a list to `limit` objects after those that `continue` names.
fn page(
    request: &ResourceRequest<'_>,
    objects: &mut Vec<Object>,
    revision: u64,
    metadata: &mut Value,
) -> Result<(), Status> {
    let query = &request.call.query;
    let key = |object: &Value| {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        (text("namespace"), text("name"))
    };
    if let Some((namespace, name, _)) = token(request)? {
        let after = (namespace, name);
        objects.retain(|object| key(object) > after);
    }
    let limit = query.number("limit").and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
    let Some(limit) = limit.filter(|limit| objects.len() > *limit) else { return Ok(()) };
    let selected = ["labelSelector", "fieldSelector"].iter().any(|field| query.get(field).is_some());
    if !selected {
        metadata["remainingItemCount"] = (objects.len() - limit).into();
    }
    objects.truncate(limit);
    if let Some((namespace, name)) = objects.last().map(|object| key(object)) {
        metadata["continue"] = written(&(namespace, name, Some(revision))).into();
    }
    Ok(())
}

pub(super) fn watch(request: &ResourceRequest<'_>) -> Result<Reply, Status> {
    let query = &request.call.query;
    let initial = query.is_true("sendInitialEvents");
    let from = revision_requested(request)?.filter(|_| !initial);
    let form = form(request);
    let (cluster, call, resource, target) =
        (request.cluster.clone(), request.call.clone(), request.resource.clone(), request.target.clone());
    let render = move |object: &Value| {
        let request = ResourceRequest {
            cluster: &cluster,
            call: &call,
            resource: resource.clone(),
            target: target.clone(),
            hooks: Arc::default(),
        };
        shown(&request, form, object)
    };
    let plan = watch::Plan {
        collection: request.resource.collection(),
        namespace: Some(request.target.namespace.clone()).filter(|ns| !ns.is_empty()),
        selector: selector(request)?,
        from,
        bookmarks: query.is_true("allowWatchBookmarks"),
        announce_initial_end: initial,
        limit: query.number("timeoutSeconds").map_or(WATCH_LIMIT, |seconds| Duration::from_secs(seconds.max(1) as u64)),
        api_version: request.resource.api_version(),
        kind: request.resource.kind.clone(),
        render: Arc::new(render),
    };
    let events = watch::open(plan, &request.cluster.store, &request.cluster.clock, &request.cluster.stop)?;
    Ok(Reply { body: Body::Events(events), ..Reply::json(200, Value::Null) })
}
