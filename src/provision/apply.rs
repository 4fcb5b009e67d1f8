//! Carrying out a plan: what it holds, in order, with a checkpoint after every step.

mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clock::{Clock, Moment};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::action::Action;
use crate::address::Address;
use crate::event::{Event, Events, Progress};
use crate::graph::Graph;
use crate::plan::{Plan, Summary};
use crate::resource::{Attributes, Context, Failure, Object};
use crate::store::{Store, StoreError};
use step::{Done, Half, Step, steps};

/// How often a running step says that it still runs, in system time.
const TICK: Duration = Duration::from_secs(10);

/// How an apply runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Time for waits and elapsed times.
    pub clock: Clock,
    /// Where events go.
    pub events: Events,
    /// Set on Ctrl-C: nothing new is started.
    pub stop: CancellationToken,
    /// How many steps run at the same time; Terraform's default is 10.
    pub concurrency: usize,
    /// How long running steps may take to finish after `stop`, in system time.
    pub grace: Duration,
}

impl Options {
    /// Ten at a time, two minutes of grace.
    pub fn new(clock: &Clock, events: Events, stop: CancellationToken) -> Self {
        Self { clock: clock.clone(), events, stop, concurrency: 10, grace: Duration::from_mins(2) }
    }
}

/// What an apply did.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Outcome {
    /// What was really done.
    pub summary: Summary,
    /// What failed, and why.
    pub failures: Vec<(Address, Failure)>,
    /// What was not tried because something before it failed, or the run was interrupted.
    pub skipped: Vec<Address>,
    /// Whether it was stopped before the end.
    pub interrupted: bool,
    /// Every object that exists afterwards, as far as the plan knows. In memory only: may hold sensitive attributes.
    #[serde(skip)]
    pub objects: BTreeMap<Address, Object>,
}

impl Outcome {
    /// Whether everything in the plan was done.
    pub fn is_success(&self) -> bool {
        self.failures.is_empty() && self.skipped.is_empty() && !self.interrupted
    }
}

/// Carries out `plan` on the resources of `graph`. Errors of single steps are in the [`Outcome`].
///
/// # Errors
///
/// [`StoreError::Write`] if the state could not be kept, upon which nothing more was started.
pub async fn apply(plan: &Plan, graph: &Graph, store: &mut Store, options: &Options) -> Result<Outcome, StoreError> {
    let mut run = Run::new(plan, graph, store, options)?;
    let mut running: FuturesUnordered<BoxFuture<'_, Done>> = FuturesUnordered::new();
    let mut cut_off: Option<Moment> = None;
    let mut next_tick = options.clock.moment().plus(TICK);
    loop {
        let ready = if options.stop.is_cancelled() { Vec::new() } else { run.start() };
        running.extend(ready);
        if running.is_empty() {
            return run.finish();
        }
        tokio::select! {
            Some(done) = running.next() => run.complete(done),
            () = options.stop.cancelled(), if cut_off.is_none() => {
                cut_off = Some(options.clock.moment().plus(options.grace));
            }
            () = wait_until(&options.clock, cut_off) => {
                run.abandon();
                return run.finish();
            }
            () = options.clock.sleep_until(next_tick) => {
                run.tick();
                next_tick = options.clock.moment().plus(TICK);
            }
        }
    }
}

async fn wait_until(clock: &Clock, moment: Option<Moment>) {
    match moment {
        Some(moment) => clock.sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// The state of one apply.
struct Run<'a> {
    graph: &'a Graph,
    store: &'a mut Store,
    options: &'a Options,
    steps: Vec<Step<'a>>,
    waiting: BTreeSet<usize>,
    running: BTreeMap<usize, (Moment, Progress)>,
    done: BTreeSet<usize>,
    /// Removals that failed of what goes with its container, which is still to be removed.
    left: BTreeMap<usize, Failure>,
    objects: BTreeMap<Address, Object>,
    resolved: BTreeMap<Address, Attributes>,
    outcome: Outcome,
    broken: Option<StoreError>,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, graph: &'a Graph, store: &'a mut Store, options: &'a Options) -> Result<Self, StoreError> {
        let before = store.state.resources.clone();
        let mut objects = BTreeMap::new();
        for change in &plan.changes {
            let (address, node) = (&change.address, graph.get(&change.address));
            match (change.action, &change.prior, node) {
                (Action::Forget, ..) => store.state.forget(address),
                (Action::NoOp, Some(object), Some(node)) => {
                    let needs = graph.dependencies(address).iter().cloned().collect();
                    store.state.record(address, object, node.schema(), needs);
                }
                _ => {}
            }
            if let Some(object) = &change.prior {
                objects.insert(address.clone(), object.clone());
            }
        }
        if store.state.resources != before {
            store.save()?;
        }
        let steps = steps(plan);
        let waiting = (0..steps.len()).collect();
        Ok(Self {
            graph,
            store,
            options,
            steps,
            waiting,
            running: BTreeMap::new(),
            done: BTreeSet::new(),
            left: BTreeMap::new(),
            objects,
            resolved: BTreeMap::new(),
            outcome: Outcome::default(),
            broken: None,
        })
    }

    /// Takes what can start now, writes down that it is about to, and gives its futures.
    fn start(&mut self) -> Vec<BoxFuture<'a, Done>> {
        let mut started = Vec::new();
        if self.broken.is_some() {
            return started;
        }
        let mut busy: BTreeSet<&str> = self.running.keys().filter_map(|index| self.steps[*index].key()).collect();
        let mut chosen = Vec::new();
        for index in &self.waiting {
            let step = &self.steps[*index];
            let room = self.running.len() + chosen.len() < self.options.concurrency;
            let free = step.key().is_none_or(|key| !busy.contains(key));
            if room && free && step.needs.is_subset(&self.done) {
                busy.extend(step.key());
                chosen.push(*index);
            }
        }
        if chosen.is_empty() {
            return started;
        }
        for index in &chosen {
            let step = &self.steps[*index];
            let needs = step.change.depends_on.iter().cloned().collect();
            self.store.state.begin(&step.change.address, step.action(), needs);
            if step.action() == Action::Create
                && let Some(node) = self.graph.get(&step.change.address)
                && let Ok(wanted) = step::desired(node, &self.objects, &self.resolved)
            {
                self.store.state.intend(&step.change.address, wanted, node.schema());
            }
        }
        if let Err(error) = self.store.save() {
            self.broken = Some(error);
            return started;
        }
        for index in chosen {
            self.waiting.remove(&index);
            let address = self.steps[index].change.address.clone();
            self.send(Event::ApplyStart { address, action: self.steps[index].action() });
            started.push(self.future(index));
        }
        started
    }

    fn future(&mut self, index: usize) -> BoxFuture<'a, Done> {
        let step = &self.steps[index];
        let address = &step.change.address;
        let progress = Progress::new(address.clone(), &self.options.clock, self.options.events.clone());
        self.running.insert(index, (self.options.clock.moment(), progress.clone()));
        let context = Context { clock: self.options.clock.clone(), progress, stop: self.options.stop.clone() };
        let Some(node) = self.graph.get(address) else {
            let failure = Failure::new("the plan was made for another set of resources; plan again");
            return Box::pin(async move { Done { index, result: Err(failure) } });
        };
        let current = self.objects.get(address).cloned();
        if step.half == Half::Remove {
            return step::remove(index, node, current, context);
        }
        let desired = step::desired(node, &self.objects, &self.resolved);
        if let Ok(desired) = &desired {
            self.resolved.insert(address.clone(), desired.clone());
        }
        step::make(index, node, step.change, current, desired, context)
    }

    fn complete(&mut self, Done { index, result }: Done) {
        let start = self.running.remove(&index);
        let elapsed = start.map_or(Duration::ZERO, |(start, _)| self.options.clock.elapsed(start));
        let step = &self.steps[index];
        let (address, action) = (step.change.address.clone(), step.action());
        match result {
            Ok(object) => {
                let id = object.as_ref().map(|object| object.id.clone());
                if let (Some(object), Some(node)) = (object, self.graph.get(&address)) {
                    let needs = self.graph.dependencies(&address).iter().cloned().collect();
                    self.store.state.record(&address, &object, node.schema(), needs);
                    self.objects.insert(address.clone(), object);
                } else {
                    self.store.state.forget(&address);
                    self.objects.remove(&address);
                }
                self.done.insert(index);
                self.outcome.summary.count(action);
                if action == Action::Delete {
                    self.take_along(&address);
                }
                if let Err(error) = self.store.save() {
                    self.broken.get_or_insert(error);
                }
                self.send(Event::Complete { address, action, elapsed, id });
            }
            Err(failure) => {
                if let (Action::Delete, Some(container)) = (action, step.change.goes_with.clone()) {
                    self.send(Event::LeftToContainer { address, container, elapsed, error: failure.to_string() });
                    self.left.insert(index, failure);
                    self.done.insert(index);
                    return;
                }
                self.errored(address, action, elapsed, failure);
            }
        }
    }

    fn errored(&mut self, address: Address, action: Action, elapsed: Duration, failure: Failure) {
        let (evidence, next) = (failure.evidence().to_vec(), failure.next_step().map(str::to_owned));
        let error = failure.to_string();
        self.send(Event::Errored { address: address.clone(), action, elapsed, error, evidence, next });
        self.outcome.failures.push((address, failure));
    }

    /// What could not be removed by itself is gone now that `container` is.
    fn take_along(&mut self, container: &Address) {
        let steps = &self.steps;
        let covered = |index: &usize| steps[*index].change.goes_with.as_ref() == Some(container);
        let gone: Vec<usize> = self.left.keys().copied().filter(covered).collect();
        for index in gone {
            self.left.remove(&index);
            self.outcome.summary.count(Action::Delete);
            let address = self.steps[index].change.address.clone();
            self.store.state.forget(&address);
            self.objects.remove(&address);
        }
    }

    fn tick(&self) {
        for (index, (start, progress)) in &self.running {
            let step = &self.steps[*index];
            let status = match step.action() {
                Action::Create => "still creating",
                Action::Delete => "still destroying",
                _ => "still modifying",
            };
            let status = progress.last().map_or_else(|| status.to_owned(), |last| format!("{status}: {last}"));
            let elapsed = self.options.clock.elapsed(*start);
            self.send(Event::Progress { address: step.change.address.clone(), elapsed, status });
        }
    }

    /// Gives up on what still runs.
    fn abandon(&mut self) {
        for index in self.running.keys().copied().collect::<Vec<_>>() {
            let failure = Failure::new("interrupted before it was finished; the next run finds it and goes on");
            self.complete(Done { index, result: Err(failure) });
        }
    }

    fn finish(mut self) -> Result<Outcome, StoreError> {
        if let Some(error) = self.broken {
            // What finished since the first failure belongs into the rescued state as well.
            return match self.store.save() {
                Ok(()) => Err(error),
                Err(last) => Err(last),
            };
        }
        // What was to take them along is still there.
        for (index, failure) in std::mem::take(&mut self.left) {
            self.errored(self.steps[index].change.address.clone(), Action::Delete, Duration::ZERO, failure);
        }
        self.outcome.interrupted = self.options.stop.is_cancelled() && !self.waiting.is_empty();
        let because = if self.outcome.interrupted { "interrupted" } else { "something that it needs failed" };
        for index in &self.waiting {
            let change = self.steps[*index].change;
            let (address, action, because) = (change.address.clone(), change.action, because.to_owned());
            self.send(Event::Skipped { address, action, because });
            self.outcome.skipped.push(change.address.clone());
        }
        self.outcome.skipped.dedup();
        self.outcome.objects = std::mem::take(&mut self.objects);
        Ok(self.outcome)
    }

    fn send(&self, event: Event) {
        // A view that has gone away is no reason to stop.
        let _ = self.options.events.send(event);
    }
}
