//! Scale-in under work: pods are taken away while they work, and no message suffers by it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::check::activity;
use crate::evidence::Evidence;
use crate::observation::{Receipt, Source};
use crate::verdict::{Evaluated, fail, inconclusive, not_applicable, pass};

pub(super) fn expected() -> String {
    "at least one pod is taken away while it works on a message, and each message that was received again had been handed back, or \
     had failed, before"
        .to_owned()
}

pub(super) fn evaluate(evidence: &Evidence) -> Evaluated {
    if evidence.receipts().next().is_none() {
        return Err(not_applicable("no worker wrote a receipt"));
    }
    let again: Vec<String> = received_anew(evidence);
    if !again.is_empty() {
        return Ok(fail(format!("a worker was ended at its work: {}", again.join("; "))));
    }
    let taken = taken_away(evidence)?;
    let mut at_work = Vec::new();
    for (pod, (before, seen)) in &taken {
        // A message on which the pod was at work when its end began.
        let work = evidence
            .receipts()
            .map(|(_, receipt)| receipt)
            .find(|receipt| receipt.pod == *pod && receipt.started_at <= *seen && receipt.finished_at >= *before);
        at_work.extend(
            work.map(|receipt| {
                format!("{pod} {} its message on {}", receipt.outcome, evidence.when(receipt.finished_at))
            }),
        );
    }
    if at_work.is_empty() {
        let text = format!(
            "{} pods were taken away, none of them at work: keep all replicas busy while the load falls",
            taken.len()
        );
        return Ok(inconclusive(text));
    }
    Ok(pass(format!("{} of {} pods were taken away at their work: {}", at_work.len(), taken.len(), at_work.join(", "))))
}

/// Pods of the workload that were taken away: the last read before, and the first that shows it.
fn taken_away(evidence: &Evidence) -> Result<BTreeMap<&str, (Timestamp, Timestamp)>, crate::verdict::Finding> {
    let sending = activity::sending(evidence)?;
    let mut taken = BTreeMap::new();
    let mut earlier: Option<(Timestamp, BTreeSet<&str>)> = None;
    for (time, pods) in evidence.pods(Source::Pods).filter(|(time, _)| *time >= sending) {
        let live: BTreeSet<&str> = pods.iter().filter(|pod| pod.is_live()).map(|pod| pod.name.as_str()).collect();
        if let Some((before, names)) = &earlier {
            for name in names.difference(&live) {
                taken.entry(*name).or_insert((*before, time));
            }
        }
        earlier = Some((time, live));
    }
    Ok(taken)
}

/// Messages that were received more often than they had been handed back, in words.
fn received_anew(evidence: &Evidence) -> Vec<String> {
    let mut receipts: BTreeMap<&str, Vec<&Receipt>> = BTreeMap::new();
    for (_, receipt) in evidence.receipts() {
        let known = receipts.entry(&receipt.message_id).or_default();
        if !known.contains(&receipt) {
            known.push(receipt);
        }
    }
    let anew = |(id, all): (&&str, &Vec<&Receipt>)| {
        let last = all.iter().map(|receipt| receipt.receive_count).max().unwrap_or(0);
        let back =
            all.iter().filter(|receipt| receipt.outcome != "deleted" && receipt.receive_count < last).count() as u64;
        let text = || format!("message {id} was received {last} times, and handed back {back} times before");
        (last > back + 1).then(text)
    };
    receipts.iter().filter_map(anew).collect()
}
