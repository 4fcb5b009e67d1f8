//! `sluice up`: plan, ask where it costs money, apply, show the outputs.

use provision::plan::Mode;
use tokio_util::sync::CancellationToken;

use crate::commands::{kubeconfig, outputs};
use crate::diagnostic::{Diagnostic, Outcome};
use crate::engine::{Engine, approved};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::target::Target;
use crate::view::{Tone, View};

pub(crate) async fn run(
    yes: bool,
    settings: &Settings,
    target: &Target,
    view: &View,
    stop: CancellationToken,
) -> Outcome {
    preflight(settings, target)?;
    let mut engine = Engine::open(settings, target, "up", view, &stop)?;
    let world = engine.refresh().await;
    let plan = engine.plan(Mode::Up, &world)?;
    engine.show(&plan);
    if !plan.is_empty() && !approved(view, target, yes, "Carry this out? Only \"yes\" is taken as yes:")? {
        view.line("Nothing was changed.");
        return Ok(Exit::Failed);
    }
    // An empty plan is applied as well: what was adopted enters the state.
    engine.apply(&plan).await?;
    kubeconfig::write(settings, target, &settings.kubeconfig()).await?;
    view.tell(Tone::Strong, "\nOutputs:");
    outputs::show(&outputs::of(&settings.stack, &target.account_id, &engine.store.state), view);
    Ok(Exit::Done)
}

/// What can be known to fail before anything is made.
fn preflight(settings: &Settings, target: &Target) -> Outcome<()> {
    if target.asks && settings.stack.cluster.subnets.len() < 2 {
        return Err(vec![
            Diagnostic::error("EKS needs at least two private subnets in different zones, the stack names fewer")
                .help("list them under cluster.subnets in stack.yaml")
                .exit(Exit::Preflight),
        ]);
    }
    Ok(())
}
