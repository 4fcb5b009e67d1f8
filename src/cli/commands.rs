//! One command, one file; here is only which is which and what each needs to be given.

mod audit;
mod demo;
mod down;
mod drift;
mod env;
mod graph;
mod image;
mod kubeconfig;
pub(crate) mod local;
mod manifests;
mod outputs;
mod plan;
mod pods;
mod send;
mod status;
mod token;
mod up;
mod verify;
mod workshop;

use provision::store;
use tokio_util::sync::CancellationToken;

use crate::arguments::{Arguments, Command, Global};
use crate::diagnostic::Outcome;
use crate::images;
use crate::lock;
use crate::options::{self, Typed};
use crate::settings::{self, Settings};
use crate::signals::unless_stopped;
use crate::stack_location;
use crate::target::{self, Missing, Target};
use crate::view::View;

/// Resolves the settings and runs the command.
pub(crate) async fn run(arguments: Arguments, typed: &Typed, view: &View, stop: CancellationToken) -> Outcome {
    let Arguments { global, command } = arguments;
    options::check(&command, &global, typed)?;
    // What runs inside pods has no stack, and neither has the image that they run.
    let command = match command {
        Command::Image(image) => return image::run(image, view, stop).await,
        Command::Reach(wanted) => return pods::reach(&wanted).await,
        Command::Operator(pods) if pods.command.is_none() => return pods::operator(stop).await,
        Command::Worker(worker) => return pods::worker(worker, stop).await,
        other => other,
    };
    let mut settings = settings::resolve(&global, view)?;
    if matches!(command, Command::Token(_)) {
        // Kubernetes clients ask for it while they connect, perhaps to the very context that the stack file at hand names.
        settings.stack.kubernetes.context = None;
    }
    options::check_against(&command, &settings, &global, typed)?;
    match command {
        Command::Local(local) => local::run(local, &settings, &global, view, stop).await,
        Command::Operator(wanted) => manifests::run(wanted.command, &settings, view),
        Command::Env => env::run(&settings, view),
        Command::Status => Box::pin(unless_stopped(&stop, status::run(&settings, &global, view))).await,
        Command::Workshop(wanted) => workshop::run(&wanted, &settings, &global, view, stop).await,
        Command::Outputs(wanted) => outputs::run(&wanted, &settings, view),
        Command::Demo(wanted) => Box::pin(demo::run(wanted, &settings, &global, view, stop)).await,
        Command::Verify(wanted) if wanted.evidence.is_some() => {
            verify::evaluate(&wanted.evidence.unwrap_or_default(), &settings, view)
        }
        Command::Explain(wanted) => {
            let read_only = async {
                let target = target::open(&settings, &global, Missing::Refuse, view).await.ok();
                verify::explain(&wanted, &settings, target.as_ref(), view).await
            };
            Box::pin(unless_stopped(&stop, read_only)).await
        }
        Command::Plan(_) | Command::Up(_) | Command::Down(_) | Command::Audit | Command::Graph => {
            Box::pin(provisioning(command, &settings, &global, view, stop)).await
        }
        _ => Box::pin(read_only(command, &settings, &global, typed, view, stop)).await,
    }
}

/// Commands that work whether or not something is up; the local cloud is started for them if need be.
async fn provisioning(
    command: Command,
    settings: &Settings,
    global: &Global,
    view: &View,
    stop: CancellationToken,
) -> Outcome {
    let images = match &command {
        Command::Up(wanted) => images::resolve(settings, &wanted.images.run, true, view)?,
        Command::Plan(wanted) => images::resolve(settings, &wanted.images.run, !wanted.destroy, view)?,
        _ => images::Images::default(),
    };
    let lock = match &command {
        Command::Up(_) => lock::exclusive(settings, "up"),
        Command::Down(_) => lock::exclusive(settings, "down"),
        Command::Plan(_) => lock::read_only(settings, "plan"),
        Command::Graph => lock::read_only(settings, "graph"),
        _ => lock::read_only(settings, "audit"),
    }?;
    let missing = match &command {
        Command::Down(_) | Command::Audit => Missing::StartOrTake,
        _ => Missing::Start,
    };
    // A graph is another program's.
    let beside = if matches!(command, Command::Graph) { view.beside_raw() } else { view.clone() };
    let target = target::open(settings, global, missing, &beside).await?;
    let started = target.started;
    let keeps = matches!(command, Command::Up(_) | Command::Down(_));
    let outcome = match command {
        Command::Plan(wanted) => plan::run(wanted, settings, &target, &lock, view, stop).await,
        Command::Up(wanted) => match images.store(settings, started) {
            Ok(()) => up::run(&wanted, settings, &target, &lock, view, stop, &up::Course::default()).await,
            Err(wrong) => Err(wrong),
        },
        Command::Down(wanted) => {
            let consent = down::Consent { yes: wanted.yes, remove_foreign: wanted.remove_foreign, closes: true };
            down::run(consent, settings, &target, &lock, view, stop).await
        }
        Command::Graph => graph::run(settings, &target, &lock, view, &stop),
        _ => unless_stopped(&stop, audit::run(settings, &target, view)).await,
    };
    // An `up` that failed before it made anything leaves no cloud that nobody asked for.
    let recorded = matches!(store::load(&settings.state()), Ok(Some(state)) if !state.resources.is_empty());
    if started && (!keeps || (outcome.is_err() && !recorded)) {
        target::close(settings, &beside).await?;
    }
    outcome
}

/// Commands that look at what is up.
async fn read_only(
    command: Command,
    settings: &Settings,
    global: &Global,
    typed: &Typed,
    view: &View,
    stop: CancellationToken,
) -> Outcome {
    if let Command::Verify(wanted) = &command {
        verify::check(&wanted.proof, settings)?;
    }
    let lock = match &command {
        Command::Drift => Some(lock::shared(settings, "drift")?),
        Command::Send(_) => Some(lock::shared(settings, "send")?),
        Command::Verify(_) => Some(lock::shared(settings, "verify")?),
        _ => None,
    };
    let is_raw = matches!(command, Command::Kubeconfig(_) | Command::Token(_));
    let beside = if is_raw { view.beside_raw() } else { view.clone() };
    let opening = target::open(settings, global, Missing::Refuse, &beside);
    let target: Target = Box::pin(unless_stopped(&stop, opening)).await?;
    // One that cannot be read is reported by those who need it.
    if let Ok(Some(mut state)) = store::load(&settings.state()) {
        stack_location::settle(&mut state, settings, &target)?;
    }
    match command {
        Command::Drift => {
            let lock = lock.map_or_else(|| lock::shared(settings, "drift"), Ok)?;
            unless_stopped(&stop, drift::run(settings, &target, &lock, view, stop.clone())).await
        }
        Command::Send(send) => send::run(send, settings, &target, view, stop).await,
        Command::Verify(wanted) => {
            let _alone = lock::verification(settings)?;
            let after = verify::After::Stays;
            let verified = Box::pin(verify::run(&wanted.proof, settings, &target, after, view, stop)).await;
            verified.map(|verified| verified.exit)
        }
        Command::Watch(wanted) => verify::watch(&wanted, settings, &target, view, stop).await,
        Command::Kubeconfig(wanted) => unless_stopped(&stop, kubeconfig::run(&wanted, settings, &target, view)).await,
        Command::Token(wanted) => unless_stopped(&stop, token::run(wanted, settings, &target, typed, view)).await,
        other => unreachable!("{other:?} is handled before"),
    }
}
