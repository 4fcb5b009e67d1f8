//! What there is now: the documents that IAM and SQS give, and the cluster's ServiceAccounts.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws::cloud::Cloud;
use aws::documents::{self, RoleDocuments};
use cluster::read::service_account_role;
use identity::{Document, Facts, Provider, Role, ServiceAccount};
use provision::Reading;
use stack::policies;

use crate::assembly;
use crate::diagnostic::{Diagnostic, Outcome, one};
use crate::engine;
use crate::settings::Settings;
use crate::target::Target;

pub(super) async fn facts(settings: &Settings, target: &Target) -> Outcome<Facts> {
    let stack = &settings.stack;
    let names = stack.names();
    let cloud = Arc::new(Cloud::new(&target.session, &stack.name, "identity", "", &BTreeMap::new()));
    let issuer = issuer(settings, target, &cloud).await?;
    let mut roles = BTreeMap::new();
    let own = names.workloads.iter().map(|workload| &workload.role);
    for name in [&names.operator_role, &names.scaler_role].into_iter().chain(own) {
        if let Some(found) = documents::of_role(&cloud, name).await.map_err(one)? {
            roles.insert(names.role_arn(&target.account_id, name), role(name, &found)?);
        }
    }
    let mut queue_policies = BTreeMap::new();
    for workload in &names.workloads {
        let name = format!("the policy of queue {}", workload.queue);
        // One that refuses everybody refuses us as well.
        let policy = match documents::of_queue(&cloud, &workload.queue).await {
            Ok(None) => continue,
            Ok(Some(policy)) => Document::parse(name, &policy).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        queue_policies.insert(names.queue_arn(&target.account_id, &workload.queue), policy);
    }
    let cluster = engine::connection(settings, target, &cloud);
    let operator = (&stack.operator.namespace, &stack.operator.service_account);
    let mut service_accounts = Vec::new();
    for (namespace, name) in
        std::iter::once(operator).chain(stack.workloads.iter().map(|workload| (&workload.namespace, &workload.name)))
    {
        if let Some(role) = service_account_role(&cluster, namespace, name).await.map_err(one)? {
            service_accounts.push(ServiceAccount { namespace: namespace.clone(), name: name.clone(), role });
        }
    }
    let provider = documents::provider(&cloud, &issuer).await.map_err(one)?;
    let providers = provider
        .map(|found| Provider { arn: found.arn, url: found.url, client_ids: found.client_ids })
        .into_iter()
        .collect();
    let audience = policies::AUDIENCE.to_owned();
    Ok(Facts { issuer, audience, providers, roles, queue_policies, service_accounts })
}

/// The cluster's issuer without `https://`.
async fn issuer(settings: &Settings, target: &Target, cloud: &Arc<Cloud>) -> Outcome<String> {
    if let Some(existing) = &target.existing {
        return Ok(existing.issuer.trim_start_matches("https://").to_owned());
    }
    let name = &settings.stack.cluster.name;
    let no_cluster = |why: String| {
        vec![
            Diagnostic::error(format!("the issuer of cluster {name} cannot be read: {why}"))
                .help("judge what the stack file declares with `sluice identity --declared`"),
        ]
    };
    match engine::read(cloud, &assembly::cluster_address(), name, &target.clock).await.map_err(no_cluster)? {
        Reading::Present(object) => {
            object.text("issuer_host").map(str::to_owned).ok_or_else(|| no_cluster("it has none yet".to_owned()))
        }
        Reading::Absent => Err(no_cluster("there is no such cluster".to_owned())),
        Reading::Foreign(why) => Err(no_cluster(why)),
    }
}

fn role(name: &str, found: &RoleDocuments) -> Outcome<Role> {
    let policies = found.policies.iter().map(|(name, document)| Document::parse(name, document));
    let boundary = |(arn, document): &(String, Result<serde_json::Value, String>)| match document {
        Ok(document) => Document::parse(format!("policy {arn}"), document).map_err(|error| error.to_string()),
        Err(why) => Err(format!("{arn}: {why}")),
    };
    Ok(Role {
        trust: Document::parse(format!("the trust policy of role {name}"), &found.trust).map_err(one)?,
        policies: policies.collect::<identity::Result<_>>().map_err(one)?,
        boundary: found.boundary.as_ref().map(boundary),
    })
}
