//! What must hold before the first message.

use jiff::Timestamp;

use crate::check::{Evaluated, Finding, fail, pass};
use crate::evidence::Evidence;
use crate::observation::Source;

pub(super) fn zero_expected(evidence: &Evidence) -> String {
    let reads = evidence.header.thresholds.agreeing_reads;
    format!("the last {reads} reads before sending all show 0 replicas, 0 pods and an empty queue")
}

pub(super) fn zero(evidence: &Evidence) -> Evaluated {
    let until = evidence.sending().unwrap_or_else(|| evidence.end());
    let deployment = last_reads(
        evidence,
        "replicas",
        evidence.deployments().map(|(time, it)| (time, u64::from(it.desired.max(it.current)))),
        until,
    )?;
    let pods =
        last_reads(evidence, "pods", evidence.pods(Source::Pods).map(|(time, pods)| (time, pods.len() as u64)), until)?;
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
