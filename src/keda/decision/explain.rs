//! A decision's reasons in words: the samples, the formula, the limit that bit, what is waited for, what is done.

use super::{Action, Input, Outcome, Poll, Reading, Sample, Why, direct};
use crate::fallback;
use crate::metric::Target;
use crate::naming::COMPOSITE_METRIC;

pub(super) fn reasons(poll: &Poll<'_>, action: &Action) -> Vec<Why> {
    let input = poll.input;
    let mut reasons: Vec<_> = match &poll.composite {
        None => input.readings.iter().map(reading).collect(),
        Some(composite) => {
            let formula = input.spec.scaling_modifiers().and_then(|modifiers| modifiers.formula.as_deref());
            let formula = Why::Formula(format!("{COMPOSITE_METRIC} is {}", formula.unwrap_or_default()));
            let each = input.readings.iter().map(part_of_formula);
            each.chain([formula, reading(&composite.reading())]).collect()
        }
    };
    if poll.forced {
        reasons.push(Why::Override("annotation force-activation makes it active".to_owned()));
    }
    if poll.falling_back
        && let Some(fallback) = &input.spec.fallback
    {
        let (replicas, threshold) = (fallback::replicas(fallback, input.current), fallback.failure_threshold);
        reasons.push(Why::Override(format!(
            "fallback to {replicas} replicas is in force: more than {threshold} failures in a row"
        )));
    }
    reasons.extend(formula(input, &poll.held));
    reasons.extend(at_once(input, &poll.held, action));
    reasons.push(outcome(input, action));
    reasons
}

/// A reading that counts in a formula only, so that its own activation threshold does not.
fn part_of_formula(reading: &Reading) -> Why {
    match &reading.outcome {
        Outcome::Sample(sample) => Why::Sample(format!("{} = {}{}", reading.metric, sample.value, parts(sample))),
        Outcome::Failed(error) => Why::Failure(format!("{} could not be read: {error}", reading.metric)),
    }
}

fn parts(sample: &Sample) -> String {
    let parts: Vec<_> = sample.parts.iter().map(|(name, value)| format!("{name} {value}")).collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}

fn reading(reading: &Reading) -> Why {
    let metric = &reading.metric;
    let sample = match &reading.outcome {
        Outcome::Sample(sample) => sample,
        Outcome::Failed(error) => return Why::Failure(format!("{metric} could not be read: {error}")),
    };
    let parts = parts(sample);
    let (value, activation) = (sample.value, sample.activation);
    let verdict = match (sample.active, value > activation) {
        (true, true) => format!("above the activation threshold {activation}"),
        (false, false) => format!("not above the activation threshold {activation}"),
        // A source may decide that by itself.
        (true, false) => "active as its source says".to_owned(),
        (false, true) => "inactive as its source says".to_owned(),
    };
    Why::Sample(format!("{metric} = {value}{parts}, {verdict}"))
}

/// The count that the samples make the HPA want, clamped to its bounds; `None` where it cannot be distinguished from here.
pub(super) fn wanted_by_hpa(input: &Input<'_>, held: &[Reading]) -> Option<i32> {
    let wanted = unbounded(input, held)?;
    Some(wanted.max(input.spec.hpa_min_replicas()).min(input.spec.max_replicas()))
}

/// The greatest of `ceil(value / target)` over all metrics. Nothing is known if a metric failed, if the HPA reads
/// cpu or memory as well, or if a total is held (that takes the number of ready pods).
fn unbounded(input: &Input<'_>, held: &[Reading]) -> Option<i32> {
    if input.spec.triggers.iter().any(crate::api::ScaleTriggers::is_resource) {
        return None;
    }
    let counts: Option<Vec<_>> = held.iter().map(|reading| count(reading).map(|(count, ..)| count)).collect();
    counts?.into_iter().max()
}

fn count(reading: &Reading) -> Option<(i32, f64, f64)> {
    match &reading.outcome {
        Outcome::Sample(Sample { value, target: Target::AverageValue(target), .. }) if *target > 0.0 => {
            Some(((value / target).ceil() as i32, *value, *target))
        }
        _ => None,
    }
}

fn formula(input: &Input<'_>, held: &[Reading]) -> Vec<Why> {
    let Some(wanted) = unbounded(input, held) else { return Vec::new() };
    let terms: Vec<_> = held
        .iter()
        .filter_map(count)
        .map(|(count, value, target)| format!("ceil({value} / {target}) = {count}"))
        .collect();
    if terms.is_empty() {
        return Vec::new();
    }
    let mut reasons = vec![Why::Formula(format!("the HPA's desired count is {}", terms.join(", greatest of ")))];
    let (min, max) = (input.spec.hpa_min_replicas(), input.spec.max_replicas());
    if wanted > max {
        reasons.push(Why::Limit(format!("limited to maxReplicaCount {max}")));
    } else if wanted < min && input.current > 0 {
        reasons.push(Why::Limit(format!("the HPA does not go below {min}")));
    }
    reasons
}

/// That the annotation wakes the target up at once at the HPA's count, and what kept it below that.
fn at_once(input: &Input<'_>, held: &[Reading], action: &Action) -> Vec<Why> {
    let Action::Activate { to, .. } = action else { return Vec::new() };
    match direct::wish(input.annotations) {
        Ok(true) => {}
        Ok(false) => return Vec::new(),
        Err(text) => {
            let text = format!("direct activation is not asked for: its annotation {text:?} is neither true nor false");
            return vec![Why::Override(text)];
        }
    }
    let Some(wanted) = wanted_by_hpa(input, held) else {
        let text = "direct activation: the HPA's count is not known from here, so it begins as without it";
        return vec![Why::Override(text.to_owned())];
    };
    let mut reasons = vec![Why::Override(format!("direct activation: the HPA would come to {wanted}"))];
    if *to < wanted {
        reasons.push(Why::Limit(format!("the HPA's scale-up policies allow {to} at first")));
    }
    reasons
}

fn outcome(input: &Input<'_>, action: &Action) -> Why {
    let current = input.current;
    match action {
        Action::None if current > 0 => Why::Action(format!("nothing to do here: the HPA owns {current} replicas")),
        Action::None => Why::Action("nothing to do: no trigger is active".to_owned()),
        Action::Activate { from, to } => Why::Action(format!("activate: {from} -> {to} replicas")),
        Action::Deactivate { from, to } => Why::Action(format!("deactivate: {from} -> {to} replicas, cooldown over")),
        Action::RaiseToMin { from, to } => Why::Action(format!("raise to minReplicaCount: {from} -> {to} replicas")),
        Action::KeepDuringCooldown { remaining } => {
            let seconds = remaining.as_secs_f64().ceil();
            Why::Wait(format!("no trigger is active; cooldown holds {current} replicas for another {seconds} s"))
        }
        Action::HoldOnError => Why::Wait(format!("nothing is scaled on a failed reading: {current} replicas stay")),
        Action::HoldPaused { at: Some(at) } => Why::Override(format!("paused by annotation at {at} replicas")),
        Action::HoldPaused { at: None } => Why::Override(format!("paused by annotation: {current} replicas stay")),
    }
}
