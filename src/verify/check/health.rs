//! Identity, conditions, restarts, and whether the scenario came to its end.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::{accounting, activity};
use crate::evidence::Evidence;
use crate::observation::{Observation, Source, StepState};
use crate::refusal;
use crate::scenario;
use crate::settings::Consumer;
use crate::verdict::{Evaluated, Outcome, fail, pass};

/// How many other refusals a verdict names.
const OTHERS_MAX: usize = 4;

pub(super) fn identity_expected(_: &Evidence) -> String {
    "no identity is refused for good; operator and worker get what their roles allow".to_owned()
}

pub(super) fn identity(evidence: &Evidence) -> Evaluated {
    let mut open = None;
    let mut refusals = 0;
    for record in &evidence.records {
        refusals += usize::from(refusal::of_record(record).is_some());
        refusal::fold(&mut open, record);
    }
    if let Some(refusal) = open {
        let others = other_texts(evidence, &refusal.text);
        let span = format!("first on {}, last on {}", evidence.when(refusal.first), evidence.when(refusal.last));
        return Err(fail(format!("{} ({span}){others}", refusal.text)));
    }
    let recovered =
        if refusals > 0 { format!("; {refusals} refusals on the way, all recovered from") } else { String::new() };
    let served = evidence.scaled_objects().filter(|(_, object)| object.is("Ready")).count();
    if evidence.header.consumer == Consumer::Own && evidence.receipts().next().is_none() {
        // What it deletes, its identity lets it delete.
        let (outcome, account) = accounting::evaluate(evidence).unwrap_or_else(|early| early);
        let proof = format!("{} ready in {served} reads; {account}", scaler(evidence));
        let is_proven = served > 0 && outcome == Outcome::Pass;
        return Ok(if is_proven {
            pass(proof + &recovered)
        } else {
            fail(format!("no refusal, but no proof either: {proof}"))
        });
    }
    let worked = evidence.receipts().filter(|(_, receipt)| receipt.outcome == "deleted").count();
    if served == 0 || worked == 0 {
        return Err(fail(format!(
            "no refusal, but no proof either: {} ready in {served} reads, {worked} messages deleted",
            scaler(evidence)
        )));
    }
    let kind = scaler(evidence);
    Ok(pass(format!("{kind} ready in {served} reads, {worked} messages received and deleted{recovered}")))
}

/// The kind of the object that has the triggers.
fn scaler(evidence: &Evidence) -> &'static str {
    if evidence.header.jobs.is_some() { "ScaledJob" } else { "ScaledObject" }
}

/// Different refusals than the one already named, once each: what the endpoint says first, as only that names policy and
/// statement, then what the operator and the conditions say.
fn other_texts(evidence: &Evidence, named: &str) -> String {
    let mut refusals: Vec<_> = evidence.records.iter().filter_map(refusal::of_record).collect();
    refusals.retain(|(text, _)| text != named);
    refusals.sort_by(|(one, is_endpoint), (other, is_too)| (!is_endpoint, one).cmp(&(!is_too, other)));
    // The same refusal of two requests is one refusal; nothing else differs than their ids.
    refusals.dedup_by(|(one, _), (other, _)| without_request_id(one) == without_request_id(other));
    let others: Vec<_> = refusals.iter().take(OTHERS_MAX).map(|(text, _)| format!("; also: {text}")).collect();
    others.concat()
}

fn without_request_id(text: &str) -> (&str, &str) {
    const MARK: &str = "request_id: \"";
    let Some((before, rest)) = text.split_once(MARK) else { return (text, "") };
    (before, rest.split_once('"').map_or("", |(_, after)| after))
}

/// The names of the steps of what was run.
fn steps(evidence: &Evidence) -> Option<&'static [&'static str]> {
    match &evidence.header.course {
        Some(played) => Some(played.part.steps()),
        None => scenario::steps(&evidence.header.scenario),
    }
}

pub(super) fn completed_expected(evidence: &Evidence) -> String {
    let names = steps(evidence).unwrap_or_default();
    format!("every step reaches its condition before its deadline: {}", names.join(", "))
}

pub(super) fn completed(evidence: &Evidence) -> Evaluated {
    let names = steps(evidence).ok_or_else(|| fail(format!("no scenario is called {:?}", evidence.header.scenario)))?;
    let mut reached = Vec::new();
    for name in names {
        let begun = evidence.steps().find(|(_, step)| step.name == *name);
        let ended = evidence.steps().rfind(|(_, step)| step.name == *name);
        match (begun, ended) {
            (Some((begun, _)), Some((ended, step))) if step.state == StepState::Reached => {
                reached.push(format!("{name} {:.0} s", evidence.seconds(begun, ended)));
            }
            (_, Some((time, step))) => {
                let state = format!("{:?}", step.state).to_lowercase();
                return Ok(fail(format!("step {name} {state} on {}: {}", evidence.when(time), step.detail)));
            }
            (_, None) => return Ok(fail(format!("step {name} was never begun"))),
        }
    }
    Ok(pass(reached.join(", ")))
}

pub(super) fn conditions_expected(evidence: &Evidence) -> String {
    let kind = scaler(evidence);
    format!("{kind} Ready=True; Active False -> True after sending -> False at the end")
}

pub(super) fn conditions(evidence: &Evidence) -> Evaluated {
    let sending = activity::sending(evidence)?;
    let mut active: Vec<(String, String)> = Vec::new();
    let mut not_ready = None;
    for (time, object) in evidence.scaled_objects() {
        if let Some(condition) = object.condition("Active")
            && active.last().is_none_or(|(_, status)| *status != condition.status)
        {
            active.push((evidence.when(time), condition.status.clone()));
        }
        if time >= sending && !object.is("Ready") {
            not_ready = object
                .condition("Ready")
                .map(|it| format!("{} ({}: {})", it.status, it.reason, it.message))
                .or(not_ready);
        }
    }
    let Some((last, object)) = evidence.scaled_objects().next_back() else {
        return Ok(fail(format!("the {} was never read", scaler(evidence))));
    };
    let path = active.iter().map(|(when, status)| format!("{status} on {when}")).collect::<Vec<_>>().join(", ");
    let before_after =
        evidence.scaled_objects().filter(|(time, _)| *time >= sending).any(|(_, object)| object.is("Active"));
    let ends_inactive = object.condition("Active").is_some_and(|condition| condition.status == "False");
    let starts_inactive =
        evidence.scaled_objects().rfind(|(time, _)| *time < sending).is_some_and(|(_, object)| !object.is("Active"));
    let saw = format!(
        "Ready={} on {}; Active: {path}",
        if object.is("Ready") { "True" } else { "not True" },
        evidence.when(last)
    );
    if let Some(text) = not_ready {
        return Ok(fail(format!("{saw}; Ready was {text}")));
    }
    Ok(if object.is("Ready") && starts_inactive && before_after && ends_inactive { pass(saw) } else { fail(saw) })
}

pub(super) fn restarts_expected(_: &Evidence) -> String {
    "no container of workload or operator restarts, no pod fails".to_owned()
}

pub(super) fn restarts(evidence: &Evidence) -> Evaluated {
    // A Job of the sample fails with its message, which it gave back.
    let gave_back: BTreeSet<&str> = evidence
        .receipts()
        .filter(|(_, receipt)| evidence.header.jobs.is_some() && receipt.outcome == "failed")
        .map(|(_, receipt)| receipt.pod.as_str())
        .collect();
    let mut saw = Vec::new();
    for (source, who) in [(Source::Pods, "workload"), (Source::OperatorPods, "operator")] {
        // What had happened before the run is not its doing; pods that appear during it start from zero.
        let mut first: BTreeMap<&str, u32> = BTreeMap::new();
        let mut reads = 0;
        for (time, pods) in evidence.pods(source) {
            for pod in pods {
                let before = *first.entry(&pod.name).or_insert(if reads == 0 { pod.restarts } else { 0 });
                // A program that does not catch SIGTERM ends with 143 when its pod is taken away, which is no failure.
                let is_failure = pod.phase == "Failed" && !pod.terminating && !gave_back.contains(pod.name.as_str());
                if pod.restarts > before || is_failure {
                    let text = format!(
                        "{} {} on {} with {} restarts",
                        pod.name,
                        pod.phase,
                        evidence.when(time),
                        pod.restarts - before
                    );
                    return Err(fail(text));
                }
            }
            reads += 1;
        }
        if first.is_empty() {
            return Err(fail(format!("no pod of the {who} was seen in {reads} reads")));
        }
        saw.push(format!("{} pods of the {who} in {reads} reads", first.len()));
    }
    let panics = evidence.records.iter().find_map(|record| match &record.observation {
        Observation::Trouble { pod, message } if message.contains("panicked at") => Some(format!("{pod}: {message}")),
        _ => None,
    });
    Ok(panics.map_or_else(|| pass(format!("{}, none restarted", saw.join(", "))), fail))
}
