//! `sluice up`: plan, ask where it costs money, apply, show the outputs.

use provision::plan::Mode;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::commands::{kubeconfig, outputs};
use crate::diagnostic::{Diagnostic, Outcome, preflight};
use crate::engine::{Engine, approved};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::target::{self, Target};
use crate::view::{Tone, View};

pub(crate) async fn run(
    yes: bool,
    settings: &Settings,
    target: &Target,
    view: &View,
    stop: CancellationToken,
) -> Outcome {
    check_subnets(settings, target)?;
    for text in &target.left_out {
        view.fact("left_out", json!({ "text": text }), Tone::Dim, format!("Not in this plan: {text}"));
    }
    target::check_rights(target).await?;
    let mut engine = Engine::open(settings, target, "up", view, &stop)?;
    let world = engine.refresh().await;
    let plan = engine.plan(Mode::Up, &world)?;
    engine.show(&plan);
    if !plan.is_empty() && !approved(view, target, yes, "Carry this out? Only \"yes\" is taken as yes:")? {
        view.line("Nothing was changed.");
        return Ok(Exit::Failed);
    }
    // Asked only now: it takes a pod, and a plan that changes nothing needs none.
    if !plan.is_empty() {
        if let Some(brought) = &target.brought {
            view.tell(Tone::Dim, format!("Preflight in context {}: the image, the way to AWS", brought.context));
        }
        target::check_pods(settings, target).await?;
    }
    // An empty plan is applied as well: what was adopted enters the state.
    let applied = engine.apply(&plan).await;
    if target.brought.is_none() {
        let written = kubeconfig::write(settings, target, &settings.kubeconfig()).await;
        // After a failure the kubeconfig is for looking into what there is, if there is a cluster.
        if applied.is_ok() {
            written?;
        }
    }
    applied?;
    view.tell(Tone::Strong, "\nOutputs:");
    outputs::show(&outputs::of(&settings.stack, &target.account_id, &engine.store.state), view);
    Ok(Exit::Done)
}

/// What can be known to fail before anything is made.
fn check_subnets(settings: &Settings, target: &Target) -> Outcome<()> {
    if target.asks && target.brought.is_none() && settings.stack.cluster.subnets.len() < 2 {
        return Err(preflight(
            Diagnostic::error("EKS needs at least two private subnets in different zones, the stack names fewer")
                .help("list them under cluster.subnets in stack.yaml"),
        ));
    }
    Ok(())
}
