//! `aws_iam_policy`: name, path, description, policy; computed arn. The id is the ARN.

use provision::{Attributes, Context, Failure, Known, Object, Reading, Schema};
use serde_json::{Value, json};

use super::edit::Edit;
use super::passing::{call, made_before};
use super::role::{decoded, gone, iam_tags, tags_json};
use super::value::{self, document, optional, text};
use super::wait::{IAM_PROPAGATION, Look, until};
use crate::cloud::Cloud;
use crate::error::{Error, Result};

pub(super) const SCHEMA: Schema = Schema {
    force_new: &["name", "path", "description"],
    computed: &["arn"],
    sensitive: &[],
    open: &[],
    set_once: &[],
};

/// IAM keeps at most five versions of a policy (`docs/rules.md#iam-limits-of-policies`).
const VERSIONS_MAX: usize = 5;

pub(super) async fn read(cloud: &Cloud, known: Known<'_>) -> Result<Reading, Failure> {
    let recorded = known.recorded.filter(|object| object.id.starts_with("arn:"));
    let arn = match recorded {
        Some(object) => Some(object.id.clone()),
        None => find(cloud, text(known.desired, "name")?).await?,
    };
    let found = match arn {
        Some(arn) => fetch(cloud, &arn).await?,
        None => None,
    };
    Ok(found.map_or(Reading::Absent, |object| cloud.claim(object)))
}

/// The customer managed policies of the account: name and ARN.
pub(crate) async fn list(cloud: &Cloud) -> Result<Vec<(String, String)>> {
    let (mut found, mut marker) = (Vec::new(), None);
    loop {
        let call = cloud
            .iam
            .list_policies()
            .scope(aws_sdk_iam::types::PolicyScopeType::Local)
            .max_items(1000)
            .set_marker(marker);
        let answer = call.send().await.map_err(|error| Error::from_sdk("iam:ListPolicies", &error))?;
        let policies = answer.policies.unwrap_or_default().into_iter();
        found.extend(policies.filter_map(|policy| Some((policy.policy_name?, policy.arn?))));
        marker = answer.marker.filter(|_| answer.is_truncated);
        if marker.is_none() {
            return Ok(found);
        }
    }
}

async fn find(cloud: &Cloud, name: &str) -> Result<Option<String>> {
    Ok(list(cloud).await?.into_iter().find(|(found, _)| found == name).map(|(_, arn)| arn))
}

pub(crate) async fn fetch(cloud: &Cloud, arn: &str) -> Result<Option<Object>> {
    const OPERATION: &str = "iam:GetPolicy";
    let policy = match cloud.iam.get_policy().policy_arn(arn).send().await {
        Ok(answer) => answer.policy.ok_or_else(|| Error::answer(OPERATION, "it holds no policy"))?,
        Err(error) => {
            let error = Error::from_sdk(OPERATION, &error);
            return if error.is_not_found() { Ok(None) } else { Err(error) };
        }
    };
    let version = policy.default_version_id().ok_or_else(|| Error::answer(OPERATION, "it has no default version"))?;
    let call = cloud.iam.get_policy_version().policy_arn(arn).version_id(version);
    let answer = call.send().await.map_err(|error| Error::from_sdk("iam:GetPolicyVersion", &error))?;
    let text = answer.policy_version.as_ref().and_then(|version| version.document());
    let attributes = value::attributes([
        ("name", json!(policy.policy_name())),
        ("path", json!(policy.path())),
        ("description", json!(policy.description())),
        ("arn", json!(arn)),
        ("policy", text.map_or(Value::Null, decoded)),
        ("tags", tags_json(policy.tags())),
    ]);
    Ok(Some(Object::new(arn, attributes)))
}

pub(super) async fn create(cloud: &Cloud, desired: &Attributes, context: &Context) -> Result<Object, Failure> {
    let text = desired.get("policy").map(document);
    let name = optional(desired, "name").unwrap_or_default();
    let made = call(context, || async {
        let call = cloud.iam.create_policy().set_policy_name(optional(desired, "name"));
        let call = call.set_path(optional(desired, "path")).set_description(optional(desired, "description"));
        let call = call.set_policy_document(text.clone()).set_tags(Some(iam_tags(desired)));
        match call.send().await.map_err(|error| Error::from_sdk("iam:CreatePolicy", &error)) {
            Err(error) if error.is_already_there() => Ok(Err(error)),
            answer => {
                let arn = answer?.policy.and_then(|policy| policy.arn);
                arn.map(Ok).ok_or_else(|| Error::answer("iam:CreatePolicy", "it holds no ARN"))
            }
        }
    });
    let arn = match made.await? {
        Ok(arn) => arn,
        Err(taken) => made_before(cloud, &format!("policy {name}"), taken, context, || of_name(cloud, &name)).await?.id,
    };
    fresh(cloud, &arn, context).await
}

/// The policy of that name.
async fn of_name(cloud: &Cloud, name: &str) -> Result<Option<Object>> {
    let Some(arn) = find(cloud, name).await? else { return Ok(None) };
    fetch(cloud, &arn).await
}

async fn fresh(cloud: &Cloud, arn: &str, context: &Context) -> Result<Object, Failure> {
    until(context, &format!("policy {arn}"), IAM_PROPAGATION, || async {
        let found = fetch(cloud, arn).await?;
        Ok(found.map_or_else(|| Look::Waiting("not visible yet".into()), Look::Done))
    })
    .await
}

/// The versions that are not in force, oldest last (as IAM lists them).
async fn other_versions(cloud: &Cloud, arn: &str) -> Result<Vec<String>> {
    let call = cloud.iam.list_policy_versions().policy_arn(arn);
    let answer = call.send().await.map_err(|error| Error::from_sdk("iam:ListPolicyVersions", &error))?;
    let versions = answer.versions.unwrap_or_default().into_iter();
    let mut others: Vec<_> = versions.filter(|version| !version.is_default_version).collect();
    others.sort_by_key(|version| std::cmp::Reverse(version.create_date));
    Ok(others.into_iter().filter_map(|version| version.version_id).collect())
}

async fn delete_version(cloud: &Cloud, arn: &str, version: &str) -> Result<()> {
    let call = cloud.iam.delete_policy_version().policy_arn(arn).version_id(version);
    gone(call.send().await.map_err(|error| Error::from_sdk("iam:DeletePolicyVersion", &error)))
}

pub(super) async fn update(cloud: &Cloud, edit: Edit<'_>, context: &Context) -> Result<Object, Failure> {
    let arn = edit.current.id.as_str();
    if edit.touches("policy") {
        let others = other_versions(cloud, arn).await?;
        if others.len() + 1 >= VERSIONS_MAX
            && let Some(oldest) = others.last()
        {
            delete_version(cloud, arn, oldest).await?;
        }
        call(context, || async {
            let call = cloud.iam.create_policy_version().policy_arn(arn).set_as_default(true);
            let call = call.set_policy_document(edit.desired.get("policy").map(document));
            call.send().await.map(drop).map_err(|error| Error::from_sdk("iam:CreatePolicyVersion", &error))
        })
        .await?;
    }
    fresh(cloud, arn, context).await
}

pub(super) async fn delete(cloud: &Cloud, current: &Object, context: &Context) -> Result<(), Failure> {
    let arn = &current.id;
    if fetch(cloud, arn).await?.is_none() {
        return Ok(());
    }
    for version in other_versions(cloud, arn).await? {
        call(context, || delete_version(cloud, arn, &version)).await?;
    }
    call(context, || async {
        let answer = cloud.iam.delete_policy().policy_arn(arn).send().await;
        let answer = gone(answer.map_err(|error| Error::from_sdk("iam:DeletePolicy", &error)));
        if matches!(&answer, Err(error) if error.is_delete_conflict()) {
            // Somebody attached our policy to a role of theirs; it goes all the same.
            detach(cloud, arn).await?;
        }
        answer
    })
    .await
}

/// Takes the policy off every role.
async fn detach(cloud: &Cloud, arn: &str) -> Result<()> {
    let call = cloud.iam.list_entities_for_policy().policy_arn(arn);
    let answer = call.send().await.map_err(|error| Error::from_sdk("iam:ListEntitiesForPolicy", &error))?;
    for role in answer.policy_roles().iter().filter_map(|role| role.role_name()) {
        let call = cloud.iam.detach_role_policy().role_name(role).policy_arn(arn);
        gone(call.send().await.map_err(|error| Error::from_sdk("iam:DetachRolePolicy", &error)))?;
    }
    Ok(())
}
