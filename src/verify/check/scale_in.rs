//! From the maximum back to zero: not too early, not too late, and for good.

use jiff::Timestamp;

use crate::check::activity;
use crate::evidence::Evidence;
use crate::verdict::{Evaluated, Finding, fail, inconclusive, not_applicable, pass};

/// The HPA controller's sync period: it acts on a sample that may be this old.
const HPA_SYNC_SECONDS: f64 = 15.0;

fn earliest_step(evidence: &Evidence) -> f64 {
    evidence.header.scaling.window_seconds as f64 - HPA_SYNC_SECONDS - evidence.header.thresholds.tolerance_seconds
}

pub(super) fn window_expected(evidence: &Evidence) -> String {
    let window = evidence.header.scaling.window_seconds;
    format!(
        "the HPA takes no replica away before {window} s (window; {:.0} s with tolerance) have passed since the queue last called for it",
        earliest_step(evidence)
    )
}

/// A bound that is not positive would let everything pass: at this time scale such a short period cannot be evaluated.
///
/// `bound` is what is left of a `period` of the settings after all tolerances; `looks` is how often it is looked at that
/// it ends, by whoever ends it.
fn must_be_judgeable(evidence: &Evidence, bound: f64, period: &str, seconds: u64, looks: &str) -> Result<(), Finding> {
    if bound > 0.0 {
        return Ok(());
    }
    if seconds == 0 {
        return Err(not_applicable(format!("the {period} is 0 s: there is nothing to respect")));
    }
    let scale = evidence.header.time_scale;
    // The tolerance is a read and a second of real time; only the latter shrinks with the scale.
    let fitting = ((bound + scale).ceil() - 1.0).min((scale - 1.0).floor());
    Err(if fitting >= 1.0 {
        inconclusive(format!(
            "a {period} of {seconds} s is too short to be evaluated with time {scale} times as fast; \
             `sluice down`, then begin again with --time-scale {fitting}"
        ))
    } else {
        not_applicable(format!(
            "a {period} of {seconds} s is not longer than {looks} and the reads of it, so it cannot be distinguished from none"
        ))
    })
}

pub(super) fn window(evidence: &Evidence) -> Evaluated {
    let seconds = evidence.header.scaling.window_seconds;
    must_be_judgeable(evidence, earliest_step(evidence), "window", seconds, "the HPA's sync period of 15 s")?;
    let activation = activity::activation(evidence)?;
    let zero = activity::zero(evidence)?;
    let reads: Vec<_> = evidence.deployments().filter(|(time, _)| (activation..=zero).contains(time)).collect();
    let steps: Vec<_> =
        reads.windows(2).filter(|pair| pair[1].1.desired < pair[0].1.desired && pair[1].1.desired > 0).collect();
    let mut saw = Vec::new();
    for step in steps {
        let (from, (time, to)) = (step[0].1.desired, (step[1].0, step[1].1.desired));
        let passed = since_called_for(evidence, from, activation, time)?;
        let text =
            format!("{from} -> {to} on {}, {passed:.0} s after the queue last called for {from}", evidence.when(time));
        if passed < earliest_step(evidence) {
            return Ok(too_early(evidence, earliest_step(evidence) - passed, (activation, time), text));
        }
        saw.push(text);
    }
    if saw.is_empty() {
        let most = reads.iter().map(|(_, it)| it.desired).max().unwrap_or(0);
        let held = evidence.seconds(activation, zero);
        saw.push(format!(
            "{most} replicas kept until the operator went to 0 directly, {held:.0} s after activation, in {} reads",
            reads.len()
        ));
    }
    Ok(pass(saw.join("; ")))
}

/// System seconds from the last read of the queue that called for `replicas` to `time`.
fn since_called_for(
    evidence: &Evidence,
    replicas: u32,
    activation: Timestamp,
    time: Timestamp,
) -> Result<f64, Finding> {
    let scaling = evidence.header.scaling;
    let sending = activity::sending(evidence)?;
    let called = evidence.queue().rev().find(|(at, counts)| {
        *at >= sending
            && *at <= time
            && counts.total() > 0
            && scaling.replicas_for(counts.visible + counts.in_flight) >= replicas
    });
    // If no read caught it, activation is the earliest moment since which it can have been called for.
    let since = called.map_or(activation, |(at, _)| at);
    Ok(evidence.seconds(since, time))
}

fn earliest_zero(evidence: &Evidence) -> f64 {
    let header = &evidence.header;
    // The last poll that saw messages may lie a polling interval before the last message was gone.
    header.scaling.cooldown_seconds as f64 - header.scaling.polling_seconds as f64 - header.thresholds.tolerance_seconds
}

pub(super) fn cooldown_expected(evidence: &Evidence) -> String {
    let cooldown = evidence.header.scaling.cooldown_seconds;
    format!(
        "0 replicas not before {cooldown} s of cooldown (at least {:.0} s after the queue was last seen with a message)",
        earliest_zero(evidence)
    )
}

pub(super) fn cooldown(evidence: &Evidence) -> Evaluated {
    let scaling = evidence.header.scaling;
    let looks = format!("the polling interval of {} s", scaling.polling_seconds);
    must_be_judgeable(evidence, earliest_zero(evidence), "cooldown", scaling.cooldown_seconds, &looks)?;
    let zero = activity::zero(evidence)?;
    let busy = activity::last_busy(evidence)?;
    let passed = evidence.seconds(busy, zero);
    let active =
        evidence.scaled_objects().filter(|(time, _)| *time <= zero).filter_map(|(_, object)| object.last_active).max();
    let active = active.map_or_else(String::new, |active| format!(", lastActiveTime {}", active.strftime("%H:%M:%S")));
    let saw =
        format!("0 on {}, {passed:.0} s after the queue was last seen with a message{active}", evidence.when(zero));
    let early = earliest_zero(evidence) - passed;
    Ok(if early <= 0.0 { pass(saw) } else { too_early(evidence, early, (activity::activation(evidence)?, zero), saw) })
}

/// The verdict on something that came `early` seconds too early, by the reads of the time `between`. Who looks at a period
/// acts on what was seen last: on a machine that stood still for longer than the tolerance, that may be older by as much,
/// and nobody can tell a fault from the stall.
fn too_early(evidence: &Evidence, early: f64, between: (Timestamp, Timestamp), saw: String) -> Finding {
    let (from, to) = between;
    let longest = |times: Vec<Timestamp>| {
        let times: Vec<_> = times.into_iter().filter(|time| (from..=to).contains(time)).collect();
        times.windows(2).map(|pair| evidence.seconds(pair[0], pair[1])).fold(0.0, f64::max)
    };
    let queue = longest(evidence.queue().map(|(time, _)| time).collect());
    let silence = longest(evidence.deployments().map(|(time, _)| time).collect()).max(queue);
    if silence - evidence.header.thresholds.tolerance_seconds < early {
        return fail(saw);
    }
    inconclusive(format!(
        "{saw}; this could not be judged: the reads lay up to {silence:.0} s apart, so that the machine was too busy at \
         this time scale; run it again with a smaller --time-scale"
    ))
}

fn latest_zero(evidence: &Evidence) -> f64 {
    let scaling = evidence.header.scaling;
    (scaling.cooldown_seconds + scaling.window_seconds + 2 * scaling.polling_seconds) as f64
        + evidence.header.thresholds.slack_seconds
}

pub(super) fn back_expected(evidence: &Evidence) -> String {
    format!(
        "0 replicas at most {:.0} s after the last message was gone (cooldown, window, two polls, slack)",
        latest_zero(evidence)
    )
}

pub(super) fn back(evidence: &Evidence) -> Evaluated {
    let zero = activity::zero(evidence)?;
    let passed = evidence.seconds(activity::last_busy(evidence)?, zero);
    let saw = format!("0 on {}, {passed:.0} s after the queue was last seen with a message", evidence.when(zero));
    Ok(if passed <= latest_zero(evidence) { pass(saw) } else { fail(saw) })
}

pub(super) fn stays_expected(evidence: &Evidence) -> String {
    let thresholds = evidence.header.thresholds;
    format!(
        "0 in every read for at least {:.0} s, never unseen for more than {:.0} s",
        thresholds.hold_seconds, thresholds.gap_seconds
    )
}

pub(super) fn stays(evidence: &Evidence) -> Evaluated {
    let thresholds = evidence.header.thresholds;
    let zero = activity::zero(evidence)?;
    let reads: Vec<_> = evidence.deployments().filter(|(time, _)| *time >= zero).collect();
    if let Some((time, replicas)) = reads.iter().find(|(_, replicas)| replicas.desired > 0) {
        return Ok(fail(format!("back at {} on {}", replicas.desired, evidence.when(*time))));
    }
    let Some((last, _)) = reads.last() else { return Ok(fail("the Deployment was not read at 0")) };
    let held = evidence.seconds(zero, *last);
    let gap = activity::longest_gap(evidence, reads.iter().map(|(time, _)| *time), zero, *last);
    let saw = format!("0 in {} reads over {held:.0} s, longest gap {gap:.0} s", reads.len());
    if held < thresholds.hold_seconds {
        return Ok(inconclusive(format!("{saw}; the run ended too early")));
    }
    Ok(if reads.len() >= thresholds.agreeing_reads && gap <= thresholds.gap_seconds { pass(saw) } else { fail(saw) })
}
