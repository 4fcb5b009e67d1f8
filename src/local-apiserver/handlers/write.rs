//! create, update and patch: one path from a body to the store.

use serde_json::Value;

use super::{Asked, meta, read, size};
use crate::admission::{self, Basis, Operation};
use crate::patch::{self, PatchType, apply};
use crate::request::Reply;
use crate::status::{FieldError, Status};
use crate::store::{Object, Stale};

/// Metadata that is sent along with a status.
const STATUS_METADATA: [&str; 4] = ["managedFields", "annotations", "labels", "finalizers"];

/// How much of `generateName` a name begins with.
const PREFIX_BYTES_MAX: usize = 58;

fn writer(asked: &Asked<'_>) -> apply::Writer {
    apply::Writer {
        manager: asked.call.manager(),
        subresource: asked.target.subresource.clone(),
        time: asked.cluster.now_text(),
    }
}

pub(super) fn create(asked: &Asked<'_>) -> Result<Reply, Status> {
    let body = asked.call.body_value()?;
    let mut warnings = Vec::new();
    let object = insert(asked, body, None, &mut warnings)?;
    Ok(Reply { warnings, ..read::one(asked, 201, &object) })
}

/// Checks a body against the path: kind, version, namespace, name.
fn check_body(asked: &Asked<'_>, body: &mut Value) -> Result<(), Status> {
    let resource = &asked.resource;
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
    let target = &asked.target;
    let metadata = meta::metadata(body);
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
    asked: &Asked<'_>,
    mut body: Value,
    applied: Option<&Value>,
    warnings: &mut Vec<String>,
) -> Result<Object, Status> {
    let (cluster, resource) = (asked.cluster, &asked.resource);
    check_body(asked, &mut body)?;
    if body["metadata"]["resourceVersion"].as_str().is_some_and(|version| !version.is_empty()) {
        return Err(Status::plain(500, "resourceVersion should not be set on objects to be created"));
    }
    admission::schema::check(asked, None, &mut body, warnings)?;
    let metadata = meta::metadata(&mut body);
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
    if meta::has_generation(resource) {
        metadata.insert("generation".to_owned(), 1.into());
    }
    if resource.status
        && (resource.custom.is_some() || resource.kind != "Node")
        && resource.kind != "APIService"
        && let Some(map) = body.as_object_mut()
    {
        map.remove("status");
    }
    meta::tidy(resource, &mut body);
    let mut body = meta::stored(resource, body);
    // Fields have an owner as they were sent and defaulted; what admission adds is nobody's.
    admission::defaults::apply(resource, &mut body);
    match applied {
        Some(managers) => body["metadata"]["managedFields"] = managers.clone(),
        None => apply::track_update(resource, None, &mut body, &writer(asked)),
    }
    loop {
        let mut object = body.clone();
        if !named {
            meta::metadata(&mut object).insert("name".to_owned(), generated(&generate).into());
        }
        let basis = Basis::of(asked);
        let turn = admission::admit(asked, Operation::Create, None, &mut object)?;
        size::check(resource, &object)?;
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if asked.call.dry_run() {
            return Ok(std::sync::Arc::new(object));
        }
        let shelf = resource.shelf();
        let namespace = &asked.target.namespace;
        let inserted = cluster.store.insert_if(&shelf, namespace, &name, object, |view| basis.holds(view));
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
                let held = cluster.get(&shelf, &asked.target.namespace, &name);
                let going = held.is_some_and(|held| !held["metadata"]["deletionTimestamp"].is_null());
                let refusal = if going { Status::still_there } else { Status::already_exists };
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

pub(crate) fn update(asked: &Asked<'_>) -> Result<Reply, Status> {
    let mut body = asked.call.body_value()?;
    check_body(asked, &mut body)?;
    let mut warnings = Vec::new();
    let before = asked.stored().ok();
    admission::schema::check(asked, before.as_deref(), &mut body, &mut warnings)?;
    let body = meta::stored(&asked.resource, body);
    // Each further turn means that somebody else's write got through.
    loop {
        let old = asked.stored()?;
        check_version(asked, &old, &body)?;
        if let Some(stored) = replace(asked, &old, body.clone(), true)? {
            return Ok(Reply { warnings, ..read::one(asked, 200, &stored) });
        }
    }
}

fn modified(asked: &Asked<'_>) -> Status {
    Status::modified(&asked.resource.group, &asked.resource.plural, &asked.target.name)
}

/// Refuses what was written on top of another version of the object, or of another object of the name.
pub(crate) fn check_basis(asked: &Asked<'_>, old: &Value, new: &Value) -> Result<(), Status> {
    check_version(asked, old, new)?;
    check_uid(asked, old, new)
}

fn check_version(asked: &Asked<'_>, old: &Value, new: &Value) -> Result<(), Status> {
    let version = new["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    if version.is_empty() || old["metadata"]["resourceVersion"] == version { Ok(()) } else { Err(modified(asked)) }
}

fn check_uid(asked: &Asked<'_>, old: &Value, new: &Value) -> Result<(), Status> {
    let resource = &asked.resource;
    let uid = new["metadata"]["uid"].as_str().unwrap_or_default();
    if !uid.is_empty() && old["metadata"]["uid"] != uid {
        if asked.call.method == http::Method::PATCH {
            // Both the checks of all objects and those of the kind say so.
            let error = FieldError::invalid("metadata.uid", &uid.into(), "field is immutable");
            let errors = [error.clone(), error];
            return Err(Status::invalid(&resource.group, &resource.kind, &asked.target.name, &errors));
        }
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            old["metadata"]["uid"].as_str().unwrap_or_default()
        );
        return Err(Status::conflict(&resource.group, &resource.plural, &asked.target.name, &why));
    }
    Ok(())
}

/// Writes `new` over `old`; `None` if somebody else was faster.
pub(crate) fn replace(asked: &Asked<'_>, old: &Object, mut new: Value, track: bool) -> Result<Option<Object>, Status> {
    let resource = &asked.resource;
    check_uid(asked, old, &new)?;
    meta::keep_system_fields(old, &mut new);
    let status_only = asked.target.subresource == "status";
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
    meta::tidy(resource, &mut new);
    if !status_only {
        admission::defaults::apply(resource, &mut new);
    }
    if track {
        apply::track_update(resource, Some(old), &mut new, &writer(asked));
    }
    if status_only {
        admission::webhooks::mutate(asked, "UPDATE", Some(old), &mut new)?;
    }
    if status_only && resource.custom.is_some() {
        // With a custom status no metadata is written, though whoever sends some is noted as its manager.
        for field in STATUS_METADATA.iter().filter(|field| **field != "managedFields") {
            new["metadata"][field] = old["metadata"][field].clone();
        }
        meta::tidy(resource, &mut new);
    }
    if status_only {
        let event = admission::webhooks::Event { operation: "UPDATE", old: Some(old), object: Some(&new) };
        admission::webhooks::validate(asked, event)?;
    } else {
        drop(admission::admit(asked, Operation::Update, Some(old), &mut new)?);
        if meta::has_generation(resource) && meta::intent_differs(resource, old, &new) {
            let generation = old["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
            new["metadata"]["generation"] = generation.into();
        }
    }
    size::check(resource, &new)?;
    Ok(settle(asked, old, new))
}

/// Whether this state of an object is its last: its deletion was asked for, and nothing holds it any more.
pub(crate) fn is_over(asked: &Asked<'_>, new: &Value) -> bool {
    let metadata = &new["metadata"];
    let held = metadata["finalizers"].as_array().is_some_and(|list| !list.is_empty());
    let graceful = metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) > 0;
    let spec_finalizers =
        asked.resource.kind == "Namespace" && new["spec"]["finalizers"].as_array().is_some_and(|list| !list.is_empty());
    !metadata["deletionTimestamp"].is_null() && !held && !graceful && !spec_finalizers
}

/// Stores a checked state, or nothing if somebody else was faster; an object that waits for its deletion and has no finalizer left goes.
pub(crate) fn settle(asked: &Asked<'_>, old: &Object, new: Value) -> Option<Object> {
    if same_but_times(old, &new) || asked.call.dry_run() {
        return Some(if asked.call.dry_run() { std::sync::Arc::new(new) } else { old.clone() });
    }
    let shelf = asked.resource.shelf();
    let written = if is_over(asked, &new) {
        asked.cluster.store.remove(&shelf, old, new)
    } else {
        asked.cluster.store.replace(&shelf, old, new)
    };
    if written.is_ok() {
        admission::follow(asked.cluster, &asked.resource, &asked.target.namespace);
    }
    // Whoever lost against another write, a deletion among them, reads again.
    written.ok()
}

/// A write that changes nothing but times of managers is no write (no new resource version).
fn same_but_times(old: &Value, new: &Value) -> bool {
    let bare = |object: &Value| {
        let mut object = object.clone();
        meta::metadata(&mut object).remove("resourceVersion");
        for entry in object["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
            entry["time"] = Value::Null;
        }
        object
    };
    bare(old) == bare(new)
}

pub(crate) fn patch(asked: &Asked<'_>) -> Result<Reply, Status> {
    let kind = PatchType::parse(asked.call.header("content-type"))?;
    let body = asked.call.body_value()?;
    let may_create = kind == PatchType::Apply && asked.target.subresource.is_empty();
    // Each further turn means that somebody else's write got through.
    loop {
        let live = match asked.stored() {
            Ok(live) => live,
            Err(_) if may_create => match create_by_apply(asked, &body) {
                Err(status) if status.is_already_exists() => continue,
                other => return other,
            },
            Err(status) => return Err(status),
        };
        let view = meta::served(&asked.resource, &live);
        let mut new = patched(asked, kind, &view, &body)?;
        check_body(asked, &mut new)?;
        let version = &new["metadata"]["resourceVersion"];
        if !version.is_null() && *version != live["metadata"]["resourceVersion"] {
            return Err(modified(asked));
        }
        let mut warnings = Vec::new();
        admission::schema::check(asked, Some(&live), &mut new, &mut warnings)?;
        let new = meta::stored(&asked.resource, new);
        if let Some(stored) = replace(asked, &live, new, kind != PatchType::Apply)? {
            return Ok(Reply { warnings, ..read::one(asked, 200, &stored) });
        }
    }
}

fn patched(asked: &Asked<'_>, kind: PatchType, view: &Value, body: &Value) -> Result<Value, Status> {
    match kind {
        PatchType::Json => patch::json(view, body),
        PatchType::Merge => Ok(patch::merge(view, body)),
        PatchType::Strategic => patch::strategic::strategic(&asked.resource, view, body),
        PatchType::Apply => {
            check_applied(asked, body)?;
            let force = asked.call.query.is_true("force");
            let applied = apply::apply(&asked.resource, Some(view), body, &writer(asked), force)?;
            let version = body["metadata"]["resourceVersion"].as_str().unwrap_or_default();
            if !version.is_empty() && view["metadata"]["resourceVersion"] != version {
                return Err(modified(asked));
            }
            Ok(applied)
        }
    }
}

/// What an applied configuration must be before anything is merged.
fn check_applied(asked: &Asked<'_>, config: &Value) -> Result<(), Status> {
    let resource = &asked.resource;
    if !config["metadata"]["managedFields"].is_null() {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    let named = |field: &str| config[field].as_str().is_some_and(|text| !text.is_empty());
    let fits = config["kind"] == resource.kind.as_str() && config["apiVersion"] == resource.api_version().as_str();
    if named("kind") && named("apiVersion") && !fits {
        return Err(Status::bad_request(format!("invalid object type: {}", admission::schema::kind_of(config))));
    }
    admission::schema::check_applied(asked, config)
}

fn create_by_apply(asked: &Asked<'_>, body: &Value) -> Result<Reply, Status> {
    check_applied(asked, body)?;
    let applied = apply::apply(&asked.resource, None, body, &writer(asked), true)?;
    let managers = applied["metadata"]["managedFields"].clone();
    let mut warnings = Vec::new();
    let object = insert(asked, applied, Some(&managers), &mut warnings)?;
    Ok(Reply { warnings, ..read::one(asked, 201, &object) })
}
