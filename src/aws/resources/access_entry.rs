//! `aws_eks_access_entry`: cluster_name, principal_arn, type, user_name, kubernetes_groups; computed arn. The id is
//! `cluster/principal`. EKS makes the creator's entry itself and without tags, so inside our cluster every entry is ours.

use provision::{Attributes, Context, Failure, Known, Object, Reading, Schema};
use serde_json::json;

use super::edit::Edit;
use super::fargate_profile::names;
use super::passing::call;
use super::value::{self, optional, text, texts};
use crate::cloud::Cloud;
use crate::error::{Error, Result};

pub(super) const SCHEMA: Schema = Schema {
    force_new: &["cluster_name", "principal_arn", "type"],
    computed: &["arn"],
    sensitive: &[],
    open: &[],
    set_once: &[],
};

pub(super) async fn read(cloud: &Cloud, known: Known<'_>) -> Result<Reading, Failure> {
    let Some((cluster, principal)) = names(known, "principal_arn") else { return Ok(Reading::Absent) };
    Ok(fetch(cloud, cluster, principal.to_owned()).await?.map_or(Reading::Absent, Reading::Present))
}

pub(crate) async fn fetch(cloud: &Cloud, cluster: &str, principal: String) -> Result<Option<Object>> {
    const OPERATION: &str = "eks:DescribeAccessEntry";
    let principal = principal.as_str();
    let answer = cloud.eks.describe_access_entry().cluster_name(cluster).principal_arn(principal).send().await;
    let entry = match answer {
        Ok(answer) => answer.access_entry.ok_or_else(|| Error::answer(OPERATION, "it holds no entry"))?,
        Err(error) => {
            let error = Error::from_sdk(OPERATION, &error);
            return if error.is_not_found() { Ok(None) } else { Err(error) };
        }
    };
    let attributes = value::attributes([
        ("cluster_name", json!(cluster)),
        ("principal_arn", json!(principal)),
        ("type", json!(entry.r#type())),
        ("user_name", json!(entry.username())),
        ("kubernetes_groups", json!(entry.kubernetes_groups())),
        ("arn", json!(entry.access_entry_arn())),
        ("tags", json!(entry.tags().cloned().unwrap_or_default())),
    ]);
    Ok(Some(Object::new(format!("{cluster}/{principal}"), attributes)))
}

async fn found(cloud: &Cloud, cluster: &str, principal: &str) -> Result<Object, Failure> {
    let found = fetch(cloud, cluster, principal.to_owned()).await?;
    found.ok_or_else(|| Failure::new(format!("the access entry of {principal} was made and is gone again; run again")))
}

pub(super) async fn create(cloud: &Cloud, desired: &Attributes, context: &Context) -> Result<Object, Failure> {
    let (cluster, principal) = (text(desired, "cluster_name")?, text(desired, "principal_arn")?);
    call(context, || async {
        let call = cloud.eks.create_access_entry().cluster_name(cluster).principal_arn(principal);
        let call = call.set_type(optional(desired, "type")).set_username(optional(desired, "user_name"));
        let call = call.set_kubernetes_groups(texts(desired, "kubernetes_groups"));
        let answer = call.set_tags(Some(value::tags(desired))).send().await;
        match answer.map_err(|error| Error::from_sdk("eks:CreateAccessEntry", &error)) {
            // The creator's own entry came with the cluster, between the look and now.
            Err(error) if error.code() == Some("ResourceInUseException") => Ok(()),
            outcome => outcome.map(drop),
        }
    })
    .await?;
    found(cloud, cluster, principal).await
}

pub(super) async fn update(cloud: &Cloud, edit: Edit<'_>, context: &Context) -> Result<Object, Failure> {
    let desired = edit.desired;
    let (cluster, principal) = (text(desired, "cluster_name")?, text(desired, "principal_arn")?);
    if edit.touches("user_name") || edit.touches("kubernetes_groups") {
        call(context, || async {
            let call = cloud.eks.update_access_entry().cluster_name(cluster).principal_arn(principal);
            let call = call.set_username(optional(desired, "user_name"));
            let call = call.set_kubernetes_groups(texts(desired, "kubernetes_groups"));
            call.send().await.map(drop).map_err(|error| Error::from_sdk("eks:UpdateAccessEntry", &error))
        })
        .await?;
    }
    found(cloud, cluster, principal).await
}

pub(super) async fn delete(cloud: &Cloud, current: &Object, context: &Context) -> Result<(), Failure> {
    let attributes = &current.attributes;
    let (cluster, principal) = (text(attributes, "cluster_name")?, text(attributes, "principal_arn")?);
    call(context, || async {
        let answer = cloud.eks.delete_access_entry().cluster_name(cluster).principal_arn(principal).send().await;
        super::role::gone(answer.map_err(|error| Error::from_sdk("eks:DeleteAccessEntry", &error)))
    })
    .await
}
