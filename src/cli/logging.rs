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
use crate::env;

/// The crates whose lines are this program's own.
const OWN: [&str; 22] = [
    "aws",
    "cli",
    "clock",
    "cluster",
    "image",
    "keda",
    "local",
    "local_apiserver",
    "local_aws",
    "local_container",
    "local_controllers",
    "local_eks",
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

/// Starts logging as the command needs it; `SLUICE_LOG` overrides what `-v` asks for.
pub(crate) fn start(life: Life, verbose: u8) {
    let requested = env::log().filter(|text| EnvFilter::try_new(text).is_ok());
    let filter = requested.map_or_else(|| wanted(life, verbose), Wanted::Filter).filter();
    // A log line that cannot be written is lost; the library would say so on the same stderr, and panic.
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
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
