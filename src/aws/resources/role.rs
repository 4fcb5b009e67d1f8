//! `aws_iam_role`: name, path, description, assume_role_policy, max_session_duration, permissions_boundary (the ARN of a
//! policy), inline_policies (name -> document); computed arn and unique_id. The id is the name.

use std::collections::HashMap;

use aws_sdk_iam::types::{Role, Tag};
use provision::{Attributes, Context, Failure, Known, Object, Reading, Schema};
use serde_json::{Map, Value, json};

use super::edit::Edit;
use super::passing::{call, made_before};
use super::value::{self, document, optional, parsed, text};
use super::wait::{IAM_PROPAGATION, Look, until};
use crate::cloud::Cloud;
use crate::error::{Error, Result};

pub(super) const SCHEMA: Schema =
    Schema { force_new: &["name", "path"], computed: &["arn", "unique_id"], sensitive: &[], open: &[], set_once: &[] };

pub(super) async fn read(cloud: &Cloud, known: Known<'_>) -> Result<Reading, Failure> {
    let name = match known.recorded {
        Some(object) if !known.desired.contains_key("name") => &object.id,
        _ => text(known.desired, "name")?,
    };
    Ok(match fetch(cloud, name).await? {
        Some(object) => cloud.claim(object),
        None => Reading::Absent,
    })
}

/// IAM gives documents percent-encoded.
pub(super) fn decoded(document: &str) -> Value {
    parsed(&percent_encoding::percent_decode_str(document).decode_utf8_lossy())
}

pub(super) fn iam_tags(attributes: &Attributes) -> Vec<Tag> {
    iam_tags_of(&value::tags(attributes))
}

pub(super) fn iam_tags_of(tags: &HashMap<String, String>) -> Vec<Tag> {
    tags.iter().filter_map(|(name, value)| Tag::builder().key(name).value(value).build().ok()).collect()
}

pub(super) fn tags_json(tags: &[Tag]) -> Value {
    Value::Object(tags.iter().map(|tag| (tag.key().to_owned(), json!(tag.value()))).collect())
}

pub(crate) async fn fetch(cloud: &Cloud, name: &str) -> Result<Option<Object>> {
    const OPERATION: &str = "iam:GetRole";
    let role = match cloud.iam.get_role().role_name(name).send().await {
        Ok(answer) => answer.role.ok_or_else(|| Error::answer(OPERATION, "it holds no role"))?,
        Err(error) => {
            let error = Error::from_sdk(OPERATION, &error);
            return if error.is_not_found() { Ok(None) } else { Err(error) };
        }
    };
    let mut inline = Map::new();
    for policy in inline_names(cloud, name).await? {
        let call = cloud.iam.get_role_policy().role_name(name).policy_name(&policy);
        let answer = call.send().await.map_err(|error| Error::from_sdk("iam:GetRolePolicy", &error))?;
        inline.insert(policy, decoded(answer.policy_document()));
    }
    Ok(Some(object(&role, inline)))
}

fn object(role: &Role, inline: Map<String, Value>) -> Object {
    let attributes = value::attributes([
        ("name", json!(role.role_name())),
        ("path", json!(role.path())),
        ("arn", json!(role.arn())),
        ("unique_id", json!(role.role_id())),
        ("description", json!(role.description())),
        ("assume_role_policy", role.assume_role_policy_document().map_or(Value::Null, decoded)),
        ("max_session_duration", json!(role.max_session_duration())),
        ("permissions_boundary", json!(role.permissions_boundary().and_then(|held| held.permissions_boundary_arn()))),
        ("inline_policies", Value::Object(inline)),
        ("tags", tags_json(role.tags())),
    ]);
    Object::new(role.role_name(), attributes)
}

async fn inline_names(cloud: &Cloud, role: &str) -> Result<Vec<String>> {
    let (mut names, mut marker) = (Vec::new(), None);
    loop {
        let call = cloud.iam.list_role_policies().role_name(role).set_marker(marker);
        let answer = call.send().await.map_err(|error| Error::from_sdk("iam:ListRolePolicies", &error))?;
        names.extend(answer.policy_names);
        marker = answer.marker.filter(|_| answer.is_truncated);
        if marker.is_none() {
            return Ok(names);
        }
    }
}

pub(crate) async fn attached(cloud: &Cloud, role: &str) -> Result<Option<Vec<String>>> {
    let (mut arns, mut marker) = (Vec::new(), None);
    loop {
        let answer = match cloud.iam.list_attached_role_policies().role_name(role).set_marker(marker).send().await {
            Ok(answer) => answer,
            Err(error) => {
                let error = Error::from_sdk("iam:ListAttachedRolePolicies", &error);
                return if error.is_not_found() { Ok(None) } else { Err(error) };
            }
        };
        let policies = answer.attached_policies.unwrap_or_default();
        arns.extend(policies.into_iter().filter_map(|policy| policy.policy_arn));
        marker = answer.marker.filter(|_| answer.is_truncated);
        if marker.is_none() {
            return Ok(Some(arns));
        }
    }
}

pub(super) async fn create(cloud: &Cloud, desired: &Attributes, context: &Context) -> Result<Object, Failure> {
    let name = text(desired, "name")?;
    let trust = desired.get("assume_role_policy").map(document);
    let duration = desired.get("max_session_duration").and_then(Value::as_i64);
    let made = call(context, || async {
        let call = cloud.iam.create_role().role_name(name).set_assume_role_policy_document(trust.clone());
        let call = call.set_path(optional(desired, "path")).set_description(optional(desired, "description"));
        let call = call.set_max_session_duration(duration.map(|n| n as i32)).set_tags(Some(iam_tags(desired)));
        let call = call.set_permissions_boundary(optional(desired, "permissions_boundary"));
        match call.send().await.map_err(|error| Error::from_sdk("iam:CreateRole", &error)) {
            Err(error) if error.is_already_there() => Ok(Some(error)),
            answer => answer.map(|_| None),
        }
    });
    if let Some(taken) = made.await.map_err(|failure| with_document(&failure, trust.as_deref()))? {
        made_before(cloud, &format!("role {name}"), taken, context, || fetch(cloud, name)).await?;
    }
    put_inline(cloud, name, desired, context).await?;
    fresh(cloud, name, context).await
}

/// A refused trust policy is shown: the text is what has to be corrected.
fn with_document(failure: &Failure, trust: Option<&str>) -> Failure {
    let text = failure.to_string();
    if text.contains("MalformedPolicy") {
        return Failure::new(format!("{text}; the trust policy was {}", trust.unwrap_or("empty")));
    }
    failure.clone()
}

async fn fresh(cloud: &Cloud, name: &str, context: &Context) -> Result<Object, Failure> {
    until(context, &format!("role {name}"), IAM_PROPAGATION, || async {
        let found = match fetch(cloud, name).await {
            // One of IAM's servers knows the role, the next one does not yet.
            Err(error) if error.is_not_found() => None,
            found => found?,
        };
        // Right after its creation IAM may give the unique id in place of the ARN (terraform-provider-aws, iam/role.go).
        let usable = found.filter(|object| object.text("arn").is_some_and(|arn| arn.starts_with("arn:")));
        Ok(usable.map_or_else(|| Look::Waiting("not visible everywhere yet".into()), Look::Done))
    })
    .await
}

async fn put_inline(cloud: &Cloud, role: &str, desired: &Attributes, context: &Context) -> Result<(), Failure> {
    for (policy, text) in desired.get("inline_policies").and_then(Value::as_object).into_iter().flatten() {
        call(context, || async {
            let call = cloud.iam.put_role_policy().role_name(role).policy_name(policy).policy_document(document(text));
            call.send().await.map(drop).map_err(|error| Error::from_sdk("iam:PutRolePolicy", &error))
        })
        .await?;
    }
    Ok(())
}

async fn remove_inline(
    cloud: &Cloud,
    role: &str,
    keep: impl Fn(&str) -> bool,
    context: &Context,
) -> Result<(), Failure> {
    for policy in inline_names(cloud, role).await?.into_iter().filter(|name| !keep(name)) {
        call(context, || async {
            let call = cloud.iam.delete_role_policy().role_name(role).policy_name(&policy);
            gone(call.send().await.map_err(|error| Error::from_sdk("iam:DeleteRolePolicy", &error)))
        })
        .await?;
    }
    Ok(())
}

/// Not found is as good as deleted.
pub(super) fn gone<T>(outcome: Result<T>) -> Result<()> {
    match outcome {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

pub(super) async fn update(cloud: &Cloud, edit: Edit<'_>, context: &Context) -> Result<Object, Failure> {
    let (name, desired) = (edit.current.id.as_str(), edit.desired);
    if edit.touches("assume_role_policy") {
        let trust = desired.get("assume_role_policy").map(document);
        let made = call(context, || async {
            let call = cloud.iam.update_assume_role_policy().role_name(name);
            let answer = call.set_policy_document(trust.clone()).send().await;
            answer.map(drop).map_err(|error| Error::from_sdk("iam:UpdateAssumeRolePolicy", &error))
        });
        made.await.map_err(|failure| with_document(&failure, trust.as_deref()))?;
    }
    if edit.touches("description") || edit.touches("max_session_duration") {
        let duration = desired.get("max_session_duration").and_then(Value::as_i64).map(|n| n as i32);
        call(context, || async {
            let call = cloud.iam.update_role().role_name(name).set_max_session_duration(duration);
            let call = call.set_description(optional(desired, "description"));
            call.send().await.map(drop).map_err(|error| Error::from_sdk("iam:UpdateRole", &error))
        })
        .await?;
    }
    if edit.touches("permissions_boundary") {
        set_boundary(cloud, name, optional(desired, "permissions_boundary"), context).await?;
    }
    if edit.touches("inline_policies") {
        put_inline(cloud, name, desired, context).await?;
        let wanted = desired.get("inline_policies").and_then(Value::as_object);
        let keep = |policy: &str| wanted.is_some_and(|wanted| wanted.contains_key(policy));
        remove_inline(cloud, name, keep, context).await?;
    }
    fresh(cloud, name, context).await
}

/// Puts the boundary on the role; without one, takes off what it has.
async fn set_boundary(cloud: &Cloud, role: &str, boundary: Option<String>, context: &Context) -> Result<(), Failure> {
    call(context, || async {
        let Some(policy) = &boundary else {
            let answer = cloud.iam.delete_role_permissions_boundary().role_name(role).send().await;
            return gone(answer.map_err(|error| Error::from_sdk("iam:DeleteRolePermissionsBoundary", &error)));
        };
        let call = cloud.iam.put_role_permissions_boundary().role_name(role).permissions_boundary(policy);
        let answer = call.send().await;
        answer.map(drop).map_err(|error| Error::from_sdk("iam:PutRolePermissionsBoundary", &error))
    })
    .await
}

pub(super) async fn delete(cloud: &Cloud, current: &Object, context: &Context) -> Result<(), Failure> {
    let name = &current.id;
    call(context, || strip(cloud, name)).await?;
    call(context, || async {
        let answer = cloud.iam.delete_role().role_name(name).send().await;
        let answer = gone(answer.map_err(|error| Error::from_sdk("iam:DeleteRole", &error)));
        if matches!(&answer, Err(error) if error.is_delete_conflict()) {
            // Somebody may have attached one more, rather than IAM being late.
            strip(cloud, name).await?;
        }
        answer
    })
    .await
}

/// Takes every policy off a role: it goes only when it is bare. A role that is gone has none.
async fn strip(cloud: &Cloud, name: &str) -> Result<()> {
    let Some(policies) = attached(cloud, name).await? else { return Ok(()) };
    for arn in policies {
        let call = cloud.iam.detach_role_policy().role_name(name).policy_arn(arn);
        gone(call.send().await.map_err(|error| Error::from_sdk("iam:DetachRolePolicy", &error)))?;
    }
    let inline = match inline_names(cloud, name).await {
        Err(error) if error.is_not_found() => return Ok(()),
        names => names?,
    };
    for policy in inline {
        let call = cloud.iam.delete_role_policy().role_name(name).policy_name(policy);
        gone(call.send().await.map_err(|error| Error::from_sdk("iam:DeleteRolePolicy", &error)))?;
    }
    Ok(())
}
