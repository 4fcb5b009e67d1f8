//! The reviews: questions about users, tokens and permissions, answered and not stored.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Attributes, allowed, rbac};
use crate::cluster::Cluster;
use crate::kinds::Resource;
use crate::request::{Call, Reply, Target};
use crate::status::{FieldError, Status};
use crate::user::User;
use crate::{authentication, tokens};

pub(crate) fn create(
    cluster: &Arc<Cluster>,
    call: &Call,
    resource: &Resource,
    target: &Target,
) -> Result<Reply, Status> {
    let mut review = call.body_value()?;
    if !review.is_object() {
        review = json!({});
    }
    review["kind"] = resource.kind.clone().into();
    review["apiVersion"] = resource.api_version().into();
    if !review["metadata"].is_object() {
        review["metadata"] = json!({"creationTimestamp": null});
    }
    let spec = review["spec"].clone();
    review["status"] = match resource.kind.as_str() {
        "SelfSubjectReview" => json!({"userInfo": user_value(&call.user)}),
        "TokenReview" => token_review(cluster, &spec),
        "SelfSubjectAccessReview" => access(cluster, &call.user, &spec, None)?,
        "SelfSubjectRulesReview" => rules(cluster, &call.user, spec["namespace"].as_str().unwrap_or_default()),
        "LocalSubjectAccessReview" => access(cluster, &subject(&spec)?, &spec, Some(&target.namespace))?,
        _ => access(cluster, &subject(&spec)?, &spec, None)?,
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

fn token_review(cluster: &Cluster, spec: &Value) -> Value {
    let asked: Vec<&str> = spec["audiences"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let own = authentication::audiences(cluster);
    let audiences = if asked.is_empty() { own.to_vec() } else { asked };
    match tokens::authenticate(cluster, spec["token"].as_str().unwrap_or_default(), &audiences) {
        Some(user) => json!({"authenticated": true, "user": user_value(&user), "audiences": audiences}),
        None => json!({"authenticated": false, "error": "invalid bearer token", "user": {}}),
    }
}

fn subject(spec: &Value) -> Result<User, Status> {
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let user = User {
        name: spec["user"].as_str().unwrap_or_default().to_owned(),
        groups: strings(&spec["groups"]),
        uid: spec["uid"].as_str().unwrap_or_default().to_owned(),
        extra: spec["extra"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), strings(value)))
            .collect(),
    };
    if user.name.is_empty() && user.groups.is_empty() {
        let error = FieldError::invalid("spec.user", &"".into(), "at least one of user or group must be specified");
        return Err(Status::invalid("authorization.k8s.io", "SubjectAccessReview", "", &[error]));
    }
    Ok(user)
}

fn access(cluster: &Cluster, user: &User, spec: &Value, namespace: Option<&str>) -> Result<Value, Status> {
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
    } else if spec["nonResourceAttributes"].is_object() {
        let on = &spec["nonResourceAttributes"];
        Attributes { verb: text(&on["verb"]), path: Some(text(&on["path"])), ..Attributes::default() }
    } else {
        return Err(Status::bad_request(
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        ));
    };
    Ok(match allowed(cluster, user, &attributes) {
        Some(reason) if reason.is_empty() => json!({"allowed": true}),
        Some(reason) => json!({"allowed": true, "reason": reason}),
        None => json!({"allowed": false}),
    })
}

fn rules(cluster: &Cluster, user: &User, namespace: &str) -> Value {
    let mut held: Vec<Value> = rbac::rules(cluster, user, namespace).into_iter().map(|(rule, _)| rule).collect();
    if user.is_in("system:masters") {
        held.push(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
        held.push(json!({"verbs": ["*"], "nonResourceURLs": ["*"]}));
    }
    let (paths, resources): (Vec<Value>, Vec<Value>) =
        held.into_iter().partition(|rule| rule["nonResourceURLs"].is_array());
    json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false})
}
