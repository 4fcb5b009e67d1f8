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
    let refreshed = engine.refresh().await;
    if !refreshed.failures.is_empty() {
        // What could not be read cannot be said to be unchanged.
        let to_diagnostic = |(address, failure)| Diagnostic::error(format!("{address}: {failure}"));
        return Err(refreshed.failures.into_iter().map(to_diagnostic).collect());
    }
    let drift = plan::drift(&engine.graph, &engine.store.state, &refreshed);
    view.event("drift", json!({ "drift": drift }));
    if drift.is_empty() {
        view.print(Tone::Good, "No drift: what exists is what was recorded.");
        return Ok(Exit::Done);
    }
    show_lines(view, &render_drift(&drift));
    Ok(Exit::ChangesPending)
}
