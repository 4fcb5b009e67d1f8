//! `sluice preflight`: what `up` would find before its question, and nothing else.

use provision::Lock;
use provision::plan::Mode;
use tokio_util::sync::CancellationToken;

use crate::arguments::Preflight;
use crate::assembly;
use crate::diagnostic::Outcome;
use crate::engine::{Engine, Others};
use crate::exit::Exit;
use crate::preflight;
use crate::settings::Settings;
use crate::target::Target;
use crate::view::View;

pub(crate) async fn run(
    wanted: &Preflight,
    settings: &Settings,
    target: &Target,
    lock: &Lock,
    view: &View,
    stop: CancellationToken,
) -> Outcome {
    let mut engine = Engine::open(settings, target, lock, view, &stop, (Mode::Up, Others::Kept))?;
    let found = preflight::look(settings, target, wanted.push, view).await;
    let refreshed = engine.refresh_with_unknown(Mode::Up).await;
    let has_cluster =
        refreshed.as_ref().is_ok_and(|refreshed| refreshed.object(&assembly::cluster_address()).is_some());
    let planned = match refreshed {
        Ok(refreshed) => engine.plan(Mode::Up, refreshed).await,
        Err(wrong) => Err(wrong),
    };
    found.conclude(planned, has_cluster, view, true)?;
    Ok(Exit::Done)
}
