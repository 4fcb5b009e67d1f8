//! `sluice demo`: up, verify, down in one go; whatever happens in between, it takes down what it put up.

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::arguments::{Global, Up, Verify};
use crate::commands::{down, up, verify};
use crate::diagnostic::Outcome;
use crate::exit::Exit;
use crate::memory::Meter;
use crate::settings::Settings;
use crate::target::{self, Missing};
use crate::view::{Tone, View};

pub(crate) async fn run(
    wanted: Verify,
    settings: &Settings,
    global: &Global,
    view: &View,
    stop: CancellationToken,
) -> Outcome {
    let target = target::open(settings, global, Missing::Start).await?;
    let meter = target::local_process(settings)?.map(Meter::start);
    view.tell(Tone::Strong, "1/3  Up");
    let up = Up { yes: wanted.yes, push: wanted.push };
    let raised = up::run(&up, settings, &target, view, stop.clone()).await;
    let judged = match raised {
        Ok(Exit::Done) => {
            view.tell(Tone::Strong, "\n2/3  Verify");
            Box::pin(verify::run(&wanted, settings, &target, view, stop)).await
        }
        // Nothing was changed, so there is nothing to take down.
        Ok(other) => return Ok(other),
        Err(wrong) => Err(wrong),
    };
    if let Err(wrong) = &judged {
        // Told now: taking down may take long, or fail for a reason of its own.
        for diagnostic in wrong {
            view.diagnostic(diagnostic);
        }
    }
    view.tell(Tone::Strong, "\n3/3  Down");
    // Ctrl-C ended the proof, not the duty to clean up; the next one kills.
    let removed = down::run(true, settings, &target, view, CancellationToken::new()).await?;
    if let Some(meter) = meter
        && let Some(megabytes) = meter.peak_megabytes().await
    {
        let text = format!("Peak memory of all processes together: {megabytes} MB");
        view.fact("memory", json!({ "peak_megabytes": megabytes }), Tone::Dim, text);
    }
    match (judged, removed) {
        (Ok(Exit::Done), removed) => Ok(removed),
        (Ok(judged), _) => Ok(judged),
        (Err(wrong), _) => Ok(wrong.first().map_or(Exit::Failed, |first| first.exit)),
    }
}
