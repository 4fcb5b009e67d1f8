//! What must hold before the first message.

use jiff::Timestamp;

use crate::evidence::Evidence;
use crate::observation::{Pod, Source};
use crate::verdict::{Evaluated, Finding, fail, pass};

pub(super) fn zero_expected(evidence: &Evidence) -> String {
    let reads = evidence.header.thresholds.agreeing_reads;
    let what = if evidence.header.jobs.is_some() { "Jobs that run" } else { "replicas" };
    format!("the last {reads} reads before sending all show 0 {what}, 0 pods and an empty queue")
}

pub(super) fn zero(evidence: &Evidence) -> Evaluated {
    let until = evidence.sending().unwrap_or_else(|| evidence.end());
    let deployment = last_reads(
        evidence,
        if evidence.header.jobs.is_some() { "Jobs that run" } else { "replicas" },
        evidence.deployments().map(|(time, it)| (time, u64::from(it.desired.max(it.current)))),
        until,
    )?;
    // The pods of Jobs that ended stay with them.
    let counts = |pods: &Vec<Pod>| match evidence.header.jobs {
        Some(_) => pods.iter().filter(|pod| pod.is_live()).count() as u64,
        None => pods.len() as u64,
    };
    let pods = evidence.pods(Source::Pods).map(|(time, pods)| (time, counts(pods)));
    let pods = last_reads(evidence, "pods", pods, until)?;
    let queue = last_reads(evidence, "messages", evidence.queue().map(|(time, counts)| (time, counts.total())), until)?;
    Ok(pass(format!("{deployment}; {pods}; {queue}")))
}

/// Says how many reads in a row ended at zero; fails if the last ones do not all.
fn last_reads(
    evidence: &Evidence,
    what: &str,
    reads: impl DoubleEndedIterator<Item = (Timestamp, u64)>,
    until: Timestamp,
) -> Result<String, Finding> {
    let wanted = evidence.header.thresholds.agreeing_reads;
    let mut agreeing = 0;
    for (time, value) in reads.rev().filter(|(time, _)| *time < until) {
        if value > 0 && agreeing < wanted {
            return Err(fail(format!(
                "{value} {what} on {}, only {agreeing} agreeing reads of 0 after that",
                evidence.when(time)
            )));
        }
        if value > 0 {
            break;
        }
        agreeing += 1;
    }
    if agreeing < wanted {
        return Err(fail(format!("{what} were read only {agreeing} times before {}", evidence.when(until))));
    }
    Ok(format!("0 {what} in {agreeing} reads"))
}
