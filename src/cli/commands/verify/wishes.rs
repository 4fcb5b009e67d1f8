//! What a person at the screen of `watch` asks for by a key.

use aws::queue::Queue;
use stack::Workload;

use crate::commands::outputs;
use crate::diagnostic::{Diagnostic, Outcome, one};
use crate::lock;
use crate::screen::Wish;
use crate::settings::Settings;
use crate::target::Target;
use crate::view::{Tone, View, Wishes};
use crate::workloads;

/// Messages that a key sends at most.
const MESSAGES_MAX: u32 = 100;

/// Grants wishes until the end is wished for. Without a screen there are none.
pub(super) async fn grant(
    wishes: Option<Wishes>,
    workloads: &[&Workload],
    settings: &Settings,
    target: &Target,
    view: &View,
) {
    let Some(mut wishes) = wishes else { return std::future::pending().await };
    while let Some(wish) = wishes.recv().await {
        let workload = match wish {
            Wish::Quit => return,
            Wish::Send(index) => workloads.get(index),
        };
        let Some(workload) = workload else { continue };
        match send(workload, settings, target).await {
            Ok(count) => view.print(Tone::Strong, format!("{count} messages sent to {}", workload.name)),
            Err(wrong) => wrong.iter().for_each(|diagnostic: &Diagnostic| view.diagnostic(diagnostic)),
        }
    }
    std::future::pending::<()>().await;
}

/// Sends as many messages as call for the maximum of replicas, if there is a queue for them.
async fn send(workload: &Workload, settings: &Settings, target: &Target) -> Outcome<u32> {
    let workload = workloads::with_queue(&settings.stack, Some(&workload.name))?;
    let _stays = lock::shared(settings, "send")?;
    let scaling = workloads::scaling(workload);
    let count = scaling.queue_length.saturating_mul(scaling.max_replicas).clamp(1, MESSAGES_MAX);
    let queue = Queue::new(&target.session, &outputs::queue_url(workload, settings)?);
    let bodies: Vec<String> = (1..=count).map(|number| format!("message {number}")).collect();
    queue.send(&bodies).await.map_err(one)?;
    Ok(count)
}
