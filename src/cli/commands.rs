//! One command, one file; here is only which is which and what each needs to be given.

mod audit;
mod chart;
mod demo;
mod down;
mod drift;
mod env;
mod evidence;
mod graph;
mod identity;
mod image;
mod kubeconfig;
pub(crate) mod local;
mod manifests;
mod outputs;
mod plan;
mod pods;
mod policy;
mod preflight;
mod send;
mod show;
mod status;
mod token;
mod up;
mod verify;
mod workshop;

use provision::store;
use tokio_util::sync::CancellationToken;

use crate::arguments::command::{Mutating, OnStack, Present, ReadOnly, Recorded, Stackless};
use crate::arguments::{Global, TargetName};
use crate::diagnostic::Outcome;
use crate::exit::Exit;
use crate::failure::Watched;
use crate::images;
use crate::lock;
use crate::options::{self, Typed};
use crate::part::Part;
use crate::settings::{self, Settings};
use crate::signals::unless_stopped;
use crate::stack_location;
use crate::target::{self, Missing, Target};
use crate::view::{View, Weight};

/// Runs what has no stack: what runs inside pods, and the making of their image.
pub(crate) async fn run_without_stack(command: Stackless, view: &View, stop: CancellationToken) -> Outcome {
    match command {
        Stackless::Evidence(wanted) => evidence::run(&wanted, view),
        Stackless::Image(image) => image::run(image, view, stop).await,
        Stackless::Reach(wanted) => pods::reach(&wanted).await,
        Stackless::Operator(operator) => pods::operator(operator, stop).await,
        Stackless::Worker(worker) => pods::worker(worker, stop).await,
    }
}

/// Resolves the settings and runs the command.
pub(crate) async fn run_on_stack(
    command: OnStack,
    global: &Global,
    typed: &Typed,
    view: &View,
    stop: CancellationToken,
) -> Outcome {
    let settings = &settings::resolve(&of_command(global, &command, typed), view).await?;
    options::check_against(&command, settings, typed)?;
    match command {
        OnStack::Mutating(command) => Box::pin(mutating(command, settings, view, stop)).await,
        OnStack::ReadOnly(command) => Box::pin(read_only(&command, settings, view, stop)).await,
        OnStack::Recorded(command) => Box::pin(unless_stopped(&stop, recorded(&command, settings, view))).await,
        OnStack::Present(command) => Box::pin(present(command, settings, typed, view, stop)).await,
        OnStack::Evaluate(evidence, seal) => verify::evaluate(&evidence, seal.as_deref(), settings, view),
        OnStack::Workshop(wanted) => workshop::run(&wanted, settings, global, view, stop).await,
        OnStack::Local(command) => local::run(command, settings, view, stop).await,
        OnStack::Manifests(wanted) => manifests::run(wanted, settings, view),
        OnStack::Chart(wanted) => chart::run(&wanted, settings, view),
    }
}

/// The words as the command takes them, whatever variables and the current folder say to others.
fn of_command(global: &Global, command: &OnStack, typed: &Typed) -> Global {
    let mut global = global.clone();
    match command {
        OnStack::Local(_) => global.target = TargetName::Local,
        OnStack::Present(Present::Token(wanted)) => {
            // A client of a cluster calls it, in whatever folder it was started.
            let is_whole = wanted.cluster_name.is_some() && typed.has("stack") && typed.has("region");
            global.reads_file = !is_whole || typed.has("file");
            global.time_scale = None;
        }
        OnStack::Mutating(_)
        | OnStack::ReadOnly(_)
        | OnStack::Recorded(_)
        | OnStack::Present(_)
        | OnStack::Evaluate(..)
        | OnStack::Workshop(_)
        | OnStack::Manifests(_)
        | OnStack::Chart(_) => {}
    }
    global
}

/// Commands that change the stack. They hold it alone.
async fn mutating(command: Mutating, settings: &Settings, view: &View, stop: CancellationToken) -> Outcome {
    let (record, name) = match &command {
        Mutating::Demo(wanted) => (&wanted.record, "demo"),
        Mutating::Up(wanted) => (&wanted.record, "up"),
        Mutating::Down(wanted) => (&wanted.record, "down"),
    };
    let settings = &settings.recording_into(record.as_deref(), name, view)?;
    match command {
        Mutating::Demo(wanted) => Box::pin(demo::run(wanted, settings, view, stop)).await,
        Mutating::Up(wanted) => {
            let images = images::resolve(settings, &wanted.images.run, true, view)?;
            let lock = lock::exclusive(settings, "up")?;
            let target = target::open(settings, Missing::Start, view).await?;
            view.log_into(&settings.log("up", target.clock.now()));
            let _screen = show::screen("up", settings, &target, view);
            let part = Part::whole("up", "Up", settings, &target, view);
            let watched = Watched::begin("up", &target);
            let course = up::Course::default();
            let outcome = match images.store(settings, target.started) {
                Ok(()) => up::run(&wanted, settings, &target, &lock, view, stop, &course).await,
                Err(wrong) => Err(wrong),
            };
            if course.begun.get() {
                watched.kept(&outcome, |exit| *exit, settings, &target, view).await;
            }
            close_if_nothing_was_made(&outcome, settings, &target, view).await?;
            ended(part, &outcome, view);
            outcome
        }
        Mutating::Down(wanted) => {
            let lock = lock::exclusive(settings, "down")?;
            let target = target::open(settings, Missing::StartOrTake, view).await?;
            view.log_into(&settings.log("down", target.clock.now()));
            let _screen = show::screen("down", settings, &target, view);
            let part = Part::whole("down", "Down", settings, &target, view);
            let consent = down::Consent { yes: wanted.yes, remove_foreign: wanted.remove_foreign, closes: true };
            let outcome = down::run(consent, settings, &target, &lock, view, stop).await;
            close_if_nothing_was_made(&outcome, settings, &target, view).await?;
            ended(part, &outcome, view);
            outcome
        }
    }
}

/// Says where the log is, and remembers how long it took.
fn ended(part: Part<'_>, outcome: &Outcome, view: &View) {
    view.say_log(Weight::Last);
    if matches!(outcome, Ok(Exit::Done)) {
        part.done();
    }
}

/// A command that failed before it made anything leaves no cloud that nobody asked for.
async fn close_if_nothing_was_made(
    outcome: &Outcome,
    settings: &Settings,
    target: &Target,
    view: &View,
) -> Outcome<()> {
    let is_recorded = matches!(store::load(&settings.state()), Ok(Some(state)) if !state.resources.is_empty());
    if target.started && outcome.is_err() && !is_recorded { target::close(settings, view).await } else { Ok(()) }
}

/// Commands that look at the stack, whether or not it is up; a cloud that is started for the look ends with it.
async fn read_only(command: &ReadOnly, settings: &Settings, view: &View, stop: CancellationToken) -> Outcome {
    let (operation, missing) = match command {
        ReadOnly::Plan(wanted) => {
            // Checked only: a plan puts nothing in force.
            images::resolve(settings, &wanted.images.run, !wanted.destroy, view)?;
            ("plan", Missing::Start)
        }
        // What pods run is checked as `up` checks it.
        ReadOnly::Preflight(wanted) => {
            images::resolve(settings, &wanted.images.run, true, view)?;
            ("preflight", Missing::Start)
        }
        ReadOnly::Graph => ("graph", Missing::Start),
        ReadOnly::Audit => ("audit", Missing::StartOrTake),
    };
    let lock = lock::read_only(settings, operation)?;
    // A graph is another program's.
    let beside = if matches!(command, ReadOnly::Graph) { view.beside_raw() } else { view.clone() };
    let target = target::open(settings, missing, &beside).await?;
    let outcome = match command {
        ReadOnly::Plan(wanted) => plan::run(wanted, settings, &target, &lock, view, stop).await,
        ReadOnly::Preflight(wanted) => preflight::run(wanted, settings, &target, &lock, view, stop).await,
        ReadOnly::Graph => graph::run(settings, &target, &lock, view, &stop),
        ReadOnly::Audit => unless_stopped(&stop, audit::run(settings, &target, view)).await,
    };
    if target.started {
        target::close(settings, &beside).await?;
    }
    outcome
}

/// Commands that show what is recorded or seen, as far as it can be read.
async fn recorded(command: &Recorded, settings: &Settings, view: &View) -> Outcome {
    match command {
        Recorded::Status => status::run(settings, view).await,
        Recorded::Outputs(wanted) => outputs::run(wanted, settings, view),
        Recorded::Explain(wanted) => {
            let target = target::open(settings, Missing::Refuse, view).await.ok();
            verify::explain(wanted, settings, target.as_ref(), view).await
        }
        Recorded::Env => env::run(settings, view),
        Recorded::Policy(wanted) => Ok(policy::run(wanted, settings, view)),
        Recorded::Identity(wanted) => identity::run(wanted, settings, view).await,
    }
}

/// Commands that need the stack to be up.
async fn present(
    command: Present,
    settings: &Settings,
    typed: &Typed,
    view: &View,
    stop: CancellationToken,
) -> Outcome {
    match command {
        Present::Drift => {
            let lock = lock::shared(settings, "drift")?;
            let target = found(settings, view, &stop).await?;
            unless_stopped(&stop, drift::run(settings, &target, &lock, view, stop.clone())).await
        }
        Present::Verify(wanted) => {
            verify::check(&wanted.proof, settings)?;
            let _stays = lock::shared(settings, "verify")?;
            let target = found(settings, view, &stop).await?;
            let _alone = lock::verification(settings)?;
            let after = verify::After::Stays;
            view.log_into(&settings.log("verify", target.clock.now()));
            let _screen = show::screen("verify", settings, &target, view);
            let part = Part::whole("verify", "Verify", settings, &target, view);
            let watched = Watched::begin("verify", &target);
            let verified = Box::pin(verify::run(&wanted.proof, settings, &target, after, view, stop)).await;
            watched.kept(&verified, |verified| verified.exit, settings, &target, view).await;
            let outcome = verified.map(|verified| verified.exit);
            ended(part, &outcome, view);
            outcome
        }
        Present::Send(wanted) => {
            let _stays = lock::shared(settings, "send")?;
            let target = found(settings, view, &stop).await?;
            send::run(wanted, settings, &target, view, stop).await
        }
        Present::Watch(wanted) => {
            let target = found(settings, view, &stop).await?;
            let (screen, wishes) = show::watch(settings, &target, view).unzip();
            let outcome = verify::watch(&wanted, settings, &target, view, stop, wishes).await;
            drop(screen);
            outcome
        }
        Present::Kubeconfig(wanted) => {
            let target = found(settings, &view.beside_raw(), &stop).await?;
            unless_stopped(&stop, kubeconfig::run(&wanted, settings, &target, view)).await
        }
        Present::Token(wanted) => unless_stopped(&stop, token::run(wanted, settings, typed, view)).await,
    }
}

/// The target, where something is up, held against what the state remembers.
async fn found(settings: &Settings, view: &View, stop: &CancellationToken) -> Outcome<Target> {
    let target = Box::pin(unless_stopped(stop, target::open(settings, Missing::Refuse, view))).await?;
    stack_location::check(settings, &target)?;
    Ok(target)
}
