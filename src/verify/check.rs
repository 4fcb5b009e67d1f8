//! Checks: pure functions from evidence to verdicts. None of them looks at the live system; one that saw nothing fails.

mod accounting;
pub(crate) mod activity;
mod bounds;
mod cause;
mod health;
mod jobs;
mod messages;
mod scale_in;
mod scale_out;
mod start;

use crate::evidence::Evidence;
use crate::settings::Consumer;
use crate::verdict::{Evaluated, Outcome, Verdict};

type Check = (&'static str, fn(&Evidence) -> String, fn(&Evidence) -> Evaluated);

/// All checks where Jobs do the work, in the order of what they are about.
const CHECKS_OF_JOBS: [Check; 15] = [
    ("identity-accepted", health::identity_expected, health::identity),
    ("scenario-completed", health::completed_expected, health::completed),
    ("starts-at-zero", start::zero_expected, start::zero),
    ("messages-sent", messages::sent_expected, messages::sent),
    ("jobs-made-by-operator", jobs::made_expected, jobs::made),
    ("reaches-maximum", jobs::maximum_expected, jobs::maximum),
    ("never-exceeds-maximum", jobs::exceeds_expected, jobs::exceeds),
    ("every-message-deleted-once", messages::deleted_expected, messages::deleted),
    ("one-job-a-message", jobs::own_expected, jobs::own),
    (ACCOUNTED_FOR, accounting::expected, accounting::evaluate),
    ("queue-ends-empty", messages::empty_expected, messages::empty),
    ("stays-at-zero", scale_in::stays_expected, scale_in::stays),
    ("history-trimmed", jobs::trimmed_expected, jobs::trimmed),
    ("scaled-job-conditions", health::conditions_expected, health::conditions),
    ("no-restarts", health::restarts_expected, health::restarts),
];

/// All checks of replicas, in the order of what they are about.
const CHECKS: [Check; 17] = [
    ("identity-accepted", health::identity_expected, health::identity),
    ("scenario-completed", health::completed_expected, health::completed),
    ("starts-at-zero", start::zero_expected, start::zero),
    ("messages-sent", messages::sent_expected, messages::sent),
    ("activated-by-operator", scale_out::activated_expected, scale_out::activated),
    ("external-metric-served", scale_out::metric_expected, scale_out::metric),
    ("reaches-maximum", scale_out::maximum_expected, scale_out::maximum),
    ("never-exceeds-maximum", scale_out::exceeds_expected, scale_out::exceeds),
    ("every-message-deleted-once", messages::deleted_expected, messages::deleted),
    (ACCOUNTED_FOR, accounting::expected, accounting::evaluate),
    ("queue-ends-empty", messages::empty_expected, messages::empty),
    ("window-respected", scale_in::window_expected, scale_in::window),
    ("cooldown-respected", scale_in::cooldown_expected, scale_in::cooldown),
    ("back-to-zero-in-time", scale_in::back_expected, scale_in::back),
    ("stays-at-zero", scale_in::stays_expected, scale_in::stays),
    ("scaled-object-conditions", health::conditions_expected, health::conditions),
    ("no-restarts", health::restarts_expected, health::restarts),
];

/// Evaluated where receipts, which say the same and more, cannot be had.
const ACCOUNTED_FOR: &str = "every-message-accounted-for";

/// Evaluates all checks.
pub(crate) fn evaluate(evidence: &Evidence) -> Vec<Verdict> {
    let mut verdicts = match &evidence.header.course {
        Some(played) => bounds::evaluate(evidence, played),
        None => of_scenario(evidence),
    };
    cause::add(evidence, &mut verdicts);
    verdicts
}

fn of_scenario(evidence: &Evidence) -> Vec<Verdict> {
    let has_receipts = evidence.header.consumer == Consumer::Sample;
    let verdict = |(name, expected, check): &Check| verdict(name, expected(evidence), check(evidence));
    let checks: &[Check] = if evidence.header.jobs.is_some() { &CHECKS_OF_JOBS } else { &CHECKS };
    let shown = checks.iter().filter(|(name, ..)| !(has_receipts && *name == ACCOUNTED_FOR));
    shown.map(verdict).collect()
}

fn verdict(name: &str, expected: String, evaluated: Evaluated) -> Verdict {
    let (outcome, saw) = evaluated.unwrap_or_else(|early| early);
    Verdict { name: name.to_owned(), outcome, saw, expected, evidence: Vec::new(), next: None }
}

/// The verdict on all verdicts: one failure fails, one inconclusive leaves it open, and without a pass there is none.
pub(crate) fn overall(verdicts: &[Verdict]) -> Outcome {
    let has = |outcome| verdicts.iter().any(|verdict| verdict.outcome == outcome);
    match (has(Outcome::Fail) || !has(Outcome::Pass) && !has(Outcome::Inconclusive), has(Outcome::Inconclusive)) {
        (true, _) => Outcome::Fail,
        (false, true) => Outcome::Inconclusive,
        (false, false) => Outcome::Pass,
    }
}

#[cfg(test)]
mod tests;
