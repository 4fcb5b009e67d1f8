//! `aws_eks_addon`: cluster_name, addon_name, addon_version, configuration_values, service_account_role_arn,
//! resolve_conflicts (NONE, OVERWRITE or PRESERVE), preserve (leave its objects when it is deleted); computed arn and
//! status. The id is `cluster/addon`.

use std::time::Duration;

use aws_sdk_eks::types::{Addon, AddonIssueCode, AddonStatus};
use provision::{Attributes, Context, Failure, Health, Known, Object, Reading, Schema};
use serde_json::{Value, json};

use super::edit::{Edit, request_token};
use super::fargate_profile::names;
use super::passing::call;
use super::update::followed;
use super::value::{self, document, optional, parsed, switch, text};
use super::wait::{Lasting, Look, until};
use crate::cloud::Cloud;
use crate::error::{Error, Result};

pub(super) const SCHEMA: Schema = Schema {
    force_new: &["cluster_name", "addon_name"],
    computed: &["arn", "status"],
    sensitive: &[],
    open: &[],
    set_once: &[],
};

/// As long as Terraform's provider waits (terraform-provider-aws, eks/addon.go).
const READY_WITHIN: Duration = Duration::from_mins(20);

/// A cluster that is minutes old passes through issues (ClusterUnreachable, AccessDenied, K8sResourceNotFound): one that
/// lasts as long as this stays.
const SICK_FOR: Duration = Duration::from_mins(3);

/// What is said when calling and cannot be read back.
const SAID_ONLY: [&str; 2] = ["resolve_conflicts", "preserve"];

pub(super) async fn read(cloud: &Cloud, known: Known<'_>) -> Result<Reading, Failure> {
    let Some((cluster, name)) = names(known, "addon_name") else { return Ok(Reading::Absent) };
    let Some(addon) = describe(cloud, cluster, name).await? else { return Ok(Reading::Absent) };
    Ok(cloud.claim(completed(object(cluster, name, &addon), known.desired)))
}

/// The addon of a cluster, if both exist.
pub(crate) async fn fetch(cloud: &Cloud, cluster: &str, name: String) -> Result<Option<Object>> {
    Ok(describe(cloud, cluster, &name).await?.map(|addon| object(cluster, &name, &addon)))
}

fn completed(mut object: Object, desired: &Attributes) -> Object {
    for name in SAID_ONLY {
        if let Some(said) = desired.get(name) {
            object.attributes.insert(name.to_owned(), said.clone());
        }
    }
    object
}

async fn describe(cloud: &Cloud, cluster: &str, name: &str) -> Result<Option<Addon>> {
    const OPERATION: &str = "eks:DescribeAddon";
    match cloud.eks.describe_addon().cluster_name(cluster).addon_name(name).send().await {
        Ok(answer) => answer.addon.map(Some).ok_or_else(|| Error::answer(OPERATION, "it holds no addon")),
        Err(error) => {
            let error = Error::from_sdk(OPERATION, &error);
            if error.is_not_found() { Ok(None) } else { Err(error) }
        }
    }
}

fn status(addon: &Addon) -> String {
    let status = addon.status().map_or("UNKNOWN", AddonStatus::as_str);
    let issues = addon.health().map(aws_sdk_eks::types::AddonHealth::issues).unwrap_or_default();
    let issues = issues.iter().map(|issue| {
        let code = issue.code().map_or("Unknown", AddonIssueCode::as_str);
        format!(" [{code}: {}]", issue.message().unwrap_or_default())
    });
    format!("{status}{}", issues.collect::<String>())
}

/// Issues that do not heal once they last. Too few replicas do: pods on Fargate take a minute or two to start.
fn is_sick(addon: &Addon) -> bool {
    let issues = addon.health().map(aws_sdk_eks::types::AddonHealth::issues).unwrap_or_default();
    issues.iter().any(|issue| !matches!(issue.code(), None | Some(AddonIssueCode::InsufficientNumberOfReplicas)))
}

fn object(cluster: &str, name: &str, addon: &Addon) -> Object {
    let attributes = value::attributes([
        ("cluster_name", json!(cluster)),
        ("addon_name", json!(name)),
        ("addon_version", json!(addon.addon_version())),
        (
            "configuration_values",
            addon.configuration_values().filter(|text| !text.is_empty()).map_or(Value::Null, parsed),
        ),
        ("service_account_role_arn", json!(addon.service_account_role_arn())),
        ("arn", json!(addon.addon_arn())),
        ("status", json!(addon.status().map(AddonStatus::as_str))),
        ("tags", json!(addon.tags())),
    ]);
    let mut object = Object::new(format!("{cluster}/{name}"), attributes);
    object.health = match addon.status() {
        Some(AddonStatus::Active) => Health::Ready,
        Some(AddonStatus::CreateFailed | AddonStatus::DeleteFailed | AddonStatus::Deleting) => {
            Health::Broken(status(addon))
        }
        _ => Health::Settling(status(addon)),
    };
    object
}

async fn ready(cloud: &Cloud, desired: &Attributes, context: &Context) -> Result<Object, Failure> {
    let (cluster, name) = (text(desired, "cluster_name")?, text(desired, "addon_name")?);
    let what = format!("addon {name}");
    let sickness = Lasting::default();
    let found = until(context, &what, READY_WITHIN, || async {
        let Some(addon) = describe(cloud, cluster, name).await? else {
            return Ok(Look::Waiting("not visible yet".into()));
        };
        let status = status(&addon);
        let is_lasting = sickness.seen(is_sick(&addon), context) >= SICK_FOR;
        Ok(match addon.status() {
            Some(AddonStatus::Active) => Look::Done(object(cluster, name, &addon)),
            Some(AddonStatus::Creating | AddonStatus::Updating | AddonStatus::Degraded) if !is_lasting => {
                Look::Waiting(status)
            }
            _ => Look::Hopeless(format!("it is {status}")),
        })
    });
    Ok(completed(found.await?, desired))
}

pub(super) async fn create(cloud: &Cloud, desired: &Attributes, context: &Context) -> Result<Object, Failure> {
    let (cluster, name) = (text(desired, "cluster_name")?, text(desired, "addon_name")?);
    let request = request_token();
    call(context, || async {
        let conflicts = optional(desired, "resolve_conflicts").map(|how| how.as_str().into());
        let call = cloud.eks.create_addon().client_request_token(&request).cluster_name(cluster).addon_name(name);
        let call = call.set_addon_version(optional(desired, "addon_version")).set_resolve_conflicts(conflicts);
        let call = call.set_configuration_values(desired.get("configuration_values").map(document));
        let call = call.set_service_account_role_arn(optional(desired, "service_account_role_arn"));
        let answer = call.set_tags(Some(value::tags(desired))).send().await;
        answer.map(drop).map_err(|error| Error::from_sdk("eks:CreateAddon", &error))
    })
    .await?;
    ready(cloud, desired, context).await
}

pub(super) async fn update(cloud: &Cloud, edit: Edit<'_>, context: &Context) -> Result<Object, Failure> {
    let desired = edit.desired;
    let (cluster, name) = (text(desired, "cluster_name")?, text(desired, "addon_name")?);
    if ["addon_version", "configuration_values", "service_account_role_arn"].iter().any(|name| edit.touches(name)) {
        let request = request_token();
        let update = call(context, || async {
            let conflicts = optional(desired, "resolve_conflicts").map(|how| how.as_str().into());
            let call = cloud.eks.update_addon().client_request_token(&request).cluster_name(cluster).addon_name(name);
            let call = call.set_addon_version(optional(desired, "addon_version")).set_resolve_conflicts(conflicts);
            let call = call.set_configuration_values(desired.get("configuration_values").map(document));
            let answer = call.set_service_account_role_arn(optional(desired, "service_account_role_arn")).send().await;
            answer.map(|answer| answer.update).map_err(|error| Error::from_sdk("eks:UpdateAddon", &error))
        })
        .await?;
        followed(cloud, cluster, Some(name), update, context).await?;
    }
    ready(cloud, desired, context).await
}

pub(super) async fn delete(cloud: &Cloud, current: &Object, context: &Context) -> Result<(), Failure> {
    let attributes = &current.attributes;
    let (cluster, name) = (text(attributes, "cluster_name")?, text(attributes, "addon_name")?);
    call(context, || async {
        let call = cloud.eks.delete_addon().cluster_name(cluster).addon_name(name);
        let answer = call.set_preserve(switch(attributes, "preserve")).send().await;
        super::role::gone(answer.map_err(|error| Error::from_sdk("eks:DeleteAddon", &error)))
    })
    .await?;
    until(context, &format!("the deletion of addon {name}"), READY_WITHIN, || async {
        Ok(match describe(cloud, cluster, name).await? {
            None => Look::Done(()),
            Some(addon) if addon.status() == Some(&AddonStatus::DeleteFailed) => {
                Look::Hopeless(format!("it is {}", status(&addon)))
            }
            Some(addon) => Look::Waiting(status(&addon)),
        })
    })
    .await
}
