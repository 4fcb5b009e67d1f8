//! status, finalize, token, log, eviction, and the ones that this cluster refuses.

use serde_json::json;

use super::{eviction, read, scale, write};
use crate::object::metadata;
use crate::request::Reply;
use crate::request::resource_request::ResourceRequest;
use crate::status::Status;
use crate::{logs, tokens};

pub(super) async fn serve(request: &ResourceRequest<'_>, verb: &str) -> Result<Reply, Status> {
    let resource = &request.resource;
    match (resource.built_in_kind(), request.target.subresource.as_str()) {
        (_, "status") if resource.status => match verb {
            "get" => Ok(read::one(request, 200, &*request.stored()?)),
            "update" => write::update(request),
            "patch" => write::patch(request),
            _ => Err(Status::method_not_allowed()),
        },
        (_, "scale") if resource.scale.is_some() => scale::serve(request, verb),
        ("Namespace", "finalize") if verb == "update" => finalize(request),
        ("ServiceAccount", "token") if verb == "create" => tokens::request(request),
        ("Pod", "log") if verb == "get" => logs::serve(request).await,
        ("Pod", "eviction") if verb == "create" => eviction::serve(request),
        ("Pod", "binding") if verb == "create" => bind(request),
        ("Pod", "exec" | "attach" | "portforward" | "proxy" | "ephemeralcontainers") => Err(Status::failure(
            501,
            "NotImplemented",
            format!(
                "{} is not supported by the local cluster: its containers are processes of this machine",
                request.target.subresource
            ),
        )),
        _ => Err(Status::no_such_path()),
    }
}

fn bind(request: &ResourceRequest<'_>) -> Result<Reply, Status> {
    let binding = request.call.body_as("", "v1", "Binding")?;
    let node = &binding["target"]["name"];
    loop {
        let old = request.stored()?;
        let uid = binding["metadata"]["uid"].as_str().unwrap_or_default();
        if !uid.is_empty() && old["metadata"]["uid"] != uid {
            let held = old["metadata"]["uid"].as_str().unwrap_or_default();
            let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {held}");
            return Err(Status::conflict("", "pods/binding", &request.target.name, &why));
        }
        if !old["metadata"]["deletionTimestamp"].is_null() {
            let why = format!("pod {} is being deleted, cannot be assigned to a host", request.target.name);
            return Err(Status::conflict("", "pods/binding", &request.target.name, &why));
        }
        if !old["spec"]["nodeName"].is_null() {
            let why = format!("pod {} is already assigned to node {}", request.target.name, old["spec"]["nodeName"]);
            return Err(Status::conflict("", "pods/binding", &request.target.name, &why));
        }
        let mut new = (*old).clone();
        new["spec"]["nodeName"] = node.clone();
        if write::settle(request, &old, new).is_some() {
            return Ok(Reply::json(
                201,
                json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}),
            ));
        }
    }
}

fn finalize(request: &ResourceRequest<'_>) -> Result<Reply, Status> {
    let body = request.call.body_value()?;
    loop {
        let old = request.stored()?;
        write::check_basis(request, &old, &body)?;
        let mut new = (*old).clone();
        new["spec"]["finalizers"] = body["spec"]["finalizers"].clone();
        metadata::tidy(&request.resource, &mut new);
        if let Some(stored) = write::settle(request, &old, new) {
            return Ok(read::one(request, 200, &stored));
        }
    }
}
