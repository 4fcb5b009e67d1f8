//! Scenarios × targets from one description: each scenario runs on every target whose pieces are there, and each ends with
//! every message accounted for and the workload at zero.
//!
//! The real targets use up a whole cluster: one context, in which nobody else has a stack.

mod account;
mod aggregation;
mod certificates;
pub(crate) mod clients;
pub(crate) mod env;
mod jobs;
mod masters;
pub(crate) mod objects;
mod outages;
mod refusals;
mod replicas;
mod scaling;
mod silence;
pub(crate) mod stage;
pub(crate) mod suite;

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use stage::Stage;

use crate::workspace::moment;
use suite::Suite;

/// A scenario, and why it cannot run somewhere.
struct Scenario {
    name: &'static str,
    run: fn(&Stage),
    cannot: fn(&Stage) -> Option<String>,
}

const SCENARIOS: [Scenario; 20] = [
    Scenario { name: "tutorial", run: scaling::tutorial, cannot: |_| None },
    // Before anything is broken: since the stack came up nothing may be wrong.
    Scenario { name: "namespace-goes", run: aggregation::namespace_goes, cannot: |_| None },
    Scenario { name: "workers-die", run: scaling::workers_die, cannot: |_| None },
    Scenario { name: "operator-dies", run: scaling::operator_dies, cannot: |_| None },
    Scenario { name: "spec-invalid", run: masters::invalid, cannot: |_| None },
    Scenario { name: "two-objects", run: masters::two_objects, cannot: |_| None },
    Scenario { name: "existing-hpa", run: masters::existing_hpa, cannot: |_| None },
    Scenario { name: "custom-target", run: masters::custom_target, cannot: |_| None },
    Scenario { name: "jobs", run: jobs::each_message_once, cannot: |_| None },
    Scenario { name: "replicas-alike", run: replicas::answer_alike, cannot: |_| None },
    Scenario { name: "leaders-die", run: replicas::only_the_leader_writes, cannot: |stage| stage.audit_log().err() },
    Scenario { name: "connections-silent", run: silence::connections, cannot: |_| None },
    Scenario { name: "api-server-away", run: outages::api_server, cannot: |stage| stage.api_server().err() },
    Scenario { name: "no-room-on-node", run: outages::node, cannot: no_limited_node },
    Scenario { name: "certificates-rotated", run: certificates::rotated, cannot: |_| None },
    Scenario { name: "queue-lost", run: outages::queue, cannot: |_| None },
    Scenario { name: "credentials-refused", run: refusals::credentials, cannot: no_identity },
    Scenario { name: "trust-refused", run: refusals::trust, cannot: no_identity },
    Scenario { name: "policy-refused", run: refusals::policy, cannot: no_identity },
    Scenario { name: "rbac-refused", run: refusals::rbac, cannot: |_| None },
];

fn no_limited_node(stage: &Stage) -> Option<String> {
    let why = "each pod of the local target has a node of its own size, as on Fargate";
    (!stage.suite.is_real_kubernetes()).then(|| why.to_owned())
}

fn no_identity(stage: &Stage) -> Option<String> {
    (!stage.suite.enforces_identity()).then(|| "LocalStack enforces no policy".to_owned())
}

#[test]
fn scenarios_on_the_local_target() {
    run_all(Suite::Local);
}

#[test]
fn scenarios_on_a_real_kubernetes_with_the_local_aws() {
    run_all(Suite::Kubernetes);
}

#[test]
fn scenarios_on_a_real_kubernetes_with_localstack() {
    run_all(Suite::Localstack);
}

/// The real suites use the same cluster.
static CLUSTER: Mutex<()> = Mutex::new(());

fn run_all(suite: Suite) {
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
    let raised = passed(&stage, "up", &mut failed, Stage::raise);
    for scenario in SCENARIOS.iter().filter(|scenario| raised && is_wanted(scenario)) {
        if let Some(why) = (scenario.cannot)(&stage) {
            say(&format!("suite {}: {:<20} skipped: {why}", suite.name(), scenario.name));
            if why.starts_with("set ") && env::is_required() {
                failed.push(scenario.name);
            }
            continue;
        }
        if !passed(&stage, scenario.name, &mut failed, scenario.run) {
            // The next scenario begins where a good one would have ended, or it would fail for this one's reason: what one that
            // broke off has left on the stack's objects goes with them.
            passed(&stage, "up again", &mut failed, |stage| {
                stage.lower();
                stage.raise();
                stage.comes_to_rest();
            });
        }
    }
    passed(&stage, "down", &mut failed, |stage| {
        stage.lower();
        stage.workspace.nothing_is_left();
    });
    assert!(failed.is_empty(), "suite {}: failed: {}", suite.name(), failed.join(", "));
}

/// Characters of a passing scenario's line; a failing one is reported in full.
const NOTES_MAX: usize = 400;

/// Runs one part and writes a line about it. Returns whether it passed.
fn passed(stage: &Stage, name: &'static str, failed: &mut Vec<&'static str>, part: impl FnOnce(&Stage)) -> bool {
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

fn is_wanted(scenario: &Scenario) -> bool {
    env::text(env::SCENARIOS).is_none_or(|names| names.split(',').any(|name| name == scenario.name))
}

/// Past the test harness, which keeps what passing tests print to itself.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
