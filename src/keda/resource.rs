//! Triggers `cpu` and `memory`: metrics that the HPA reads itself from the resource metrics API (`docs/rules.md#keda-cpu-and-memory`).

use k8s_openapi::api::autoscaling::v2::{
    ContainerResourceMetricSource, MetricSpec, MetricTarget, ResourceMetricSource,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::api::ScaleTriggers;
use crate::{Error, Result, quantity};

/// What one such trigger asks the HPA to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// `cpu` or `memory`.
    pub name: String,
    /// The container that alone counts; all of a pod's together if `None`.
    pub container: Option<String>,
    target: Target,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    /// Percent of what the pods request.
    Utilization(i32),
    /// So much per pod.
    AverageValue(String),
}

impl Resource {
    /// What a trigger says. `metricType` names the kind of the target; `metadata.type` did in KEDA 2.14 and is still read.
    ///
    /// # Errors
    ///
    /// [`Error::Resource`]: no kind of target or two, no value, one that cannot be read.
    pub fn new(trigger: &ScaleTriggers) -> Result<Self> {
        let text = |key: &str| trigger.metadata.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
        let refused = |problem: String| Error::Resource { trigger: trigger.type_.clone(), problem };
        let metric_type = trigger.metric_type.as_deref().filter(|kind| !kind.is_empty());
        let kind = match (text("type"), metric_type) {
            (Some(_), Some(_)) => {
                let problem = "only one of trigger.metadata.type or trigger.metricType should be defined";
                return Err(refused(problem.to_owned()));
            }
            (kind, other) => kind.or(other).ok_or_else(|| {
                refused("no type given in neither trigger.metadata.type or trigger.metricType".to_owned())
            })?,
        };
        let value = text("value").ok_or_else(|| refused("no value given; set metadata.value".to_owned()))?;
        let target = match kind {
            "Utilization" => {
                let percent = value.parse::<i32>().ok().filter(|percent| *percent > 0);
                percent.map(Target::Utilization).ok_or_else(|| {
                    refused(format!("value={value:?} is no utilization; write a percentage as an integer above 0"))
                })?
            }
            "AverageValue" if quantity::is_positive(value) => Target::AverageValue(value.to_owned()),
            "AverageValue" => {
                return Err(refused(format!(
                    "value={value:?} is no quantity above 0; write one such as 500m or 128Mi"
                )));
            }
            _ => {
                let problem = "unsupported metric type, allowed values are 'Utilization' or 'AverageValue'";
                return Err(refused(problem.to_owned()));
            }
        };
        Ok(Self { name: trigger.type_.clone(), container: text("containerName").map(str::to_owned), target })
    }

    /// The metric of the HPA.
    pub(crate) fn rendered(&self) -> MetricSpec {
        let target = match &self.target {
            Target::Utilization(percent) => MetricTarget {
                type_: "Utilization".into(),
                average_utilization: Some(*percent),
                ..MetricTarget::default()
            },
            Target::AverageValue(value) => MetricTarget {
                type_: "AverageValue".into(),
                average_value: Some(Quantity(value.clone())),
                ..MetricTarget::default()
            },
        };
        let name = self.name.clone();
        match self.container.clone() {
            None => MetricSpec {
                type_: "Resource".into(),
                resource: Some(ResourceMetricSource { name, target }),
                ..MetricSpec::default()
            },
            Some(container) => MetricSpec {
                type_: "ContainerResource".into(),
                container_resource: Some(ContainerResourceMetricSource { container, name, target }),
                ..MetricSpec::default()
            },
        }
    }
}

/// The `cpu` and `memory` triggers among these, in their order.
///
/// # Errors
///
/// [`Error::Resource`] for the first one that cannot be used.
pub fn of(triggers: &[ScaleTriggers]) -> Result<Vec<Resource>> {
    triggers.iter().filter(|trigger| trigger.is_resource()).map(Resource::new).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn trigger(type_: &str, metric_type: &str, metadata: &[(&str, &str)]) -> ScaleTriggers {
        ScaleTriggers {
            type_: type_.to_owned(),
            metric_type: Some(metric_type.to_owned()),
            metadata: metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            ..ScaleTriggers::default()
        }
    }

    fn rendered(trigger: &ScaleTriggers) -> serde_json::Value {
        serde_json::to_value(Resource::new(trigger).unwrap().rendered()).unwrap()
    }

    #[test]
    fn a_trigger_becomes_a_metric_of_the_hpa() {
        assert_eq!(
            rendered(&trigger("cpu", "Utilization", &[("value", "60")])),
            json!({ "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 60 } } })
        );
        assert_eq!(
            rendered(&trigger("memory", "AverageValue", &[("value", "128Mi"), ("containerName", "app")])),
            json!({ "type": "ContainerResource", "containerResource": {
                "name": "memory", "container": "app", "target": { "type": "AverageValue", "averageValue": "128Mi" } } })
        );
        // As manifests for KEDA 2.14 have it.
        let old = trigger("cpu", "", &[("type", "Utilization"), ("value", "50")]);
        assert_eq!(rendered(&old)["resource"]["target"]["averageUtilization"], 50);
    }

    #[test]
    fn what_cannot_be_held_is_refused_in_the_words_of_keda() {
        let refused = |metric_type: &str, metadata: &[(&str, &str)]| {
            Resource::new(&trigger("cpu", metric_type, metadata)).unwrap_err().to_string()
        };
        for (metric_type, metadata, words) in [
            ("", &[("value", "60")][..], "no type given in neither trigger.metadata.type or trigger.metricType"),
            ("Utilization", &[("type", "Utilization"), ("value", "60")][..], "only one of trigger.metadata.type or"),
            ("Utilization", &[][..], "no value given"),
            ("Value", &[("value", "60")][..], "allowed values are 'Utilization' or 'AverageValue'"),
            ("Utilization", &[("value", "60%")][..], "percentage"),
            ("Utilization", &[("value", "0")][..], "above 0"),
            ("AverageValue", &[("value", "much")][..], "quantity"),
            ("AverageValue", &[("value", "-1")][..], "quantity"),
        ] {
            let text = refused(metric_type, metadata);
            assert!(text.starts_with("error parsing cpu metadata: ") && text.contains(words), "{text}");
        }
    }
}
