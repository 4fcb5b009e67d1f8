//! What is kept of a failure: one archive that a person can open or send to somebody, made before anything is taken down.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws::cloud::Cloud;
use clock::Clock;
use cluster::collection::{self, Page};
use cluster::redact_text;

use serde_json::json;

use crate::arguments::TargetName;
use crate::diagnostic::{Diagnostic, Outcome};
use crate::engine;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::target::{self, Target};
use crate::view::{Tone, View};
use crate::whole_file;

/// Real time for reading the cluster: a person waits, and what costs money is still up.
const READING_LIMIT: Duration = Duration::from_mins(1);
/// Bytes of a log file of this machine, from its end.
const LOG_BYTES_MAX: usize = 4 << 20;
/// What stands for the account's number, where it is a person's own.
const ACCOUNT: &str = "ACCOUNT";

/// A command that may fail, from its beginning.
pub(crate) struct Watched {
    command: &'static str,
    /// When it began, as the names of evidence files begin.
    began: String,
}

impl Watched {
    pub(crate) fn begin(command: &'static str, target: &Target) -> Self {
        Self { command, began: target.clock.now().strftime("%Y%m%dT%H%M%S%3fZ").to_string() }
    }

    /// The archive of an outcome that is a failure; none of another. A refusal before the first step and an interruption are none.
    pub(crate) async fn kept<T>(
        &self,
        outcome: &Outcome<T>,
        exit: impl Fn(&T) -> Exit,
        settings: &Settings,
        target: &Target,
        view: &View,
    ) -> Option<PathBuf> {
        let (exit, why) = match outcome {
            Ok(done) => (exit(done), vec!["a check of the verification did not pass".to_owned()]),
            Err(wrong) => {
                (wrong.first().map_or(Exit::Failed, |first| first.exit), wrong.iter().flat_map(words).collect())
            }
        };
        if !matches!(exit, Exit::Failed | Exit::VerificationFailed) {
            return None;
        }
        let said = Page { path: "output.txt".to_owned(), text: redact_text(&view.transcript()) };
        let mut pages = vec![self.first_page(&why, settings, target), said];
        pages.extend(files(settings, &self.began));
        pages.extend(of_cluster(settings, target).await);
        if settings.target == TargetName::Aws {
            for page in &mut pages {
                page.text = page.text.replace(&target.account_id, ACCOUNT);
            }
        }
        let name = target.clock.now().strftime("%Y%m%dT%H%M%S%3fZ").to_string();
        let path = settings.failures().join(format!("{name}.tar.gz"));
        let pages_of = pages.iter().map(|page| (page.path.as_str(), page.text.as_str()));
        match whole_file::archive(&path, 0o600, &format!("sluice-failure-{name}"), pages_of) {
            Ok(()) => {
                let text = format!(
                    "Failure  {} (plan and output, logs, objects, Events, evidence, state; credentials are taken out)",
                    path.display()
                );
                view.outcome("failure_bundle", json!({ "path": path, "files": pages.len() }), Tone::Dim, text);
                Some(path)
            }
            Err(error) => {
                let text = format!("what is known of the failure could not be kept in {}: {error}", path.display());
                view.diagnostic(&Diagnostic::warning(text).help("free some space, and look with `sluice status`"));
                None
            }
        }
    }

    fn first_page(&self, why: &[String], settings: &Settings, target: &Target) -> Page {
        let mut lines = vec![
            format!("sluice {} of {} failed.", self.command, settings.stack.name),
            String::new(),
            format!("program     {} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
            format!("machine     {} {}", std::env::consts::OS, std::env::consts::ARCH),
            format!(
                "target      {:?}, region {}, time scale {}",
                settings.target,
                settings.stack.region,
                target.clock.scale()
            ),
            format!("kubernetes  {}", settings.stack.cluster.version),
            format!("began       {}", self.began),
            String::new(),
        ];
        lines.extend(why.iter().cloned());
        if settings.target == TargetName::Aws {
            lines.push(format!("\nThe account's number is {ACCOUNT} here, so the seals of the evidence do not hold; the original is in the stack's folder."));
        }
        Page { path: "README.txt".to_owned(), text: redact_text(&lines.join("\n")) }
    }
}

fn words(wrong: &Diagnostic) -> Vec<String> {
    let help = wrong.help.iter().map(|help| format!("  → {help}"));
    std::iter::once(wrong.summary.clone())
        .chain(wrong.detail.iter().map(|line| format!("  {line}")))
        .chain(help)
        .collect()
}

/// The stack's own files: what was declared, what is recorded as made, what the cloud of this machine said, what was seen.
fn files(settings: &Settings, began: &str) -> Vec<Page> {
    let mut pages = Vec::new();
    let keys = serde_json::to_string_pretty(&settings.keys).unwrap_or_default();
    pages.push(Page { path: "stack.json".to_owned(), text: redact_text(&keys) });
    let mut add = |path: String, file: &Path| {
        if let Ok(bytes) = std::fs::read(file) {
            let end = bytes.len().saturating_sub(LOG_BYTES_MAX);
            pages.push(Page { path, text: redact_text(&String::from_utf8_lossy(&bytes[end..])) });
        }
    };
    add("state.json".to_owned(), &settings.state());
    if let Some(log) = target::local_log(settings) {
        add("local.log".to_owned(), &log);
    }
    let recorded = std::fs::read_dir(settings.evidence()).into_iter().flatten().flatten();
    for file in recorded.map(|entry| entry.path()) {
        // What evidence holds was redacted when it was seen, and its seals hold for these very bytes.
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.as_str() >= began
            && let Ok(text) = std::fs::read_to_string(&file)
        {
            pages.push(Page { path: format!("evidence/{name}"), text });
        }
    }
    pages
}

async fn of_cluster(settings: &Settings, target: &Target) -> Vec<Page> {
    let stack = &settings.stack;
    let tags = std::collections::BTreeMap::new();
    let cloud = Arc::new(Cloud::new(&target.session, &stack.name, "failure", "", &tags));
    let cluster = engine::connection(settings, target, &cloud);
    let mut namespaces = vec![stack.operator.namespace.clone()];
    namespaces.extend(stack.workloads.iter().map(|workload| workload.namespace.clone()));
    namespaces.sort();
    namespaces.dedup();
    let mut pages = Vec::new();
    let reading = collection::collect(&cluster, &namespaces, &mut pages);
    if Clock::real().timeout(READING_LIMIT, Box::pin(reading)).await.is_err() {
        let text = format!("The cluster did not give everything within {} s.\n", READING_LIMIT.as_secs());
        pages.push(Page { path: "not-read.txt".to_owned(), text });
    }
    for page in &mut pages {
        page.path = format!("kubernetes/{}", page.path);
    }
    pages
}
