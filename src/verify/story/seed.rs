//! The tutorial's check.

use std::time::Duration;

use aws::queue::Queue;

use crate::fact::{Fact, Source, StepState};
use crate::settings::Consumer;
use crate::story::{End, Telling};

/// Its steps, in order.
pub(crate) const STEPS: [&str; 7] = ["idle", "send", "activate", "scale-out", "work", "zero", "hold"];

/// The longest time that a pod may take to start: Fargate finds a node, then pulls the image without a cache.
const POD_START: Duration = Duration::from_mins(5);
/// Work per message and the visibility timeout of a message whose worker died.
const WORK_PER_MESSAGE: Duration = Duration::from_mins(1);

/// Walks the steps until one of them does not reach its condition.
pub(super) async fn tell(telling: &mut Telling) -> Result<(), End> {
    let scaling = telling.settings.scaling;
    let thresholds = telling.thresholds;
    let reads = thresholds.agreeing_reads;
    let slack = Duration::from_secs_f64(thresholds.slack_seconds);
    let polling = Duration::from_secs(scaling.polling_seconds);
    let cooldown = Duration::from_secs(scaling.cooldown_seconds);
    let window = Duration::from_secs(scaling.window_seconds);
    let max = scaling.max_replicas;

    telling
        .wait(
            "idle",
            "queue, Deployment and pods at zero and the ScaledObject ready",
            cooldown + polling * 2 + slack,
            |picture| picture.is_idle(reads) && picture.scaled_object.as_ref().is_some_and(|object| object.is("Ready")),
        )
        .await?;
    send(telling, slack).await?;
    telling
        .wait("activate", "the Deployment has a replica", polling + slack * 2, |picture| {
            picture.deployment.is_some_and(|replicas| replicas.desired >= 1)
        })
        .await?;
    let detail = format!("the HPA wants {max} replicas and {max} are ready");
    telling
        .wait("scale-out", &detail, POD_START * 2 + slack, |picture| {
            picture.hpa.as_ref().is_some_and(|hpa| hpa.desired == Some(max))
                && picture.deployment.is_some_and(|replicas| replicas.ready >= max)
        })
        .await?;
    work(telling, slack).await?;
    telling
        .wait(
            "zero",
            "the Deployment is at zero and its pods are gone",
            cooldown + window + polling * 2 + slack,
            |picture| picture.zero_reads(Source::Deployment) >= 1 && picture.zero_reads(Source::Pods) >= 1,
        )
        .await?;
    hold(telling, Duration::from_secs_f64(thresholds.hold_seconds), slack).await
}

/// Sends the messages; their ids are the story's ledger.
async fn send(telling: &mut Telling, deadline: Duration) -> Result<(), End> {
    let bodies: Vec<_> =
        (1..=telling.settings.messages).map(|number| format!("{} message {number}", telling.run)).collect();
    let detail = format!("{} messages sent", bodies.len());
    telling.step("send", StepState::Started, &detail, deadline);
    let queue = Queue::new(&telling.settings.session, &telling.settings.queue_url);
    let sent = telling.settings.clock.timeout(deadline, queue.send(&bodies)).await;
    let missed = match sent {
        Ok(Ok(message_ids)) => {
            telling.recorder.record(Source::Story, Fact::Sent { message_ids });
            telling.step("send", StepState::Reached, &detail, deadline);
            return Ok(());
        }
        Ok(Err(error)) => error.to_string(),
        Err(elapsed) => elapsed.to_string(),
    };
    telling.recorder.failure(Source::Story, "sending messages", &missed);
    telling.step("send", StepState::Missed, &missed, deadline);
    Err(End::Missed(missed))
}

/// Waits until all messages are worked on. The sample says so itself; of any other program the queue says it, after the
/// time for which its counts are approximate.
async fn work(telling: &mut Telling, slack: Duration) -> Result<(), End> {
    let reads = telling.thresholds.agreeing_reads;
    let messages = u32::try_from(telling.settings.messages).unwrap_or(u32::MAX);
    let clock = telling.settings.clock.clone();
    match telling.settings.consumer {
        Consumer::Sample => {
            let deadline = POD_START * 2 + WORK_PER_MESSAGE * messages + slack;
            telling
                .wait("work", "every message has a receipt and the queue is empty", deadline, |picture| {
                    picture.outstanding() == 0 && picture.zero_reads(Source::Queue) >= reads
                })
                .await
        }
        Consumer::Own => {
            let settle = Duration::from_secs_f64(telling.thresholds.settle_seconds);
            // Its own time is real, whatever the system's is.
            let deadline = POD_START * 2 + clock.to_system(WORK_PER_MESSAGE) * messages + settle + slack;
            let detail = format!("the queue is empty in every read for {} s", settle.as_secs());
            telling
                .wait("work", &detail, deadline, |picture| {
                    picture.zero_reads(Source::Queue) >= reads
                        && picture.zero_for(Source::Queue).is_some_and(|zero| clock.to_system(zero) >= settle)
                })
                .await
        }
    }
}

/// Looks on for `period`; leaving zero ends it, because nothing seen later could make it right.
async fn hold(telling: &mut Telling, period: Duration, slack: Duration) -> Result<(), End> {
    let clock = telling.settings.clock.clone();
    let start = clock.moment();
    let left_zero = |picture: &crate::picture::Picture| picture.deployment.is_some_and(|replicas| replicas.desired > 0);
    let reads = telling.thresholds.agreeing_reads;
    let mut has_left = false;
    // The period is over when the Deployment has been read after it: judged is what was read, not what was waited.
    let mut reads_at_end = None;
    let end = telling
        .wait("hold", "still at zero", period + slack, |picture| {
            has_left |= left_zero(picture);
            if has_left || clock.elapsed(start) < period {
                return has_left;
            }
            let seen = picture.zero_reads(Source::Deployment);
            *reads_at_end.get_or_insert(seen) != seen && picture.is_idle(reads)
        })
        .await;
    if has_left {
        telling.step("hold", StepState::Missed, "the Deployment left zero without a message", period);
        return Err(End::Missed("left zero".to_owned()));
    }
    end
}
