//! `sluice demo`: up, verify, down in one go; whatever happens in between, it takes down what it put up. The verdict is the last
//! that it says.

mod limit;
mod verdict;

use std::panic::AssertUnwindSafe;

use clock::Clock;
use futures::FutureExt as _;
use provision::Lock;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use self::limit::Limit;
use crate::arguments::{Demo, Programs, Up};
use crate::commands::down::{self, Consent};
use crate::commands::outputs;
use crate::commands::show;
use crate::commands::up::{self, Course};
use crate::commands::verify::{self, Verified};
use crate::diagnostic::{Diagnostic, Outcome};
use crate::exit::Exit;
use crate::failure::Watched;
use crate::images;
use crate::lock;
use crate::memory::PeakMemory;
use crate::part::{Opening, Part};
use crate::settings::Settings;
use crate::target::{self, Missing, Target};
use crate::view::{Tone, View, Weight};

/// Lines that each part shows, so that a demo in a pipe has at most 80 with its headings and its end.
const UP: Opening<'_> = Opening { name: "up", heading: "1/3  Up", room: 12 };
const VERIFY: Opening<'_> = Opening { name: "verify", heading: "\n2/3  Verify", room: 36 };
const DOWN: Opening<'_> = Opening { name: "down", heading: "\n3/3  Down", room: 10 };

pub(crate) async fn run(wanted: Demo, settings: &Settings, view: &View, stop: CancellationToken) -> Outcome {
    verify::check(&wanted.proof, settings)?;
    let images = images::resolve(settings, &wanted.images.run, true, view)?;
    // Held through all three parts: nobody takes the stack down under the verification.
    let lock = lock::exclusive(settings, "demo")?;
    // Before anything is started; what no state records is found when it is looked for.
    up::refuse_existing(outputs::recorded_resources(settings)?, "are recorded")?;
    let target = target::open(settings, Missing::Start, view).await?;
    view.log_into(&settings.log("demo", target.clock.now()));
    let _screen = show::screen("demo", settings, &target, view);
    view.say_log(Weight::Usual);
    let memory = target::local_process(settings)?.map(PeakMemory::start);
    let course = Course { from_nothing: true, ..Course::default() };
    let watched = Watched::begin("demo", &target);
    let limit = Limit::begin(wanted.max_hours, &Clock::real(), &stop, view);
    let work = async {
        images.store(settings, target.started)?;
        prove(&wanted, settings, &target, &lock, view, limit.stop.clone(), &course).await
    };
    let proved = limit.applied_to(Box::pin(guarded(work)).await);
    if !course.begun.get() {
        // Nothing was changed, so nothing is taken down: what is up, if anything is, was there before.
        if target.started {
            target::close(settings, view).await?;
        }
        return proved.map(|proof| proof.exit());
    }
    if let Err(wrong) = &proved {
        // Printed now: taking down may take long, or fail for a reason of its own.
        for diagnostic in wrong {
            view.diagnostic(&as_it_goes(diagnostic.clone()));
        }
    }
    let failure = watched.kept(&proved, Proof::exit, settings, &target, view).await;
    let part = Part::begin(&DOWN, settings, &target, view);
    // A cloud that ran before the demo goes on.
    let consent = Consent { yes: true, remove_foreign: false, closes: target.started };
    // Ctrl-C ended the proof, not the duty to clean up; the next one ends at once.
    let down = down::run(consent, settings, &target, &lock, view, CancellationToken::new());
    let removed = Box::pin(guarded(down)).await;
    if matches!(removed, Ok(Exit::Done)) {
        part.done();
    }
    if let Err(wrong) = &removed {
        for diagnostic in wrong {
            view.diagnostic(diagnostic);
        }
    }
    if let Some(memory) = memory
        && let Some(megabytes) = memory.peak_megabytes().await
    {
        let text = format!("Peak memory of all processes together: {megabytes} MB");
        view.event("memory", json!({ "peak_megabytes": megabytes }));
        view.say(Weight::Minor, Tone::Dim, text);
    }
    Ok(verdict::print(&proved, &removed, failure.as_deref(), view))
}

/// What came of the first two parts.
#[derive(Debug)]
enum Proof {
    /// The stack did not come up, without an error: a person said no.
    Declined(Exit),
    /// The scenarios ran and were evaluated.
    Evaluated(Verified),
}

impl Proof {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Declined(exit) => *exit,
            Self::Evaluated(verified) => verified.exit,
        }
    }
}

/// Up and verify.
async fn prove(
    wanted: &Demo,
    settings: &Settings,
    target: &Target,
    lock: &Lock,
    view: &View,
    stop: CancellationToken,
    course: &Course,
) -> Outcome<Proof> {
    let part = Part::begin(&UP, settings, target, view);
    let up = Up {
        yes: wanted.yes,
        push: wanted.push,
        program: wanted.program.clone(),
        remove_foreign: false,
        record: None,
        images: Programs::default(),
    };
    let raised = up::run(&up, settings, target, lock, view, stop.clone(), course).await?;
    if raised != Exit::Done {
        return Ok(Proof::Declined(raised));
    }
    part.done();
    let part = Part::begin(&VERIFY, settings, target, view);
    let verified = verify::run(&wanted.proof, settings, target, verify::After::Goes, view, stop);
    let verified = Box::pin(verified).await?;
    if verified.exit == Exit::Done {
        part.done();
    }
    Ok(Proof::Evaluated(verified))
}

/// What is to be looked into is gone in a moment, so `up` has to create it first.
fn as_it_goes(mut wrong: Diagnostic) -> Diagnostic {
    if let Some(look) = wrong.help.take_if(|help| help.contains("kubectl")) {
        wrong.help = Some(format!("bring it up to stay with `sluice up`, then {look}"));
    }
    wrong
}

/// A panic is a bug, and no reason to leave a stack up.
async fn guarded<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| Err(vec![Diagnostic::bug(&*panic)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_the_middle_is_an_outcome_like_another() {
        let wrong = guarded::<Exit>(async { panic!("index out of bounds") }).await.unwrap_err();
        assert!(wrong[0].summary.contains("index out of bounds") && wrong[0].exit == Exit::Failed, "{wrong:?}");
    }
}
