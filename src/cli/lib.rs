//! The command line: the only crate that knows clap, prints, or decides exit codes.
//!
//! Entry point: [`main`]. The way of a command: `arguments` (what was typed) → `settings` (what it means) → one file in
//! `commands` → an [`exit::Exit`] or diagnostics.
//!
//! Invariants: all output goes through `view`; a command never looks at clap's types beyond its own arguments; only
//! `target` knows that there is more than one target.

// What a new command, state or kind becomes is said where it is matched on.
#![warn(clippy::unreachable, clippy::wildcard_enum_match_arm)]

pub mod arguments;
mod assembly;
mod commands;
mod diagnostic;
mod durations;
mod engine;
mod env;
pub mod exit;
mod failure;
mod images;
mod lock;
mod logging;
mod memory;
mod options;
mod pace;
mod part;
mod permissions;
mod pins;
mod preflight;
mod progress;
mod screen;
mod settings;
mod shell;
mod sightings;
mod signals;
mod spelled;
mod stack_location;
mod target;
mod tone;
mod transcript;
mod triggers;
mod view;
mod waiting;
mod whole_file;
mod workloads;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use clap::FromArgMatches as _;
use tokio_util::sync::CancellationToken;

use crate::arguments::command::{Life, Need};
use crate::arguments::{Arguments, Global};
use crate::diagnostic::{Diagnostic, Outcome};
use crate::exit::Exit;
use crate::options::Typed;
use crate::view::View;

/// Parses, runs, and says how it ended.
pub fn main() -> ExitCode {
    let parsed = options::command().try_get_matches().and_then(|matches| {
        let typed = Typed::of(&matches);
        Ok((typed, Arguments::from_arg_matches(&matches)?))
    });
    let (typed, Arguments { global, command }) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return misspelt(&error),
    };
    let view = View::new(global.output, env::no_color()).plain(global.plain || env::is_dumb_terminal());
    let need = command.need();
    if let Err(wrong) = options::check(&need, &global, &typed) {
        return finish(&view, Err(wrong));
    }
    // Two providers may be compiled in one day; then rustls would refuse to choose. An earlier choice is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let life = need.life();
    match need {
        // It must have no threads yet, and says nothing itself.
        Need::NoThreads(process) => ExitCode::from(commands::local::contained(&process)),
        Need::NoStack(command) => {
            let run = async |stop| commands::run_without_stack(command, &view, stop).await;
            with_threads(life, &global, &view, run)
        }
        Need::Stack(command) => {
            let run = async |stop| commands::run_on_stack(command, &global, &typed, &view, stop).await;
            with_threads(life, &global, &view, run)
        }
    }
}

/// Runs a command with logs, signals and a runtime.
fn with_threads(
    life: Life,
    global: &Global,
    view: &View,
    run: impl AsyncFnOnce(CancellationToken) -> Outcome,
) -> ExitCode {
    match logging::requested(env::log()) {
        Ok(requested) => logging::start(life, global.verbose, requested, view),
        Err(wrong) => return finish(view, Err(diagnostic::one(wrong))),
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return finish(view, Err(diagnostic::one(error))),
    };
    let person = (life == Life::Errand).then(|| view.clone());
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let stop = signals::stop(person);
            run(stop).await
        })
    }));
    let outcome = outcome.unwrap_or_else(|panic| Err(diagnostic::one(Diagnostic::bug(&*panic))));
    // Blocking reads (a terminal) must not keep the process.
    runtime.shutdown_background();
    finish(view, outcome)
}

/// What clap does not understand, in the form that was asked for, as far as that is known; help and version are text.
fn misspelt(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && options::asks_for_json(std::env::args_os().skip(1), env::output().as_deref()) {
        let mut words = error.to_string();
        words.truncate(words.trim_end().len());
        let mut lines = words.lines().map(str::trim).filter(|line| !line.is_empty());
        let summary = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let mut diagnostic = Diagnostic::error(summary).exit(Exit::Usage);
        diagnostic.detail.extend(lines.map(str::to_owned));
        return finish(&View::new(arguments::Output::Json, true), Err(vec![diagnostic]));
    }
    // Nobody reads it: no reason for a panic.
    let _ = error.print();
    u8::try_from(error.exit_code()).map_or(ExitCode::from(Exit::Usage), ExitCode::from)
}

fn finish(view: &View, outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(exit) => exit.into(),
        Err(diagnostics) => {
            for diagnostic in &diagnostics {
                view.diagnostic(diagnostic);
            }
            diagnostics.first().map_or(Exit::Failed, |first| first.exit).into()
        }
    }
}
