//! Changes of a cluster that take time.

use serde_json::{Value, json};

use super::cluster::{VERSIONS, logging, support_type};
use super::faults::{in_use, invalid, not_found};
use super::input::{date, page, required, text};
use super::lifecycle;
use super::request_context::RequestContext;
use super::store::{Cluster, Update};
use super::{encryption, logs, network};
use crate::fault::Fault;
use crate::identifier;

impl Cluster {
    fn may_change(&self) -> Result<(), Fault> {
        if self.status == "UPDATING" {
            return Err(in_use(format!(
                "Cannot update because cluster {} currently has an update in progress",
                self.name
            )));
        }
        self.must_be_active()
    }

    pub(super) fn finish_update(&mut self, id: &str) {
        if let Some(update) = self.updates.iter_mut().find(|one| one.value["id"] == id) {
            update.value["status"] = json!("Successful");
        }
    }

    /// An update that changed nothing in the end.
    fn fail_update(&mut self, id: &str, before: Before) {
        (self.vpc, self.logging) = (before.vpc, before.logging);
        if let Some(update) = self.updates.iter_mut().find(|one| one.value["id"] == id) {
            update.value["status"] = json!("Failed");
            let message = "The update failed for a reason of EKS's own; nothing has changed";
            update.value["errors"] = json!([{ "errorCode": "Unknown", "errorMessage": message, "resourceIds": [] }]);
        }
    }
}

/// What an update that fails leaves as it was.
struct Before {
    vpc: Value,
    logging: Value,
}

/// Begins an update: applied at once, shown as finished after a while.
fn begin(
    context: &RequestContext<'_>,
    cluster: &mut Cluster,
    kind: &str,
    params: &Value,
    before: Option<Before>,
) -> Value {
    let id = identifier::uuid();
    let update = json!({
        "id": id, "status": "InProgress", "type": kind, "createdAt": date(context.call.now), "errors": [],
        "params": params.as_object().into_iter().flatten().map(|(name, value)| json!({ "type": name, "value": value.to_string() })).collect::<Vec<_>>(),
    });
    let fate = context.cloud.faults.fate_of_update(&cluster.name);
    if !fate.shows_late {
        cluster.status = "UPDATING";
    }
    cluster.updates.push(Update { addon: None, value: update.clone() });
    lifecycle::change_after(context.cloud, &cluster.name, lifecycle::Step::ClusterUpdate, move |cluster| {
        cluster.status = "ACTIVE";
        match before.filter(|_| fate.fails) {
            Some(before) => cluster.fail_update(&id, before),
            None => cluster.finish_update(&id),
        }
    });
    json!({ "update": update })
}

pub(super) fn config(context: &RequestContext<'_>, name: &str) -> Result<Value, Fault> {
    context.allowed_on("UpdateClusterConfig", name, None)?;
    let body = &context.body;
    let mut store = context.cloud.eks();
    let cluster = store.cluster(name)?;
    cluster.may_change()?;
    let before = Some(Before { vpc: cluster.vpc.clone(), logging: cluster.logging.clone() });
    let given: Vec<_> = ["logging", "resourcesVpcConfig", "accessConfig", "deletionProtection", "upgradePolicy"]
        .into_iter()
        .filter(|key| body.get(*key).is_some())
        .collect();
    match given.as_slice() {
        ["logging"] => {
            let new = logging(body.get("logging"), &cluster.enabled_logs())?;
            if new == cluster.logging {
                return Err(invalid("No changes needed for the logging config provided"));
            }
            cluster.logging = new;
            if !cluster.enabled_logs().is_empty() {
                logs::write(context.cloud, name);
            }
            let params = json!({ "ClusterLogging": body["logging"]["clusterLogging"] });
            Ok(begin(context, cluster, "LoggingUpdate", &params, before))
        }
        ["resourcesVpcConfig"] => {
            let (kind, vpc) = network::changed(&cluster.vpc, &body["resourcesVpcConfig"])?;
            cluster.vpc = vpc;
            let params = network::parameters(&body["resourcesVpcConfig"]);
            Ok(begin(context, cluster, kind, &params, before))
        }
        ["accessConfig"] => {
            let mode = required(&body["accessConfig"], "authenticationMode")?;
            let order = |mode: &str| ["CONFIG_MAP", "API_AND_CONFIG_MAP", "API"].iter().position(|one| *one == mode);
            match (order(mode), order(&cluster.authentication_mode)) {
                (Some(new), Some(old)) if new > old => {}
                _ => {
                    return Err(invalid(format!(
                        "Unsupported authentication mode update from {} to {mode}",
                        cluster.authentication_mode
                    )));
                }
            }
            mode.clone_into(&mut cluster.authentication_mode);
            let params = json!({ "AuthenticationMode": mode });
            Ok(begin(context, cluster, "AccessConfigUpdate", &params, None))
        }
        ["upgradePolicy"] => {
            let kind = support_type(body);
            if kind == cluster.support_type {
                return Err(invalid("No changes needed for the upgrade policy provided"));
            }
            cluster.support_type = kind;
            Ok(begin(context, cluster, "UpgradePolicyUpdate", &json!({ "UpgradePolicy": body["upgradePolicy"] }), None))
        }
        ["deletionProtection"] => {
            cluster.deletion_protection = body["deletionProtection"].as_bool().unwrap_or_default();
            let params = json!({ "DeletionProtection": cluster.deletion_protection });
            Ok(begin(context, cluster, "DeletionProtectionUpdate", &params, None))
        }
        _ => Err(invalid("Only one type of update can be allowed.")),
    }
}

/// A key for a cluster that has none of its own; there is no way back (EKS User Guide, "Encrypt Kubernetes secrets with KMS on
/// existing clusters").
pub(super) fn encryption(context: &RequestContext<'_>, name: &str) -> Result<Value, Fault> {
    context.allowed_on("AssociateEncryptionConfig", name, None)?;
    let wanted = encryption::given(context, &context.body)?;
    let wanted = wanted.ok_or_else(|| invalid("EncryptionConfig is required"))?;
    let mut store = context.cloud.eks();
    let cluster = store.cluster(name)?;
    cluster.may_change()?;
    if cluster.encryption.is_some() {
        return Err(invalid("Encryption is already enabled on the cluster"));
    }
    let params = json!({ "EncryptionConfig": wanted });
    cluster.encryption = Some(wanted);
    Ok(begin(context, cluster, "AssociateEncryptionConfig", &params, None))
}

pub(super) fn version(context: &RequestContext<'_>, name: &str) -> Result<Value, Fault> {
    context.allowed_on("UpdateClusterVersion", name, None)?;
    let version = required(&context.body, "version")?;
    let mut store = context.cloud.eks();
    let cluster = store.cluster(name)?;
    cluster.may_change()?;
    let rank = |version: &str| VERSIONS.iter().position(|one| *one == version);
    match (rank(&cluster.version), rank(version)) {
        (Some(old), Some(new)) if new == old + 1 => {}
        (_, None) => return Err(invalid(format!("unsupported Kubernetes version {version}"))),
        _ => {
            return Err(invalid(format!(
                "Unsupported Kubernetes minor version update from {} to {version}",
                cluster.version
            )));
        }
    }
    version.clone_into(&mut cluster.version);
    Ok(begin(context, cluster, "VersionUpdate", &json!({ "Version": version, "PlatformVersion": "eks.1" }), None))
}

/// The addon whose updates are meant; those of what this cloud has none of are of nothing.
fn addon(context: &RequestContext<'_>) -> Result<Option<String>, Fault> {
    for (parameter, what) in [("nodegroupName", "node group"), ("capabilityName", "capability")] {
        if let Some(name) = context.request.parameter(parameter) {
            return Err(not_found(format!("No {what} found for name: {name}.")));
        }
    }
    Ok(context.request.parameter("addonName"))
}

pub(super) fn list(context: &RequestContext<'_>, name: &str) -> Result<Value, Fault> {
    context.allowed_on("ListUpdates", name, None)?;
    let addon = addon(context)?;
    let mut store = context.cloud.eks();
    let mine = store.cluster(name)?.updates.iter().filter(|one| one.addon == addon);
    let ids = mine.map(|one| one.value["id"].clone()).collect();
    page(context.request, "updateIds", ids)
}

pub(super) fn describe(context: &RequestContext<'_>, name: &str, id: &str) -> Result<Value, Fault> {
    context.allowed_on("DescribeUpdate", name, None)?;
    let addon = addon(context)?;
    let mut store = context.cloud.eks();
    let mut mine = store.cluster(name)?.updates.iter().filter(|one| one.addon == addon);
    let update = mine.find(|one| text(&one.value, "id") == Some(id));
    update.map(|one| json!({ "update": one.value })).ok_or_else(|| not_found(format!("No update found for ID: {id}")))
}
