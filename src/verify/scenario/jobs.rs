//! The same check where Jobs do the work.

use std::time::Duration;

use crate::observation::{ScaledObject, Source, StepState};
use crate::scenario::tutorial::{POD_START, send, work};
use crate::scenario::{End, Running};
use crate::settings::History;
use crate::snapshot::Snapshot;

/// Its steps, in order.
pub(crate) const STEPS: [&str; 7] = ["idle", "send", "activate", "scale-out", "work", "zero", "hold"];

/// Walks the steps until one of them does not reach its condition.
pub(super) async fn run(running: &mut Running) -> Result<(), End> {
    let thresholds = running.thresholds;
    let reads = thresholds.agreeing_reads;
    let slack = Duration::from_secs_f64(thresholds.slack_seconds);
    let polling = Duration::from_secs(running.settings.scaling.polling_seconds);
    let max = running.settings.scaling.max_replicas;
    let history = running.settings.jobs.unwrap_or(History { successful: u32::MAX, failed: u32::MAX });

    let idle = "the queue is empty, no Job and no pod of one runs, and the ScaledJob is ready and not active";
    running
        .wait("idle", idle, POD_START + polling * 2 + slack, |snapshot| {
            // The next poll finds that nothing waits any more: until then it is active from before.
            let is_quiet = |object: &ScaledObject| object.is("Ready") && !object.is("Active");
            snapshot.is_at_rest(reads) && snapshot.scaled_object.as_ref().is_some_and(is_quiet)
        })
        .await?;
    send(running, slack).await?;
    running.wait("activate", "a Job is made", polling + slack * 2, |snapshot| !snapshot.made_jobs.is_empty()).await?;
    let detail = format!("{max} Jobs run at once");
    running.wait("scale-out", &detail, POD_START + polling * 2 + slack, |snapshot| snapshot.most_jobs >= max).await?;
    work(running, slack).await?;
    let detail = "no Job and no pod of one runs, and of those that ended only as many are kept as may be";
    running
        .wait("zero", detail, POD_START + polling * 2 + slack, |snapshot| {
            snapshot.is_at_rest(reads) && is_trimmed(snapshot, history)
        })
        .await?;
    hold(running, Duration::from_secs_f64(thresholds.hold_seconds), slack).await
}

fn is_trimmed(snapshot: &Snapshot, history: History) -> bool {
    snapshot.jobs.is_some_and(|jobs| jobs.complete <= history.successful && jobs.failed <= history.failed)
}

/// Watches for `period`. A Job that is made without a message ends it, because nothing seen later could make it right.
async fn hold(running: &mut Running, period: Duration, slack: Duration) -> Result<(), End> {
    let clock = running.settings.clock.clone();
    let start = clock.moment();
    let reads = running.thresholds.agreeing_reads;
    let mut made = None;
    let mut is_broken = false;
    // The period is over when the Jobs have been read after it: the checks evaluate what was read, not how long was waited.
    let mut reads_at_end = None;
    let end = running
        .wait("hold", "still no Job", period + slack, |snapshot| {
            let before = *made.get_or_insert(snapshot.made_jobs.len());
            is_broken |= snapshot.made_jobs.len() > before || snapshot.jobs.is_some_and(|jobs| jobs.running > 0);
            if is_broken || clock.elapsed(start) < period {
                return is_broken;
            }
            let seen = snapshot.zero_reads(Source::Jobs);
            *reads_at_end.get_or_insert(seen) != seen && snapshot.is_at_rest(reads)
        })
        .await;
    if is_broken {
        running.step("hold", StepState::Missed, "a Job was made without a message", period);
        return Err(End::Missed("a Job without a message".to_owned()));
    }
    end
}
