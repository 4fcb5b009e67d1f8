//! `sluice up`: plan, ask where it costs money, apply, show the outputs.

mod repository;

use std::cell::Cell;

use ::image::{Architecture, Program};
use provision::plan::Mode;
use provision::{Address, Lock};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::arguments::Up;
use crate::assembly;
use crate::commands::{image, kubeconfig, outputs};
use crate::diagnostic::{self, Diagnostic, Outcome, Severity};
use crate::engine::{Engine, Extent, Others, approved};
use crate::exit::Exit;
use crate::preflight::{self, makes_cluster_on_aws, names_registry};
use crate::settings::Settings;
use crate::target::{self, Target};
use crate::triggers;
use crate::view::{Tone, View, Weight};
use crate::{pace, pins};

/// How an `up` is meant, and how far it came.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// Set when the first change is about to be made.
    pub(crate) begun: Cell<bool>,
    /// What exists already is refused: whoever goes on takes the stack down afterwards.
    pub(crate) from_nothing: bool,
}

pub(crate) async fn run(
    wanted: &Up,
    settings: &Settings,
    target: &Target,
    lock: &Lock,
    view: &View,
    stop: CancellationToken,
    course: &Course,
) -> Outcome {
    let program = program_to_push(wanted, target)?;
    pace::say_of_stack(settings, target, view);
    for text in &target.skipped {
        view.outcome("left_out", json!({ "text": text }), Tone::Dim, format!("Not in this plan: {text}"));
    }
    let found = preflight::look(settings, target, wanted.push, view).await;
    let packed = match &program {
        Some(program) => Some(image::build(program, view, &stop).await?),
        None => None,
    };
    let settings = &pins::pinned(settings, target, packed.as_ref().map(::image::Image::digest), view).await?;
    let mut engine = Engine::open(settings, target, lock, view, &stop, (Mode::Up, Others::new(wanted.remove_foreign)))?;
    let (planned, has_cluster) = match engine.refresh_with_unknown(Mode::Up).await {
        Ok(refreshed) => {
            let is_there = |address: &&Address| refreshed.object(address).is_some();
            if course.from_nothing {
                let there = engine.graph.order().iter().filter(|address| is_of_aws(address)).filter(is_there);
                refuse_existing(there.count(), "exist")?;
            }
            let has_cluster = is_there(&&assembly::cluster_address());
            (engine.plan(Mode::Up, refreshed).await, has_cluster)
        }
        Err(wrong) => (Err(wrong), false),
    };
    let mut plan = found.conclude(planned, has_cluster, view, false)?;
    triggers::show(&settings.triggers, view);
    engine.show(&plan, Extent::Short);
    repository::check(&plan, wanted.push, target.asks || target.existing.is_some())?;
    let question = "Carry this out? Only \"yes\" is taken as yes:";
    if !plan.is_empty() && !approved(view, target, wanted.yes, question, &stop).await? {
        view.line("Nothing was changed.");
        return Ok(Exit::Failed);
    }
    // Asked only now: it takes a pod, and a plan that changes nothing needs none.
    let mut of_pods = settings.clone();
    if let Some(packed) = &packed {
        // What is made for it belongs to the stack.
        course.begun.set(true);
        of_pods.stack.operator.image = repository::image(&mut engine, &mut plan, settings).await?;
        let login = repository::login(&of_pods.stack.operator.image, settings, target).await?;
        image::push(&of_pods.stack.operator.image, packed, (login, false), view, &stop).await?;
    }
    if !plan.is_empty() {
        prepare_pods(&of_pods, target, view, &stop).await?;
    }
    if stop.is_cancelled() {
        return Err(vec![Diagnostic::interrupted("nothing was changed")]);
    }
    // An empty plan is applied as well: what was adopted enters the state.
    course.begun.set(true);
    let applied = engine.apply(&plan).await;
    if target.existing.is_none() {
        let written = kubeconfig::write(settings, target, &settings.kubeconfig()).await;
        // After a failure the kubeconfig is for looking into what there is, if there is a cluster.
        if applied.is_ok() {
            written?;
        }
    }
    applied?;
    // After a demo they lead nowhere.
    let weight = if course.from_nothing { Weight::Minor } else { Weight::Last };
    view.say(weight, Tone::Strong, "\nOutputs:");
    outputs::show(&outputs::of(&settings.stack, &target.account_id, &engine.store.state), weight, view);
    Ok(Exit::Done)
}

/// Every stack has resources on AWS; in a cluster of the user's there may be objects that others share.
fn is_of_aws(address: &Address) -> bool {
    address.kind().starts_with("aws_")
}

/// Refuses to begin a demo where the stack is up: nobody who asks for one expects that what was there before is gone after it.
pub(crate) fn refuse_existing(count: usize, verb: &str) -> Outcome<()> {
    if count == 0 {
        return Ok(());
    }
    let text = format!("this stack is up already ({count} of its resources {verb}), and a demo would take it down");
    let help =
        "prove it with `sluice verify`; or take it down first with `sluice down`; or name another stack with --stack";
    Err(diagnostic::preflight(Diagnostic::error(text).help(help)))
}

/// Whether the cluster of the user's can get the image and reach AWS. A kind cluster's nodes are given this program first.
async fn prepare_pods(settings: &Settings, target: &Target, view: &View, stop: &CancellationToken) -> Outcome<()> {
    let Some(existing) = &target.existing else { return Ok(()) };
    let image = &settings.stack.operator.image;
    view.print(Tone::Dim, format!("Preflight in context {}: the image, the way to AWS", existing.context));
    let loaded = match existing.context.strip_prefix("kind-") {
        // Even if they have one: pods would run what an older program has left there under this name.
        Some(kind) if !names_registry(image) => image::load_into_kind(image, kind, view, stop).await,
        _ => Ok(()),
    };
    if stop.is_cancelled() {
        return loaded;
    }
    let not_loaded = loaded.err().unwrap_or_default();
    let Some(why) = target::check_pods(settings, target, view).await? else {
        for wrong in not_loaded {
            view.diagnostic(&Diagnostic { severity: Severity::Warning, ..wrong });
        }
        return Ok(());
    };
    let help = if names_registry(image) {
        format!("send it there with --push, or with `sluice image push {image}`")
    } else {
        format!(
            "bring it there: `sluice image save sluice.tar --name {image}`, then your cluster's own way, such as `k3d image \
             import sluice.tar`; or name one of a registry with --image, and send it there with --push"
        )
    };
    let missing = not_loaded.into_iter().fold(Diagnostic::error(why), |missing, wrong| missing.because(wrong.summary));
    Err(diagnostic::preflight(missing.help(help)))
}

/// The program that is sent, if one is. Fargate runs linux/amd64 for EKS and nothing else; a pod of another program would end
/// with "exec format error" after a quarter of an hour.
fn program_to_push(wanted: &Up, target: &Target) -> Outcome<Option<Program>> {
    if !wanted.push {
        return Ok(None);
    }
    let program = image::program_of(wanted.program.as_deref())
        .map_err(|wrong| wrong.into_iter().map(|diagnostic| diagnostic.exit(Exit::Preflight)).collect::<Vec<_>>())?;
    if makes_cluster_on_aws(target) {
        runs_on_fargate(program.architecture())?;
    }
    Ok(Some(program))
}

fn runs_on_fargate(built_for: Architecture) -> Outcome<()> {
    if built_for != Architecture::Amd64 {
        let text =
            format!("the program to push is for linux/{}, and Fargate runs linux/amd64 for EKS", built_for.name());
        let help = "name the file of a linux/amd64 build of sluice with --program, or leave --push out and name an image that \
                    is for linux/amd64 with --image";
        return Err(diagnostic::preflight(Diagnostic::error(text).help(help)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fargate_cannot_run_is_refused_before_anything_is_made() {
        runs_on_fargate(Architecture::Amd64).unwrap();
        let wrong = &runs_on_fargate(Architecture::Arm64).unwrap_err()[0];
        assert!(wrong.exit == Exit::Preflight && wrong.summary.contains("linux/arm64"), "{wrong:?}");
        assert!(wrong.help.as_deref().unwrap().contains("--program"), "{wrong:?}");
    }
}
