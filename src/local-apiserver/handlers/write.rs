//! create, update and patch: one path from a body to the store.

use serde_json::Value;

use super::{read, size};
use crate::admission::{self, Basis, Operation};
use crate::object::{metadata, versions};
use crate::patch::{self, PatchType, apply};
use crate::request::Reply;
use crate::request::resource_request::ResourceRequest;
use crate::status::{FieldError, Status};
use crate::store::{Object, Stale};

/// Metadata that is sent along with a status.
const STATUS_METADATA: [&str; 4] = ["managedFields", "annotations", "labels", "finalizers"];

/// How much of `generateName` a name begins with.
const PREFIX_BYTES_MAX: usize = 58;

fn writer(request: &ResourceRequest<'_>) -> apply::Writer {
    apply::Writer {
        manager: request.call.manager(),
        subresource: request.target.subresource.clone(),
        time: request.cluster.now_text(),
    }
}

pub(super) fn create(request: &ResourceRequest<'_>) -> Result<Reply, Status> {
    let body = request.call.body_value()?;
    let mut warnings = Vec::new();
    let object = insert(request, body, None, &mut warnings)?;
    Ok(Reply { warnings, ..read::one(request, 201, &object) })
}

/// Checks a body against the path: kind, version, namespace, name.
fn check_body(request: &ResourceRequest<'_>, body: &mut Value) -> Result<(), Status> {
    let resource = &request.resource;
    if !body.is_object() {
        return Err(Status::bad_request("the object provided is unrecognized (must be of type object)"));
    }
    let (kind, version) = (body["kind"].as_str().unwrap_or_default(), body["apiVersion"].as_str().unwrap_or_default());
    if (!kind.is_empty() && kind != resource.kind) || (!version.is_empty() && version != resource.api_version()) {
        return Err(Status::bad_request(format!(
            "the API version in the data ({version}, kind {kind}) does not match the expected API version ({}, kind {})",
            resource.api_version(),
            resource.kind
        )));
    }
    body["apiVersion"] = resource.api_version().into();
    body["kind"] = resource.kind.clone().into();
    let target = &request.target;
    let metadata = metadata::map(body);
    if resource.namespaced {
        let given = metadata.get("namespace").and_then(Value::as_str).unwrap_or_default();
        if !given.is_empty() && given != target.namespace {
            return Err(Status::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        metadata.insert("namespace".to_owned(), target.namespace.clone().into());
    } else {
        metadata.remove("namespace");
    }
    let given = metadata.get("name").and_then(Value::as_str).unwrap_or_default();
    if !target.name.is_empty() && given != target.name {
        if !given.is_empty() {
            return Err(Status::bad_request(format!(
                "the name of the object ({given}) does not match the name on the URL ({})",
                target.name
            )));
        }
        metadata.insert("name".to_owned(), target.name.clone().into());
    }
    Ok(())
}

/// Stores a new object; `applied` carries the managedFields of server-side apply.
fn insert(
    request: &ResourceRequest<'_>,
    mut body: Value,
    applied: Option<&Value>,
    warnings: &mut Vec<String>,
) -> Result<Object, Status> {
    let (cluster, resource) = (request.cluster, &request.resource);
    check_body(request, &mut body)?;
    if body["metadata"]["resourceVersion"].as_str().is_some_and(|version| !version.is_empty()) {
        return Err(Status::plain(500, "resourceVersion should not be set on objects to be created"));
    }
    admission::schema::check(request, None, &mut body, warnings)?;
    let metadata = metadata::map(&mut body);
    let generate = metadata.get("generateName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let named = metadata.get("name").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
    if !named && generate.is_empty() {
        let error = FieldError::required("metadata.name", "name or generateName is required");
        return Err(Status::invalid(&resource.group, &resource.kind, "", &[error]));
    }
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"] {
        metadata.remove(field);
    }
    metadata.insert("uid".to_owned(), uuid::Uuid::new_v4().to_string().into());
    metadata.insert("creationTimestamp".to_owned(), cluster.now_text().into());
    if resource.has_generation() {
        metadata.insert("generation".to_owned(), 1.into());
    }
    if resource.drops_new_status()
        && let Some(map) = body.as_object_mut()
    {
        map.remove("status");
    }
    metadata::tidy(resource, &mut body);
    let mut body = versions::stored(resource, body);
    // Fields have an owner as they were sent and defaulted; what admission adds is nobody's.
    admission::defaults::apply(resource, &mut body);
    match applied {
        Some(managers) => body["metadata"]["managedFields"] = managers.clone(),
        None => apply::track_update(resource, None, &mut body, &writer(request)),
    }
    loop {
        let mut object = body.clone();
        if !named {
            metadata::map(&mut object).insert("name".to_owned(), generated(&generate).into());
        }
        let basis = Basis::of(request);
        let turn = admission::admit(request, Operation::Create, None, &mut object)?;
        size::check(resource, &object)?;
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if request.call.dry_run() {
            return Ok(std::sync::Arc::new(object));
        }
        let collection = resource.collection();
        let namespace = &request.target.namespace;
        let inserted = cluster.store.insert_if(&collection, namespace, &name, object, |view| basis.holds(view));
        drop(turn);
        match inserted {
            Ok(stored) => {
                admission::follow(cluster, resource, namespace);
                return Ok(stored);
            }
            // What was admitted is not what is true now.
            Err(Stale::Changed) => {}
            Err(_) if !named => {}
            Err(_) => {
                let held = cluster.get(&collection, &request.target.namespace, &name);
                let terminating = held.is_some_and(|held| !held["metadata"]["deletionTimestamp"].is_null());
                let refusal = if terminating { Status::still_there } else { Status::already_exists };
                return Err(refusal(&resource.group, &resource.plural, &name));
            }
        }
    }
}

/// A name from its prefix, which is cut so that the name is a label.
fn generated(prefix: &str) -> String {
    let kept = prefix.char_indices().take_while(|(at, c)| at + c.len_utf8() <= PREFIX_BYTES_MAX);
    kept.map(|(_, c)| c).chain(suffix().chars()).collect()
}

/// Five characters as `generateName` appends them.
fn suffix() -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    uuid::Uuid::new_v4()
        .as_bytes()
        .iter()
        .take(5)
        .map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]))
        .collect()
}

pub(crate) fn update(request: &ResourceRequest<'_>) -> Result<Reply, Status> {
    let mut body = request.call.body_value()?;
    check_body(request, &mut body)?;
    let mut warnings = Vec::new();
    let before = request.stored().ok();
    admission::schema::check(request, before.as_deref(), &mut body, &mut warnings)?;
    let body = versions::stored(&request.resource, body);
    // Each further turn means that somebody else's write got through.
    loop {
        let old = request.stored()?;
        check_version(request, &old, &body)?;
        if let Some(stored) = replace(request, &old, body.clone(), true)? {
            return Ok(Reply { warnings, ..read::one(request, 200, &stored) });
        }
    }
}

fn modified(request: &ResourceRequest<'_>) -> Status {
    Status::modified(&request.resource.group, &request.resource.plural, &request.target.name)
}

/// Refuses what was written on top of another version of the object, or of another object of the name.
pub(crate) fn check_basis(request: &ResourceRequest<'_>, old: &Value, new: &Value) -> Result<(), Status> {
    check_version(request, old, new)?;
    check_uid(request, old, new)
}

fn check_version(request: &ResourceRequest<'_>, old: &Value, new: &Value) -> Result<(), Status> {
    let version = new["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    if version.is_empty() || old["metadata"]["resourceVersion"] == version { Ok(()) } else { Err(modified(request)) }
}

fn check_uid(request: &ResourceRequest<'_>, old: &Value, new: &Value) -> Result<(), Status> {
    let resource = &request.resource;
    let uid = new["metadata"]["uid"].as_str().unwrap_or_default();
    if !uid.is_empty() && old["metadata"]["uid"] != uid {
        if request.call.method == http::Method::PATCH {
            // Both the checks of all objects and those of the kind say so.
            let error = FieldError::invalid("metadata.uid", &uid.into(), "field is immutable");
            let errors = [error.clone(), error];
            return Err(Status::invalid(&resource.group, &resource.kind, &request.target.name, &errors));
        }
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            old["metadata"]["uid"].as_str().unwrap_or_default()
        );
        return Err(Status::conflict(&resource.group, &resource.plural, &request.target.name, &why));
    }
    Ok(())
}

/// Writes `new` over `old`; `None` if somebody else was faster.
pub(crate) fn replace(
    request: &ResourceRequest<'_>,
    old: &Object,
    mut new: Value,
    track: bool,
) -> Result<Option<Object>, Status> {
    let resource = &request.resource;
    check_uid(request, old, &new)?;
    metadata::keep_system_fields(old, &mut new);
    let status_only = request.target.subresource == "status";
    if status_only {
        let status = new["status"].take();
        let mut kept = (**old).clone();
        kept["status"] = status;
        for field in STATUS_METADATA {
            kept["metadata"][field] = new["metadata"][field].take();
        }
        new = kept;
    } else if resource.status
        && let Some(map) = new.as_object_mut()
    {
        match old.get("status") {
            Some(status) => map.insert("status".to_owned(), status.clone()),
            None => map.remove("status"),
        };
    }
    metadata::tidy(resource, &mut new);
    if status_only {
        admission::defaults::complete(resource, &mut new);
    } else {
        admission::defaults::apply(resource, &mut new);
    }
    if track {
        apply::track_update(resource, Some(old), &mut new, &writer(request));
    }
    if status_only {
        admission::webhooks::mutate(request, "UPDATE", Some(old), &mut new)?;
    }
    if status_only && resource.custom.is_some() {
        // With a custom status no metadata is written, though whoever sends some is noted as its manager.
        for field in STATUS_METADATA.iter().filter(|field| **field != "managedFields") {
            new["metadata"][field] = old["metadata"][field].clone();
        }
        metadata::tidy(resource, &mut new);
    }
    if status_only {
        let event = admission::webhooks::event::Event { operation: "UPDATE", old: Some(old), object: Some(&new) };
        admission::webhooks::validate(request, event)?;
    } else {
        drop(admission::admit(request, Operation::Update, Some(old), &mut new)?);
        if resource.has_generation() && metadata::intent_differs(resource, old, &new) {
            let generation = old["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
            new["metadata"]["generation"] = generation.into();
        }
    }
    size::check(resource, &new)?;
    Ok(settle(request, old, new))
}

/// Whether this state of an object is its last: its deletion was asked for, and nothing holds it any more.
pub(crate) fn is_over(request: &ResourceRequest<'_>, new: &Value) -> bool {
    let metadata = &new["metadata"];
    let held = metadata["finalizers"].as_array().is_some_and(|list| !list.is_empty());
    let graceful = metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) > 0;
    let spec_finalizers = request.resource.built_in_kind() == "Namespace"
        && new["spec"]["finalizers"].as_array().is_some_and(|list| !list.is_empty());
    !metadata["deletionTimestamp"].is_null() && !held && !graceful && !spec_finalizers
}

/// Stores a checked state, or nothing if somebody else was faster; an object that waits for its deletion and has no finalizer left goes.
pub(crate) fn settle(request: &ResourceRequest<'_>, old: &Object, new: Value) -> Option<Object> {
    if same_but_times(old, &new) || request.call.dry_run() {
        return Some(if request.call.dry_run() { std::sync::Arc::new(new) } else { old.clone() });
    }
    let collection = request.resource.collection();
    let written = if is_over(request, &new) {
        request.cluster.store.remove(&collection, old, new)
    } else {
        request.cluster.store.replace(&collection, old, new)
    };
    if written.is_ok() {
        admission::follow(request.cluster, &request.resource, &request.target.namespace);
    }
    // Whoever lost against another write, a deletion among them, reads again.
    written.ok()
}

/// A write that changes nothing but times of managers is no write (no new resource version).
fn same_but_times(old: &Value, new: &Value) -> bool {
    let bare = |object: &Value| {
        let mut object = object.clone();
        metadata::map(&mut object).remove("resourceVersion");
        for entry in object["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
            entry["time"] = Value::Null;
        }
        object
    };
    bare(old) == bare(new)
}

pub(crate) fn patch(request: &ResourceRequest<'_>) -> Result<Reply, Status> {
    let kind = PatchType::parse(request.call.header("content-type"))?;
    let body = request.call.body_value()?;
    let may_create = kind == PatchType::Apply && request.target.subresource.is_empty();
    // Each further turn means that somebody else's write got through.
    loop {
        let live = match request.stored() {
            Ok(live) => live,
            Err(_) if may_create => match create_by_apply(request, &body) {
                Err(status) if status.is_already_exists() => continue,
                other => return other,
            },
            Err(status) => return Err(status),
        };
        let view = versions::served(&request.resource, &live);
        let mut new = patched(request, kind, &view, &body)?;
        check_body(request, &mut new)?;
        let version = &new["metadata"]["resourceVersion"];
        if !version.is_null() && *version != live["metadata"]["resourceVersion"] {
            return Err(modified(request));
        }
        let mut warnings = Vec::new();
        admission::schema::check(request, Some(&live), &mut new, &mut warnings)?;
        let new = versions::stored(&request.resource, new);
        if let Some(stored) = replace(request, &live, new, kind != PatchType::Apply)? {
            return Ok(Reply { warnings, ..read::one(request, 200, &stored) });
        }
    }
}

fn patched(request: &ResourceRequest<'_>, kind: PatchType, view: &Value, body: &Value) -> Result<Value, Status> {
    match kind {
        PatchType::Json => patch::json(view, body),
        PatchType::Merge => Ok(patch::merge(view, body)),
        PatchType::Strategic => patch::strategic::strategic(&request.resource, view, body),
        PatchType::Apply => {
            check_applied(request, body)?;
            let force = request.call.query.is_true("force");
            let applied = apply::apply(&request.resource, Some(view), body, &writer(request), force)?;
            let version = body["metadata"]["resourceVersion"].as_str().unwrap_or_default();
            if !version.is_empty() && view["metadata"]["resourceVersion"] != version {
                return Err(modified(request));
            }
            Ok(applied)
        }
    }
}

/// What an applied configuration must be before anything is merged.
fn check_applied(request: &ResourceRequest<'_>, config: &Value) -> Result<(), Status> {
    let resource = &request.resource;
    if !config["metadata"]["managedFields"].is_null() {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    let named = |field: &str| config[field].as_str().is_some_and(|text| !text.is_empty());
    let fits = config["kind"] == resource.kind.as_str() && config["apiVersion"] == resource.api_version().as_str();
    if named("kind") && named("apiVersion") && !fits {
        return Err(Status::bad_request(format!("invalid object type: {}", admission::schema::kind_of(config))));
    }
    admission::schema::check_applied(request, config)
}

fn create_by_apply(request: &ResourceRequest<'_>, body: &Value) -> Result<Reply, Status> {
    check_applied(request, body)?;
    let applied = apply::apply(&request.resource, None, body, &writer(request), true)?;
    let managers = applied["metadata"]["managedFields"].clone();
    let mut warnings = Vec::new();
    let object = insert(request, applied, Some(&managers), &mut warnings)?;
    Ok(Reply { warnings, ..read::one(request, 201, &object) })
}
