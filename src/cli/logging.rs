//! Logs go to stderr: short text for a person, JSON inside pods, where programs read them.
//!
//! A person reads this program's own lines. What a library logs, this program reports itself, with the object and the next
//! step; its lines come with `-v` or `SLUICE_LOG` only.

use std::io::IsTerminal as _;

use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::{Filter, Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, filter};

use crate::arguments::command::Life;
use crate::diagnostic::Diagnostic;
use crate::env;
use crate::exit::Exit;
use crate::view::{LogLine, View};

/// The crates whose lines are this program's own.
const OWN: [&str; 25] = [
    "aws",
    "cli",
    "clock",
    "cluster",
    "identity",
    "image",
    "keda",
    "local",
    "local_apiserver",
    "local_aws",
    "local_container",
    "local_controllers",
    "local_eks",
    "local_faults",
    "local_server",
    "localstack",
    "operator",
    "provision",
    "scalers",
    "sluice",
    "stack",
    "verify",
    "worker",
    "workshop",
    "yaml",
];

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    /// As a filter says, such as `info,operator=debug`.
    Filter(String),
    /// Up to a level of this program, and up to another of its libraries.
    Levels { own: LevelFilter, libraries: LevelFilter },
}

fn wanted(life: Life, verbose: u8) -> Wanted {
    let levels = |own, libraries| Wanted::Levels { own, libraries };
    match (life, verbose) {
        (Life::Errand, 0) => levels(LevelFilter::ERROR, LevelFilter::OFF),
        (Life::Service, 0) => levels(LevelFilter::INFO, LevelFilter::OFF),
        // What the watcher library warns of, the operator reports itself, with the object and in fewer words.
        (Life::PodService, 0) => Wanted::Filter("info,kube_runtime::watcher=error".to_owned()),
        (Life::Errand, 1) => levels(LevelFilter::INFO, LevelFilter::WARN),
        (Life::Service | Life::PodService, 1) | (_, 2) => {
            Wanted::Filter("debug,hyper=info,hyper_util=info,rustls=info,tower=info,h2=info".to_owned())
        }
        _ => Wanted::Filter("trace".to_owned()),
    }
}

/// Whether a line is this program's own. A filter of text cannot say so: `aws` there means `aws_config` as well.
fn is_own(target: &str) -> bool {
    target.split("::").next().is_some_and(|root| OWN.contains(&root))
}

impl Wanted {
    fn filter(self) -> Box<dyn Filter<Registry> + Send + Sync> {
        match self {
            Self::Filter(text) => Box::new(EnvFilter::new(text)),
            Self::Levels { own, libraries } => Box::new(filter::filter_fn(move |line: &Metadata<'_>| {
                *line.level() <= if is_own(line.target()) { own } else { libraries }
            })),
        }
    }
}

/// The filter that `SLUICE_LOG` asks for, if it asks for one.
///
/// # Errors
///
/// What is wrong with it: a mistake would otherwise hide the lines that somebody looks for.
pub(crate) fn requested(text: Option<String>) -> Result<Option<String>, Diagnostic> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    let why = match EnvFilter::try_new(&text) {
        Err(error) => error.to_string(),
        // The library takes any word for the name of a part, and then shows nothing.
        Ok(_) => match text.split(',').map(str::trim).find(|part| !is_level(part) && !is_part(part)) {
            None => return Ok(Some(text)),
            Some(part) => format!("{part} is neither a level nor a part of this program"),
        },
    };
    let summary = format!("{}={text} is no log filter: {why}", env::LOG);
    let step = "write a level (off, error, warn, info, debug, trace), or levels of parts such as `info,operator=debug`";
    Err(Diagnostic::error(summary).help(step).exit(Exit::Usage))
}

fn is_level(word: &str) -> bool {
    word.is_empty() || word.parse::<LevelFilter>().is_ok()
}

/// With a level or a span the name may be a library's.
fn is_part(word: &str) -> bool {
    word.contains(['=', '[']) || is_own(word)
}

/// Starts logging as the command needs it; a filter that was asked for overrides what `-v` asks for.
pub(crate) fn start(life: Life, verbose: u8, requested: Option<String>, view: &View) {
    let filter = requested.map_or_else(|| wanted(life, verbose), Wanted::Filter).filter();
    let view = view.clone();
    let writer = move || LogLine(view.clone());
    // A log line that cannot be written is lost; the library would say so on the same stderr, and panic.
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).log_internal_errors(false);
    let lines = if life == Life::PodService {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).with_filter(filter).boxed()
    } else {
        let coloured = !env::no_color() && std::io::stderr().is_terminal();
        lines.with_ansi(coloured).with_target(life == Life::Service).with_filter(filter).boxed()
    };
    // Starting twice (in tests) keeps the first.
    let _ = tracing_subscriber::registry().with(lines).try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_of_this_program_is_its_own() {
        let folders = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).unwrap().flatten();
        let crates = folders.filter(|entry| entry.path().join("Cargo.toml").exists());
        for name in crates.map(|entry| entry.file_name().to_string_lossy().replace('-', "_")) {
            assert!(is_own(&name), "{name}");
        }
    }

    #[test]
    fn a_filter_with_a_mistake_is_refused_and_not_passed_over() {
        let requested = |text: &str| requested(Some(text.to_owned()));
        for text in
            ["info", "OFF", "info,operator=debug", "aws::session", "kube=trace,warn", "info,", "cli[span]=debug"]
        {
            assert_eq!(requested(text).unwrap().as_deref(), Some(text));
        }
        for text in ["inof", "info,operator=bogus", "hyper", "info;debug"] {
            let refused = requested(text).unwrap_err();
            assert_eq!(refused.exit, Exit::Usage, "{text}");
            assert!(
                refused.summary.starts_with(&format!("SLUICE_LOG={text} is no log filter: ")),
                "{}",
                refused.summary
            );
        }
        for none in [None, Some(String::new()), Some(" ".to_owned())] {
            assert_eq!(super::requested(none).unwrap(), None);
        }
    }

    #[test]
    fn no_line_of_a_library_reaches_a_person_who_does_not_want_it() {
        for target in
            ["kube_client::client::builder", "aws_config::profile", "aws_smithy_runtime", "hyper", "localhost"]
        {
            assert!(!is_own(target), "{target}");
        }
        for target in ["aws::session", "cluster::renewal", "local_aws", "cli"] {
            assert!(is_own(target), "{target}");
        }
        for life in [Life::Errand, Life::Service] {
            let Wanted::Levels { libraries, .. } = wanted(life, 0) else { panic!("{life:?}") };
            assert_eq!(libraries, LevelFilter::OFF);
        }
    }
}
