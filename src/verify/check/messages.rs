//! Every message is accounted for.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::{accounting, activity};
use crate::evidence::Evidence;
use crate::observation::{Receipt, Source};
use crate::settings::Consumer;
use crate::verdict::{Evaluated, fail, inconclusive, not_applicable, pass};

pub(super) fn sent_expected(evidence: &Evidence) -> String {
    format!("the queue gives {} different message ids and then shows messages", evidence.header.messages)
}

pub(super) fn sent(evidence: &Evidence) -> Evaluated {
    let (time, ids) = evidence.sent().ok_or_else(|| match evidence.failures(Source::Scenario).last() {
        Some((_, error)) => fail(format!("sending failed: {error}")),
        None => fail("nothing was sent"),
    })?;
    let different = ids.iter().collect::<BTreeSet<_>>().len();
    if different != evidence.header.messages || ids.len() != different {
        return Ok(fail(format!("{} ids, {different} of them different", ids.len())));
    }
    let most = evidence
        .queue()
        .filter(|(at, _)| evidence.sending().is_some_and(|sending| *at >= sending))
        .map(|(_, counts)| counts.total())
        .max();
    Ok(match most {
        Some(most @ 1..) => {
            pass(format!("{different} ids on {}; the queue then showed up to {most} messages", evidence.when(time)))
        }
        Some(0) => fail(format!("{different} ids, but the queue was always seen empty")),
        None => fail(format!("{different} ids, but the queue's counts were never read after that")),
    })
}

pub(super) fn deleted_expected(_: &Evidence) -> String {
    "sent = deleted: exactly one receipt `deleted` for each message id".to_owned()
}

pub(super) fn deleted(evidence: &Evidence) -> Evaluated {
    by_receipts(evidence, true)
}

pub(super) fn accounted_expected(evidence: &Evidence) -> String {
    let poison = evidence.poison().len();
    let dead = if poison > 0 { format!("; the {poison} poison messages are dead-lettered") } else { String::new() };
    format!("sent = deleted: at least one receipt `deleted` for each message id{dead}")
}

/// As often as it may take.
pub(super) fn accounted(evidence: &Evidence) -> Evaluated {
    by_receipts(evidence, false)
}

fn by_receipts(evidence: &Evidence, is_once: bool) -> Evaluated {
    if evidence.header.consumer == Consumer::Own && evidence.receipts().next().is_none() {
        let text =
            "only Sluice's own consumer writes receipts; how often a message was worked on cannot be seen of this one";
        return Err(not_applicable(text));
    }
    let (_, mut ids) = evidence.sent().ok_or_else(|| inconclusive("nothing was sent"))?;
    let poison = evidence.poison();
    if !poison.is_empty() {
        let dead = accounting::dead_lettered(evidence)?;
        if dead != poison.len() as u64 {
            return Ok(fail(format!("{} poison messages sent, {dead} dead-lettered", poison.len())));
        }
        ids.retain(|id| !poison.contains(id.as_str()));
    }
    // The same line may be read twice if a log had to be opened again; the same work is not another receipt.
    let mut receipts: BTreeMap<&str, Vec<&Receipt>> = BTreeMap::new();
    for (_, receipt) in evidence.receipts().filter(|(_, receipt)| receipt.outcome == "deleted") {
        let known = receipts.entry(&receipt.message_id).or_default();
        if !known.contains(&receipt) {
            known.push(receipt);
        }
    }
    let count = |id: &str| receipts.get(id).map_or(0, Vec::len);
    let missing: Vec<_> = ids.iter().filter(|id| count(id) == 0).cloned().collect();
    let double: Vec<_> = ids.iter().filter(|id| count(id) > 1).cloned().collect();
    let foreign = receipts.keys().filter(|id| !ids.iter().any(|sent| sent == *id) && !poison.contains(*id)).count();
    let left = evidence.queue().next_back().map(|(_, counts)| counts.total());
    let dead = evidence.counts(Source::DeadLetterQueue).next_back().map(|(_, counts)| counts.total());
    let other = evidence.receipts().filter(|(_, receipt)| receipt.outcome != "deleted").count();
    let mut parts = vec![format!("{} sent, {} deleted", ids.len(), ids.len() - missing.len())];
    parts
        .push(left.map_or_else(|| "rest of the queue unknown".to_owned(), |left| format!("{left} still in the queue")));
    parts.extend(dead.map(|dead| format!("{dead} dead-lettered")));
    parts.extend((other > 0).then(|| format!("{other} failed or handed back on the way")));
    parts.extend((foreign > 0).then(|| format!("{foreign} receipts for messages of others")));
    parts.extend((!double.is_empty()).then(|| format!("deleted more than once: {}", double.join(" "))));
    parts.extend((!missing.is_empty()).then(|| format!("without receipt: {}", missing.join(" "))));
    let saw = parts.join(", ");
    Ok(if missing.is_empty() && (double.is_empty() || !is_once) { pass(saw) } else { fail(saw) })
}

pub(super) fn empty_expected(evidence: &Evidence) -> String {
    let thresholds = evidence.header.thresholds;
    format!(
        "the last {} reads show 0 messages, the last one at least {:.0} s after the last activity",
        thresholds.agreeing_reads, thresholds.settle_seconds
    )
}

pub(super) fn empty(evidence: &Evidence) -> Evaluated {
    let thresholds = evidence.header.thresholds;
    let busy = activity::last_busy(evidence)?;
    let finished = evidence.receipts().map(|(_, receipt)| receipt.finished_at).max();
    let activity = finished.map_or(busy, |finished| finished.max(busy));
    let zeros: Vec<_> = evidence.queue().rev().take_while(|(_, counts)| counts.total() == 0).collect();
    let Some((last, _)) = zeros.first() else {
        let left = evidence.queue().next_back().map_or(0, |(_, counts)| counts.total());
        return Ok(fail(format!("the last read, on {}, shows {left} messages", evidence.when(busy))));
    };
    let settled = evidence.seconds(activity, *last);
    let saw = format!("{} reads of 0 in a row, the last one {settled:.0} s after the last activity", zeros.len());
    let holds = zeros.len() >= thresholds.agreeing_reads && settled >= thresholds.settle_seconds;
    Ok(if holds { pass(saw) } else { fail(saw) })
}
