//! Looking at what exists: every resource is read once, what it refers to first.

use std::collections::BTreeSet;

use clock::Clock;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use crate::address::Address;
use crate::event::{Event, Events, Progress};
use crate::graph::Graph;
use crate::reference::{is_unknown, resolve};
use crate::refreshed::Refreshed;
use crate::resource::{Context, Failure, Known, Node, Reading};
use crate::state::State;

/// How many reads run at the same time.
pub(crate) const CONCURRENCY: usize = 10;

/// Reads everything in `graph`. What lives in something absent is absent; a failed read keeps nothing else from being
/// read, except what lives in it.
pub async fn refresh(
    graph: &Graph,
    state: &State,
    clock: &Clock,
    events: &Events,
    stop: &CancellationToken,
) -> Refreshed {
    let mut cloud = Refreshed::default();
    let mut waiting: Vec<&Node> = graph.nodes().collect();
    let mut running = FuturesUnordered::new();
    let mut done: BTreeSet<Address> = BTreeSet::new();
    loop {
        let mut later = Vec::new();
        for node in std::mem::take(&mut waiting) {
            let address = node.address();
            if running.len() >= CONCURRENCY || !graph.dependencies(address).is_subset(&done) {
                later.push(node);
                continue;
            }
            if let Some(outcome) = by_container(node, &cloud) {
                done.insert(address.clone());
                keep(&mut cloud, address.clone(), outcome);
                continue;
            }
            if stop.is_cancelled() {
                done.insert(address.clone());
                keep(&mut cloud, address.clone(), Err(Failure::new("interrupted before it was read")));
                continue;
            }
            let _ = events.send(Event::RefreshStart { address: address.clone() });
            running.push(read(node, state, &cloud, clock, events, stop));
        }
        waiting = later;
        match running.next().await {
            Some((address, outcome)) => {
                let found = matches!(outcome, Ok(Reading::Present(_)));
                let _ = events.send(Event::RefreshComplete { address: address.clone(), found });
                done.insert(address.clone());
                keep(&mut cloud, address, outcome);
            }
            None if waiting.is_empty() => return cloud,
            // Some were settled by their container in this round; a graph has no cycles, so the next one gets further.
            None => {}
        }
    }
}

fn keep(cloud: &mut Refreshed, address: Address, outcome: Result<Reading, Failure>) {
    match outcome {
        Ok(reading) => drop(cloud.readings.insert(address, reading)),
        Err(failure) => drop(cloud.failures.insert(address, failure)),
    }
}

/// What the container's fate says about its contents without a look.
fn by_container(node: &Node, cloud: &Refreshed) -> Option<Result<Reading, Failure>> {
    let container = node.lives_in()?;
    match cloud.readings.get(&container) {
        Some(Reading::Absent | Reading::Foreign(_)) => Some(Ok(Reading::Absent)),
        Some(Reading::Present(_)) => None,
        None => Some(Err(Failure::new(format!("{container}, which contains it, could not be read")))),
    }
}

/// Reads one resource. What the future needs of `cloud` is taken now, so that it does not hold on to it.
fn read<'a>(
    node: &'a Node,
    state: &'a State,
    cloud: &Refreshed,
    clock: &Clock,
    events: &Events,
    stop: &CancellationToken,
) -> impl Future<Output = (Address, Result<Reading, Failure>)> + 'a {
    let address = node.address().clone();
    let mut desired = resolve(node.desired(), &|reference| cloud.lookup(reference));
    desired.retain(|_, value| !is_unknown(value));
    let progress = Progress::new(address.clone(), clock, events.clone());
    let context = Context { clock: clock.clone(), progress, stop: stop.clone() };
    async move {
        let recorded = state.resources.get(&address).and_then(|entry| entry.object.as_ref());
        let outcome = node.read(Known { recorded, desired: &desired }, &context).await;
        (address, outcome)
    }
}
