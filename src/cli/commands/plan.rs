//! `sluice plan`: what `up` (or `down`) would do.

use provision::Lock;
use provision::plan::Mode;
use tokio_util::sync::CancellationToken;

use crate::arguments::Plan;
use crate::diagnostic::Outcome;
use crate::engine::{Engine, Extent, Others};
use crate::exit::Exit;
use crate::pins;
use crate::settings::Settings;
use crate::target::Target;
use crate::triggers;
use crate::view::View;

pub(crate) async fn run(
    plan: &Plan,
    settings: &Settings,
    target: &Target,
    lock: &Lock,
    view: &View,
    stop: CancellationToken,
) -> Outcome {
    let mode = if plan.destroy { Mode::Down } else { Mode::Up };
    let others = Others::new(plan.remove_foreign);
    let pinned = if plan.destroy { settings.clone() } else { pins::pinned(settings, target, None, view).await? };
    let mut engine = Engine::open(&pinned, target, lock, view, &stop, (mode, others))?;
    let refreshed = engine.refresh_with_unknown(mode).await?;
    let changes = engine.plan(mode, refreshed).await?;
    if !plan.destroy {
        triggers::show(&settings.triggers, view);
    }
    engine.show(&changes, if plan.full { Extent::Full } else { Extent::Short });
    Ok(if plan.detailed_exitcode && !changes.is_empty() { Exit::ChangesPending } else { Exit::Done })
}
