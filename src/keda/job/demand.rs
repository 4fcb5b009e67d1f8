//! What the triggers of a ScaledJob ask for together, and how many Jobs that may be.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::api::ScaledJobSpec;
use crate::decision::{Outcome, Reading};
use crate::metric::Target;
use crate::naming;

/// What all triggers together ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Demand {
    /// Whether any Job is to be made for it.
    pub is_active: bool,
    /// What waits, rounded up: the Jobs that are wanted.
    pub scale_to: i64,
    /// The Jobs that may run for it, at most the maximum of the spec: what waits divided by what one Job takes.
    pub max_scale: i64,
}

/// What one trigger asks for.
#[derive(Debug, Clone, Copy, Default)]
struct OfTrigger {
    is_active: bool,
    queue_length: f64,
    max_value: f64,
}

/// Combines the triggers that are active, as `multipleScalersCalculation` says. One that could not be read asks for nothing.
pub fn demand(spec: &ScaledJobSpec, readings: &[Reading]) -> Demand {
    let max = spec.max_jobs() as f64;
    let active: Vec<_> = by_trigger(readings, max).into_iter().filter(|one| one.is_active).collect();
    let calculation = spec.scaling_strategy.as_ref().and_then(|one| one.multiple_scalers_calculation.as_deref());
    let sum = active.iter().fold(OfTrigger::default(), |sum, one| OfTrigger {
        is_active: true,
        queue_length: sum.queue_length + one.queue_length,
        max_value: sum.max_value + one.max_value,
    });
    let together = match calculation.unwrap_or_default() {
        "sum" => sum,
        "avg" if active.is_empty() => sum,
        "avg" => {
            let count = active.len() as f64;
            OfTrigger { queue_length: sum.queue_length / count, max_value: sum.max_value / count, ..sum }
        }
        // A queue of zero counts as not chosen yet, in both.
        "min" => active.iter().fold(OfTrigger::default(), |best, one| {
            if best.queue_length == 0.0 || one.queue_length < best.queue_length { *one } else { best }
        }),
        _ => active
            .iter()
            .fold(OfTrigger::default(), |best, one| if one.queue_length > best.queue_length { *one } else { best }),
    };
    Demand {
        is_active: together.is_active || spec.min_jobs() > 0,
        scale_to: together.queue_length.ceil() as i64,
        max_scale: together.max_value.min(max).ceil() as i64,
    }
}

/// Each trigger that could be read, in the order of their indexes.
fn by_trigger(readings: &[Reading], max: f64) -> Vec<OfTrigger> {
    let mut triggers: BTreeMap<usize, Vec<&Reading>> = BTreeMap::new();
    for reading in readings {
        triggers.entry(naming::trigger_index(&reading.metric)).or_default().push(reading);
    }
    triggers.into_values().filter_map(|readings| of_trigger(&readings, max)).collect()
}

fn of_trigger(readings: &[&Reading], max: f64) -> Option<OfTrigger> {
    let (mut is_active, mut target) = (false, 0.0);
    for reading in readings {
        let Outcome::Sample(sample) = &reading.outcome else { return None };
        is_active |= sample.active;
        target += match sample.target {
            Target::AverageValue(number) => number,
            Target::Value(_) => 0.0,
        };
    }
    target /= readings.len() as f64;
    // The first metric is the trigger's queue.
    let Outcome::Sample(first) = &readings.first()?.outcome else { return None };
    let max_value = if target == 0.0 { 0.0 } else { (first.value / target).min(max) };
    Some(OfTrigger { is_active, queue_length: first.value, max_value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ScalingStrategy;
    use crate::decision::Sample;

    fn reading(index: usize, value: f64, target: f64, active: bool) -> Reading {
        let sample = Sample { value, target: Target::AverageValue(target), active, activation: 0.0, parts: vec![] };
        let metric = format!("s{index}-queue");
        Reading { trigger: "queue".into(), metric, outcome: Outcome::Sample(sample) }
    }

    fn spec(calculation: &str, min: i32, max: Option<i32>) -> ScaledJobSpec {
        let strategy = ScalingStrategy {
            multiple_scalers_calculation: Some(calculation.to_owned()).filter(|one| !one.is_empty()),
            ..Default::default()
        };
        ScaledJobSpec {
            min_replica_count: Some(min),
            max_replica_count: max,
            scaling_strategy: Some(strategy),
            ..Default::default()
        }
    }

    /// Queue length, target and activity of each trigger; then what comes of them by KEDA's rules.
    #[test]
    fn several_triggers_are_combined_by_the_rules_of_keda() {
        type Row<'a> = (&'a str, i32, &'a [(f64, f64, bool)], (bool, i64, i64));
        let four = [(20.0, 2.0, true), (5.0, 1.0, true), (3.0, 1.0, false), (7.0, 1.0, true)];
        let table: [Row<'_>; 12] = [
            ("", 0, &[(20.0, 2.0, true)], (true, 20, 10)),
            ("max", 0, &four, (true, 20, 10)),
            ("", 0, &four, (true, 20, 10)),
            ("unknown", 0, &four, (true, 20, 10)),
            ("min", 0, &four, (true, 5, 5)),
            ("avg", 0, &four, (true, 11, 8)),
            ("sum", 0, &four, (true, 32, 22)),
            ("sum", 0, &[(8.0, 2.0, false)], (false, 0, 0)),
            ("avg", 0, &[], (false, 0, 0)),
            // Never above the maximum; a target of 0 gives none.
            ("", 0, &[(250.0, 1.0, true)], (true, 250, 100)),
            ("", 0, &[(4.0, 0.0, true)], (true, 4, 0)),
            // With a minimum it is active whatever the triggers say.
            ("", 1, &[(0.0, 1.0, false)], (true, 0, 0)),
        ];
        for (calculation, min, triggers, (is_active, scale_to, max_scale)) in table {
            let readings: Vec<_> = triggers
                .iter()
                .enumerate()
                .map(|(index, (value, target, active))| reading(index, *value, *target, *active))
                .collect();
            let found = demand(&spec(calculation, min, None), &readings);
            assert_eq!(found, Demand { is_active, scale_to, max_scale }, "{calculation} {min} {triggers:?}");
        }
    }

    #[test]
    fn parts_of_a_job_are_rounded_up() {
        let found = demand(&spec("", 0, Some(10)), &[reading(0, 7.0, 3.0, true)]);
        assert_eq!((found.scale_to, found.max_scale), (7, 3));
        assert_eq!(demand(&spec("", 0, Some(10)), &[reading(0, 0.4, 1.0, true)]).scale_to, 1);
    }

    #[test]
    fn a_trigger_that_cannot_be_read_asks_for_nothing_and_the_others_count() {
        let failed =
            Reading { trigger: "queue".into(), metric: "s1-queue".into(), outcome: Outcome::Failed("away".into()) };
        let both = [reading(0, 4.0, 1.0, true), failed.clone()];
        assert_eq!(demand(&spec("avg", 0, None), &both), Demand { is_active: true, scale_to: 4, max_scale: 4 });
        assert_eq!(demand(&spec("", 0, None), &[failed]), Demand { is_active: false, scale_to: 0, max_scale: 0 });
    }

    #[test]
    fn a_trigger_of_several_metrics_counts_by_its_first_and_the_mean_of_its_targets() {
        let readings = [reading(0, 12.0, 2.0, false), reading(0, 90.0, 4.0, true)];
        assert_eq!(demand(&spec("", 0, None), &readings), Demand { is_active: true, scale_to: 12, max_scale: 4 });
    }
}
