//! Looking at what exists: every resource is read once, what it refers to first.

use std::collections::{BTreeMap, BTreeSet};

use clock::Clock;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::address::Address;
use crate::event::{Event, Events, Progress};
use crate::graph::Graph;
use crate::reference::{Reference, is_unknown, resolve};
use crate::resource::{Context, Failure, Known, Node, Object, Reading};
use crate::state::State;

/// How many reads run at the same time.
pub(crate) const CONCURRENCY: usize = 10;

/// What exists, as it was found. An address is in exactly one of the two maps.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Refreshed {
    /// What was learnt.
    pub readings: BTreeMap<Address, Reading>,
    /// What could not be read, and why.
    pub failures: BTreeMap<Address, Failure>,
    /// What is not the stack's and would go with a resource of the stack's, by that resource; for people, as
    /// [`Resource::identity`](crate::Resource::identity) has it.
    pub holds: BTreeMap<Address, Vec<String>>,
    /// Whether that is to go as well. Otherwise a resource that holds any is kept.
    pub sweeps: bool,
}

impl Refreshed {
    /// The object at `address`, if it was found.
    pub fn object(&self, address: &Address) -> Option<&Object> {
        match self.readings.get(address) {
            Some(Reading::Present(object)) => Some(object),
            _ => None,
        }
    }

    fn lookup(&self, reference: &Reference) -> Option<Value> {
        value_of(self.object(&reference.address)?, &reference.attribute)
    }
}

pub(crate) fn value_of(object: &Object, attribute: &str) -> Option<Value> {
    if attribute == "id" { Some(object.id.clone().into()) } else { object.attributes.get(attribute).cloned() }
}

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
