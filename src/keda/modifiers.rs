//! `advanced.scalingModifiers`: the metric that a formula makes of all triggers, which the HPA reads in their place
//! (`docs/rules.md#keda-scaling-modifiers`).

use std::collections::{BTreeMap, BTreeSet};

use crate::api::{Fallback, HealthStatus, ScaledObjectSpec, ScalingModifiers};
use crate::decision::{Outcome, Reading, Sample};
use crate::formula::Formula;
use crate::metric::{Spec, Target};
use crate::{Error, Result, fallback, naming};

/// The behavior of a fallback that leaves it to the formula what a trigger that fails is worth.
pub(crate) const BEHAVIOR: &str = "scalingModifiers";

/// A formula with what it is held at, found in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Modifiers {
    text: String,
    formula: Formula,
    spec: Spec,
    activation: f64,
    /// The name of each trigger, by its index.
    names: Vec<Option<String>>,
}

/// What became of the triggers' values.
#[derive(Debug, Clone, PartialEq)]
pub enum Composite {
    /// A value.
    Sample(Sample),
    /// A fallback is in force, and stands for the whole metric.
    FallenBack,
    /// A trigger could not be read, or these values have no result.
    Failed(String),
}

impl Modifiers {
    /// Those of a spec; `None` if no field of them is set.
    ///
    /// # Errors
    ///
    /// [`Error::Modifiers`]: no formula or one that cannot be used, no target or one that is no number above 0, a metric type of
    /// resource metrics, an activation target that is no number.
    pub fn of(spec: &ScaledObjectSpec) -> Result<Option<Self>> {
        let Some(given) = spec.scaling_modifiers() else { return Ok(None) };
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let formula = text(&given.formula);
        if formula.is_empty() {
            return Err(refused("error ScalingModifiers.Formula is mandatory"));
        }
        let target = target(given, &text(&given.target))?;
        let activation = text(&given.activation_target);
        let activation = match activation.trim() {
            "" => 0.0,
            written => written.parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(|| {
                refused(format!("scalingModifiers.activationTarget {written:?} is no number; write one such as \"5\""))
            })?,
        };
        let name = |trigger: &crate::api::ScaleTriggers| {
            trigger.name.clone().filter(|name| !name.is_empty() && !trigger.is_resource())
        };
        let names: Vec<_> = spec.triggers.iter().map(name).collect();
        let known: BTreeSet<_> = names.iter().flatten().map(String::as_str).collect();
        let parsed = Formula::new(&formula, &known)
            .map_err(|problem| refused(format!("error validating formula in ScalingModifiers: {problem}")))?;
        let spec = Spec { name: naming::COMPOSITE_METRIC.to_owned(), target };
        Ok(Some(Self { text: formula, formula: parsed, spec, activation, names }))
    }

    /// The metric that the HPA reads.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The formula as it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The composite metric of these readings, with the health of their metrics counted up to and including them.
    pub fn composite(
        &self,
        wanted: Option<&Fallback>,
        health: &BTreeMap<String, HealthStatus>,
        readings: &[Reading],
    ) -> Composite {
        let mut values = BTreeMap::new();
        let mut failure = None;
        for reading in readings {
            let value = match &reading.outcome {
                Outcome::Sample(sample) => Some(sample.value),
                Outcome::Failed(cause) => match wanted.filter(|one| fallback::engaged(one, health, &reading.metric)) {
                    Some(fallback) if fallback.behavior.as_deref() == Some(BEHAVIOR) => None,
                    Some(_) => return Composite::FallenBack,
                    None => {
                        failure.get_or_insert_with(|| format!("{}: {cause}", reading.metric));
                        None
                    }
                },
            };
            let index = naming::trigger_index(&reading.metric);
            if let Some(name) = self.names.get(index).and_then(Option::as_deref) {
                values.insert(name, value);
            }
        }
        match failure {
            Some(failure) => Composite::Failed(failure),
            None => self.sample(wanted, &values),
        }
    }

    fn sample(&self, wanted: Option<&Fallback>, values: &BTreeMap<&str, Option<f64>>) -> Composite {
        let value = match self.formula.value(values) {
            Ok(Some(value)) => value,
            Ok(None) => match wanted {
                Some(fallback) => f64::from(fallback.replicas) * self.spec.target.number(),
                None => {
                    return Composite::Failed("the formula is nil, and no fallback says what that means".to_owned());
                }
            },
            Err(problem) => return Composite::Failed(format!("the formula has no value: {problem}")),
        };
        if !value.is_finite() {
            return Composite::Failed(format!("the formula gives no finite number ({value})"));
        }
        Composite::Sample(Sample {
            value,
            target: self.spec.target,
            active: value > self.activation,
            activation: self.activation,
            parts: Vec::new(),
        })
    }
}

impl Composite {
    /// As one reading of the composite metric, as far as the HPA's count can be known from it.
    pub(crate) fn reading(&self) -> Reading {
        let outcome = match self {
            Self::Sample(sample) => Outcome::Sample(sample.clone()),
            Self::FallenBack => Outcome::Failed("a fallback stands for it".to_owned()),
            Self::Failed(cause) => Outcome::Failed(cause.clone()),
        };
        let name = naming::COMPOSITE_METRIC.to_owned();
        Reading { trigger: name.clone(), metric: name, outcome }
    }
}

fn target(given: &ScalingModifiers, text: &str) -> Result<Target> {
    if text.is_empty() {
        return Err(refused("error validating formula in ScalingModifiers: formula is given but target is empty"));
    }
    let number = text.trim().parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    let number = number.ok_or_else(|| {
        refused(format!(
            "error validating target in ScalingModifiers: {text:?} is no number greater than 0; write one such as \"5\""
        ))
    })?;
    Target::new(given.metric_type.as_deref(), number)
        .map_err(|error| refused(format!("error validating target in ScalingModifiers: {error}")))
}

fn refused(problem: impl Into<String>) -> Error {
    Error::Modifiers(problem.into())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(modifiers: &Value) -> ScaledObjectSpec {
        serde_json::from_value(json!({
            "scaleTargetRef": { "name": "x" },
            "triggers": [
                { "type": "cron", "metadata": {}, "name": "a" },
                { "type": "cpu", "metadata": {}, "name": "c" },
                { "type": "cron", "metadata": {} },
                { "type": "cron", "metadata": {}, "name": "b" },
            ],
            "advanced": { "scalingModifiers": modifiers },
        }))
        .unwrap()
    }

    fn modifiers(formula: &str) -> Modifiers {
        Modifiers::of(&spec(&json!({ "formula": formula, "target": "2.5", "activationTarget": "5" }))).unwrap().unwrap()
    }

    fn reading(index: usize, outcome: std::result::Result<f64, &str>) -> Reading {
        let outcome = match outcome {
            Ok(value) => Outcome::Sample(Sample {
                value,
                target: Target::AverageValue(1.0),
                active: true,
                activation: 0.0,
                parts: Vec::new(),
            }),
            Err(cause) => Outcome::Failed(cause.to_owned()),
        };
        Reading { trigger: "cron".into(), metric: format!("s{index}-cron"), outcome }
    }

    fn fallback(behavior: Option<&str>) -> Fallback {
        Fallback { failure_threshold: 2, replicas: 4, behavior: behavior.map(str::to_owned) }
    }

    #[test]
    fn nothing_is_made_of_fields_that_are_empty() {
        assert_eq!(Modifiers::of(&spec(&json!({ "formula": "", "target": "" }))), Ok(None));
        assert_eq!(Modifiers::of(&spec(&json!({}))), Ok(None));
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let table = [
            (json!({ "target": "2" }), "Formula is mandatory"),
            (json!({ "metricType": "Value" }), "Formula is mandatory"),
            (json!({ "formula": "a" }), "formula is given but target is empty"),
            (json!({ "formula": "a", "target": "0" }), "no number greater than 0"),
            (json!({ "formula": "a", "target": "-1" }), "no number greater than 0"),
            (json!({ "formula": "a", "target": "NaN" }), "no number greater than 0"),
            (json!({ "formula": "a", "target": "2", "metricType": "Utilization" }), "AverageValue or Value"),
            (json!({ "formula": "a", "target": "2", "activationTarget": "some" }), "activationTarget"),
            (json!({ "formula": "a + nobody", "target": "2" }), "unknown name nobody"),
            // Resource metrics are the HPA's to read.
            (json!({ "formula": "a + c", "target": "2" }), "unknown name c"),
            (json!({ "formula": "a +", "target": "2" }), "error validating formula in ScalingModifiers"),
        ];
        for (given, words) in table {
            let text = Modifiers::of(&spec(&given)).unwrap_err().to_string();
            assert!(text.contains(words), "{given}: {text}");
        }
    }

    #[test]
    fn the_composite_metric_is_the_formula_over_the_names() {
        let readings = [reading(0, Ok(4.0)), reading(2, Ok(100.0)), reading(3, Ok(1.5))];
        let modifiers = modifiers("a + b");
        assert_eq!(modifiers.spec(), &Spec { name: "composite-metric".into(), target: Target::AverageValue(2.5) });
        let Composite::Sample(sample) = modifiers.composite(None, &BTreeMap::new(), &readings) else { panic!() };
        assert_eq!((sample.value, sample.active, sample.activation), (5.5, true, 5.0));
        let quiet = modifiers.composite(None, &BTreeMap::new(), &[reading(0, Ok(4.0)), reading(3, Ok(1.0))]);
        assert!(matches!(quiet, Composite::Sample(Sample { active: false, .. })));
    }

    #[test]
    fn a_trigger_that_fails_fails_the_whole_even_one_without_a_name() {
        let check = |index: usize| {
            let readings = [0, 2, 3].map(|one| reading(one, if one == index { Err("is down") } else { Ok(1.0) }));
            modifiers("a + b").composite(None, &BTreeMap::new(), &readings)
        };
        for index in [0, 2, 3] {
            assert_eq!(check(index), Composite::Failed(format!("s{index}-cron: is down")));
        }
        let none =
            modifiers("a / b * 0").composite(None, &BTreeMap::new(), &[reading(0, Ok(1.0)), reading(3, Ok(0.0))]);
        assert_eq!(none, Composite::Failed("the formula gives no finite number (NaN)".into()));
        let missing = modifiers("a + b").composite(None, &BTreeMap::new(), &[reading(0, Ok(1.0))]);
        assert!(matches!(missing, Composite::Failed(_)));
    }

    #[test]
    fn a_fallback_stands_for_the_metric_or_is_left_to_the_formula() {
        let readings = [reading(0, Err("is down")), reading(3, Ok(7.0))];
        let health = |failures: i32| {
            let status = HealthStatus { number_of_failures: Some(failures), status: Some("Failing".into()) };
            BTreeMap::from([("s0-cron".to_owned(), status)])
        };
        let composite = |formula: &str, behavior: Option<&str>, failures: i32| {
            modifiers(formula).composite(Some(&fallback(behavior)), &health(failures), &readings)
        };
        assert_eq!(composite("a + b", None, 2), Composite::Failed("s0-cron: is down".into()));
        assert_eq!(composite("a + b", None, 3), Composite::FallenBack);
        assert_eq!(composite("a ?? b", Some("currentReplicas"), 3), Composite::FallenBack);
        let value = |formula: &str| match composite(formula, Some("scalingModifiers"), 3) {
            Composite::Sample(sample) => sample.value,
            other => panic!("{other:?}"),
        };
        assert_eq!((value("a ?? b"), value("a ?? nil")), (7.0, 10.0), "nil is 4 replicas at 2.5 each");
        let composite = composite("a + b", Some("scalingModifiers"), 3);
        assert!(matches!(composite, Composite::Failed(cause) if cause.contains("nil and float")));
    }
}
