//! `aws_cloudwatch_log_group`: name, retention_in_days (0 is for ever); computed arn. The id is the name.
//!
//! The group is that of a cluster's control plane: EKS makes it itself where it is missing, without retention and without tags,
//! also for the last lines after the cluster's deletion (terraform-aws-modules/terraform-aws-eks issues 2446 and 920).

use std::time::Duration;

use provision::{Attributes, Context, Failure, Known, Object, Reading, Schema};
use serde_json::{Value, json};

use super::edit::Edit;
use super::passing::{call, made_before};
use super::value::{self, text};
use super::wait::{IAM_PROPAGATION, Lasting, Look, until};
use crate::cloud::{Cloud, TAG_STACK};
use crate::cloudwatch_logs as logs;
use crate::error::Result;

pub(super) const SCHEMA: Schema =
    Schema { force_new: &["name"], computed: &["arn"], sensitive: &[], open: &[], set_once: &[] };

/// For as long as this after the deletion no look may have found it: the cluster's last lines come late.
const GONE_FOR: Duration = Duration::from_mins(1);
const DELETED_WITHIN: Duration = Duration::from_mins(5);

pub(super) async fn read(cloud: &Cloud, known: Known<'_>) -> Result<Reading, Failure> {
    let name = match known.recorded {
        Some(object) if !known.desired.contains_key("name") => &object.id,
        _ => text(known.desired, "name")?,
    };
    let Some(object) = fetch(cloud, name).await? else { return Ok(Reading::Absent) };
    let is_untagged = object.attributes.get("tags").and_then(|tags| tags.get(TAG_STACK)).is_none();
    // Nobody but EKS makes one for a cluster of ours, and one that we had made before.
    if is_untagged && (known.recorded.is_some() || is_of_our_cluster(cloud, name).await?) {
        return Ok(Reading::Present(object));
    }
    Ok(cloud.claim(object))
}

async fn is_of_our_cluster(cloud: &Cloud, name: &str) -> Result<bool> {
    let Some(cluster) = cluster_of(name) else { return Ok(false) };
    let found = super::cluster::describe(cloud, cluster).await?;
    Ok(found.is_some_and(|cluster| cloud.owns(&super::cluster::object(&cluster))))
}

/// The cluster whose control plane writes into the group of this name.
pub(crate) fn cluster_of(name: &str) -> Option<&str> {
    name.strip_prefix("/aws/eks/")?.strip_suffix("/cluster")
}

/// The name of the group that the control plane of `cluster` writes into.
pub(crate) fn name_for(cluster: &str) -> String {
    format!("/aws/eks/{cluster}/cluster")
}

pub(crate) async fn fetch(cloud: &Cloud, name: &str) -> Result<Option<Object>> {
    let session = cloud.session();
    let Some(group) = logs::group(session, name).await? else { return Ok(None) };
    let tags = match logs::tags(session, &group.arn).await {
        Err(error) if error.is_not_found() => return Ok(None),
        tags => tags?,
    };
    let attributes = value::attributes([
        ("name", json!(group.name)),
        ("arn", json!(group.arn)),
        ("retention_in_days", json!(group.retention_days.unwrap_or(0))),
        ("tags", tags),
    ]);
    Ok(Some(Object::new(group.name, attributes)))
}

pub(super) async fn create(cloud: &Cloud, desired: &Attributes, context: &Context) -> Result<Object, Failure> {
    let name = text(desired, "name")?;
    let input = json!({ "logGroupName": name, "tags": value::tags(desired) });
    let taken = call(context, || async {
        match logs::request(cloud.session(), "logs:CreateLogGroup", &input).await {
            Err(error) if error.is_already_there() => Ok(Some(error)),
            answer => answer.map(|_| None),
        }
    });
    if let Some(taken) = taken.await? {
        made_before(cloud, &format!("log group {name}"), taken, context, || fetch(cloud, name)).await?;
    }
    retain(cloud, name, desired, context).await?;
    shown(cloud, name, context).await
}

async fn retain(cloud: &Cloud, name: &str, desired: &Attributes, context: &Context) -> Result<(), Failure> {
    let days = desired.get("retention_in_days").and_then(Value::as_u64).filter(|days| *days > 0);
    call(context, || async {
        let answer = if let Some(days) = days {
            let input = json!({ "logGroupName": name, "retentionInDays": days });
            logs::request(cloud.session(), "logs:PutRetentionPolicy", &input).await
        } else {
            let input = json!({ "logGroupName": name });
            logs::request(cloud.session(), "logs:DeleteRetentionPolicy", &input).await
        };
        answer.map(drop)
    })
    .await
}

async fn shown(cloud: &Cloud, name: &str, context: &Context) -> Result<Object, Failure> {
    until(context, &format!("log group {name}"), IAM_PROPAGATION, || async {
        let found = fetch(cloud, name).await?;
        Ok(found.map_or_else(|| Look::Waiting("not visible yet".into()), Look::Done))
    })
    .await
}

pub(super) async fn update(cloud: &Cloud, edit: Edit<'_>, context: &Context) -> Result<Object, Failure> {
    let name = edit.current.id.as_str();
    if edit.touches("retention_in_days") {
        retain(cloud, name, edit.desired, context).await?;
    }
    shown(cloud, name, context).await
}

/// Deletes it, and again whenever the cluster's last lines have made it anew.
pub(super) async fn delete(cloud: &Cloud, current: &Object, context: &Context) -> Result<(), Failure> {
    let name = &current.id;
    call(context, || remove(cloud, name)).await?;
    let absence = Lasting::default();
    until(context, &format!("the deletion of log group {name}"), DELETED_WITHIN, || async {
        let is_absent = logs::group(cloud.session(), name).await?.is_none();
        let elapsed = absence.seen(is_absent, context);
        if !is_absent {
            remove(cloud, name).await?;
            return Ok(Look::Waiting("EKS has made it anew for the last lines; it is deleted again".into()));
        }
        if elapsed >= GONE_FOR {
            return Ok(Look::Done(()));
        }
        Ok(Look::Waiting(format!("EKS may make it anew for the last lines; not seen for {} s", elapsed.as_secs())))
    })
    .await
}

async fn remove(cloud: &Cloud, name: &str) -> Result<()> {
    match logs::request(cloud.session(), "logs:DeleteLogGroup", &json!({ "logGroupName": name })).await {
        Err(error) if error.is_not_found() => Ok(()),
        answer => answer.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_s_name_leads_to_its_cluster() {
        assert_eq!(cluster_of(&name_for("demo")), Some("demo"));
        assert_eq!(cluster_of("/aws/lambda/demo"), None);
    }
}
