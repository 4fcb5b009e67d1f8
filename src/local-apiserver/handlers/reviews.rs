//! The reviews: questions about users, tokens and permissions, answered and not stored.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::authorization::attributes::Attributes;
use crate::authorization::{allowed, rbac};
use crate::cluster::Cluster;
use crate::kinds::Resource;
use crate::object::metadata;
use crate::request::{Call, Reply, Target};
use crate::status::{FieldError, Status};
use crate::tokens;
use crate::user::User;

pub(super) fn create(
    cluster: &Arc<Cluster>,
    call: &Call,
    resource: &Resource,
    target: &Target,
) -> Result<Reply, Status> {
    let mut review = call.body_as(&resource.group, &resource.version, &resource.kind)?;
    if !review.is_object() {
        review = json!({});
    }
    review["kind"] = resource.kind.clone().into();
    review["apiVersion"] = resource.api_version().into();
    metadata::map(&mut review).retain(|_, value| !value.is_null());
    let spec = review["spec"].clone();
    review["status"] = match resource.kind.as_str() {
        "SelfSubjectReview" => {
            review["metadata"]["creationTimestamp"] = cluster.now_text().into();
            json!({"userInfo": user_value(&call.user)})
        }
        "TokenReview" => token_review(cluster, &spec)?,
        "SelfSubjectAccessReview" => access(cluster, Some(&call.user), &spec, None)?,
        "SelfSubjectRulesReview" => {
            // The answer to "what may I do here" does not repeat where "here" is.
            review["spec"] = json!({});
            rules(cluster, &call.user, spec["namespace"].as_str().unwrap_or_default())?
        }
        "LocalSubjectAccessReview" => access(cluster, None, &spec, Some(&target.namespace))?,
        _ => access(cluster, None, &spec, None)?,
    };
    Ok(Reply::json(201, review))
}

fn user_value(user: &User) -> Value {
    let mut value = json!({"username": user.name, "groups": user.groups});
    if !user.uid.is_empty() {
        value["uid"] = user.uid.clone().into();
    }
    if !user.extra.is_empty() {
        value["extra"] = json!(user.extra);
    }
    value
}

fn token_review(cluster: &Cluster, spec: &Value) -> Result<Value, Status> {
    let token = spec["token"].as_str().unwrap_or_default();
    if token.is_empty() {
        return Err(Status::bad_request("token is required for TokenReview in authentication"));
    }
    let request: Vec<&str> = spec["audiences"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let own = cluster.audiences();
    let audiences = if request.is_empty() { own.to_vec() } else { request };
    Ok(match tokens::authenticate(cluster, token, &audiences) {
        Some((user, meant)) => json!({"authenticated": true, "user": user_value(&user), "audiences": meant}),
        None => json!({"error": "invalid bearer token", "user": {}}),
    })
}

fn subject(spec: &Value) -> User {
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    User {
        name: spec["user"].as_str().unwrap_or_default().to_owned(),
        groups: strings(&spec["groups"]),
        uid: spec["uid"].as_str().unwrap_or_default().to_owned(),
        extra: spec["extra"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), strings(value)))
            .collect(),
    }
}

/// What is wrong with a question about access; `user` is nobody's who is not named.
fn check_question(spec: &Value, user: &User) -> Result<(), Status> {
    let (on, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    let mut errors = Vec::new();
    if on.is_object() && path.is_object() {
        let text = |field: &str| path[field].as_str().unwrap_or_default();
        let shown = json!({"Path": text("path"), "Verb": text("verb")});
        let detail = "cannot be specified in combination with resourceAttributes";
        errors.push(FieldError::invalid("spec.nonResourceAttributes", &shown, detail));
    } else if !on.is_object() && !path.is_object() {
        let detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        errors.push(FieldError::invalid("spec.resourceAttributes", &Value::Null, detail));
    }
    for kind in ["fieldSelector", "labelSelector"] {
        check_selector(&on[kind], &format!("spec.resourceAttributes.{kind}"), &mut errors);
    }
    if user.name.is_empty() && user.groups.is_empty() {
        errors.push(FieldError::invalid("spec.user", &"".into(), "at least one of user or group must be specified"));
    }
    // Reviews are refused without their kind, as the real server does it.
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid("authorization.k8s.io", "", "", &errors)) }
}

/// A selector of a question: roles do not look at it, but it must be one.
fn check_selector(selector: &Value, at: &str, errors: &mut Vec<FieldError>) {
    if !selector.is_object() {
        return;
    }
    let raw = selector["rawSelector"].as_str().unwrap_or_default();
    let requirements = selector["requirements"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !raw.is_empty() && !requirements.is_empty() {
        let detail = "may not specified at the same time as requirements";
        errors.push(FieldError::invalid(format!("{at}.rawSelector"), &raw.into(), detail));
    }
    if raw.is_empty() && requirements.is_empty() {
        let detail = format!("when {at} is specified, requirements or rawSelector is required");
        errors.push(FieldError::required(format!("{at}.requirements"), &detail));
    }
    for (index, requirement) in requirements.iter().enumerate() {
        let at = format!("{at}.requirements[{index}]");
        let given = requirement["values"].as_array().is_some_and(|values| !values.is_empty());
        match requirement["operator"].as_str().unwrap_or_default() {
            "In" | "NotIn" if !given => {
                let detail = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.push(FieldError::required(format!("{at}.values"), detail));
            }
            "Exists" | "DoesNotExist" if given => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(FieldError::forbidden(format!("{at}.values"), detail));
            }
            _ => {}
        }
        if requirement["key"].as_str().unwrap_or_default().is_empty() {
            errors.push(FieldError::required(format!("{at}.key"), "must be specified"));
        }
    }
}

/// May the caller (`own`), or else the user that the question names, do it?
fn access(cluster: &Cluster, own: Option<&User>, spec: &Value, namespace: Option<&str>) -> Result<Value, Status> {
    let named = subject(spec);
    let user = own.unwrap_or(&named);
    check_question(spec, user)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let on = &spec["resourceAttributes"];
    let attributes = if on.is_object() {
        Attributes {
            verb: text(&on["verb"]),
            group: text(&on["group"]),
            resource: text(&on["resource"]),
            subresource: text(&on["subresource"]),
            namespace: namespace.map_or_else(|| text(&on["namespace"]), str::to_owned),
            name: text(&on["name"]),
            path: None,
        }
    } else {
        let on = &spec["nonResourceAttributes"];
        Attributes { verb: text(&on["verb"]), path: Some(text(&on["path"])), ..Attributes::default() }
    };
    Ok(match allowed(cluster, user, &attributes) {
        Some(reason) if reason.is_empty() => json!({"allowed": true}),
        Some(reason) => json!({"allowed": true, "reason": reason}),
        None => json!({"allowed": false}),
    })
}

fn rules(cluster: &Cluster, user: &User, namespace: &str) -> Result<Value, Status> {
    if namespace.is_empty() {
        return Err(Status::bad_request("no namespace on request"));
    }
    let mut held: Vec<Value> = rbac::rules(cluster, user, namespace).into_iter().map(|(rule, _)| rule).collect();
    if user.is_in("system:masters") {
        held.push(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
        held.push(json!({"verbs": ["*"], "nonResourceURLs": ["*"]}));
    }
    let (paths, resources): (Vec<Value>, Vec<Value>) =
        held.into_iter().partition(|rule| rule["nonResourceURLs"].is_array());
    Ok(json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false}))
}
