//! `sluice drift`: where reality differs from what the last run recorded.

use provision::plan::{self, Mode};
use provision::{Lock, render_drift};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::diagnostic::{Diagnostic, Outcome};
use crate::engine::{Engine, Others, show_lines};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::target::Target;
use crate::view::{Tone, View};

pub(crate) async fn run(
    settings: &Settings,
    target: &Target,
    lock: &Lock,
    view: &View,
    stop: CancellationToken,
) -> Outcome {
    let engine = Engine::open(settings, target, lock, view, &stop, (Mode::Up, Others::Kept))?;
    let world = engine.refresh().await;
    if !world.failures.is_empty() {
        // What could not be read cannot be said to be unchanged.
        let told = |(address, failure)| Diagnostic::error(format!("{address}: {failure}"));
        return Err(world.failures.into_iter().map(told).collect());
    }
    let drift = plan::drift(&engine.graph, &engine.store.state, &world);
    view.event("drift", json!({ "drift": drift }));
    if drift.is_empty() {
        view.tell(Tone::Good, "No drift: what exists is what was recorded.");
        return Ok(Exit::Done);
    }
    show_lines(view, &render_drift(&drift));
    Ok(Exit::ChangesPending)
}
