//! The checks of a scenario of a user's own: what holds of every one, and the bounds of its file, each called as it is there.

mod graceful;

use jiff::Timestamp;

use crate::check::{accounting, activity, health, messages, scale_out, verdict};
use crate::course::{Played, Reaches};
use crate::evidence::Evidence;
use crate::observation::{FaultState, Replicas, Source};
use crate::settings::Consumer;
use crate::verdict::{Evaluated, Finding, Verdict, fail, inconclusive, pass};

/// Changes that a verdict names.
const CHANGES_MAX: usize = 20;

/// Evaluates the file's bounds, and what every such run must show.
pub(super) fn evaluate(evidence: &Evidence, played: &Played) -> Vec<Verdict> {
    let bounds = &played.part.bounds;
    let mut verdicts =
        vec![verdict("scenario-completed", health::completed_expected(evidence), health::completed(evidence))];
    let mut add =
        |name: &str, expected: String, evaluated: Evaluated| verdicts.push(verdict(name, expected, evaluated));
    add("messages-sent", format!("the queue gives {} different message ids", evidence.header.messages), sent(evidence));
    if !played.faults.is_empty() {
        let names: Vec<_> = played.faults.iter().map(|fault| fault.kind.name()).collect();
        let expected =
            format!("each fault begins, strikes at least one call or pod, and is over: {}", names.join(", "));
        add("faults-struck", expected, struck(evidence, &names));
    }
    if let Some(most) = bounds.never_above {
        let expected = format!("no read shows more than {most} replicas, desired replicas or live pods");
        // Without load nothing could have been above it.
        let evaluated = activity::sending(evidence).and_then(|_| scale_out::exceeds_of(evidence, most));
        add("neverAbove", expected, evaluated);
    }
    if let Some(most) = bounds.changes_at_most {
        let expected = format!("the replicas change at most {most} times, never unseen for longer than a change takes");
        add("changesAtMost", expected, changes(evidence, most));
    }
    if let Some(wanted) = bounds.reaches {
        let expected =
            format!("{} replicas ready at most {} s after sending began", wanted.replicas, wanted.within_seconds);
        add("reaches", expected, reaches(evidence, wanted));
    }
    if let Some(seconds) = bounds.settles_within {
        let expected = format!("an empty queue and no replica at most {seconds} s after the last message was sent");
        add("settlesWithin", expected, settles(evidence, seconds));
    }
    if let Some(seconds) = bounds.stays_for {
        add("staysFor", format!("no replica in any read for {seconds} s after that"), stays(evidence, seconds));
    }
    if bounds.every_message_once {
        add("everyMessageOnce", messages::deleted_expected(evidence), messages::deleted(evidence));
    }
    if bounds.graceful_scale_in {
        add("gracefulScaleIn", graceful::expected(), graceful::evaluate(evidence));
    }
    match evidence.header.consumer {
        Consumer::Sample => {
            let name = "every-message-accounted-for";
            add(name, messages::accounted_expected(evidence), messages::accounted(evidence));
        }
        Consumer::Own => {
            add("every-message-accounted-for", accounting::expected(evidence), accounting::evaluate(evidence));
        }
    }
    verdicts
}

fn sent(evidence: &Evidence) -> Evaluated {
    let (first, ids) = evidence.sent().ok_or_else(|| match evidence.failures(Source::Scenario).last() {
        Some((_, error)) => fail(format!("sending failed: {error}")),
        None => fail("nothing was sent"),
    })?;
    let last = evidence.last_sent().unwrap_or(first);
    let different = ids.iter().collect::<std::collections::BTreeSet<_>>().len();
    let seconds = evidence.seconds(first, last);
    let saw =
        format!("{} ids, {different} of them different, in {seconds:.0} s from {}", ids.len(), evidence.when(first));
    Ok(if different == evidence.header.messages && ids.len() == different { pass(saw) } else { fail(saw) })
}

/// A fault that touched nothing proves nothing.
fn struck(evidence: &Evidence, names: &[&str]) -> Evaluated {
    let mut saw = Vec::new();
    let mut over: Vec<_> = evidence.faults().filter(|(_, fault)| fault.state != FaultState::Begun).collect();
    for name in names {
        let Some(at) = over.iter().position(|(_, fault)| fault.name == *name) else {
            return Err(fail(format!("{name} was not seen to its end")));
        };
        let (time, fault) = over.remove(at);
        let text = format!("{name}: {} (over on {})", fault.detail, evidence.when(time));
        if fault.state == FaultState::Failed {
            return Err(fail(format!("{name} could not be played: {}", fault.detail)));
        }
        if fault.struck.unwrap_or(0) == 0 {
            return Err(fail(format!(
                "{text}; it struck nothing, so nothing is proved about it: begin it when something happens"
            )));
        }
        saw.push(text);
    }
    Ok(pass(saw.join("; ")))
}

fn changes(evidence: &Evidence, most: u32) -> Evaluated {
    let sending = activity::sending(evidence)?;
    let before = evidence.deployments().rfind(|(time, _)| *time < sending);
    let reads: Vec<_> = before.into_iter().chain(evidence.deployments().filter(|(time, _)| *time >= sending)).collect();
    if reads.len() < evidence.header.thresholds.agreeing_reads {
        return Err(fail(format!("the replicas were read only {} times", reads.len())));
    }
    let changed: Vec<_> = reads.windows(2).filter(|pair| pair[0].1.desired != pair[1].1.desired).collect();
    let named: Vec<_> = changed
        .iter()
        .take(CHANGES_MAX)
        .map(|pair| format!("{} -> {} on {}", pair[0].1.desired, pair[1].1.desired, evidence.when(pair[1].0)))
        .collect();
    let saw = format!("{} changes in {} reads: {}", changed.len(), reads.len(), named.join(", "));
    if changed.len() > most as usize {
        return Ok(fail(saw));
    }
    let end = reads.last().map_or(sending, |(time, _)| *time);
    let gap = activity::longest_gap(evidence, reads.iter().map(|(time, _)| *time), sending, end);
    if gap > evidence.header.thresholds.gap_seconds {
        return Ok(inconclusive(format!("{saw}; but nothing was read for {gap:.0} s")));
    }
    Ok(pass(saw))
}

fn reaches(evidence: &Evidence, wanted: Reaches) -> Evaluated {
    let sending = activity::sending(evidence)?;
    let after = || evidence.deployments().filter(|(time, _)| *time >= sending);
    if let Some((time, replicas)) = after().find(|(_, replicas)| replicas.ready >= wanted.replicas) {
        let passed = evidence.seconds(sending, time);
        let saw = format!("{} ready on {}, {passed:.0} s after sending began", replicas.ready, evidence.when(time));
        return Ok(if passed <= wanted.within_seconds { pass(saw) } else { fail(saw) });
    }
    let (reads, most) = after().fold((0, 0), |(reads, most), (_, it)| (reads + 1, it.ready.max(most)));
    Ok(fail(format!("at most {most} ready in {reads} reads after sending began")))
}

/// When it first rested after the last message: an empty queue from then on, and no replica.
fn rest(evidence: &Evidence) -> Result<(Timestamp, Timestamp), Finding> {
    let last = evidence.last_sent().ok_or_else(|| inconclusive("nothing was sent"))?;
    let busy = evidence.queue().rev().find(|(_, counts)| counts.total() > 0);
    let busy = busy.map_or(last, |(time, _)| time.max(last));
    let is_rest = |replicas: &Replicas| replicas.desired == 0 && replicas.current == 0;
    let found = evidence.deployments().find(|(time, replicas)| *time > busy && is_rest(replicas));
    let has_empty = evidence.queue().any(|(time, counts)| time > busy && counts.total() == 0);
    match found {
        Some((time, _)) if has_empty => Ok((last, time)),
        _ => {
            let queue =
                evidence.queue().next_back().map_or("unread".to_owned(), |(_, counts)| counts.total().to_string());
            let replicas =
                evidence.deployments().next_back().map_or("unread".to_owned(), |(_, it)| it.desired.to_string());
            let seconds = evidence.seconds(last, evidence.end());
            Err(fail(format!(
                "it never settled within {seconds:.0} s after the last message: at the end the queue held {queue} messages, and the \
                 replicas were {replicas}"
            )))
        }
    }
}

fn settles(evidence: &Evidence, seconds: f64) -> Evaluated {
    let (last, rest) = rest(evidence)?;
    let passed = evidence.seconds(last, rest);
    let saw = format!("settled on {}, {passed:.0} s after the last message was sent", evidence.when(rest));
    Ok(if passed <= seconds { pass(saw) } else { fail(saw) })
}

fn stays(evidence: &Evidence, seconds: f64) -> Evaluated {
    let (_, rest) = rest(evidence)?;
    let reads: Vec<_> = evidence.deployments().filter(|(time, _)| *time >= rest).collect();
    if let Some((time, replicas)) = reads.iter().find(|(_, replicas)| replicas.desired > 0) {
        let held = evidence.seconds(rest, *time);
        return Ok(fail(format!(
            "back at {} on {}, {held:.0} s after it had settled",
            replicas.desired,
            evidence.when(*time)
        )));
    }
    let end = reads.last().map_or(rest, |(time, _)| *time);
    let held = evidence.seconds(rest, end);
    let gap = activity::longest_gap(evidence, reads.iter().map(|(time, _)| *time), rest, end);
    let saw = format!("0 in {} reads over {held:.0} s, longest gap {gap:.0} s", reads.len());
    if held < seconds {
        return Ok(inconclusive(format!("{saw}; the run ended too early")));
    }
    Ok(if gap <= evidence.header.thresholds.gap_seconds { pass(saw) } else { fail(saw) })
}

#[cfg(test)]
mod tests;
