//! `sluice demo`: up, verify, down in one go; whatever happens in between, it takes down what it put up.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use provision::Lock;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::arguments::{Demo, Down, Global, Programs, Up};
use crate::commands::{down, up, verify};
use crate::diagnostic::{Diagnostic, Outcome};
use crate::exit::Exit;
use crate::images;
use crate::lock;
use crate::memory::Meter;
use crate::settings::Settings;
use crate::target::{self, Missing, Target};
use crate::view::{Tone, View};

pub(crate) async fn run(
    wanted: Demo,
    settings: &Settings,
    global: &Global,
    view: &View,
    stop: CancellationToken,
) -> Outcome {
    verify::check(&wanted.proof, settings)?;
    let images = images::resolve(settings, &wanted.images.run, true, view)?;
    // Held through all three parts: nobody takes the stack down under the verification.
    let lock = lock::exclusive(settings, "demo")?;
    let target = target::open(settings, global, Missing::Start, view).await?;
    let meter = target::local_process(settings)?.map(Meter::start);
    let begun = Cell::new(false);
    let work = async {
        images.store(settings, target.started)?;
        prove(&wanted, settings, &target, &lock, view, stop, &begun).await
    };
    let judged = Box::pin(guarded(work)).await;
    if !begun.get() {
        // Nothing was changed, so nothing is taken down: what is up, if anything is, was there before.
        if target.started {
            target::close(settings, view).await?;
        }
        return judged;
    }
    if let Err(wrong) = &judged {
        // Told now: taking down may take long, or fail for a reason of its own.
        for diagnostic in wrong {
            view.diagnostic(&as_it_goes(diagnostic.clone()));
        }
    }
    view.tell(Tone::Strong, "\n3/3  Down");
    // Ctrl-C ended the proof, not the duty to clean up; the next one ends at once.
    let removed =
        down::run(&Down { yes: true, remove_foreign: false }, settings, &target, &lock, view, CancellationToken::new())
            .await?;
    if let Some(meter) = meter
        && let Some(megabytes) = meter.peak_megabytes().await
    {
        let text = format!("Peak memory of all processes together: {megabytes} MB");
        view.fact("memory", json!({ "peak_megabytes": megabytes }), Tone::Dim, text);
    }
    let judged = judged.unwrap_or_else(|wrong| wrong.first().map_or(Exit::Failed, |first| first.exit));
    Ok(match (judged, removed) {
        (Exit::Done | Exit::Interrupted, removed) if removed != Exit::Done => removed,
        (judged, _) => judged,
    })
}

/// Up and verify. `begun` is set when the first change is about to be made.
async fn prove(
    wanted: &Demo,
    settings: &Settings,
    target: &Target,
    lock: &Lock,
    view: &View,
    stop: CancellationToken,
    begun: &Cell<bool>,
) -> Outcome {
    view.tell(Tone::Strong, "1/3  Up");
    let up = Up { yes: wanted.yes, push: wanted.push, remove_foreign: false, images: Programs::default() };
    let raised = up::run(&up, settings, target, lock, view, stop.clone(), begun).await?;
    if raised != Exit::Done {
        return Ok(raised);
    }
    view.tell(Tone::Strong, "\n2/3  Verify");
    Box::pin(verify::run(&wanted.proof, settings, target, verify::After::Goes, view, stop)).await
}

/// What is to be looked into is gone in a moment, so it has to be brought up to stay first.
fn as_it_goes(mut wrong: Diagnostic) -> Diagnostic {
    if let Some(look) = wrong.help.take_if(|help| help.contains("kubectl")) {
        wrong.help = Some(format!("bring it up to stay with `sluice up`, then {look}"));
    }
    wrong
}

/// A panic is a bug, and no reason to leave a stack up.
async fn guarded(work: impl Future<Output = Outcome>) -> Outcome {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| Err(vec![Diagnostic::bug(&*panic)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_the_middle_is_an_outcome_like_another() {
        let wrong = guarded(async { panic!("index out of bounds") }).await.unwrap_err();
        assert!(wrong[0].summary.contains("index out of bounds") && wrong[0].exit == Exit::Failed, "{wrong:?}");
    }
}
