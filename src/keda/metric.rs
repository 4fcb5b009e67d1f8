//! External metrics: what a trigger asks the HPA to hold, and values as the metrics API writes them.

use k8s_openapi::api::autoscaling::v2::{ExternalMetricSource, MetricIdentifier, MetricSpec, MetricTarget};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::{Deserialize, Serialize};

use crate::{Error, Result, naming, quantity};

/// What the HPA holds a metric at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// So much per replica.
    AverageValue(f64),
    /// So much in total.
    Value(f64),
}

impl Target {
    /// The target of a trigger with `metricType`, where absent or empty means AverageValue.
    ///
    /// # Errors
    ///
    /// [`Error::MetricType`] if it is another type.
    pub fn new(metric_type: Option<&str>, value: f64) -> Result<Self> {
        match metric_type.unwrap_or_default() {
            "" | "AverageValue" => Ok(Self::AverageValue(value)),
            "Value" => Ok(Self::Value(value)),
            other => Err(Error::MetricType { found: other.to_owned() }),
        }
    }

    /// The number alone.
    pub fn number(self) -> f64 {
        match self {
            Self::AverageValue(number) | Self::Value(number) => number,
        }
    }

    fn rendered(self) -> MetricTarget {
        let quantity = Some(Quantity(quantity::rendered(self.number())));
        match self {
            Self::AverageValue(_) => {
                MetricTarget { type_: "AverageValue".into(), average_value: quantity, ..Default::default() }
            }
            Self::Value(_) => MetricTarget { type_: "Value".into(), value: quantity, ..Default::default() },
        }
    }
}

/// One external metric of a trigger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The full name, index included: `s0-aws-sqs-orders`.
    pub name: String,
    /// What the HPA holds it at.
    pub target: Target,
}

impl Spec {
    pub(crate) fn rendered(&self, scaled_object: &str) -> MetricSpec {
        let labels = [(naming::SCALED_OBJECT_LABEL.to_owned(), scaled_object.to_owned())];
        let selector = LabelSelector { match_labels: Some(labels.into()), ..Default::default() };
        let metric = MetricIdentifier { name: self.name.clone(), selector: Some(selector) };
        let external = ExternalMetricSource { metric, target: self.target.rendered() };
        MetricSpec { type_: "External".into(), external: Some(external), ..Default::default() }
    }
}

/// A value as the quantity of an `ExternalMetricValue`: thousandths, truncated, canonical decimal form.
pub fn quantity(value: f64) -> Quantity {
    Quantity(quantity::rendered(value))
}
