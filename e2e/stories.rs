//! Stories × targets from one description: each story is told on every target whose pieces are there, and each ends with
//! every message accounted for and the workload at zero.
//!
//! The real targets use up a whole cluster: one context, in which nobody else has a stack.

mod account;
mod aggregation;
mod certificates;
pub(crate) mod clients;
mod env;
mod outages;
mod refusals;
mod scaling;
pub(crate) mod stage;
mod suite;

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use stage::Stage;

use crate::place::{ended, moment};
use suite::Suite;

/// A story, and why it cannot be told somewhere.
struct Story {
    name: &'static str,
    tell: fn(&Stage),
    cannot: fn(&Stage) -> Option<String>,
}

const STORIES: [Story; 12] = [
    Story { name: "seed", tell: scaling::seed, cannot: |_| None },
    // Before anything is broken: since the stack came up nothing may be wrong.
    Story { name: "namespace-goes", tell: aggregation::namespace_goes, cannot: |_| None },
    Story { name: "workers-die", tell: scaling::workers_die, cannot: |_| None },
    Story { name: "operator-dies", tell: scaling::operator_dies, cannot: |_| None },
    Story { name: "api-server-away", tell: outages::api_server, cannot: |stage| stage.api_server().err() },
    Story { name: "no-room-on-node", tell: outages::node, cannot: no_limited_node },
    Story { name: "certificates-rotated", tell: certificates::rotated, cannot: |_| None },
    Story { name: "queue-lost", tell: outages::queue, cannot: |_| None },
    Story { name: "credentials-refused", tell: refusals::credentials, cannot: no_identity },
    Story { name: "trust-refused", tell: refusals::trust, cannot: no_identity },
    Story { name: "policy-refused", tell: refusals::policy, cannot: no_identity },
    Story { name: "rbac-refused", tell: refusals::rbac, cannot: |_| None },
];

fn no_limited_node(stage: &Stage) -> Option<String> {
    let why = "each pod of the local target has a node of its own size, as on Fargate";
    (!stage.suite.is_real_kubernetes()).then(|| why.to_owned())
}

fn no_identity(stage: &Stage) -> Option<String> {
    (!stage.suite.enforces_identity()).then(|| "LocalStack enforces no policy".to_owned())
}

#[test]
fn stories_on_the_local_target() {
    tell_all(Suite::Local);
}

#[test]
fn stories_on_a_real_kubernetes_with_the_local_aws() {
    tell_all(Suite::Kubernetes);
}

#[test]
fn stories_on_a_real_kubernetes_with_localstack() {
    tell_all(Suite::Localstack);
}

/// The real suites use the same cluster.
static CLUSTER: Mutex<()> = Mutex::new(());

fn tell_all(suite: Suite) {
    let missing = suite.missing();
    if !missing.is_empty() {
        let text = format!("suite {}: skipped; set {}", suite.name(), missing.join(", "));
        assert!(!env::is_required(), "{text}");
        say(&text);
        return;
    }
    let _alone = suite.is_real_kubernetes().then(|| CLUSTER.lock().unwrap_or_else(PoisonError::into_inner));
    let stage = Stage::new(suite);
    let mut failed = Vec::new();
    let raised = told(&stage, "up", &mut failed, Stage::raise);
    for story in STORIES.iter().filter(|story| raised && is_wanted(story)) {
        if let Some(why) = (story.cannot)(&stage) {
            say(&format!("suite {}: {:<20} skipped: {why}", suite.name(), story.name));
            if why.starts_with("set ") && env::is_required() {
                failed.push(story.name);
            }
            continue;
        }
        if !told(&stage, story.name, &mut failed, story.tell) {
            // The next story begins where a good one would have ended, or it would fail for this one's reason.
            told(&stage, "up again", &mut failed, |stage| {
                stage.up("");
                stage.comes_to_rest();
            });
        }
    }
    told(&stage, "down", &mut failed, |stage| {
        // Where the stack came up is remembered: nobody names the cluster again.
        let down = ended(stage.place.sluice("down --yes").env_remove("SLUICE_CONTEXT")).with(0);
        assert!(down.stdout.contains("nothing of this stack is left"), "{}", down.stdout);
        stage.place.nothing_is_left();
    });
    assert!(failed.is_empty(), "suite {}: failed: {}", suite.name(), failed.join(", "));
}

/// Characters of a passing story's line; a failing one is told in full.
const NOTES_MAX: usize = 400;

/// Tells one part and writes a line about it; whether it went well.
fn told(stage: &Stage, name: &'static str, failed: &mut Vec<&'static str>, part: impl FnOnce(&Stage)) -> bool {
    let begun = moment();
    let ended = catch_unwind(AssertUnwindSafe(|| part(stage)));
    let seconds = begun.elapsed().as_secs();
    let suite = stage.suite.name();
    match &ended {
        Ok(()) => {
            let notes: String = stage.take_notes().chars().take(NOTES_MAX).collect();
            say(&format!("suite {suite}: {name:<20} passed in {seconds} s: {notes}"));
        }
        Err(why) => {
            let why = why.downcast_ref::<String>().cloned();
            let why = why.unwrap_or_else(|| "no words".to_owned());
            say(&format!("suite {suite}: {name:<20} FAILED after {seconds} s: {}\n{why}", stage.take_notes()));
            let seen = catch_unwind(AssertUnwindSafe(|| stage.describe()));
            say(&seen.unwrap_or_else(|_| "and nothing could be read afterwards".to_owned()));
            failed.push(name);
        }
    }
    ended.is_ok()
}

fn is_wanted(story: &Story) -> bool {
    env::text(env::STORIES).is_none_or(|names| names.split(',').any(|name| name == story.name))
}

/// Past the test harness, which keeps what passing tests print to itself.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
