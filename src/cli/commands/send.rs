//! `sluice send`: messages onto the queue.

use std::time::Duration;

use aws::queue::Queue;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::arguments::Send;
use crate::commands::outputs;
use crate::diagnostic::{Diagnostic, Outcome, one};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::target::Target;
use crate::view::{Tone, View};
use crate::waiting;
use crate::workloads;

/// Messages in one request to the queue.
const BATCH: usize = 10;

pub(crate) async fn run(
    wanted: Send,
    settings: &Settings,
    target: &Target,
    view: &View,
    stop: CancellationToken,
) -> Outcome {
    let pause = pause(wanted.rate)?;
    let workload = workloads::with_queue(&settings.stack, wanted.workload.as_ref())?;
    let queue_url = &outputs::queue_url(workload, settings)?;
    let queue = Queue::new(&target.session, queue_url);
    let bodies: Vec<String> = (1..=wanted.count).map(|n| wanted.body.replace("{n}", &n.to_string())).collect();
    let mut sent = 0;
    for batch in bodies.chunks(if pause.is_zero() { BATCH } else { 1 }) {
        if sent > 0 {
            tokio::select! {
                () = stop.cancelled() => break,
                () = target.clock.sleep(pause) => {}
            }
        }
        let ids = waiting::during(view, "Waiting for the queue to take messages", queue.send(batch)).await;
        let ids = ids.map_err(|error| {
            vec![Diagnostic::from(error).because(format!("{sent} of {} messages were sent before", wanted.count))]
        })?;
        sent += ids.len();
        view.event("sent", json!({ "message_ids": ids }));
    }
    let text = format!("Sent {sent} of {} messages to {queue_url} (workload {})", wanted.count, workload.name);
    view.outcome(
        "send_summary",
        json!({ "sent": sent, "workload": workload.name, "queue_url": queue_url }),
        Tone::Plain,
        text,
    );
    if sent == bodies.len() {
        return Ok(Exit::Done);
    }
    Err(vec![Diagnostic::interrupted(format!("{} messages were not sent", bodies.len() - sent))])
}

fn pause(rate: Option<f64>) -> Outcome<Duration> {
    let Some(rate) = rate else { return Ok(Duration::ZERO) };
    let usage = || {
        Diagnostic::error(format!("--rate {rate} is no rate"))
            .help("give messages per second above 0")
            .exit(Exit::Usage)
    };
    if rate.is_nan() || rate <= 0.0 {
        return Err(vec![usage()]);
    }
    Duration::try_from_secs_f64(1.0 / rate).map_err(|_| one(usage()))
}
