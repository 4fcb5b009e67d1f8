//! Addons. CoreDNS is the one that a Fargate-only cluster needs and the one that is served.

use http::Method;
use serde_json::{Value, json};

use super::addon_catalog::{self as catalog, NAME};
use super::addon_health::assess;
use super::faults::{in_use, invalid, not_found, unknown};
use super::input::{check_tags, date, page, required, tags, text};
use super::lifecycle;
use super::request_context::RequestContext;
use super::store::{Addon, Update};
use crate::fault::Fault;
use crate::identifier;

impl Addon {
    fn value(&self, cluster: &str) -> Value {
        let mut value = json!({
            "addonName": self.name,
            "clusterName": cluster,
            "status": self.status,
            "addonVersion": self.version,
            "health": { "issues": self.issues },
            "addonArn": self.arn,
            "createdAt": date(self.created_at),
            "modifiedAt": date(self.modified_at),
            "tags": self.tags,
        });
        if let Some(configuration) = &self.configuration {
            value["configurationValues"] = json!(configuration);
        }
        if let Some(role) = &self.service_account_role_arn {
            value["serviceAccountRoleArn"] = json!(role);
        }
        value
    }
}

/// Lets a created or updated addon settle over time.
fn settle(context: &RequestContext<'_>, cluster: &str, name: &str) {
    for (step, late) in [(lifecycle::Step::AddonCreation, false), (lifecycle::Step::AddonDegradation, true)] {
        let (name, requested_at) = (name.to_owned(), context.call.now);
        lifecycle::change_after(context.cloud, cluster, step, move |cluster| {
            // An update since then has a time of its own.
            if cluster.addons.get(&name).is_some_and(|addon| addon.modified_at == requested_at) {
                assess(cluster, &name, late);
            }
        });
    }
}

pub(super) fn call(context: &RequestContext<'_>, cluster: &str, rest: &[&str]) -> Result<Value, Fault> {
    match (&context.request.method, rest) {
        (&Method::POST, []) => create(context, cluster),
        (&Method::GET, []) => {
            context.allowed_on("ListAddons", cluster, None)?;
            let names = context.cloud.eks().cluster(cluster)?.addons.keys().map(|name| json!(name)).collect();
            page(context.request, "addons", names)
        }
        (&Method::GET, [name]) => {
            context.allowed_on("DescribeAddon", cluster, Some(("addon", name)))?;
            let mut store = context.cloud.eks();
            let addon = store.cluster(cluster)?.addons.get(*name).ok_or_else(|| no_addon(name))?;
            Ok(json!({ "addon": addon.value(cluster) }))
        }
        (&Method::POST, [name, "update"]) => update(context, cluster, name),
        (&Method::DELETE, [name]) => delete(context, cluster, name),
        _ => Err(unknown(context.request)),
    }
}

fn no_addon(name: &str) -> Fault {
    not_found(format!("No addon: {name} found in cluster")).with_detail("addonName", name)
}

fn configuration(body: &Value) -> Result<Option<String>, Fault> {
    let Some(given) = text(body, "configurationValues").filter(|given| !given.trim().is_empty()) else {
        return Ok(None);
    };
    let value = serde_json::from_str::<Value>(given).ok().filter(Value::is_object);
    let value =
        value.ok_or_else(|| invalid("ConfigurationValue is not a JSON object (the local EKS takes no YAML here)"))?;
    catalog::check(&value)?;
    Ok(Some(given.to_owned()))
}

fn create(context: &RequestContext<'_>, cluster_name: &str) -> Result<Value, Fault> {
    context.allowed_on("CreateAddon", cluster_name, None)?;
    let name = required(&context.body, "addonName")?.to_owned();
    let mut store = context.cloud.eks();
    let cluster = store.cluster(cluster_name)?;
    if name != NAME {
        return Err(invalid(format!("Addon {name} specified is not supported: the local EKS has {NAME}")));
    }
    cluster.must_be_active()?;
    if cluster.addons.contains_key(&name) {
        return Err(in_use("Addon already exists.").with_detail("addonName", name));
    }
    let tags = tags(&context.body);
    check_tags(&tags)?;
    let addon = Addon {
        arn: format!(
            "arn:aws:eks:{}:{}:addon/{cluster_name}/{name}/{}",
            context.cloud.region,
            context.cloud.account,
            identifier::uuid()
        ),
        name: name.clone(),
        version: catalog::check_version(text(&context.body, "addonVersion").unwrap_or(catalog::VERSIONS[0]))?
            .to_owned(),
        configuration: configuration(&context.body)?,
        service_account_role_arn: text(&context.body, "serviceAccountRoleArn").map(str::to_owned),
        status: "CREATING",
        issues: Vec::new(),
        created_at: context.call.now,
        modified_at: context.call.now,
        tags,
    };
    let value = addon.value(cluster_name);
    cluster.addons.insert(name.clone(), addon);
    drop(store);
    lifecycle::notify(context.cloud, cluster_name);
    settle(context, cluster_name, &name);
    Ok(json!({ "addon": value }))
}

fn update(context: &RequestContext<'_>, cluster_name: &str, name: &str) -> Result<Value, Fault> {
    context.allowed_on("UpdateAddon", cluster_name, Some(("addon", name)))?;
    let id = identifier::uuid();
    let parts = [
        ("addonVersion", "AddonVersion"),
        ("serviceAccountRoleArn", "ServiceAccountRoleArn"),
        ("resolveConflicts", "ResolveConflicts"),
        ("configurationValues", "ConfigurationValues"),
    ];
    let params: Vec<_> = parts
        .into_iter()
        .filter_map(|(member, kind)| Some(json!({ "type": kind, "value": text(&context.body, member)? })))
        .collect();
    let update = json!({ "id": id, "status": "InProgress", "type": "AddonUpdate", "params": params, "createdAt": date(context.call.now), "errors": [] });
    let mut store = context.cloud.eks();
    let cluster = store.cluster(cluster_name)?;
    let addon = cluster.addons.get_mut(name).ok_or_else(|| no_addon(name))?;
    if matches!(addon.status, "CREATING" | "UPDATING" | "DELETING") {
        return Err(in_use(format!("Addon {name} cannot be updated as it is currently in {} state", addon.status)));
    }
    if let Some(version) = text(&context.body, "addonVersion") {
        catalog::check_version(version)?.clone_into(&mut addon.version);
    }
    if context.body.get("configurationValues").is_some() {
        addon.configuration = configuration(&context.body)?;
    }
    if let Some(role) = text(&context.body, "serviceAccountRoleArn") {
        addon.service_account_role_arn = Some(role.to_owned()).filter(|role| !role.is_empty());
    }
    addon.status = "UPDATING";
    addon.modified_at = context.call.now;
    cluster.updates.push(Update { addon: Some(name.to_owned()), value: update.clone() });
    drop(store);
    lifecycle::notify(context.cloud, cluster_name);
    settle(context, cluster_name, name);
    lifecycle::change_after(context.cloud, cluster_name, lifecycle::Step::AddonCreation, move |cluster| {
        cluster.finish_update(&id);
    });
    Ok(json!({ "update": update }))
}

fn delete(context: &RequestContext<'_>, cluster_name: &str, name: &str) -> Result<Value, Fault> {
    context.allowed_on("DeleteAddon", cluster_name, Some(("addon", name)))?;
    let mut store = context.cloud.eks();
    let addon = store.cluster(cluster_name)?.addons.get_mut(name).ok_or_else(|| no_addon(name))?;
    addon.status = "DELETING";
    let value = addon.value(cluster_name);
    let (gone, arn) = (name.to_owned(), addon.arn.clone());
    drop(store);
    lifecycle::change_after(context.cloud, cluster_name, lifecycle::Step::AddonDeletion, move |cluster| {
        // Asked for twice, the later end must not meet an addon that was made in between.
        if cluster.addons.get(&gone).is_some_and(|addon| addon.arn == arn) {
            cluster.addons.remove(&gone);
        }
    });
    Ok(json!({ "addon": value }))
}
