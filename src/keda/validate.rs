//! The rules that an object must meet before it is worked with.

use std::collections::BTreeSet;

use k8s_openapi::api::batch::v1::JobSpec;
use serde::Deserialize;

use crate::api::{
    IdentityOwner, PodIdentityProvider, ScaleTriggers, ScaledJobSpec, ScaledObjectSpec, TriggerAuthenticationSpec,
};
use crate::modifiers::{self, Modifiers};
use crate::{Error, Result, resource};

/// Characters that the value of a label may have.
const LABEL_MAX: usize = 63;

/// Every rule for a ScaledObject that can be checked without looking at the cluster, in the reconciler's order.
///
/// # Errors
///
/// [`Error::NoTarget`] if the target has no name. Those of [`replica_bounds`] and [`triggers`].
/// [`Error::NegativeFallback`] if a number of the fallback is negative, [`Error::FallbackBehavior`] if its behavior is none,
/// and [`Error::FallbackWithoutExternalTrigger`] if no trigger can take part in it, [`Error::FallbackWithoutFormula`] if it needs a formula.
/// [`Error::Modifiers`] if a formula cannot be used.
pub fn scaled_object(spec: &ScaledObjectSpec) -> Result<()> {
    if spec.scale_target_ref.name.is_empty() {
        return Err(Error::NoTarget);
    }
    minimums(spec)?;
    replica_bounds(spec)?;
    triggers(spec)?;
    fallback(spec)?;
    Modifiers::of(spec).map(drop)
}

/// Every rule for a ScaledJob of that name that can be checked without looking at the cluster.
///
/// # Errors
///
/// [`Error::JobTarget`] if `jobTargetRef` is no JobSpec with a container. [`Error::LongName`] if the name is too long for the label that
/// its Jobs carry. [`Error::TooSmall`] if a count or time is. Those of [`list`], [`Error::Resource`] if a `cpu` or `memory` trigger cannot be
/// used, and [`Error::JobMetricType`] if a trigger has a metricType, which only an HPA could make use of.
pub fn scaled_job(name: &str, spec: &ScaledJobSpec) -> Result<()> {
    if spec.job_target_ref.is_null() {
        return Err(Error::JobTarget("it is not there".to_owned()));
    }
    let target = JobSpec::deserialize(&spec.job_target_ref).map_err(|error| Error::JobTarget(error.to_string()))?;
    if target.template.spec.is_none_or(|pods| pods.containers.is_empty()) {
        return Err(Error::JobTarget("its template has no containers".to_owned()));
    }
    if name.len() > LABEL_MAX {
        return Err(Error::LongName(name.to_owned()));
    }
    at_least(&[
        ("pollingInterval", spec.polling_interval, 1),
        ("minReplicaCount", spec.min_replica_count, 0),
        ("maxReplicaCount", spec.max_replica_count, 1),
        ("successfulJobsHistoryLimit", spec.successful_jobs_history_limit, 0),
        ("failedJobsHistoryLimit", spec.failed_jobs_history_limit, 0),
    ])?;
    list("ScaledJob", &spec.triggers)?;
    // They make no Job, but must be in order.
    resource::of(&spec.triggers)?;
    let is_set = |trigger: &&ScaleTriggers| trigger.metric_type.as_deref().is_some_and(|one| !one.is_empty());
    match spec.triggers.iter().find(is_set) {
        Some(trigger) => Err(Error::JobMetricType(trigger.type_.clone())),
        None => Ok(()),
    }
}

/// The least of each count and time, as KEDA 2.20's definition has them.
fn minimums(spec: &ScaledObjectSpec) -> Result<()> {
    at_least(&[
        ("pollingInterval", spec.polling_interval, 1),
        ("initialCooldownPeriod", spec.initial_cooldown_period, 0),
        ("cooldownPeriod", spec.cooldown_period, 0),
        ("idleReplicaCount", spec.idle_replica_count, 0),
        ("minReplicaCount", spec.min_replica_count, 0),
        ("maxReplicaCount", spec.max_replica_count, 1),
    ])
}

fn at_least(table: &[(&'static str, Option<i32>, i32)]) -> Result<()> {
    for (field, value, min) in table.iter().copied() {
        match value {
            Some(value) if value < min => return Err(Error::TooSmall { field, value, min }),
            _ => {}
        }
    }
    Ok(())
}

/// KEDA's rule on the replica counts (`docs/rules.md#keda-replica-bounds`). Quirk that users depend on: an explicit
/// minimum of 0 counts as 1 here, an unset one as 0; so idleReplicaCount 0 needs a minReplicaCount to be written.
///
/// # Errors
///
/// [`Error::MinAboveMax`] if the minimum is above the maximum. [`Error::IdleNotBelowMin`] if the idle count is not
/// below the minimum.
pub fn replica_bounds(spec: &ScaledObjectSpec) -> Result<()> {
    let min = spec.min_replica_count.map_or(0, |min| min.max(1));
    let max = spec.max_replicas();
    if min > max {
        return Err(Error::MinAboveMax { min, max });
    }
    match spec.idle_replica_count {
        Some(idle) if idle >= min => Err(Error::IdleNotBelowMin { idle, min }),
        _ => Ok(()),
    }
}

/// KEDA's rules on the list of triggers.
///
/// # Errors
///
/// [`Error::NoTriggers`] if there are none. [`Error::CachedMetricsUnsupported`] if a trigger of type `cpu`, `memory`
/// or `cron` has `useCachedMetrics`. [`Error::DuplicateTriggerName`] if two have one name.
pub fn triggers(spec: &ScaledObjectSpec) -> Result<()> {
    list("ScaledObject", &spec.triggers)?;
    let resources = resource::of(&spec.triggers)?;
    if resources.len() == spec.triggers.len() && spec.min_replicas() == 0 {
        return Err(Error::OnlyResources);
    }
    Ok(())
}

/// The rules that hold whoever has the triggers; `kind` is for the message.
///
/// # Errors
///
/// Those of [`triggers`], but for what depends on replica counts.
pub fn list(kind: &'static str, triggers: &[ScaleTriggers]) -> Result<()> {
    if triggers.is_empty() {
        return Err(Error::NoTriggers { kind });
    }
    let mut names = BTreeSet::new();
    for trigger in triggers {
        let cached = trigger.use_cached_metrics.unwrap_or(false);
        if cached && (trigger.is_resource() || trigger.type_ == "cron") {
            return Err(Error::CachedMetricsUnsupported(trigger.type_.clone()));
        }
        let name = trigger.name.as_deref().unwrap_or_default();
        if !name.is_empty() && !names.insert(name) {
            return Err(Error::DuplicateTriggerName { kind, name: name.to_owned() });
        }
    }
    Ok(())
}

fn fallback(spec: &ScaledObjectSpec) -> Result<()> {
    let Some(fallback) = &spec.fallback else { return Ok(()) };
    for (field, value) in [("failureThreshold", fallback.failure_threshold), ("replicas", fallback.replicas)] {
        if value < 0 {
            return Err(Error::NegativeFallback { field, value });
        }
    }
    match fallback.behavior.as_deref().unwrap_or_default() {
        "" | "static" | "currentReplicas" | "currentReplicasIfHigher" | "currentReplicasIfLower" => {}
        modifiers::BEHAVIOR if spec.scaling_modifiers().is_none() => return Err(Error::FallbackWithoutFormula),
        modifiers::BEHAVIOR => {}
        other => return Err(Error::FallbackBehavior(other.to_owned())),
    }
    if spec.triggers.iter().all(crate::api::ScaleTriggers::is_resource) {
        Err(Error::FallbackWithoutExternalTrigger)
    } else {
        Ok(())
    }
}

fn has_external_id(spec: &TriggerAuthenticationSpec) -> bool {
    let given = spec.pod_identity.as_ref().and_then(|identity| identity.external_id.as_ref());
    given.is_some_and(|id| !id.is_empty())
}

/// The rules for a (Cluster)TriggerAuthentication.
///
/// # Errors
///
/// [`Error::UnsupportedSource`] names a source that cannot be read yet. [`Error::FilePathOfNamespace`] if a namespace's own names
/// a file of the operator. [`Error::TwoIdentities`] if the pod identity
/// names a role and the workload's.
pub fn authentication(kind: &'static str, name: &str, spec: &TriggerAuthenticationSpec) -> Result<()> {
    let unsupported = [
        ("hashiCorpVault", spec.hashi_corp_vault.is_some()),
        ("azureKeyVault", spec.azure_key_vault.is_some()),
        ("gcpSecretManager", spec.gcp_secret_manager.is_some()),
        ("awsSecretManager", spec.aws_secret_manager.is_some()),
        ("oauth2", spec.oauth2.is_some()),
        ("podIdentity.externalID", has_external_id(spec)),
    ];
    if let Some((source, _)) = unsupported.into_iter().find(|(_, used)| *used) {
        return Err(Error::UnsupportedSource { kind, name: name.to_owned(), source_name: source.to_owned() });
    }
    if kind == "TriggerAuthentication" && spec.file_path().is_some() {
        return Err(Error::FilePathOfNamespace { name: name.to_owned() });
    }
    let Some(identity) = &spec.pod_identity else { return Ok(()) };
    let unserved = match identity.provider {
        PodIdentityProvider::Azure => Some("azure"),
        PodIdentityProvider::AzureWorkload => Some("azure-workload"),
        PodIdentityProvider::Gcp => Some("gcp"),
        PodIdentityProvider::AwsKiam => Some("aws-kiam"),
        PodIdentityProvider::Aws | PodIdentityProvider::AwsEks | PodIdentityProvider::None => None,
    };
    if let Some(provider) = unserved {
        let source_name = format!("podIdentity.provider {provider}");
        return Err(Error::UnsupportedSource { kind, name: name.to_owned(), source_name });
    }
    let has_role = identity.role_arn.as_ref().is_some_and(|arn| !arn.is_empty());
    if has_role && identity.identity_owner == Some(IdentityOwner::Workload) {
        Err(Error::TwoIdentities { kind, name: name.to_owned() })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::{Fallback, ScaleTarget, ScaleTriggers};

    fn trigger(type_: &str) -> ScaleTriggers {
        ScaleTriggers { type_: type_.into(), ..Default::default() }
    }

    fn spec(triggers: Vec<ScaleTriggers>) -> ScaledObjectSpec {
        let scale_target_ref = ScaleTarget { name: "x".into(), ..Default::default() };
        ScaledObjectSpec { scale_target_ref, triggers, ..Default::default() }
    }

    #[test]
    fn replica_bounds_follow_the_table_of_keda() {
        let check = |min, max, idle| {
            replica_bounds(&ScaledObjectSpec {
                min_replica_count: min,
                max_replica_count: max,
                idle_replica_count: idle,
                ..Default::default()
            })
        };
        assert_eq!(check(None, None, None), Ok(()));
        assert_eq!(check(Some(4), Some(3), None), Err(Error::MinAboveMax { min: 4, max: 3 }));
        assert_eq!(check(Some(0), Some(0), None), Err(Error::MinAboveMax { min: 1, max: 0 }));
        assert_eq!(check(None, Some(0), None), Ok(()));
        assert_eq!(check(None, None, Some(0)), Err(Error::IdleNotBelowMin { idle: 0, min: 0 }));
        assert_eq!(check(Some(0), None, Some(0)), Ok(()));
        assert_eq!(check(Some(2), None, Some(2)), Err(Error::IdleNotBelowMin { idle: 2, min: 2 }));
        assert_eq!(check(Some(101), None, None), Err(Error::MinAboveMax { min: 101, max: 100 }));
    }

    #[test]
    fn counts_and_times_below_their_minimum_are_refused() {
        let with = |change: fn(&mut ScaledObjectSpec)| {
            let mut spec = spec(vec![trigger("aws-sqs-queue")]);
            change(&mut spec);
            scaled_object(&spec).map_err(|error| error.to_string())
        };
        let refused = |field: &str, value: i32, min: i32| {
            Err(format!("spec.{field} in body should be greater than or equal to {min}, it is {value}"))
        };
        assert_eq!(with(|spec| spec.max_replica_count = Some(0)), refused("maxReplicaCount", 0, 1));
        assert_eq!(with(|spec| spec.max_replica_count = Some(-3)), refused("maxReplicaCount", -3, 1));
        assert_eq!(with(|spec| spec.min_replica_count = Some(-1)), refused("minReplicaCount", -1, 0));
        assert_eq!(with(|spec| spec.idle_replica_count = Some(-1)), refused("idleReplicaCount", -1, 0));
        assert_eq!(with(|spec| spec.polling_interval = Some(0)), refused("pollingInterval", 0, 1));
        assert_eq!(with(|spec| spec.cooldown_period = Some(-1)), refused("cooldownPeriod", -1, 0));
        assert_eq!(with(|spec| spec.initial_cooldown_period = Some(-1)), refused("initialCooldownPeriod", -1, 0));
        assert_eq!(with(|spec| spec.min_replica_count = Some(0)), Ok(()));
    }

    #[test]
    fn trigger_lists_follow_the_rules_of_keda() {
        assert_eq!(scaled_object(&spec(vec![])), Err(Error::NoTriggers { kind: "ScaledObject" }));
        let named = |name: &str| ScaleTriggers { name: Some(name.into()), ..trigger("aws-sqs-queue") };
        let duplicate = Error::DuplicateTriggerName { kind: "ScaledObject", name: "a".into() };
        assert_eq!(scaled_object(&spec(vec![named("a"), named("a")])), Err(duplicate));
        assert_eq!(scaled_object(&spec(vec![named("a"), named("b"), named("")])), Ok(()));
        let cached = ScaleTriggers { use_cached_metrics: Some(true), ..trigger("cron") };
        assert_eq!(scaled_object(&spec(vec![cached])), Err(Error::CachedMetricsUnsupported("cron".into())));
    }

    #[test]
    fn scaled_jobs_follow_the_rules_of_keda() {
        let check = |name: &str, change: &serde_json::Value| {
            let mut spec = json!({
                "jobTargetRef": { "template": { "spec": { "containers": [{ "name": "c" }] } } },
                "triggers": [{ "type": "cron", "metadata": {} }],
            });
            for (key, value) in change.as_object().unwrap() {
                spec[key] = value.clone();
            }
            let spec: ScaledJobSpec = serde_json::from_value(spec).unwrap();
            scaled_job(name, &spec).map_err(|error| error.to_string()).err().unwrap_or_default()
        };
        assert_eq!(check("orders", &json!({})), "");
        for (change, wanted) in [
            (json!({ "triggers": [] }), "no triggers defined in the ScaledJob"),
            (json!({ "triggers": [{ "type": "cron", "metadata": {}, "metricType": "Value" }] }), "metricType"),
            (json!({ "triggers": [{ "type": "cron", "metadata": {}, "useCachedMetrics": true }] }), "useCachedMetrics"),
            (json!({ "jobTargetRef": null }), "jobTargetRef"),
            (json!({ "jobTargetRef": { "template": { "spec": { "containers": [] } } } }), "no containers"),
            (json!({ "jobTargetRef": { "template": 7 } }), "jobTargetRef"),
            (json!({ "maxReplicaCount": 0 }), "spec.maxReplicaCount in body"),
            (json!({ "pollingInterval": 0 }), "spec.pollingInterval in body"),
            (json!({ "failedJobsHistoryLimit": -1 }), "spec.failedJobsHistoryLimit in body"),
        ] {
            let found = check("orders", &change);
            assert!(found.contains(wanted), "{change}: {found}");
        }
        // KEDA refuses neither a minimum above the maximum nor, as 2.14 has it, cpu alone.
        assert_eq!(check("orders", &json!({ "minReplicaCount": 5, "maxReplicaCount": 2 })), "");
        let cpu = |metadata: serde_json::Value| {
            check("orders", &json!({ "triggers": [{ "type": "cpu", "metadata": metadata }] }))
        };
        assert_eq!(cpu(json!({ "type": "Utilization", "value": "50" })), "");
        assert!(cpu(json!({ "value": "50" })).contains("no type given"), "{}", cpu(json!({ "value": "50" })));
        assert!(check(&"x".repeat(64), &json!({})).contains("63"));
    }

    #[test]
    fn fallbacks_are_checked() {
        let mut cpu = trigger("cpu");
        cpu.metric_type = Some("Utilization".into());
        cpu.metadata.insert("value".into(), "60".into());
        let mut object = spec(vec![cpu]);
        assert_eq!(scaled_object(&object), Err(Error::OnlyResources));
        object.min_replica_count = Some(0);
        assert_eq!(scaled_object(&object), Err(Error::OnlyResources));
        object.min_replica_count = Some(1);
        assert_eq!(scaled_object(&object), Ok(()));
        object.fallback = Some(Fallback { failure_threshold: 3, replicas: 2, ..Fallback::default() });
        assert_eq!(scaled_object(&object), Err(Error::FallbackWithoutExternalTrigger));
        object.triggers.push(trigger("aws-sqs-queue"));
        object.min_replica_count = None;
        assert_eq!(scaled_object(&object), Ok(()));
        object.fallback = Some(Fallback { failure_threshold: 3, replicas: -2, ..Fallback::default() });
        assert_eq!(scaled_object(&object), Err(Error::NegativeFallback { field: "replicas", value: -2 }));
    }

    #[test]
    fn a_formula_is_checked_with_the_names_of_the_triggers() {
        let mut object = spec(vec![ScaleTriggers { name: Some("a".into()), ..trigger("aws-sqs-queue") }]);
        let mut check = |formula: &str, behavior: Option<&str>| {
            let text = |text: &str| Some(text.to_owned());
            let modifiers =
                crate::api::ScalingModifiers { formula: text(formula), target: text("2"), ..Default::default() };
            object.advanced =
                Some(Box::new(crate::api::AdvancedConfig { scaling_modifiers: Some(modifiers), ..Default::default() }));
            object.fallback =
                behavior.map(|one| Fallback { failure_threshold: 3, replicas: 2, behavior: Some(one.to_owned()) });
            scaled_object(&object).map_err(|error| error.to_string())
        };
        assert_eq!(check("a * 2", None), Ok(()));
        assert_eq!(check("a ?? 2", Some("scalingModifiers")), Ok(()));
        assert!(check("a + b", None).unwrap_err().contains("unknown name b"));
    }

    #[test]
    fn a_foreign_secret_store_is_refused_by_name() {
        for (source, spec) in [
            ("hashiCorpVault", json!({ "address": "a", "authentication": "token", "secrets": [] })),
            ("oauth2", json!({ "clientId": "c", "tokenUrl": "https://t" })),
            ("podIdentity", json!({ "provider": "aws", "roleArn": "r", "externalID": "e" })),
            ("podIdentity", json!({ "provider": "aws-kiam" })),
            ("podIdentity", json!({ "provider": "azure" })),
            ("podIdentity", json!({ "provider": "azure-workload" })),
            ("podIdentity", json!({ "provider": "gcp" })),
        ] {
            let provider = spec["provider"].as_str().unwrap_or_default().to_owned();
            let spec: TriggerAuthenticationSpec = serde_json::from_value(json!({ source: spec })).unwrap();
            let text = authentication("TriggerAuthentication", "auth", &spec).unwrap_err().to_string();
            assert!(text.contains("\"auth\"") && text.contains(source) && text.contains("not served"), "{text}");
            assert!(provider == "aws" || text.contains(&provider), "{text}");
        }
    }

    #[test]
    fn a_behavior_of_a_fallback_is_one_of_those_that_are_served() {
        let mut object = spec(vec![trigger("aws-sqs-queue")]);
        let mut check = |behavior: &str| {
            object.fallback = Some(Fallback { failure_threshold: 3, replicas: 2, behavior: Some(behavior.to_owned()) });
            scaled_object(&object)
        };
        for served in ["static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"] {
            assert_eq!(check(served), Ok(()));
        }
        assert_eq!(check("scalingModifiers"), Err(Error::FallbackWithoutFormula));
        assert_eq!(check("more"), Err(Error::FallbackBehavior("more".into())));
    }
}
