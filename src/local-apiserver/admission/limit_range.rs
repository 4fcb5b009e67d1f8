//! LimitRanges: what containers get that name no amounts, and what pods and claims may ask for.
//!
//! Source: the LimitRanger plugin of Kubernetes.

use serde_json::{Map, Value, json};

use super::pod_resources::{Amounts, amounts, of_pod};
use crate::quantity::Quantity;
use crate::request::resource_request::ResourceRequest;
use crate::status::Status;
use crate::store::Object;

const ANNOTATION: &str = "kubernetes.io/limit-ranger";

fn ranges(request: &ResourceRequest<'_>) -> Vec<Object> {
    request.cluster.store.list("limitranges", Some(&request.target.namespace)).0
}

fn limits(range: &Value) -> impl Iterator<Item = &Value> {
    range["spec"]["limits"].as_array().into_iter().flatten()
}

/// Fills in what the containers of a new pod do not name.
pub(super) fn fill_in(request: &ResourceRequest<'_>, pod: &mut Value) {
    for range in ranges(request) {
        let mut said = Vec::new();
        let mut defaults: [Map<String, Value>; 2] = Default::default();
        for limit in limits(&range).filter(|limit| limit["type"] == "Container") {
            for (into, field) in defaults.iter_mut().zip(["defaultRequest", "default"]) {
                into.extend(limit[field].as_object().cloned().unwrap_or_default());
            }
        }
        for (list, what) in [("containers", "container"), ("initContainers", "init container")] {
            for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
                let name = container["name"].as_str().unwrap_or_default().to_owned();
                for (given, (field, noun)) in defaults.iter().zip([("requests", "request"), ("limits", "limit")]) {
                    let set = merge(&mut container["resources"], field, given);
                    if !set.is_empty() {
                        said.push(format!("{} {noun} for {what} {name}", set.join(", ")));
                    }
                }
            }
        }
        if !said.is_empty() {
            let text = format!("LimitRanger plugin set: {}", said.join("; "));
            pod["metadata"]["annotations"][ANNOTATION] = text.into();
        }
    }
}

/// The names that were set.
fn merge(resources: &mut Value, field: &str, defaults: &Map<String, Value>) -> Vec<String> {
    let mut set = Vec::new();
    for (name, amount) in defaults {
        if !resources.is_object() {
            *resources = json!({});
        }
        if !resources[field].is_object() {
            resources[field] = json!({});
        }
        if resources[field][name].is_null() {
            resources[field][name] = amount.clone();
            set.push(name.clone());
        }
    }
    set.sort();
    set
}

/// Refuses a pod or a claim that asks for more or less than it may.
pub(super) fn check(request: &ResourceRequest<'_>, object: &Value) -> Result<(), Status> {
    let resource = &request.resource;
    for range in ranges(request) {
        let mut wrong = Vec::new();
        for limit in limits(&range) {
            match (limit["type"].as_str(), resource.built_in_kind()) {
                (Some("Container"), "Pod") => {
                    for list in ["containers", "initContainers"] {
                        for container in object["spec"][list].as_array().into_iter().flatten() {
                            let resources = &container["resources"];
                            evaluate(
                                limit,
                                &amounts(&resources["requests"]),
                                &amounts(&resources["limits"]),
                                &mut wrong,
                            );
                        }
                    }
                }
                (Some("Pod"), "Pod") => {
                    let spec = &object["spec"];
                    evaluate(limit, &of_pod(spec, "requests"), &of_pod(spec, "limits"), &mut wrong);
                }
                (Some("PersistentVolumeClaim"), "PersistentVolumeClaim") => {
                    claim(limit, &amounts(&object["spec"]["resources"]["requests"]), &mut wrong);
                }
                _ => {}
            }
        }
        let why = match wrong.as_slice() {
            [] => continue,
            [only] => only.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        return Err(Status::forbidden(&resource.group, &resource.plural, name, &why));
    }
    Ok(())
}

fn evaluate(limit: &Value, requests: &Amounts, caps: &Amounts, wrong: &mut Vec<String>) {
    let kind = limit["type"].as_str().unwrap_or_default();
    for (name, least) in amounts(&limit["min"]) {
        wrong.extend(too_little(kind, &name, least, requests.get(&name), caps.get(&name)));
    }
    for (name, most) in amounts(&limit["max"]) {
        let rule = format!("maximum {name} usage per {kind} is {most}");
        match (requests.get(&name), caps.get(&name)) {
            (_, None) => wrong.push(format!("{rule}.  No limit is specified")),
            (_, Some(cap)) if cap.nanos() > most.nanos() => wrong.push(format!("{rule}, but limit is {cap}")),
            (Some(request), _) if request.nanos() > most.nanos() => {
                wrong.push(format!("{rule}, but request is {request}"));
            }
            _ => {}
        }
    }
    for (name, most) in amounts(&limit["maxLimitRequestRatio"]) {
        let rule = format!("{name} max limit to request ratio per {kind} is {most}, but");
        let some = |amounts: &Amounts| amounts.get(&name).map_or(0, |amount| amount.milli());
        let (request, cap) = (some(requests), some(caps));
        if request == 0 {
            wrong.push(format!("{rule} no request is specified or request is 0"));
        } else if cap == 0 {
            wrong.push(format!("{rule} no limit is specified or limit is 0"));
        } else if cap * 1000 > most.milli() * request {
            #[expect(clippy::cast_precision_loss, reason = "the ratio is only shown")]
            let ratio = cap as f64 / request as f64;
            wrong.push(format!("{rule} provided ratio is {ratio:.6}"));
        }
    }
}

fn too_little(
    kind: &str,
    name: &str,
    least: Quantity,
    request: Option<&Quantity>,
    cap: Option<&Quantity>,
) -> Option<String> {
    let rule = format!("minimum {name} usage per {kind} is {least}");
    match (request, cap) {
        (None, _) => Some(format!("{rule}.  No request is specified")),
        (Some(request), _) if request.nanos() < least.nanos() => Some(format!("{rule}, but request is {request}")),
        (_, Some(cap)) if cap.nanos() < least.nanos() => Some(format!("{rule}, but limit is {cap}")),
        _ => None,
    }
}

fn claim(limit: &Value, requests: &Amounts, wrong: &mut Vec<String>) {
    let kind = "PersistentVolumeClaim";
    for (name, least) in amounts(&limit["min"]) {
        wrong.extend(too_little(kind, &name, least, requests.get(&name), None));
    }
    for (name, most) in amounts(&limit["max"]) {
        let rule = format!("maximum {name} usage per {kind} is {most}");
        match requests.get(&name) {
            None => wrong.push(format!("{rule}.  No request is specified")),
            Some(request) if request.nanos() > most.nanos() => {
                wrong.push(format!("{rule}, but request is {request}"));
            }
            Some(_) => {}
        }
    }
}
