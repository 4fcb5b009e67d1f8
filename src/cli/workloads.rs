//! Which workloads of the stack a command is about, and at which pace their settings can be evaluated.

use std::collections::BTreeSet;

use stack::{Stack, Workload};

use crate::diagnostic::{Diagnostic, Outcome, one as wrong};
use crate::exit::Exit;

/// The named workloads in the order of the stack, each once; all of them if none is named.
pub(crate) fn chosen<'a>(stack: &'a Stack, names: &[String]) -> Outcome<Vec<&'a Workload>> {
    for name in names {
        one(stack, Some(name))?;
    }
    let is_chosen = |workload: &&Workload| names.is_empty() || names.contains(&workload.name);
    Ok(stack.workloads.iter().filter(is_chosen).collect())
}

/// The named workload; the first of the stack if none is named.
pub(crate) fn one<'a>(stack: &'a Stack, name: Option<&String>) -> Outcome<&'a Workload> {
    let Some(name) = name else { return Ok(&stack.workloads[0]) };
    stack.workloads.iter().find(|workload| workload.name == *name).ok_or_else(|| {
        let known: Vec<&str> = stack.workloads.iter().map(|workload| workload.name.as_str()).collect();
        let help = match stack::nearest(name, &known) {
            Some(near) => format!("did you mean {near}? The stack's workloads are: {}", known.join(", ")),
            None => format!("the stack's workloads are: {}", known.join(", ")),
        };
        wrong(Diagnostic::error(format!("the stack has no workload {name}")).help(help).exit(Exit::Usage))
    })
}

/// The named workload, which must have a queue; the first of the stack that has one if none is named.
pub(crate) fn with_queue<'a>(stack: &'a Stack, name: Option<&String>) -> Outcome<&'a Workload> {
    let has_queue = |workload: &&Workload| workload.queue.is_some();
    let found = match name {
        Some(_) => Some(one(stack, name)?).filter(has_queue),
        None => stack.workloads.iter().find(has_queue),
    };
    found.ok_or_else(|| {
        let text = name.map_or_else(
            || "no workload of the stack has a queue".to_owned(),
            |name| format!("the workload {name} has no queue of the stack's"),
        );
        let help = "messages go to workloads with a queue: write `queue: {}` for one of the stack";
        wrong(Diagnostic::error(text).help(help).exit(Exit::Usage))
    })
}

/// Why no scenario can put load on the workload; `None` if one can.
pub(crate) fn no_load(workload: &Workload) -> Option<String> {
    let types: BTreeSet<&str> = workload.triggers.iter().map(|trigger| trigger.kind.as_str()).collect();
    let types = types.into_iter().collect::<Vec<_>>().join(", ");
    if !workload.triggers.iter().any(|trigger| trigger.reads_queue) {
        return Some(format!("scenarios send to a queue of the stack, and its triggers are {types}"));
    }
    let has_formula = workload.scaling.modifiers.is_some();
    has_formula.then(|| "its formula makes of the queue's length what no scenario can foretell".to_owned())
}

/// The workload's settings as verification evaluates them.
pub(crate) fn scaling(workload: &Workload) -> verify::Scaling {
    let scaling = &workload.scaling;
    verify::Scaling {
        polling_seconds: scaling.polling_interval_seconds.into(),
        cooldown_seconds: scaling.cooldown_period_seconds.into(),
        window_seconds: scaling.scale_down_window_seconds.into(),
        min_replicas: scaling.min_replicas,
        max_replicas: scaling.max_replicas,
        queue_length: scaling.queue_length,
    }
}

/// How many times as fast time may run, at most `most`, so that the periods of every workload can still be evaluated.
pub(crate) fn time_scale(stack: &Stack, most: f64) -> f64 {
    let fitting = stack.workloads.iter().filter_map(|workload| scaling(workload).time_scale_max());
    fitting.fold(most, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(text: &str) -> Stack {
        let file = stack::File { name: "stack.yaml", text };
        stack::load(Some(file), &[], jiff::civil::date(2026, 11, 27)).unwrap().stack
    }

    #[test]
    fn workloads_are_chosen_by_name_and_a_slip_is_met_with_the_nearest() {
        let stack = stack("workloads: [{name: orders}, {name: mails}]");
        let names = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let chosen = chosen(&stack, &names)?;
            Ok::<_, Vec<Diagnostic>>(chosen.into_iter().map(|workload| workload.name.clone()).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).unwrap(), ["orders", "mails"]);
        assert_eq!(names(&["mails", "mails"]).unwrap(), ["mails"]);
        let refused = names(&["mail"]).unwrap_err();
        assert!(refused[0].help.as_ref().unwrap().contains("did you mean mails?"), "{refused:?}");
        assert_eq!(refused[0].exit, Exit::Usage);
        assert_eq!(one(&stack, None).unwrap().name, "orders");
    }

    #[test]
    fn short_periods_slow_time_down_as_far_as_that_helps() {
        let scale = |text: &str| time_scale(&stack(text), 30.0);
        assert!((scale("") - 30.0).abs() < f64::EPSILON);
        let short =
            "workloads: [{}, {name: b, scaling: {pollingInterval: 10, cooldownPeriod: 60, scaleDownWindow: 30}}]";
        assert!((scale(short) - 5.0).abs() < f64::EPSILON, "{}", scale(short));
        // No scale shows these, so none is chosen for them.
        assert!(
            (scale("workloads: [{scaling: {cooldownPeriod: 0, scaleDownWindow: 15}}]") - 30.0).abs() < f64::EPSILON
        );
    }
}
