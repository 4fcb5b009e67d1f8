//! `aws_eks_access_policy_association`: cluster_name, principal_arn, policy_arn, access_scope (type `cluster` or
//! `namespace`, namespaces). The id is `cluster/principal/policy`. It has no tags: it is ours as its cluster is.

use aws_sdk_eks::types::{AccessScope, AccessScopeType};
use provision::{Attributes, Context, Failure, Known, Object, Reading, Schema};
use serde_json::{Value, json};

use super::fargate_profile::names;
use super::passing::call;
use super::value::{self, text};
use crate::cloud::Cloud;
use crate::error::{Error, Result};

pub(super) const SCHEMA: Schema = Schema {
    force_new: &["cluster_name", "principal_arn", "policy_arn"],
    computed: &[],
    sensitive: &[],
    open: &[],
    set_once: &[],
};

pub(super) async fn read(cloud: &Cloud, known: Known<'_>) -> Result<Reading, Failure> {
    let (Some((cluster, principal)), Some((_, policy))) = (names(known, "principal_arn"), names(known, "policy_arn"))
    else {
        return Ok(Reading::Absent);
    };
    Ok(fetch(cloud, cluster, principal, policy).await?.map_or(Reading::Absent, Reading::Present))
}

async fn fetch(cloud: &Cloud, cluster: &str, principal: &str, policy: &str) -> Result<Option<Object>> {
    let mut token = None;
    loop {
        let call = cloud.eks.list_associated_access_policies().cluster_name(cluster).principal_arn(principal);
        let answer = match call.set_next_token(token).send().await {
            Ok(answer) => answer,
            Err(error) => {
                let error = Error::from_sdk("eks:ListAssociatedAccessPolicies", &error);
                return if error.is_not_found() { Ok(None) } else { Err(error) };
            }
        };
        let found = answer.associated_access_policies().iter().find(|found| found.policy_arn() == Some(policy));
        if let Some(found) = found {
            return Ok(Some(object(cluster, principal, policy, found.access_scope())));
        }
        token = answer.next_token;
        if token.is_none() {
            return Ok(None);
        }
    }
}

fn object(cluster: &str, principal: &str, policy: &str, scope: Option<&AccessScope>) -> Object {
    let kind = scope.and_then(|scope| scope.r#type()).map_or("cluster", AccessScopeType::as_str);
    let namespaces = scope.map(aws_sdk_eks::types::AccessScope::namespaces).unwrap_or_default();
    let scope =
        if namespaces.is_empty() { json!({ "type": kind }) } else { json!({ "type": kind, "namespaces": namespaces }) };
    let attributes = value::attributes([
        ("cluster_name", json!(cluster)),
        ("principal_arn", json!(principal)),
        ("policy_arn", json!(policy)),
        ("access_scope", scope),
    ]);
    Object::new(format!("{cluster}/{principal}/{policy}"), attributes)
}

fn scope(desired: &Attributes) -> AccessScope {
    let scope = desired.get("access_scope");
    let kind = scope.and_then(|scope| scope.get("type")).and_then(Value::as_str).unwrap_or("cluster");
    let namespaces = scope.and_then(|scope| scope.get("namespaces")).and_then(Value::as_array);
    let namespaces = namespaces.map(|items| items.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    AccessScope::builder().r#type(AccessScopeType::from(kind)).set_namespaces(namespaces).build()
}

pub(super) async fn create(cloud: &Cloud, desired: &Attributes, context: &Context) -> Result<Object, Failure> {
    let (cluster, principal) = (text(desired, "cluster_name")?, text(desired, "principal_arn")?);
    let policy = text(desired, "policy_arn")?;
    call(context, || async {
        let call = cloud.eks.associate_access_policy().cluster_name(cluster).principal_arn(principal);
        let answer = call.policy_arn(policy).access_scope(scope(desired)).send().await;
        answer.map(drop).map_err(|error| Error::from_sdk("eks:AssociateAccessPolicy", &error))
    })
    .await?;
    Ok(object(cluster, principal, policy, Some(&scope(desired))))
}

pub(super) async fn delete(cloud: &Cloud, current: &Object, context: &Context) -> Result<(), Failure> {
    let attributes = &current.attributes;
    let (cluster, principal) = (text(attributes, "cluster_name")?, text(attributes, "principal_arn")?);
    let policy = text(attributes, "policy_arn")?;
    call(context, || async {
        let call = cloud.eks.disassociate_access_policy().cluster_name(cluster).principal_arn(principal);
        let answer = call.policy_arn(policy).send().await;
        super::role::gone(answer.map_err(|error| Error::from_sdk("eks:DisassociateAccessPolicy", &error)))
    })
    .await
}
