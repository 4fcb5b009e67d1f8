//! `aws_eks_fargate_profile`: cluster_name, name, pod_execution_role_arn, subnet_ids, selectors (namespace, labels);
//! computed arn and status. Nothing but tags can be changed. The id is `cluster/profile`.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_eks::types::{FargateProfile, FargateProfileSelector, FargateProfileStatus};
use provision::{Attributes, Context, Failure, Health, Known, Object, Reading, Schema};
use serde_json::{Value, json};

use super::edit::{Edit, request_token};
use super::passing::call;
use super::value::{self, text, texts};
use super::wait::{Look, until};
use crate::cloud::Cloud;
use crate::error::{Error, Result};

pub(super) const SCHEMA: Schema = Schema {
    force_new: &["cluster_name", "name", "pod_execution_role_arn", "subnet_ids", "selectors"],
    computed: &["arn", "status"],
    sensitive: &[],
    open: &[],
    set_once: &[],
};

const READY_WITHIN: Duration = Duration::from_mins(10);

/// The cluster and the name inside it, as declared or as recorded.
pub(super) fn names<'a>(known: Known<'a>, name: &str) -> Option<(&'a str, &'a str)> {
    let of = |name: &str| {
        let declared = known.desired.get(name).and_then(Value::as_str);
        declared.or_else(|| known.recorded.and_then(|object| object.text(name)))
    };
    Some((of("cluster_name")?, of(name)?))
}

pub(super) async fn read(cloud: &Cloud, known: Known<'_>) -> Result<Reading, Failure> {
    // Without a cluster there can be no profile.
    let Some((cluster, name)) = names(known, "name") else { return Ok(Reading::Absent) };
    let found = describe(cloud, cluster, name).await?;
    Ok(found.map_or(Reading::Absent, |profile| cloud.claim(object(cluster, name, &profile))))
}

/// The profile of a cluster, if both exist.
pub(crate) async fn fetch(cloud: &Cloud, cluster: &str, name: String) -> Result<Option<Object>> {
    Ok(describe(cloud, cluster, &name).await?.map(|profile| object(cluster, &name, &profile)))
}

async fn describe(cloud: &Cloud, cluster: &str, name: &str) -> Result<Option<FargateProfile>> {
    const OPERATION: &str = "eks:DescribeFargateProfile";
    match cloud.eks.describe_fargate_profile().cluster_name(cluster).fargate_profile_name(name).send().await {
        Ok(answer) => answer.fargate_profile.map(Some).ok_or_else(|| Error::answer(OPERATION, "it holds no profile")),
        Err(error) => {
            let error = Error::from_sdk(OPERATION, &error);
            if error.is_not_found() { Ok(None) } else { Err(error) }
        }
    }
}

fn status(profile: &FargateProfile) -> String {
    let status = profile.status().map_or("UNKNOWN", FargateProfileStatus::as_str);
    let issues = profile.health().map(aws_sdk_eks::types::FargateProfileHealth::issues).unwrap_or_default();
    let issues = issues.iter().map(|issue| {
        let code = issue.code().map_or("Unknown", |code| code.as_str());
        format!(" [{code}: {}]", issue.message().unwrap_or_default())
    });
    format!("{status}{}", issues.collect::<String>())
}

fn is_sick(profile: &FargateProfile) -> bool {
    profile.health().is_some_and(|health| !health.issues().is_empty())
}

fn object(cluster: &str, name: &str, profile: &FargateProfile) -> Object {
    let selector = |selector: &FargateProfileSelector| {
        let labels = selector.labels().filter(|labels| !labels.is_empty());
        match labels {
            Some(labels) => json!({ "namespace": selector.namespace(), "labels": labels }),
            None => json!({ "namespace": selector.namespace() }),
        }
    };
    let attributes = value::attributes([
        ("cluster_name", json!(cluster)),
        ("name", json!(name)),
        ("arn", json!(profile.fargate_profile_arn())),
        ("pod_execution_role_arn", json!(profile.pod_execution_role_arn())),
        ("subnet_ids", json!(profile.subnets())),
        ("selectors", profile.selectors().iter().map(selector).collect()),
        ("status", json!(profile.status().map(FargateProfileStatus::as_str))),
        ("tags", json!(profile.tags())),
    ]);
    let mut object = Object::new(format!("{cluster}/{name}"), attributes);
    object.health = match profile.status() {
        Some(FargateProfileStatus::Active) => Health::Ready,
        Some(FargateProfileStatus::Creating) => Health::Settling(status(profile)),
        _ => Health::Broken(status(profile)),
    };
    object
}

async fn ready(cloud: &Cloud, cluster: &str, name: &str, context: &Context) -> Result<Object, Failure> {
    until(context, &format!("Fargate profile {name}"), READY_WITHIN, || async {
        let Some(profile) = describe(cloud, cluster, name).await? else {
            return Ok(Look::Waiting("not visible yet".into()));
        };
        let status = status(&profile);
        Ok(match profile.status() {
            Some(FargateProfileStatus::Active) => Look::Done(object(cluster, name, &profile)),
            Some(FargateProfileStatus::Creating) if !is_sick(&profile) => Look::Waiting(status),
            _ => Look::Hopeless(format!("it is {status}")),
        })
    })
    .await
}

fn selectors(desired: &Attributes) -> Vec<FargateProfileSelector> {
    let items = desired.get("selectors").and_then(Value::as_array).into_iter().flatten();
    let selector = |item: &Value| {
        let labels = item.get("labels").and_then(Value::as_object).map(|labels| {
            let pairs = labels.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
            pairs.collect::<HashMap<_, _>>()
        });
        let namespace = item.get("namespace").and_then(Value::as_str).unwrap_or_default();
        FargateProfileSelector::builder().namespace(namespace).set_labels(labels).build()
    };
    items.map(selector).collect()
}

pub(super) async fn create(cloud: &Cloud, desired: &Attributes, context: &Context) -> Result<Object, Failure> {
    let (cluster, name) = (text(desired, "cluster_name")?, text(desired, "name")?);
    let role = text(desired, "pod_execution_role_arn")?;
    let request = request_token();
    call(context, || async {
        let call = cloud
            .eks
            .create_fargate_profile()
            .client_request_token(&request)
            .cluster_name(cluster)
            .fargate_profile_name(name);
        let call = call.pod_execution_role_arn(role).set_subnets(texts(desired, "subnet_ids"));
        let call = call.set_selectors(Some(selectors(desired))).set_tags(Some(value::tags(desired)));
        call.send().await.map(drop).map_err(|error| Error::from_sdk("eks:CreateFargateProfile", &error))
    })
    .await?;
    ready(cloud, cluster, name, context).await
}

pub(super) async fn update(cloud: &Cloud, edit: Edit<'_>, context: &Context) -> Result<Object, Failure> {
    let attributes = &edit.current.attributes;
    let (cluster, name) = (text(attributes, "cluster_name")?, text(attributes, "name")?);
    ready(cloud, cluster, name, context).await
}

pub(super) async fn delete(cloud: &Cloud, current: &Object, context: &Context) -> Result<(), Failure> {
    let (cluster, name) = (text(&current.attributes, "cluster_name")?, text(&current.attributes, "name")?);
    call(context, || async {
        match describe(cloud, cluster, name).await? {
            None => return Ok(()),
            Some(profile) if profile.status() == Some(&FargateProfileStatus::Deleting) => return Ok(()),
            Some(_) => {}
        }
        let call = cloud.eks.delete_fargate_profile().cluster_name(cluster).fargate_profile_name(name);
        super::role::gone(call.send().await.map_err(|error| Error::from_sdk("eks:DeleteFargateProfile", &error)))
    })
    .await?;
    until(context, &format!("the deletion of Fargate profile {name}"), READY_WITHIN, || async {
        Ok(match describe(cloud, cluster, name).await? {
            None => Look::Done(()),
            Some(profile) if profile.status() == Some(&FargateProfileStatus::DeleteFailed) => {
                Look::Hopeless(format!("it is {}", status(&profile)))
            }
            Some(profile) => Look::Waiting(status(&profile)),
        })
    })
    .await
}
