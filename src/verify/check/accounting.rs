//! Every message is accounted for by the queue's own counts, where the consumer writes no receipts.

use jiff::Timestamp;

use crate::check::activity;
use crate::evidence::Evidence;
use crate::observation::Source;
use crate::verdict::{Evaluated, Finding, fail, inconclusive, pass};

pub(super) fn expected(evidence: &Evidence) -> String {
    let thresholds = evidence.header.thresholds;
    format!(
        "sent = deleted: {} reads in a row, none of them failed, show an empty queue for {:.0} s, before the queue's retention \
         is over and with nothing in a dead-letter queue; what else takes a message out of a queue is a purge",
        thresholds.agreeing_reads, thresholds.settle_seconds
    )
}

pub(super) fn evaluate(evidence: &Evidence) -> Evaluated {
    let (sent_at, ids) = evidence.sent().ok_or_else(|| inconclusive("nothing was sent"))?;
    let busy = activity::last_busy(evidence)?;
    let (reads, since, last) = empty_since(evidence, busy)?;
    let kept = evidence.header.retention_seconds.ok_or_else(|| {
        inconclusive("how long the queue keeps messages is unknown, so they may have expired instead of being deleted")
    })?;
    let until_empty = evidence.seconds(sent_at, since);
    if until_empty >= kept as f64 {
        return Ok(fail(format!(
            "empty only {until_empty:.0} s after sending, and the queue keeps messages for {kept} s: they may have expired"
        )));
    }
    let dead = dead_lettered(evidence)?;
    let seconds = evidence.seconds(since, last);
    let count = ids.len() as u64;
    let saw = format!(
        "{count} sent, {} deleted by the queue's account, 0 still in the queue in {reads} reads over {seconds:.0} s, {dead} dead-lettered",
        count.saturating_sub(dead)
    );
    Ok(if dead == 0 { pass(saw) } else { fail(saw) })
}

/// How many reads in a row saw an empty queue at the end, and from when to when.
fn empty_since(evidence: &Evidence, busy: Timestamp) -> Result<(usize, Timestamp, Timestamp), Finding> {
    let thresholds = evidence.header.thresholds;
    // A failed read is no zero: the row begins anew after it.
    let blind = evidence.failures(Source::Queue).map(|(time, _)| time).max().unwrap_or(busy);
    let zeros: Vec<_> =
        evidence.queue().rev().take_while(|(time, counts)| counts.total() == 0 && *time > blind).collect();
    let (Some((last, _)), Some((first, _))) = (zeros.first(), zeros.last()) else {
        return Err(match evidence.queue().next_back() {
            Some((time, counts)) if counts.total() > 0 => {
                fail(format!("{} messages are still in the queue on {}", counts.total(), evidence.when(time)))
            }
            _ => fail("the queue was never read empty after its last failed read"),
        });
    };
    let settled = evidence.seconds(*first, *last);
    if zeros.len() < thresholds.agreeing_reads || settled < thresholds.settle_seconds {
        return Err(fail(format!("empty in {} reads in a row over {settled:.0} s only", zeros.len())));
    }
    Ok((zeros.len(), *first, *last))
}

/// Messages that came into the dead-letter queue during the run.
pub(super) fn dead_lettered(evidence: &Evidence) -> Result<u64, Finding> {
    if !evidence.header.has_dead_letter_queue {
        return Ok(0);
    }
    let sending = activity::sending(evidence)?;
    let reads = || evidence.counts(Source::DeadLetterQueue);
    let before = reads().rev().find(|(time, _)| *time < sending);
    let after = reads().next_back().filter(|(time, _)| *time >= sending);
    let (Some((_, before)), Some((last, after))) = (before, after) else {
        return Err(fail("the dead-letter queue was not read before and after"));
    };
    if evidence.failures(Source::DeadLetterQueue).any(|(time, _)| time > last) {
        return Err(fail("the last read of the dead-letter queue failed"));
    }
    Ok(after.total().saturating_sub(before.total()))
}
