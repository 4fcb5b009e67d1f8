//! The tutorial's check.

use std::time::Duration;

use aws::queue::Queue;

use crate::observation::{Observation, Source, StepState};
use crate::scenario::{End, Running};
use crate::settings::Consumer;

/// Its steps, in order.
pub(crate) const STEPS: [&str; 7] = ["idle", "send", "activate", "scale-out", "work", "zero", "hold"];

/// The longest time that a pod may take to start: Fargate finds a node, then pulls the image without a cache.
pub(super) const POD_START: Duration = Duration::from_mins(5);
/// Work per message and the visibility timeout of a message whose worker died.
pub(super) const WORK_PER_MESSAGE: Duration = Duration::from_mins(1);

/// Walks the steps until one of them does not reach its condition.
pub(super) async fn run(running: &mut Running) -> Result<(), End> {
    let scaling = running.settings.scaling;
    let thresholds = running.thresholds;
    let reads = thresholds.agreeing_reads;
    let slack = Duration::from_secs_f64(thresholds.slack_seconds);
    let polling = Duration::from_secs(scaling.polling_seconds);
    let cooldown = Duration::from_secs(scaling.cooldown_seconds);
    let window = Duration::from_secs(scaling.window_seconds);
    let max = scaling.max_replicas;

    running
        .wait(
            "idle",
            "queue, Deployment and pods at zero and the ScaledObject ready",
            cooldown + polling * 2 + slack,
            |snapshot| {
                snapshot.is_idle(reads) && snapshot.scaled_object.as_ref().is_some_and(|object| object.is("Ready"))
            },
        )
        .await?;
    send(running, slack).await?;
    running
        .wait("activate", "the Deployment has a replica", polling + slack * 2, |snapshot| {
            snapshot.deployment.is_some_and(|replicas| replicas.desired >= 1)
        })
        .await?;
    let detail = format!("the HPA wants {max} replicas and {max} are ready");
    running
        .wait("scale-out", &detail, POD_START * 2 + slack, |snapshot| {
            snapshot.hpa.as_ref().is_some_and(|hpa| hpa.desired == Some(max))
                && snapshot.deployment.is_some_and(|replicas| replicas.ready >= max)
        })
        .await?;
    work(running, slack).await?;
    running
        .wait(
            "zero",
            "the Deployment is at zero and its pods are gone",
            cooldown + window + polling * 2 + slack,
            |snapshot| snapshot.zero_reads(Source::Deployment) >= 1 && snapshot.zero_reads(Source::Pods) >= 1,
        )
        .await?;
    hold(running, Duration::from_secs_f64(thresholds.hold_seconds), slack).await
}

/// Sends the messages; their ids are the scenario's ledger.
pub(super) async fn send(running: &mut Running, deadline: Duration) -> Result<(), End> {
    let bodies: Vec<_> =
        (1..=running.settings.messages).map(|number| format!("{} message {number}", running.run)).collect();
    let detail = format!("{} messages sent", bodies.len());
    running.step("send", StepState::Started, &detail, deadline);
    let Some(url) = &running.settings.queue_url else {
        return Err(End::Missed("the workload has no queue".to_owned()));
    };
    let queue = Queue::new(&running.settings.session, url);
    let sent = running.settings.clock.timeout(deadline, queue.send(&bodies)).await;
    let missed = match sent {
        Ok(Ok(message_ids)) => {
            running.recorder.record(Source::Scenario, Observation::Sent { message_ids });
            running.step("send", StepState::Reached, &detail, deadline);
            return Ok(());
        }
        Ok(Err(error)) => error.to_string(),
        Err(elapsed) => elapsed.to_string(),
    };
    running.recorder.failure(Source::Scenario, "sending messages", &missed);
    running.step("send", StepState::Missed, &missed, deadline);
    Err(End::Missed(missed))
}

/// Waits until all messages are worked on. The sample says so itself; of any other program the queue says it, after the
/// time for which its counts are approximate.
pub(super) async fn work(running: &mut Running, slack: Duration) -> Result<(), End> {
    let reads = running.thresholds.agreeing_reads;
    let messages = u32::try_from(running.settings.messages).unwrap_or(u32::MAX);
    let clock = running.settings.clock.clone();
    match running.settings.consumer {
        Consumer::Sample => {
            let deadline = POD_START * 2 + WORK_PER_MESSAGE * messages + slack;
            running
                .wait("work", "every message has a receipt and the queue is empty", deadline, |snapshot| {
                    snapshot.outstanding() == 0 && snapshot.zero_reads(Source::Queue) >= reads
                })
                .await
        }
        Consumer::Own => {
            let settle = Duration::from_secs_f64(running.thresholds.settle_seconds);
            // Its own time is real, whatever the system's is.
            let deadline = POD_START * 2 + clock.to_system(WORK_PER_MESSAGE) * messages + settle + slack;
            let detail = format!("the queue is empty in every read for {} s", settle.as_secs());
            running
                .wait("work", &detail, deadline, |snapshot| {
                    snapshot.zero_reads(Source::Queue) >= reads
                        && snapshot.zero_for(Source::Queue).is_some_and(|zero| clock.to_system(zero) >= settle)
                })
                .await
        }
    }
}

/// Watches for `period`. A Deployment that leaves zero ends it, because nothing seen later could make it right.
pub(super) async fn hold(running: &mut Running, period: Duration, slack: Duration) -> Result<(), End> {
    let clock = running.settings.clock.clone();
    let start = clock.moment();
    let left_zero =
        |snapshot: &crate::snapshot::Snapshot| snapshot.deployment.is_some_and(|replicas| replicas.desired > 0);
    let reads = running.thresholds.agreeing_reads;
    let mut has_left = false;
    // The period is over when the Deployment has been read after it: the checks evaluate what was read, not how long was waited.
    let mut reads_at_end = None;
    let end = running
        .wait("hold", "still at zero", period + slack, |snapshot| {
            has_left |= left_zero(snapshot);
            if has_left || clock.elapsed(start) < period {
                return has_left;
            }
            let seen = snapshot.zero_reads(Source::Deployment);
            *reads_at_end.get_or_insert(seen) != seen && snapshot.is_idle(reads)
        })
        .await;
    if has_left {
        running.step("hold", StepState::Missed, "the Deployment left zero without a message", period);
        return Err(End::Missed("left zero".to_owned()));
    }
    end
}
