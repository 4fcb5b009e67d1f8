//! `aws_iam_role_policy_attachment`: role (name), policy_arn. The id is `role/policy ARN`. It has no tags: it is ours as
//! its role is.

use provision::{Attributes, Context, Failure, Known, Object, Reading, Schema};
use serde_json::json;

use super::passing::call;
use super::role::{attached, gone};
use super::value::{self, text};
use crate::cloud::Cloud;
use crate::error::Error;

pub(super) const SCHEMA: Schema =
    Schema { force_new: &["role", "policy_arn"], computed: &[], sensitive: &[], open: &[], set_once: &[] };

fn object(role: &str, arn: &str) -> Object {
    Object::new(format!("{role}/{arn}"), value::attributes([("role", json!(role)), ("policy_arn", json!(arn))]))
}

pub(super) async fn read(cloud: &Cloud, known: Known<'_>) -> Result<Reading, Failure> {
    let of = |name: &str| {
        let declared = known.desired.get(name).and_then(serde_json::Value::as_str);
        declared.or_else(|| known.recorded.and_then(|object| object.text(name)))
    };
    // Without a policy or role there is nothing that could be attached.
    let (Some(role), Some(arn)) = (of("role"), of("policy_arn")) else { return Ok(Reading::Absent) };
    let attached = attached(cloud, role).await?.unwrap_or_default();
    Ok(if attached.iter().any(|found| found == arn) { Reading::Present(object(role, arn)) } else { Reading::Absent })
}

pub(super) async fn create(cloud: &Cloud, desired: &Attributes, context: &Context) -> Result<Object, Failure> {
    let (role, arn) = (text(desired, "role")?, text(desired, "policy_arn")?);
    call(context, || async {
        let answer = cloud.iam.attach_role_policy().role_name(role).policy_arn(arn).send().await;
        answer.map(drop).map_err(|error| Error::from_sdk("iam:AttachRolePolicy", &error))
    })
    .await?;
    Ok(object(role, arn))
}

pub(super) async fn delete(cloud: &Cloud, current: &Object, context: &Context) -> Result<(), Failure> {
    let (role, arn) = (text(&current.attributes, "role")?, text(&current.attributes, "policy_arn")?);
    call(context, || async {
        let answer = cloud.iam.detach_role_policy().role_name(role).policy_arn(arn).send().await;
        gone(answer.map_err(|error| Error::from_sdk("iam:DetachRolePolicy", &error)))
    })
    .await
}
