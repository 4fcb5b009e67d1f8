//! `sluice down`: destroy everything, then prove by an audit that nothing is left.

use provision::Lock;
use provision::plan::Mode;
use tokio_util::sync::CancellationToken;

use crate::commands::audit;
use crate::diagnostic::{Diagnostic, Outcome};
use crate::engine::{Engine, Extent, Others, approved};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::target::{self, Target};
use crate::view::View;

/// How far a destruction goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Consent {
    /// Nobody is asked.
    pub(crate) yes: bool,
    /// What others made goes with what holds it.
    pub(crate) remove_foreign: bool,
    /// The target's cloud ends with its stack.
    pub(crate) closes: bool,
}

pub(crate) async fn run(
    Consent { yes, remove_foreign, closes }: Consent,
    settings: &Settings,
    target: &Target,
    lock: &Lock,
    view: &View,
    stop: CancellationToken,
) -> Outcome {
    let mut engine = Engine::open(settings, target, lock, view, &stop, (Mode::Down, Others::new(remove_foreign)))?;
    let refreshed = engine.refresh_with_unknown(Mode::Down).await?;
    let plan = engine.plan(Mode::Down, refreshed).await?;
    engine.show(&plan, Extent::Short);
    let question = "Destroy all of this? Only \"yes\" is taken as yes:";
    if !plan.is_empty() && !approved(view, target, yes, question, &stop).await? {
        view.line("Nothing was changed.");
        return Ok(Exit::Failed);
    }
    engine.apply(&plan).await?;
    let left: Vec<Diagnostic> = plan
        .unread()
        .map(|(address, why)| {
            let help = "allow the read in a policy of this identity, then run `sluice down` again";
            Diagnostic::error(format!("{address} was left: {why}")).help(help)
        })
        .collect();
    if !left.is_empty() {
        return Err(left);
    }
    let found = audit::find(settings, target, &engine.cloud, view).await?;
    audit::show(&found, view);
    if found.exit() != Exit::Done {
        return Ok(found.exit());
    }
    engine.store.close().map_err(crate::diagnostic::one)?;
    // A demo over a cloud that was started by itself leaves it running, with what others made in it.
    if closes {
        target::close(settings, view).await?;
    }
    clear(settings)?;
    Ok(Exit::Done)
}

/// Removes what only made sense while something was up; evidence and reports stay.
fn clear(settings: &Settings) -> Outcome<()> {
    for path in [settings.kubeconfig(), settings.state()] {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(crate::diagnostic::one(error)),
            _ => {}
        }
    }
    Ok(())
}
