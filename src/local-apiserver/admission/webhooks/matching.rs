//! Whether a webhook is to be asked: rules, selectors, conditions.

use std::collections::HashMap;
use std::sync::Arc;

use kube_cel::KubeCelExt;
use kube_cel::cel::objects::{Key, Map};
use kube_cel::cel::{Context, Value as CelValue};
use serde_json::Value;

use super::event::Event;
use crate::crd::rules;
use crate::kinds::{BUILT_IN, Resource};
use crate::request::hooks::Hook;
use crate::request::resource_request::ResourceRequest;
use crate::selector::matches_label_selector;
use crate::status::Status;

/// Parts of objects whose own form is not built here: who asks for that gets a warning (see `admission::warnings`).
pub(crate) const PASSED_OVER: [&str; 8] =
    ["attach", "binding", "ephemeralcontainers", "eviction", "exec", "portforward", "scale", "token"];

/// The resource as which a webhook is asked, if its rules and selectors name what happens: the requested one, or else the
/// first other version that a rule names, unless the webhook wants exact matches.
pub(super) fn resource_for(request: &ResourceRequest<'_>, hook: &Hook, event: Event<'_>) -> Option<Arc<Resource>> {
    if PASSED_OVER.contains(&request.target.subresource.as_str()) {
        return None;
    }
    let rules = hook.spec["rules"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names = |rule: &Value, resource: &Resource| is_ruled(request, resource, rule, event.operation);
    let found = if rules.iter().any(|rule| names(rule, &request.resource)) {
        Some(Arc::clone(&request.resource))
    } else if hook.spec["matchPolicy"] == "Exact" {
        None
    } else {
        let others = other_versions(request);
        rules.iter().find_map(|rule| others.iter().find(|other| names(rule, other)).cloned())
    };
    found.filter(|_| is_selected(request, hook, event))
}

/// What serves the same objects, with the same subresource.
fn other_versions(request: &ResourceRequest<'_>) -> Vec<Arc<Resource>> {
    let own = &request.resource;
    let is_other = |one: &&Arc<Resource>| {
        one.collection() == own.collection()
            && one.custom.is_some() == own.custom.is_some()
            && (&one.group, &one.version) != (&own.group, &own.version)
            && (request.target.subresource != "status" || one.status)
    };
    let custom = request.cluster.custom();
    BUILT_IN.iter().chain(custom.iter()).filter(is_other).cloned().collect()
}

/// Whether the selectors name what happens.
fn is_selected(request: &ResourceRequest<'_>, hook: &Hook, event: Event<'_>) -> bool {
    let labels = |object: Option<&Value>| object.map(|object| object["metadata"]["labels"].clone());
    let of_either = |selector: &Value| {
        [event.object, event.old].into_iter().filter_map(labels).any(|labels| matches_label_selector(selector, &labels))
    };
    let (resource, selector) = (&request.resource, &hook.spec["namespaceSelector"]);
    let in_namespace = if resource.namespaced {
        let namespace = request.cluster.get("namespaces", "", &request.target.namespace);
        namespace.is_some_and(|namespace| matches_label_selector(selector, &namespace["metadata"]["labels"]))
    } else {
        // A namespace is matched by its own labels; other cluster-scoped objects match any namespaceSelector.
        resource.built_in_kind() != "Namespace" || of_either(selector)
    };
    in_namespace && of_either(&hook.spec["objectSelector"])
}

fn is_ruled(request: &ResourceRequest<'_>, resource: &Resource, rule: &Value, operation: &str) -> bool {
    let sub = request.target.subresource.as_str();
    let listed =
        |field: &str, wanted: &str| rule[field].as_array().into_iter().flatten().any(|one| one == "*" || one == wanted);
    let named = |one: &Value| {
        let (plural, wanted) =
            one.as_str().unwrap_or_default().split_once('/').unwrap_or((one.as_str().unwrap_or_default(), ""));
        // All parts of an object are the object itself too.
        (plural == "*" || plural == resource.plural) && (wanted == sub || wanted == "*")
    };
    let scope = match rule["scope"].as_str() {
        Some("Namespaced") => resource.namespaced,
        Some("Cluster") => !resource.namespaced,
        _ => true,
    };
    scope
        && listed("operations", operation)
        && listed("apiGroups", &resource.group)
        && listed("apiVersions", &resource.version)
        && rule["resources"].as_array().into_iter().flatten().any(named)
}

/// `matchConditions`: all must hold. One that cannot be evaluated refuses the write, unless failures are passed over.
pub(super) fn meets(hook: &Hook, request: &Value) -> Result<bool, Status> {
    let conditions = hook.spec["matchConditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    if conditions.is_empty() {
        return Ok(true);
    }
    let base = Context::default().with_all();
    let mut scope = base.new_inner_scope();
    scope.add_variable_from_value("object", value(&request["object"]));
    scope.add_variable_from_value("oldObject", value(&request["oldObject"]));
    scope.add_variable_from_value("request", value(request));
    let mut failure = None;
    for condition in conditions {
        let evaluation = rules::parse(condition["expression"].as_str().unwrap_or_default())
            .and_then(|expression| scope.resolve(&expression).map_err(|error| error.to_string()));
        match evaluation {
            Ok(CelValue::Bool(true)) => {}
            Ok(CelValue::Bool(false)) => return Ok(false),
            Ok(_) => failure = Some("the condition is neither true nor false".to_owned()),
            Err(why) => failure = Some(why),
        }
    }
    match failure {
        None => Ok(true),
        Some(_) if hook.spec["failurePolicy"] == "Ignore" => Ok(false),
        Some(why) => Err(Status::failure(
            403,
            "Forbidden",
            format!("failed to evaluate the match conditions of \"{}\": {why}", hook.name),
        )),
    }
}

/// A value without a schema: names stand as they are.
fn value(json: &Value) -> CelValue {
    match json {
        Value::Null => CelValue::Null,
        Value::Bool(flag) => CelValue::Bool(*flag),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| CelValue::Float(number.as_f64().unwrap_or_default()), CelValue::Int)
        }
        Value::String(text) => CelValue::String(Arc::new(text.clone())),
        Value::Array(items) => CelValue::List(Arc::new(items.iter().map(value).collect())),
        Value::Object(fields) => {
            let converted: HashMap<Key, CelValue> =
                fields.iter().map(|(name, inner)| (Key::String(Arc::new(name.clone())), value(inner))).collect();
            CelValue::Map(Map { map: Arc::new(converted) })
        }
    }
}
