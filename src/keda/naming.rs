//! Names that KEDA gives: metrics, the HPA, annotations and labels (`docs/rules.md#keda-names`).

use crate::api::{ScaledObject, ScaledObjectSpec};

/// Label on a ScaledObject and its HPA, and the key of the metric selector.
pub const SCALED_OBJECT_LABEL: &str = "scaledobject.keda.sh/name";
/// Label on the Jobs of a ScaledJob and on their pods: the ScaledJob's name.
pub const SCALED_JOB_LABEL: &str = "scaledjob.keda.sh/name";
/// Annotation on the Jobs of a ScaledJob: the generation of the spec that they were made from.
pub const SCALED_JOB_GENERATION: &str = "scaledjob.keda.sh/generation";
/// Annotation of a ScaledJob: keys of its labels that its Jobs do not get, separated by commas.
pub const JOB_EXCLUDED_LABELS: &str = "scaledjob.keda.sh/job-excluded-labels";
/// Annotation by which kubectl remembers what it applied. It is about the object that has it, so it goes along to no other.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Annotation: hold the target as it is.
pub const PAUSED: &str = "autoscaling.keda.sh/paused";
/// Annotation: hold the target at a number of replicas.
pub const PAUSED_REPLICAS: &str = "autoscaling.keda.sh/paused-replicas";
/// Annotation: never scale in.
pub const PAUSED_SCALE_IN: &str = "autoscaling.keda.sh/paused-scale-in";
/// Annotation: never scale out.
pub const PAUSED_SCALE_OUT: &str = "autoscaling.keda.sh/paused-scale-out";
/// Annotation: be active whatever the triggers say.
pub const FORCE_ACTIVATION: &str = "autoscaling.keda.sh/force-activation";
/// Wakes the target up at the count that the HPA would come to; Sluice's own, not KEDA's.
pub const DIRECT_ACTIVATION: &str = "sluice.dev/direct-activation";

/// Annotation of a ScaledObject, `"true"`: take over the existing HPA that it names.
pub const TRANSFER_HPA_OWNERSHIP: &str = "scaledobject.keda.sh/transfer-hpa-ownership";
/// Annotation of a ScaledObject: keys of its labels that its HPA does not get, separated by commas.
pub const HPA_EXCLUDED_LABELS: &str = "scaledobject.keda.sh/hpa-excluded-labels";
/// Annotation of an HPA, `"false"`: it does not count where one workload is looked for with two masters.
pub const HPA_OWNERSHIP: &str = "validations.keda.sh/hpa-ownership";

/// The metric that a formula makes of all triggers.
pub const COMPOSITE_METRIC: &str = "composite-metric";

/// `base` with each of `/ . : % ( )` replaced by a dash; nothing else is changed.
pub fn normalised(base: &str) -> String {
    base.replace(['/', '.', ':', '%', '(', ')'], "-")
}

/// The external metric of the trigger at `index`: `s<index>-<normalised base>`.
pub fn metric(index: usize, base: &str) -> String {
    format!("s{index}-{}", normalised(base))
}

/// The index of the trigger whose metric has that name, `s<index>-…`; the greatest number if it is not of a trigger.
pub(crate) fn trigger_index(metric: &str) -> usize {
    let digits = metric.strip_prefix('s').map_or("", |rest| rest.split('-').next().unwrap_or_default());
    digits.parse().unwrap_or(usize::MAX)
}

/// The name of the HPA that the ScaledObject wants.
pub fn hpa(scaled_object: &ScaledObject) -> String {
    let name = scaled_object.metadata.name.as_deref().unwrap_or_default();
    configured_hpa(&scaled_object.spec).map_or_else(|| format!("keda-hpa-{name}"), str::to_owned)
}

/// Whether the ScaledObject names its HPA, and names it so.
pub fn is_hpa_named(scaled_object: &ScaledObject, name: &str) -> bool {
    configured_hpa(&scaled_object.spec) == Some(name)
}

fn configured_hpa(spec: &ScaledObjectSpec) -> Option<&str> {
    let config = spec.advanced.as_ref()?.horizontal_pod_autoscaler_config.as_ref()?;
    config.name.as_deref().filter(|name| !name.is_empty())
}

/// `name` as a label's value: cut to 63 characters, then trailing characters that are no letters or digits taken off.
pub fn label_value(name: &str) -> String {
    let cut: String = name.chars().take(63).collect();
    cut.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_names_are_normalised_as_keda_does() {
        assert_eq!(metric(0, "aws-sqs-orders.fifo"), "s0-aws-sqs-orders-fifo");
        assert_eq!(metric(12, "kafka-a_b,C/d:e%2F(x)"), "s12-kafka-a_b,C-d-e-2F-x-");
    }

    #[test]
    fn the_hpa_is_named_after_the_object_unless_it_is_named() {
        let mut object = ScaledObject::new("orders", ScaledObjectSpec::default());
        assert_eq!(hpa(&object), "keda-hpa-orders");
        let advanced = object.spec.advanced.insert(Box::default());
        let config =
            advanced.horizontal_pod_autoscaler_config.insert(crate::api::HorizontalPodAutoscalerConfig::default());
        config.name = Some(String::new());
        assert_eq!(hpa(&object), "keda-hpa-orders");
        object.spec.advanced.as_mut().unwrap().horizontal_pod_autoscaler_config.as_mut().unwrap().name =
            Some("mine".into());
        assert_eq!(hpa(&object), "mine");
    }

    #[test]
    fn label_values_are_cut_and_trimmed() {
        assert_eq!(label_value(&format!("{}-.tail", "a".repeat(61))), "a".repeat(61));
        assert_eq!(label_value("keda-hpa-orders"), "keda-hpa-orders");
    }
}
