//! `aws_eks_cluster`: name, version, role_arn, subnet_ids, security_group_ids, endpoint_public_access,
//! endpoint_private_access, public_access_cidrs, secrets_key (ARN or alias of a KMS key), authentication_mode,
//! bootstrap_cluster_creator_admin_permissions, bootstrap_self_managed_addons, enabled_log_types; computed arn, endpoint, certificate_authority (base64 PEM), issuer
//! (URL), issuer_host (without scheme), platform_version, status. The id is the name.

use std::time::Duration;

use aws_sdk_eks::types::{
    AuthenticationMode, Cluster, ClusterStatus, CreateAccessConfigRequest, EncryptionConfig, LogSetup, LogType,
    Logging, Provider, UpdateAccessConfigRequest, VpcConfigRequest,
};
use provision::{Attributes, Context, Failure, Health, Known, Object, Reading, Schema};
use serde_json::{Value, json};

use super::edit::{Edit, request_token};
use super::passing::call;
use super::update::followed;
use super::value::{self, optional, switch, text, texts};
use super::wait::{Look, until};
use crate::cloud::Cloud;
use crate::error::{Error, Result};

pub(super) const SCHEMA: Schema = Schema {
    force_new: &[
        "name",
        "role_arn",
        "vpc_id",
        "bootstrap_cluster_creator_admin_permissions",
        "bootstrap_self_managed_addons",
    ],
    computed: &["arn", "endpoint", "certificate_authority", "issuer", "issuer_host", "platform_version", "status"],
    sensitive: &[],
    open: &[], // A key can be given to a cluster that has none, and is never changed or taken away again (EKS User Guide, "Encrypt
    // Kubernetes secrets with KMS on existing clusters").
    set_once: &["secrets_key"],
};

const READY_WITHIN: Duration = Duration::from_mins(30);
const DELETED_WITHIN: Duration = Duration::from_hours(1);

pub(super) async fn read(cloud: &Cloud, known: Known<'_>) -> Result<Reading, Failure> {
    let name = match known.recorded {
        Some(object) if !known.desired.contains_key("name") => &object.id,
        _ => text(known.desired, "name")?,
    };
    let Some(cluster) = describe(cloud, name).await? else { return Ok(Reading::Absent) };
    let mut object = object(&cluster);
    // EKS does not say later whether it was asked to install addons or let the creator in; it cannot be changed either.
    for name in ["bootstrap_self_managed_addons", "bootstrap_cluster_creator_admin_permissions"] {
        if let Some(desired) = known.desired.get(name) {
            object.attributes.insert(name.to_owned(), desired.clone());
        }
    }
    name_key(&mut object, known);
    Ok(cloud.claim(object))
}

/// What the cluster's key is called: EKS gives the ARN of the key that an alias meant when the cluster got it, so an alias is
/// held against what was wanted then.
fn name_key(object: &mut Object, known: Known<'_>) {
    let is_alias = |name: &&str| !name.contains(":key/");
    let wanted = known.desired.get("secrets_key").and_then(Value::as_str).filter(is_alias);
    if let (Some(wanted), true) = (wanted, object.attributes.contains_key("secrets_key")) {
        let then = known.recorded.and_then(|recorded| recorded.text("secrets_key")).filter(is_alias);
        object.attributes.insert("secrets_key".to_owned(), json!(then.unwrap_or(wanted)));
    }
}

#[expect(deprecated, reason = "older API versions ask for the resources, and newer ones take no other")]
fn encryption(desired: &Attributes) -> Option<Vec<EncryptionConfig>> {
    let provider = Provider::builder().key_arn(optional(desired, "secrets_key")?).build();
    Some(vec![EncryptionConfig::builder().resources("secrets").provider(provider).build()])
}

pub(crate) async fn describe(cloud: &Cloud, name: &str) -> Result<Option<Cluster>> {
    const OPERATION: &str = "eks:DescribeCluster";
    match cloud.eks.describe_cluster().name(name).send().await {
        Ok(answer) => answer.cluster.map(Some).ok_or_else(|| Error::answer(OPERATION, "it holds no cluster")),
        Err(error) => {
            let error = Error::from_sdk(OPERATION, &error);
            if error.is_not_found() { Ok(None) } else { Err(error) }
        }
    }
}

fn issues(cluster: &Cluster) -> String {
    let issues = cluster.health().map(aws_sdk_eks::types::ClusterHealth::issues).unwrap_or_default();
    let texts = issues.iter().map(|issue| {
        let code = issue.code().map_or("Unknown", |code| code.as_str());
        format!(" [{code}: {}]", issue.message().unwrap_or_default())
    });
    texts.collect()
}

fn status(cluster: &Cluster) -> &str {
    cluster.status().map_or("UNKNOWN", ClusterStatus::as_str)
}

pub(crate) fn object(cluster: &Cluster) -> Object {
    let vpc = cluster.resources_vpc_config();
    let issuer = cluster.identity().and_then(|identity| identity.oidc()).and_then(|oidc| oidc.issuer());
    let access = cluster.access_config();
    let mode = access.and_then(|access| access.authentication_mode()).map(AuthenticationMode::as_str);
    let enabled = cluster.logging().map(aws_sdk_eks::types::Logging::cluster_logging).unwrap_or_default();
    let enabled = enabled.iter().filter(|setup| setup.enabled() == Some(true)).flat_map(LogSetup::types);
    let logs: Vec<&str> = enabled.map(LogType::as_str).collect();
    let mut keys = cluster.encryption_config().iter().filter_map(|config| config.provider()?.key_arn());
    let attributes = value::attributes([
        ("name", json!(cluster.name())),
        ("arn", json!(cluster.arn())),
        ("version", json!(cluster.version())),
        ("role_arn", json!(cluster.role_arn())),
        ("vpc_id", json!(vpc.and_then(aws_sdk_eks::types::VpcConfigResponse::vpc_id))),
        ("subnet_ids", json!(vpc.map(aws_sdk_eks::types::VpcConfigResponse::subnet_ids))),
        ("security_group_ids", json!(vpc.map(aws_sdk_eks::types::VpcConfigResponse::security_group_ids))),
        ("endpoint_public_access", json!(vpc.map(aws_sdk_eks::types::VpcConfigResponse::endpoint_public_access))),
        ("endpoint_private_access", json!(vpc.map(aws_sdk_eks::types::VpcConfigResponse::endpoint_private_access))),
        ("public_access_cidrs", json!(vpc.map(aws_sdk_eks::types::VpcConfigResponse::public_access_cidrs))),
        ("secrets_key", json!(keys.next_back())),
        ("authentication_mode", json!(mode)),
        ("enabled_log_types", json!(logs)),
        ("endpoint", json!(cluster.endpoint())),
        ("certificate_authority", json!(cluster.certificate_authority().and_then(|certificate| certificate.data()))),
        ("issuer", json!(issuer)),
        ("issuer_host", json!(issuer.map(|issuer| value::without_scheme(&json!(issuer)).to_owned()))),
        ("platform_version", json!(cluster.platform_version())),
        ("status", json!(status(cluster))),
        ("tags", json!(cluster.tags())),
    ]);
    let mut object = Object::new(cluster.name().unwrap_or_default(), attributes);
    object.health = match cluster.status() {
        Some(ClusterStatus::Active) => Health::Ready,
        Some(ClusterStatus::Failed | ClusterStatus::Deleting) => {
            Health::Broken(format!("{}{}", status(cluster), issues(cluster)))
        }
        _ => Health::Settling(format!("{}{}", status(cluster), issues(cluster))),
    };
    object
}

/// Waits until the cluster is active. Health issues of a cluster on its way end the wait early: they do not heal.
async fn ready(cloud: &Cloud, name: &str, context: &Context) -> Result<Object, Failure> {
    until(context, &format!("cluster {name}"), READY_WITHIN, || async {
        let Some(cluster) = describe(cloud, name).await? else {
            return Ok(Look::Waiting("not visible yet".into()));
        };
        let (status, issues) = (status(&cluster), issues(&cluster));
        Ok(match cluster.status() {
            Some(ClusterStatus::Active) => Look::Done(object(&cluster)),
            Some(ClusterStatus::Failed | ClusterStatus::Deleting) => Look::Hopeless(format!("it is {status}{issues}")),
            Some(ClusterStatus::Creating) if !issues.is_empty() => Look::Hopeless(format!("it is {status}{issues}")),
            _ => Look::Waiting(format!("{status}{issues}")),
        })
    })
    .await
}

fn vpc_config(desired: &Attributes) -> VpcConfigRequest {
    VpcConfigRequest::builder()
        .set_subnet_ids(texts(desired, "subnet_ids"))
        .set_security_group_ids(texts(desired, "security_group_ids").filter(|ids| !ids.is_empty()))
        .set_endpoint_public_access(switch(desired, "endpoint_public_access"))
        .set_endpoint_private_access(switch(desired, "endpoint_private_access"))
        .set_public_access_cidrs(texts(desired, "public_access_cidrs"))
        .build()
}

fn logging(desired: &Attributes) -> Option<Logging> {
    const ALL: [&str; 5] = ["api", "audit", "authenticator", "controllerManager", "scheduler"];
    let wanted = texts(desired, "enabled_log_types")?;
    let setup = |enabled: bool| {
        let chosen = ALL.iter().filter(|name| wanted.iter().any(|wanted| wanted == **name) == enabled);
        let types: Vec<LogType> = chosen.map(|name| LogType::from(*name)).collect();
        (!types.is_empty()).then(|| LogSetup::builder().set_types(Some(types)).enabled(enabled).build())
    };
    Some(Logging::builder().set_cluster_logging(Some([true, false].into_iter().filter_map(setup).collect())).build())
}

pub(super) async fn create(cloud: &Cloud, desired: &Attributes, context: &Context) -> Result<Object, Failure> {
    let name = text(desired, "name")?;
    let access = CreateAccessConfigRequest::builder()
        .set_authentication_mode(optional(desired, "authentication_mode").map(|mode| mode.as_str().into()))
        .set_bootstrap_cluster_creator_admin_permissions(switch(desired, "bootstrap_cluster_creator_admin_permissions"))
        .build();
    let request = request_token();
    call(context, || async {
        let call = cloud
            .eks
            .create_cluster()
            .client_request_token(&request)
            .name(name)
            .role_arn(text_or_empty(desired, "role_arn"));
        let call = call.set_version(optional(desired, "version")).resources_vpc_config(vpc_config(desired));
        let call = call.access_config(access.clone()).set_logging(logging(desired));
        let call = call.set_bootstrap_self_managed_addons(switch(desired, "bootstrap_self_managed_addons"));
        let call = call.set_encryption_config(encryption(desired));
        let answer = call.set_tags(Some(value::tags(desired))).send().await;
        answer.map(drop).map_err(|error| Error::from_sdk("eks:CreateCluster", &error))
    })
    .await?;
    completed(ready(cloud, name, context).await?, desired)
}

fn text_or_empty<'a>(desired: &'a Attributes, name: &str) -> &'a str {
    desired.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The object with what EKS does not report afterwards.
#[expect(clippy::unnecessary_wraps, reason = "it ends chains of fallible steps")]
fn completed(mut object: Object, desired: &Attributes) -> Result<Object, Failure> {
    for name in ["bootstrap_self_managed_addons", "bootstrap_cluster_creator_admin_permissions", "secrets_key"] {
        if let Some(wanted) = desired.get(name) {
            object.attributes.insert(name.to_owned(), wanted.clone());
        }
    }
    Ok(object)
}

/// One update of a cluster. EKS takes one type of update at a time (EKS API Reference, UpdateClusterConfig), so what may
/// change in `resources_vpc_config` makes three of them.
#[derive(Clone, Copy)]
enum Part {
    Version,
    Subnets,
    SecurityGroups,
    Endpoints,
    Logs,
    AuthenticationMode,
    Encryption,
}

const PARTS: [(Part, &[&str]); 7] = [
    (Part::Version, &["version"]),
    (Part::AuthenticationMode, &["authentication_mode"]),
    (Part::Logs, &["enabled_log_types"]),
    (Part::Endpoints, &["endpoint_public_access", "endpoint_private_access", "public_access_cidrs"]),
    (Part::Subnets, &["subnet_ids"]),
    (Part::SecurityGroups, &["security_group_ids"]),
    // Every secret is written anew, which takes longest.
    (Part::Encryption, &["secrets_key"]),
];

/// EKS takes one update at a time, so each is followed to its end (`docs/rules.md#eks-one-change-at-a-time`).
pub(super) async fn update(cloud: &Cloud, edit: Edit<'_>, context: &Context) -> Result<Object, Failure> {
    let (name, desired) = (edit.current.id.as_str(), edit.desired);
    ready(cloud, name, context).await?;
    for (part, attributes) in PARTS {
        if !attributes.iter().any(|name| edit.touches(name)) {
            continue;
        }
        for desired in steps(part, edit)? {
            let request = request_token();
            let update = call(context, || begin(cloud, name, &desired, part, &request)).await?;
            followed(cloud, name, None, update, context).await?;
        }
    }
    completed(ready(cloud, name, context).await?, desired)
}

/// What a part is to become, one update after the other: EKS raises the version by one minor at a time, and never lowers it
/// (EKS User Guide, "Update existing cluster to new Kubernetes version").
fn steps(part: Part, edit: Edit<'_>) -> Result<Vec<Attributes>, Failure> {
    let minor = |attributes: &Attributes| attributes.get("version")?.as_str()?.strip_prefix("1.")?.parse::<u32>().ok();
    let (Part::Version, Some(now), Some(then)) = (part, minor(&edit.current.attributes), minor(edit.desired)) else {
        return Ok(vec![edit.desired.clone()]);
    };
    if then < now {
        let text =
            format!("cluster {} has Kubernetes 1.{now}, and EKS never lowers a version to 1.{then}", edit.current.id);
        return Err(Failure::new(text).next(format!("write version: \"1.{now}\", or take the stack down first")));
    }
    let step = |minor: u32| {
        let mut desired = edit.desired.clone();
        desired.insert("version".to_owned(), json!(format!("1.{minor}")));
        desired
    };
    Ok((now + 1..=then).map(step).collect())
}

async fn begin(
    cloud: &Cloud,
    name: &str,
    desired: &Attributes,
    part: Part,
    request: &str,
) -> Result<Option<aws_sdk_eks::types::Update>> {
    let config = cloud.eks.update_cluster_config().client_request_token(request).name(name);
    let vpc = VpcConfigRequest::builder();
    let config = match part {
        Part::Version => {
            let call = cloud.eks.update_cluster_version().client_request_token(request).name(name);
            let answer = call.set_version(optional(desired, "version")).send().await;
            let answer = answer.map_err(|error| Error::from_sdk("eks:UpdateClusterVersion", &error));
            return answer.map(|answer| answer.update);
        }
        Part::Subnets => config.resources_vpc_config(vpc.set_subnet_ids(texts(desired, "subnet_ids")).build()),
        Part::SecurityGroups => {
            config.resources_vpc_config(vpc.set_security_group_ids(texts(desired, "security_group_ids")).build())
        }
        Part::Endpoints => config.resources_vpc_config(
            vpc.set_endpoint_public_access(switch(desired, "endpoint_public_access"))
                .set_endpoint_private_access(switch(desired, "endpoint_private_access"))
                .set_public_access_cidrs(texts(desired, "public_access_cidrs"))
                .build(),
        ),
        Part::Encryption => {
            let call = cloud.eks.associate_encryption_config().client_request_token(request).cluster_name(name);
            let answer = call.set_encryption_config(encryption(desired)).send().await;
            let answer = answer.map_err(|error| Error::from_sdk("eks:AssociateEncryptionConfig", &error));
            return answer.map(|answer| answer.update);
        }
        Part::Logs => config.set_logging(logging(desired)),
        Part::AuthenticationMode => {
            let mode = optional(desired, "authentication_mode").map(|mode| mode.as_str().into());
            config.access_config(UpdateAccessConfigRequest::builder().set_authentication_mode(mode).build())
        }
    };
    let answer = config.send().await.map_err(|error| Error::from_sdk("eks:UpdateClusterConfig", &error));
    answer.map(|answer| answer.update)
}

pub(super) async fn delete(cloud: &Cloud, current: &Object, context: &Context) -> Result<(), Failure> {
    let name = &current.id;
    call(context, || async {
        if let Some(cluster) = describe(cloud, name).await? {
            if cluster.status() == Some(&ClusterStatus::Deleting) {
                return Ok(());
            }
            let answer = cloud.eks.delete_cluster().name(name).send().await;
            super::role::gone(answer.map_err(|error| Error::from_sdk("eks:DeleteCluster", &error)))?;
        }
        Ok(())
    })
    .await?;
    until(context, &format!("the deletion of cluster {name}"), DELETED_WITHIN, || async {
        Ok(match describe(cloud, name).await? {
            None => Look::Done(()),
            Some(cluster) if cluster.status() == Some(&ClusterStatus::Failed) => {
                Look::Hopeless(format!("it is FAILED{}", issues(&cluster)))
            }
            Some(cluster) => Look::Waiting(format!("{}{}", status(&cluster), issues(&cluster))),
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(version: &str) -> Attributes {
        Attributes::from([("version".to_owned(), json!(version))])
    }

    fn raised(from: &str, to: &str) -> Result<Vec<String>, Failure> {
        let (current, desired, changed) = (Object::new("demo", version(from)), version(to), ["version".to_owned()]);
        let edit = Edit { current: &current, desired: &desired, changed: &changed };
        let steps = steps(Part::Version, edit)?;
        Ok(steps.iter().map(|step| step["version"].as_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn a_version_is_raised_by_one_minor_at_a_time_and_never_lowered() {
        assert_eq!(raised("1.33", "1.36").unwrap(), ["1.34", "1.35", "1.36"]);
        assert_eq!(raised("1.34", "1.35").unwrap(), ["1.35"]);
        let refused = raised("1.35", "1.34").unwrap_err();
        assert!(refused.to_string().contains("never lowers"), "{refused}");
        assert!(refused.next_step().unwrap().contains("1.35"));
    }

    #[test]
    fn an_alias_is_held_against_what_was_wanted_when_the_cluster_got_its_key() {
        let key = "arn:aws:kms:eu-west-1:111122223333:key/0a1b";
        let with = |name: &str| Attributes::from([("secrets_key".to_owned(), json!(name))]);
        let shown = |recorded: Option<&str>, wanted: &str| {
            let recorded = recorded.map(|name| Object::new("demo", with(name)));
            let mut object = Object::new("demo", with(key));
            name_key(&mut object, Known { recorded: recorded.as_ref(), desired: &with(wanted) });
            object.text("secrets_key").unwrap().to_owned()
        };
        assert_eq!(shown(Some("alias/a"), "alias/a"), "alias/a");
        assert_eq!(shown(Some("alias/a"), "alias/b"), "alias/a", "another alias is another key");
        assert_eq!(shown(None, "alias/b"), "alias/b", "nobody knows what was wanted then");
        assert_eq!(shown(Some("alias/a"), key), key, "EKS itself says which key it is");
    }
}
