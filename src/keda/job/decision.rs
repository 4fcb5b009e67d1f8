//! How many Jobs one poll makes, and why.

use serde::Serialize;

use super::{Count, Demand, demand};
use crate::api::{Condition, ScaledJobSpec, ScalingStrategy};
use crate::conditions;
use crate::decision::{Outcome, Reading, Why};

/// What a decision goes by.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The spec that is in force.
    pub spec: &'a ScaledJobSpec,
    /// What the triggers say.
    pub readings: &'a [Reading],
    /// Its Jobs.
    pub count: Count,
}

/// What one poll decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The Jobs that it found.
    pub count: Count,
    /// What the triggers ask for.
    pub demand: Demand,
    /// The Jobs to make now.
    pub create: usize,
    /// What was read.
    pub readings: Vec<Reading>,
    /// From the samples to the number.
    pub reasons: Vec<Why>,
    /// The conditions that follow.
    #[serde(skip)]
    pub conditions: Vec<Condition>,
}

impl Decision {
    /// All reasons in one line.
    pub fn reason(&self) -> String {
        self.reasons.iter().map(Why::text).collect::<Vec<_>>().join("; ")
    }

    /// Whether `other` says something else, values apart: the test for a line in the log.
    pub fn differs(&self, other: &Self) -> bool {
        (self.create, self.count, self.demand) != (other.create, other.count, other.demand)
            || self.readings.iter().map(Reading::error).ne(other.readings.iter().map(Reading::error))
    }
}

/// The names of the strategies, as the spec has them.
const ACCURATE: &str = "accurate";
const CUSTOM: &str = "custom";
const EAGER: &str = "eager";

/// Decides one poll.
pub fn decide(input: &Input<'_>) -> Decision {
    let Input { spec, readings, count } = *input;
    let demand = demand(spec, readings);
    let mut reasons: Vec<_> = readings.iter().map(said).collect();
    let (limit, wanted) = limit_and_wanted(spec, count, demand, &mut reasons);
    let create = if demand.is_active { wanted.min(limit).max(0) } else { 0 };
    if !demand.is_active {
        reasons.push(Why::Limit("no trigger is active".to_owned()));
    }
    let jobs = if create == 1 { "1 Job is made".to_owned() } else { format!("{create} Jobs are made") };
    reasons.push(Why::Action(jobs));
    Decision {
        count,
        demand,
        create: usize::try_from(create).unwrap_or(0),
        readings: readings.to_vec(),
        reasons,
        conditions: conditions_of(demand, readings),
    }
}

/// Whether more Jobs could be made than `decide` says if fewer of them were pending.
pub fn needs_pending(spec: &ScaledJobSpec) -> bool {
    matches!(strategy(spec).strategy.as_deref(), Some(ACCURATE | EAGER))
}

fn strategy(spec: &ScaledJobSpec) -> ScalingStrategy {
    spec.scaling_strategy.clone().unwrap_or_default()
}

/// The most Jobs that may be made now, and those that are wanted.
fn limit_and_wanted(spec: &ScaledJobSpec, count: Count, demand: Demand, reasons: &mut Vec<Why>) -> (i64, i64) {
    let (min, max) = (spec.min_jobs(), spec.max_jobs());
    let Count { running, pending } = count;
    if running < min {
        reasons.push(Why::Limit(format!("{running} of at least {min} Jobs run")));
        return (min - running, min - running);
    }
    let running = running - min;
    let strategy = strategy(spec);
    let Demand { scale_to, max_scale, .. } = demand;
    let (limit, wanted, formula) = match strategy.strategy.as_deref() {
        Some(CUSTOM) if percentage(&strategy).is_some() => {
            let deduction = i64::from(strategy.custom_scaling_queue_length_deduction.unwrap_or(0));
            let share = percentage(&strategy).unwrap_or_default();
            let taken = (running as f64 * share) as i64;
            let formula = format!("custom: {max_scale} - {deduction} - {taken} ({running} running x {share})");
            ((max_scale - deduction - taken).min(max), scale_to, formula)
        }
        Some(ACCURATE) if max_scale + running - pending > max => {
            (max - running, scale_to, format!("accurate: at most {max}, {running} running"))
        }
        Some(ACCURATE) => (max_scale - pending, scale_to, format!("accurate: {max_scale} - {pending} pending")),
        Some(EAGER) => {
            let room = max - running - pending;
            let formula = format!("eager: at most {max} - {running} running - {pending} pending, and {max_scale}");
            (room.min(max_scale), max, formula)
        }
        other => {
            let is_known = matches!(other, None | Some("" | "default" | CUSTOM));
            let unknown = if is_known { "" } else { ", since the strategy is unknown" };
            (max_scale - running, scale_to, format!("default{unknown}: {max_scale} - {running} running"))
        }
    };
    reasons.push(Why::Formula(formula));
    (limit, wanted)
}

/// The share of running Jobs that `custom` subtracts; `None` if it is no number.
fn percentage(strategy: &ScalingStrategy) -> Option<f64> {
    strategy.custom_scaling_running_job_percentage.as_deref()?.parse().ok()
}

fn said(reading: &Reading) -> Why {
    match &reading.outcome {
        Outcome::Failed(error) => Why::Failure(format!("{} cannot be read: {error}", reading.metric)),
        Outcome::Sample(sample) => {
            let target = sample.target.number();
            let inactive = if sample.active { "" } else { ", not active" };
            Why::Sample(format!("{} is {}, {target} a Job{inactive}", reading.metric, sample.value))
        }
    }
}

fn conditions_of(demand: Demand, readings: &[Reading]) -> Vec<Condition> {
    let errors: Vec<_> = readings.iter().filter_map(Reading::error).collect();
    let is_any_active = readings.iter().any(Reading::is_active);
    let ready = if errors.is_empty() {
        conditions::job::ready()
    } else {
        conditions::job::trigger_error(is_any_active, &errors.join("; "))
    };
    let active = if demand.is_active { conditions::active(false) } else { conditions::inactive() };
    vec![ready, active]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ConditionStatus;
    use crate::decision::Sample;
    use crate::metric::Target;

    fn reading(value: f64, active: bool) -> Reading {
        let sample = Sample { value, target: Target::AverageValue(1.0), active, activation: 0.0, parts: vec![] };
        Reading { trigger: "queue".into(), metric: "s0-queue".into(), outcome: Outcome::Sample(sample) }
    }

    fn spec(strategy: &str, deduction: Option<i32>, percentage: Option<&str>, max: i32) -> ScaledJobSpec {
        let strategy = ScalingStrategy {
            strategy: Some(strategy.to_owned()),
            custom_scaling_queue_length_deduction: deduction,
            custom_scaling_running_job_percentage: percentage.map(str::to_owned),
            ..Default::default()
        };
        ScaledJobSpec { max_replica_count: Some(max), scaling_strategy: Some(strategy), ..Default::default() }
    }

    /// The limits of KEDA's own tests of its strategies (`pkg/scaling/executor/scale_jobs_test.go`) and a few rows beside them: what
    /// may run, running and pending Jobs, the maximum; then the limit.
    #[test]
    fn the_limits_of_the_strategies_are_those_of_keda() {
        type Row<'a> = (&'a str, Option<i32>, Option<&'a str>, [i64; 4], i64);
        let table: [Row<'_>; 27] = [
            ("default", None, None, [3, 2, 0, 5], 1),
            ("default", None, None, [2, 0, 0, 5], 2),
            ("", None, None, [3, 2, 0, 5], 1),
            ("typo", None, None, [3, 2, 0, 5], 1),
            ("custom", Some(1), Some("0.5"), [3, 2, 0, 5], 1),
            ("custom", Some(1), Some("0.5"), [10, 0, 0, 10], 9),
            ("custom", None, None, [3, 2, 0, 5], 1),
            ("custom", None, None, [2, 0, 0, 5], 2),
            ("custom", Some(1), Some(""), [3, 2, 0, 5], 1),
            ("custom", Some(2), Some("0"), [3, 2, 0, 5], 1),
            ("custom", Some(-2), Some("0"), [3, 2, 0, 4], 4),
            ("custom", None, Some("0.5"), [3, 2, 0, 5], 2),
            ("custom", None, Some("0.5"), [10, 0, 0, 10], 10),
            ("custom", None, Some("0.5"), [3, 3, 0, 5], 2),
            ("accurate", None, None, [3, 2, 0, 5], 3),
            ("accurate", None, None, [5, 2, 0, 5], 3),
            ("accurate", None, None, [3, 4, 2, 10], 1),
            ("accurate", None, None, [5, 4, 2, 5], 1),
            ("accurate", None, None, [3, 3, 3, 5], 0),
            ("accurate", None, None, [15, 15, 15, 20], 0),
            ("accurate", None, None, [10, 10, 10, 15], 0),
            ("accurate", None, None, [20, 15, 10, 20], 5),
            ("eager", None, None, [4, 3, 0, 10], 4),
            ("eager", None, None, [4, 0, 3, 10], 4),
            ("eager", None, None, [4, 7, 0, 10], 3),
            ("eager", None, None, [4, 1, 6, 10], 3),
            ("eager", None, None, [15, 0, 0, 10], 10),
        ];
        for (strategy, deduction, percentage, [max_scale, running, pending, max], wanted) in table {
            let spec = spec(strategy, deduction, percentage, i32::try_from(max).unwrap());
            let demand = Demand { is_active: true, scale_to: 1000, max_scale };
            let found = limit_and_wanted(&spec, Count { running, pending }, demand, &mut Vec::new());
            let to = if strategy == "eager" { max } else { 1000 };
            assert_eq!(found, (wanted, to), "{strategy} {deduction:?} {percentage:?} {max_scale} {running} {pending}");
        }
    }

    #[test]
    fn below_the_minimum_what_is_missing_is_made_whatever_waits() {
        let spec = ScaledJobSpec { min_replica_count: Some(2), ..Default::default() };
        let create = |running, value: f64| {
            let readings = [reading(value, value > 0.0)];
            decide(&Input { spec: &spec, readings: &readings, count: Count { running, pending: 0 } }).create
        };
        assert_eq!((create(0, 0.0), create(1, 0.0), create(1, 9.0)), (2, 1, 1));
        // From the minimum on, by what waits.
        assert_eq!((create(2, 0.0), create(2, 3.0), create(4, 3.0)), (0, 3, 1));
    }

    #[test]
    fn as_many_jobs_as_wait_are_made_up_to_the_limit_and_none_without_activity() {
        let spec = spec("default", None, None, 10);
        let create = |value, active, running| {
            decide(&Input { spec: &spec, readings: &[reading(value, active)], count: Count { running, pending: 0 } })
        };
        assert_eq!(create(9.0, true, 0).create, 9);
        assert_eq!(create(10.0, true, 4).create, 6);
        assert_eq!(create(50.0, true, 4).create, 6);
        // A queue that shrinks while Jobs run takes none of them away.
        assert_eq!(create(1.0, true, 4).create, 0);
        let idle = create(9.0, false, 0);
        assert_eq!(idle.create, 0);
        assert!(idle.reason().contains("no trigger is active"), "{}", idle.reason());
    }

    #[test]
    fn a_trigger_that_fails_is_shown_in_ready() {
        let failed =
            Reading { trigger: "queue".into(), metric: "s1-queue".into(), outcome: Outcome::Failed("away".into()) };
        let spec = spec("default", None, None, 10);
        let ready = |readings: &[Reading]| {
            let decision = decide(&Input { spec: &spec, readings, count: Count { running: 0, pending: 0 } });
            let ready = conditions::find(&decision.conditions, conditions::READY).unwrap().clone();
            (decision.create, ready.status, ready.reason)
        };
        let row = |create, status, reason: &str| (create, status, reason.to_owned());
        assert_eq!(ready(&[reading(2.0, true)]), row(2, ConditionStatus::True, "ScaledJobReady"));
        let partial = row(2, ConditionStatus::Unknown, "PartialTriggerError");
        assert_eq!(ready(&[reading(2.0, true), failed.clone()]), partial);
        assert_eq!(ready(&[failed]), row(0, ConditionStatus::False, "TriggerError"));
    }
}
