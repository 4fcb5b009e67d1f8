//! The way of a stack through the engine: open the state, look, plan, apply, and report what happens.

use std::sync::Arc;

use aws::audit::Scope;
use aws::cloud::Cloud;
use cluster::OperatorHomes;
use futures::FutureExt as _;
use provision::plan::{self, Mode};
use provision::{
    Action, Address, Attributes, Change, Context, Entry, Event, Failure, Graph, Known, Line, Lock, Mark, Node,
    Outcome as Applied, Plan, Progress, Reading, Refreshed, Store, apply, refresh, store,
};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::assembly;
use crate::diagnostic::{Diagnostic, Outcome, one};
use crate::durations::Durations;
use crate::exit::Exit;
use crate::progress;
use crate::settings::Settings;
use crate::sightings;
use crate::stack_location;
use crate::target::Target;
use crate::view::{Answer, Tone, View, Weight};
use crate::waiting;

/// How long what a run makes may stay before it counts as forgotten; written into a tag.
const EXPIRES_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// What becomes of objects of others that would go with something of the stack's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    /// What holds them is kept.
    Kept,
    /// They go as well; the plan names them.
    Removed,
}

/// How much of a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Each resource with its fields.
    Full,
    /// A line for each resource.
    Short,
}

impl Others {
    pub(crate) fn new(removed: bool) -> Self {
        if removed { Self::Removed } else { Self::Kept }
    }
}

/// One stack on one target, with its state locked.
pub(crate) struct Engine<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) target: &'a Target,
    pub(crate) cloud: Arc<Cloud>,
    cluster: cluster::Cluster,
    pub(crate) graph: Graph,
    pub(crate) store: Store,
    view: View,
    stop: CancellationToken,
    others: Others,
    /// Whether objects look themselves before they take others' with them.
    spares: bool,
}

impl<'a> Engine<'a> {
    /// Loads the state under its lock, and builds the graph for a plan of this mode.
    pub(crate) fn open(
        settings: &'a Settings,
        target: &'a Target,
        lock: &Lock,
        view: &View,
        stop: &CancellationToken,
        (mode, others): (Mode, Others),
    ) -> Outcome<Self> {
        let run = uuid::Uuid::new_v4().to_string();
        let state = settings.state();
        let emergency = std::env::temp_dir().join(format!("sluice-{}-state.json", settings.stack.name));
        let options = store::Options { path: state, emergency, run: run.clone(), clock: target.clock.clone() };
        let mut store = Store::open(options, lock).map_err(one)?;
        stack_location::settle(&mut store.state, settings, target)?;
        if mode == Mode::Up && target.existing.is_none() {
            assembly::network::check_stays(&settings.stack, &store.state)?;
        }
        let now = target.clock.now();
        let expires_at = now.checked_add(EXPIRES_AFTER).unwrap_or(now).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let stack = &settings.stack;
        let cloud = Arc::new(Cloud::new(&target.session, &stack.name, &run, &expires_at, &stack.tags));
        let cluster = connection(settings, target, &cloud);
        let mut nodes = assembly::aws(&settings.stack, target, &cloud)?;
        let homes = OperatorHomes::of(&settings.stack.operator.namespace, store.state.resources.keys());
        // Everything in a cluster of the stack's own goes with it.
        let spares = others == Others::Kept && (mode == Mode::Up || target.existing.is_some());
        let placed = |object: cluster::Object| Arc::new(object.taking_turns(&homes).sparing(spares)) as Node;
        nodes.extend(assembly::kubernetes(&settings.stack, target, &cluster)?.into_iter().map(placed));
        let mut graph = Graph::new(nodes).map_err(one)?;
        let lives_in = target.existing.is_none().then(assembly::cluster_address);
        let rebuild = |address: &Address, entry: &Entry| {
            let attributes = entry.object.as_ref().map_or(&entry.wanted, |object| &object.attributes);
            let of_aws = aws::resources::rebuild(&cloud, address, attributes, Vec::new());
            let of_kubernetes = || cluster::rebuild(&cluster, &settings.stack.name, address, entry, lives_in.clone());
            of_aws.or_else(|| Some(placed(of_kubernetes()?)))
        };
        let unknown = graph.add_orphans(&store.state, &rebuild).map_err(one)?;
        for address in unknown {
            let text = format!("the state records {address}, which this version does not know; it is left alone");
            view.diagnostic(&Diagnostic::warning(text));
        }
        let (view, stop) = (view.clone(), stop.clone());
        Ok(Self { settings, target, cloud, cluster, graph, store, view, stop, others, spares })
    }

    /// Reads everything that is declared or recorded.
    pub(crate) async fn refresh(&self) -> Refreshed {
        let (events, printed) = self.print(None);
        let refreshed = refresh(&self.graph, &self.store.state, &self.target.clock, &events, &self.stop).await;
        drop(events);
        printed.await;
        refreshed
    }

    /// [`Self::refresh`] for a plan of `mode`, with what carries the stack's tag or labels and neither the stack nor the state
    /// knows: `down` removes it as well, and so does an `up` that has no record, since what an earlier one made and is no longer
    /// declared would stay unseen.
    pub(crate) async fn refresh_with_unknown(&mut self, mode: Mode) -> Outcome<Refreshed> {
        match mode {
            Mode::Down => self.look_for_unknown(Scope::Account).await,
            Mode::Up if self.store.state.resources.is_empty() => self.look_for_unknown(Scope::Names).await,
            Mode::Up => Ok(self.refresh().await),
        }
    }

    async fn look_for_unknown(&mut self, scope: Scope) -> Outcome<Refreshed> {
        let read_only = async {
            let found = aws::audit::find(&self.cloud, &self.settings.stack.cluster.name, scope).await.map_err(one)?;
            let left = self.left_in_cluster(scope).await?;
            Outcome::Ok((found, left))
        };
        let what = "Looking for what is there without a record";
        let (found, left) = waiting::during(&self.view, what, read_only).await?;
        let addresses: Vec<Address> = left.iter().map(|left| left.address.clone()).collect();
        let homes = OperatorHomes::of(
            &self.settings.stack.operator.namespace,
            addresses.iter().chain(self.store.state.resources.keys()),
        );
        let spares = self.spares;
        let nodes = left.into_iter().map(|left| Arc::new(left.resource.taking_turns(&homes).sparing(spares)) as Node);
        self.graph.add_found(nodes).map_err(one)?;
        let mut refreshed = self.refresh().await;
        let known = sightings::known(&self.graph, &self.store.state, &refreshed, &found);
        let unknown = aws::audit::nodes(&self.cloud, &found, &known);
        if !unknown.is_empty() {
            self.graph.add_found(unknown).map_err(one)?;
            refreshed = self.refresh().await;
        }
        sightings::fill(&known, &self.graph, &mut refreshed, &found);
        Ok(refreshed)
    }

    /// What the cluster holds of the stack. A cluster of the stack's own that cannot be looked into is no obstacle to
    /// removing it: what it holds goes with it.
    async fn left_in_cluster(&self, scope: Scope) -> Outcome<Vec<cluster::audit::Leftover>> {
        let is_own = self.target.existing.is_none();
        let lives_in = is_own.then(assembly::cluster_address);
        let outlived_by = Address::new("aws_eks_fargate_profile", "this");
        let outlived_by = if is_own { vec![outlived_by] } else { Vec::new() };
        let name = &self.settings.stack.name;
        match cluster::audit::leftovers(&self.cluster, name, lives_in.as_ref(), &outlived_by).await {
            Ok(left) => Ok(left),
            Err(error) if is_own && scope == Scope::Account => {
                let text = format!("what the cluster holds could not be looked for: {error}");
                self.view.diagnostic(&Diagnostic::warning(text).help("it goes with the cluster"));
                Ok(Vec::new())
            }
            Err(error) => Err(one(error)),
        }
    }

    /// The plan for what was read. It removes nothing that holds what is not the stack's, unless that is wanted.
    pub(crate) async fn plan(&self, mode: Mode, mut refreshed: Refreshed) -> Outcome<Plan> {
        let plan = self.plan_for(mode, &refreshed)?;
        let may_hold = |change: &&Change| {
            change.action == Action::Delete && change.goes_with.is_none() && cluster::foreign::may_hold(&change.address)
        };
        let goes: Vec<Address> = plan.changes.iter().filter(may_hold).map(|change| change.address.clone()).collect();
        if goes.is_empty() {
            return Ok(plan);
        }
        let name = &self.settings.stack.name;
        refreshed.holds = cluster::foreign::held(&self.cluster, name, &goes).await.map_err(one)?;
        refreshed.sweeps = self.others == Others::Removed;
        let mut plan = self.plan_for(mode, &refreshed)?;
        plan.notes.extend(kept(&plan));
        Ok(plan)
    }

    fn plan_for(&self, mode: Mode, refreshed: &Refreshed) -> Outcome<Plan> {
        if self.stop.is_cancelled() {
            return Err(vec![Diagnostic::interrupted("nothing was changed")]);
        }
        let planned = match mode {
            Mode::Up => plan::up(&self.graph, &self.store.state, refreshed),
            Mode::Down => plan::down(&self.graph, &self.store.state, refreshed),
        };
        planned.map_err(|unplannable| {
            let part = plan::readable(&self.graph, &self.store.state, refreshed);
            if mode == Mode::Up && !part.is_empty() {
                self.view.line("There is no plan for all of it. For what could be read it would be:");
                show_lines(&self.view, &provision::outline(&part));
            }
            // A name that others have in the account is found before the first step, like all that the preflight looks at.
            let is_taken = |address: &Address| {
                address.kind().starts_with("aws_")
                    && matches!(refreshed.readings.get(address), Some(Reading::Foreign(_)))
            };
            let (taken, others): (Vec<_>, Vec<_>) =
                unplannable.0.into_iter().partition(|(address, _)| is_taken(address));
            let taken = obstacles(taken).into_iter().map(|wrong| wrong.exit(Exit::Preflight));
            taken.chain(obstacles(others)).collect()
        })
    }

    /// Shows a plan: all of it, or a line for each resource; then the log has all of it.
    pub(crate) fn show(&self, plan: &Plan, extent: Extent) {
        self.view.event("plan", json!({ "plan": plan, "summary": plan.summary() }));
        let all = provision::render(plan);
        if extent == Extent::Full {
            return show_lines(&self.view, &all);
        }
        say_lines(&self.view, &all, Weight::Detail);
        let short = provision::outline(plan);
        if let Some((summary, rest)) = short.split_last() {
            say_lines(&self.view, rest, Weight::Minor);
            say_lines(&self.view, std::slice::from_ref(summary), Weight::Usual);
        }
    }

    /// Carries the plan out. All failures come back together.
    pub(crate) async fn apply(&mut self, plan: &Plan) -> Outcome<Applied> {
        let (events, printed) = self.print(Some(progress::count(plan)));
        let options = provision::Options::new(&self.target.clock, events, self.stop.clone());
        let applied = apply(plan, &self.graph, &mut self.store, &options).await;
        drop(options);
        printed.await;
        let applied = applied.map_err(one)?;
        let summary = applied.summary;
        let text = match plan.mode {
            Mode::Up => format!("{} added, {} changed, {} destroyed.", summary.add, summary.change, summary.destroy),
            Mode::Down => format!("{} destroyed.", summary.destroy),
        };
        self.view.event("apply_summary", json!({ "summary": summary }));
        self.view.say(self.view.last_of_one(), Tone::Strong, text);
        if applied.is_success() {
            return Ok(applied);
        }
        // The first decides the exit code, and what fails because of a signal is no failure of its own.
        let interrupted = self.stop.is_cancelled().then(|| {
            Diagnostic::interrupted(format!("{} steps were not begun", applied.skipped.len()))
                .help("run `sluice up` to go on, or `sluice down` to remove what there is")
        });
        Err(interrupted.into_iter().chain(applied.failures.iter().map(failed)).collect())
    }

    /// A channel for events, and the task that shows them until it is dropped; `steps` is how many there will be.
    fn print(&self, steps: Option<usize>) -> (mpsc::UnboundedSender<Event>, impl Future<Output = ()> + use<>) {
        let (sender, events) = mpsc::unbounded_channel();
        let durations = steps.map(|_| Durations::load(&self.settings.folder)).unwrap_or_default();
        let run = progress::Run { steps: steps.unwrap_or_default(), durations, clock: self.target.clock.clone() };
        let task = tokio::spawn(progress::show(self.view.clone(), run, events));
        (sender, task.map(|_| ()))
    }
}

/// Why there is no plan. What one cause keeps from being read (an API server that does not answer) is said once.
fn obstacles(reasons: Vec<(Address, Failure)>) -> Vec<Diagnostic> {
    let mut by_cause: Vec<(Failure, Vec<Address>)> = Vec::new();
    for (address, failure) in reasons {
        match by_cause.iter_mut().find(|(cause, _)| *cause == failure) {
            Some((_, addresses)) => addresses.push(address),
            None => by_cause.push((failure, vec![address])),
        }
    }
    let to_diagnostic = |(failure, addresses): (Failure, Vec<Address>)| match addresses.as_slice() {
        [address] => Diagnostic::error(format!("{address}: {failure}")),
        all => {
            let mut wrong = Diagnostic::error(format!("{} resources: {failure}", all.len()));
            wrong.detail.extend(all.iter().map(Address::to_string));
            wrong
        }
    };
    by_cause.into_iter().map(to_diagnostic).collect()
}

/// What a person should know of a plan that keeps things for the sake of others.
fn kept(plan: &Plan) -> Vec<String> {
    let keeps = |kind: &str| {
        let mut changes = plan.changes.iter();
        changes.any(|change| change.action == Action::Keep && change.address.kind() == kind)
    };
    let (namespace, definition) = (keeps("kubernetes_namespace"), keeps("kubernetes_custom_resource_definition"));
    let served = "objects of keda.sh that stay are served by no operator of this stack any more";
    let goes = "what is kept goes with the next `sluice down` once nothing of others is in it; --remove-foreign removes it now, \
                with what is in it";
    let served = (definition && plan.mode == Mode::Down).then(|| served.to_owned());
    served.into_iter().chain((namespace || definition).then(|| goes.to_owned())).collect()
}

/// A failed step as a person reads of it at the end.
fn failed((address, failure): &(Address, Failure)) -> Diagnostic {
    let mut wrong = Diagnostic::error(format!("{address}: {failure}"));
    wrong.detail.extend(failure.evidence().iter().cloned());
    match failure.next_step() {
        Some(next) => wrong.help(next),
        None => wrong,
    }
}

/// The way into the stack's cluster; it is looked up when first needed, since it may not exist yet.
pub(crate) fn connection(settings: &Settings, target: &Target, cloud: &Arc<Cloud>) -> cluster::Cluster {
    if let Some(existing) = &target.existing {
        return existing.cluster.clone();
    }
    let (name, session) = (settings.stack.cluster.name.clone(), target.session.clone());
    let (read_only, clock) = (cloud.clone(), target.clock.clone());
    let wanted = name.clone();
    let locate: cluster::Locate = Arc::new(move || locate(read_only.clone(), wanted.clone(), clock.clone()).boxed());
    let token: cluster::TokenSource = Arc::new(move || {
        let (session, name) = (session.clone(), name.clone());
        async move {
            let token = aws::eks_token::token(&session, &name).await.map_err(|error| error.to_string())?;
            Ok(cluster::Token { value: cluster::Secret::new(token.value), expires_at: token.expires_at })
        }
        .boxed()
    });
    cluster::Cluster::new(cluster::Connection::Eks { locate, token }, target.clock.clone())
}

/// Where the cluster is, if it exists.
pub(crate) async fn locate(
    cloud: Arc<Cloud>,
    name: String,
    clock: clock::Clock,
) -> Result<Option<cluster::Endpoint>, String> {
    match read(&cloud, &assembly::cluster_address(), &name, &clock).await? {
        Reading::Absent => Ok(None),
        Reading::Foreign(why) => Err(format!("cluster {name} is not ours: {why}")),
        Reading::Present(object) => {
            Ok(object.text("endpoint").zip(object.text("certificate_authority")).map(|(server, authority)| {
                cluster::Endpoint { server: server.to_owned(), certificate_authority: authority.to_owned() }
            }))
        }
    }
}

/// Looks at one AWS resource by its name, whatever the state says.
pub(crate) async fn read(
    cloud: &Arc<Cloud>,
    address: &Address,
    name: &str,
    clock: &clock::Clock,
) -> Result<Reading, String> {
    let desired = Attributes::from([("name".to_owned(), json!(name))]);
    let node = aws::resources::build(cloud, address, desired.clone(), Vec::new()).ok_or("no such kind")?;
    let context = Context { clock: clock.clone(), progress: Progress::silent(), stop: CancellationToken::new() };
    let known = Known { recorded: None, desired: &desired };
    node.read(known, &context).await.map_err(|failure| failure.to_string())
}

/// Shows rendered lines in the colours of their marks.
pub(crate) fn show_lines(view: &View, lines: &[Line]) {
    say_lines(view, lines, Weight::Usual);
}

fn say_lines(view: &View, lines: &[Line], weight: Weight) {
    for line in lines {
        let tone = match line.mark {
            Mark::Plain => Tone::Plain,
            Mark::Add => Tone::Good,
            Mark::Change | Mark::Replace => Tone::Change,
            Mark::Destroy => Tone::Bad,
        };
        view.say(weight, tone, &line.text);
    }
}

/// Asks whether to go on, where that costs money. Without anybody to ask it is refused.
pub(crate) async fn approved(
    view: &View,
    target: &Target,
    yes: bool,
    question: &str,
    stop: &CancellationToken,
) -> Outcome<bool> {
    if yes || !target.asks {
        return Ok(true);
    }
    match view.ask(question, stop).await {
        Answer::Line(answer) => Ok(answer == "yes"),
        Answer::Ended => Ok(false),
        Answer::Interrupted => Err(vec![Diagnostic::interrupted("nothing was changed")]),
        Answer::Nobody => Err(vec![
            Diagnostic::error("this would change an AWS account, and there is nobody to ask")
                .help("give --yes to go on without a question")
                .exit(Exit::Usage),
        ]),
    }
}
