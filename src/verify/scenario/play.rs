//! Plays the course of a scenario file: all of its workloads at once, each with observers and evidence of its own.

use std::time::Duration;

use aws::queue::Queue;
use clock::Moment;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::course::{Arrival, Course, Part, Played, arrivals};
use crate::error::Result;
use crate::evidence::Header;
use crate::observation::{Observation, Record, Source, StepState};
use crate::scenario::faults::{self, Subject};
use crate::scenario::tutorial::{POD_START, WORK_PER_MESSAGE, hold};
use crate::scenario::{End, Running, Underway, header};
use crate::settings::{Consumer, Settings};

/// Messages that one request takes.
const BATCH: usize = 10;
/// System time between two tries to send what was refused for a reason that passes.
const SEND_AGAIN: Duration = Duration::from_secs(5);
/// How often work on a message that fails is waited out.
const TRIES: u32 = 10;

/// One workload of a course.
pub struct Player {
    /// Where it is.
    pub settings: Settings,
    /// Where its records go besides its evidence.
    pub live: Option<mpsc::UnboundedSender<Record>>,
}

/// The same while it plays.
struct Playing<'a> {
    underway: Underway,
    part: &'a Part,
}

/// Plays it. Fails only if evidence cannot be written.
pub(crate) async fn run(players: Vec<Player>, course: &Course, stop: CancellationToken) -> Result<()> {
    let mut playing = Vec::new();
    for (player, part) in players.into_iter().zip(&course.parts) {
        playing.push(begin(player, part, course, &stop)?);
    }
    let ended = perform(&mut playing, course, &stop).await;
    for (one, end) in playing.into_iter().zip(ended) {
        one.underway.end(&end).await?;
    }
    Ok(())
}

fn begin<'a>(player: Player, part: &'a Part, course: &Course, stop: &CancellationToken) -> Result<Playing<'a>> {
    let Player { mut settings, live } = player;
    settings.messages = part.messages();
    let shown = Played { part: part.clone(), faults: course.faults.clone() };
    let header = Header { course: Some(shown), ..header(&settings, &course.name) };
    // What a fault breaks for a while looks like what lasts.
    let gives_up = course.faults.is_empty();
    Ok(Playing { underway: Underway::begin(settings, &header, live, gives_up, stop)?, part })
}

/// Nothing is sent before all of them are idle: nobody's load is to meet another one's past.
async fn perform(playing: &mut [Playing<'_>], course: &Course, stop: &CancellationToken) -> Vec<Result<(), End>> {
    let ends = futures::future::join_all(playing.iter_mut().map(|one| idle(&mut one.underway.running))).await;
    if ends.iter().any(Result::is_err) {
        return ends;
    }
    let Some(first) = playing.first() else { return ends };
    let begun = first.underway.running.settings.clock.moment();
    let subjects: Vec<Subject> = playing
        .iter()
        .map(|one| Subject {
            workload: one.part.workload.clone(),
            observer: one.underway.observer.clone(),
            snapshot: one.underway.writer.snapshot.clone(),
        })
        .collect();
    let (over, is_over) = watch::channel(false);
    let faults = async {
        stop.run_until_cancelled(faults::play(&course.faults, &subjects, begun)).await;
        over.send_replace(true);
    };
    let work = playing.iter_mut().map(|one| work(&mut one.underway.running, one.part, begun, is_over.clone()));
    futures::join!(faults, futures::future::join_all(work)).1
}

async fn idle(running: &mut Running) -> Result<(), End> {
    let scaling = running.settings.scaling;
    let reads = running.thresholds.agreeing_reads;
    let deadline = Duration::from_secs(scaling.cooldown_seconds + scaling.window_seconds + 2 * scaling.polling_seconds);
    let detail = "queue, Deployment and pods at zero and the ScaledObject ready";
    let slack = Duration::from_secs_f64(running.thresholds.slack_seconds);
    running
        .wait("idle", detail, deadline + slack, |snapshot| {
            snapshot.is_idle(reads) && snapshot.scaled_object.as_ref().is_some_and(|object| object.is("Ready"))
        })
        .await
}

async fn work(
    running: &mut Running,
    part: &Part,
    begun: Moment,
    mut is_over: watch::Receiver<bool>,
) -> Result<(), End> {
    send(running, part, begun).await?;
    settle(running, part, &mut is_over).await?;
    let Some(seconds) = part.bounds.stays_for else { return Ok(()) };
    let slack = Duration::from_secs_f64(running.thresholds.slack_seconds);
    // The reads that count begin a little before this step does, and must last long enough without them.
    hold(running, Duration::from_secs_f64(seconds), slack).await
}

/// Sends each message when it is due; what the queue refuses for a while is sent once it takes it.
async fn send(running: &mut Running, part: &Part, begun: Moment) -> Result<(), End> {
    let arrivals = arrivals(&part.load, &running.run);
    let last = Duration::from_secs_f64(part.sending_seconds());
    let deadline = last + POD_START + Duration::from_secs_f64(running.thresholds.slack_seconds);
    let detail = format!("{} messages sent over {:.0} s", arrivals.len(), last.as_secs_f64());
    running.step("send", StepState::Started, &detail, deadline);
    let sending = running.settings.clock.timeout(deadline, all(running, &arrivals, begun));
    let missed = tokio::select! {
        biased;
        () = running.stop.cancelled() => {
            running.step("send", StepState::Stopped, crate::observation::Step::INTERRUPTED, deadline);
            return Err(End::Stopped("interrupted".to_owned()));
        }
        ended = sending => match ended {
            Ok(Ok(())) => {
                running.step("send", StepState::Reached, &detail, deadline);
                return Ok(());
            }
            Ok(Err(error)) => error,
            Err(elapsed) => elapsed.to_string(),
        },
    };
    running.recorder.failure(Source::Scenario, "sending messages", &missed);
    running.step("send", StepState::Missed, &missed, deadline);
    Err(End::Missed(missed))
}

async fn all(running: &Running, arrivals: &[Arrival], begun: Moment) -> Result<(), String> {
    let Some(url) = &running.settings.queue_url else { return Err("the workload has no queue".to_owned()) };
    let queue = Queue::new(&running.settings.session, url);
    let clock = &running.settings.clock;
    let mut rest = arrivals;
    while let Some(next) = rest.first() {
        clock.sleep_until(begun.plus(next.at)).await;
        let now = clock.elapsed(begun);
        let due = rest.iter().take(BATCH).take_while(|one| one.at <= now).count().max(1);
        let (batch, later) = rest.split_at(due);
        rest = later;
        let bodies: Vec<String> = batch.iter().map(|one| one.body.clone()).collect();
        let message_ids = loop {
            match queue.send(&bodies).await {
                Ok(ids) => break ids,
                Err(error) if error.is_retryable() => {
                    running.recorder.failure(Source::Scenario, "sending messages, which is tried again", &error);
                    clock.sleep(SEND_AGAIN).await;
                }
                Err(error) => return Err(error.to_string()),
            }
        };
        let poison: Vec<String> =
            batch.iter().zip(&message_ids).filter(|(one, _)| one.is_poison).map(|(_, id)| id.clone()).collect();
        if !poison.is_empty() {
            running.recorder.record(Source::Scenario, Observation::Poison { message_ids: poison });
        }
        running.recorder.record(Source::Scenario, Observation::Sent { message_ids });
    }
    Ok(())
}

/// Waits until the faults are over, every message is worked on, and nothing runs any more.
async fn settle(running: &mut Running, part: &Part, is_over: &mut watch::Receiver<bool>) -> Result<(), End> {
    let (settings, thresholds) = (running.settings.clone(), running.thresholds);
    let (scaling, clock) = (settings.scaling, settings.clock.clone());
    let reads = thresholds.agreeing_reads;
    let settle = Duration::from_secs_f64(thresholds.settle_seconds);
    let messages = u32::try_from(settings.messages).unwrap_or(u32::MAX);
    let work = match settings.consumer {
        Consumer::Sample => WORK_PER_MESSAGE,
        // Its own time is real, whatever the system's is.
        Consumer::Own => clock.to_system(WORK_PER_MESSAGE),
    };
    let periods = Duration::from_secs(scaling.cooldown_seconds + scaling.window_seconds + 2 * scaling.polling_seconds);
    let slack = Duration::from_secs_f64(thresholds.slack_seconds);
    // Longer than the bound: how late it was says more than that it was late.
    let wanted = Duration::from_secs_f64(part.bounds.settles_within.unwrap_or(0.0));
    let deadline = (POD_START * 2 + work * messages.max(TRIES) + periods).max(wanted) + slack;
    tokio::select! {
        () = running.stop.cancelled() => {}
        _ = is_over.wait_for(|over| *over) => {}
    }
    let detail = "every message is worked on, the queue is empty, and no replica is left";
    let start = clock.moment();
    running
        .wait("settle", detail, deadline, |snapshot| {
            let is_worked = match settings.consumer {
                Consumer::Sample => snapshot.outstanding() == 0,
                // What was read before the last message was sent says nothing of it.
                Consumer::Own => {
                    let zero = snapshot.zero_for(Source::Queue).map(|zero| clock.to_system(zero));
                    clock.elapsed(start) >= settle && zero.is_some_and(|zero| zero >= settle)
                }
            };
            // The last records of sending may be still on their way.
            is_worked
                && snapshot.sent.len() >= settings.messages
                && snapshot.zero_reads(Source::Queue) >= reads
                && snapshot.zero_reads(Source::Deployment) >= reads
                && snapshot.zero_reads(Source::Pods) >= 1
        })
        .await
}
