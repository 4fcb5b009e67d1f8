//! AssumeRole, session policies and session tags.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::required;
use super::session::{NewSession, check_name, duration};
use crate::authorization::{Access, request_tags};
use crate::caller::{Call, Caller};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::policy::{Context, Document, Kind, Named};

pub(super) fn assume_role(cloud: &Cloud, call: &Call, input: &Value) -> Result<Value, Fault> {
    let arn = required(input, "RoleArn")?;
    let name = required(input, "RoleSessionName")?;
    check_name(name)?;
    if !arn.starts_with("arn:") {
        return Err(Fault::sender("ValidationError", format!("{arn} is invalid")));
    }
    let refused =
        || format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}", call.caller.arn());
    let Some(role) = cloud.iam().assumable_role(arn) else {
        // AWS does not tell a missing role from a forbidden one.
        let message = refused();
        cloud.remember(call, "sts:AssumeRole", arn, &message, vec![format!("there is no role {arn}")]);
        return Err(Fault::access_denied(message));
    };
    let tags = session_tags(input);
    let mut context = Context::default();
    context.set("sts:RoleSessionName", name);
    if let Some(external) = input.get("ExternalId").and_then(Value::as_str) {
        context.set("sts:ExternalId", external);
    }
    request_tags(&mut context, &tags);
    for action in ["sts:AssumeRole", "sts:TagSession"] {
        if action == "sts:TagSession" && tags.is_empty() {
            continue;
        }
        let access = Access {
            action,
            resource: arn,
            context: context.clone(),
            resource_policy: Some(role.trust.clone()),
            resource_must_allow: true,
        };
        cloud.authorize(call, access)?;
    }
    let chained = matches!(call.caller, Caller::Session(_));
    let seconds = duration(input, role.max_session_seconds, chained)?;
    let policies = session_policies(cloud, input)?;
    cloud.iam().role_used(arn, call.now);
    let new = NewSession { role, name: name.to_owned(), seconds, tags, policies, federated_provider: None };
    let mut answer = cloud.sts().begin(&cloud.account, call.now, new);
    answer["PackedPolicySize"] = json!(0);
    Ok(answer)
}

fn session_tags(input: &Value) -> BTreeMap<String, String> {
    let list = input.get("Tags").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |tag: &Value, key: &str| tag.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    list.iter().map(|tag| (text(tag, "Key"), text(tag, "Value"))).collect()
}

/// The inline and managed session policies; `None` without any.
pub(super) fn session_policies(cloud: &Cloud, input: &Value) -> Result<Option<Vec<Named>>, Fault> {
    let mut policies = Vec::new();
    if let Some(text) = input.get("Policy").and_then(Value::as_str) {
        let document =
            Document::parse(text, Kind::Identity).map_err(|why| Fault::sender("MalformedPolicyDocument", why))?;
        policies.push(Named { name: "the session policy".into(), document: Arc::new(document) });
    }
    for item in input.get("PolicyArns").and_then(Value::as_array).into_iter().flatten() {
        let arn = item.get("arn").and_then(Value::as_str).unwrap_or_default();
        let policy = cloud.iam().managed_policy(arn);
        policies.push(
            policy.ok_or_else(|| Fault::sender("MalformedPolicyDocument", format!("PolicyArn {arn} is not valid.")))?,
        );
    }
    Ok((!policies.is_empty()).then_some(policies))
}
