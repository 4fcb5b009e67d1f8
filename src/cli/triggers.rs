//! The triggers that a stack file writes out, as the operator reads them: what is wrong with them before anything is made, and what
//! each is, for the plan.

use aws::session::{self, Session};
use clock::Clock;
use operator::Identities;
use operator::declared::{self, Declared, Explained, Subject};
use serde::Serialize;
use serde_json::{Value, json};
use stack::manifests::{self, Site};
use stack::model::{Fallback, Modifiers};
use stack::{Loaded, Problem, Setting, Stack, Workload};

use crate::diagnostic::{Diagnostic, Outcome, one};
use crate::view::{Tone, View};

/// An account of AWS's documentation: what is declared is the same in any.
const ACCOUNT: &str = "111122223333";

/// One workload whose triggers are written out.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Written {
    workload: String,
    min_replicas: u32,
    max_replicas: u32,
    triggers: Vec<Explained>,
    formula: Option<Modifiers>,
    fallback: Option<Fallback>,
}

/// The workloads whose triggers, formula or fallback the stack writes out, as the operator understands them. All that is wrong
/// comes back together.
pub(crate) async fn read(loaded: &Loaded, file: Option<&str>) -> Outcome<Vec<Written>> {
    let (mut written, mut wrong) = (Vec::new(), Vec::new());
    for (index, workload) in loaded.stack.workloads.iter().enumerate() {
        let key = format!("workloads[{index}]");
        if !is_written(&loaded.settings, &key) {
            continue;
        }
        let declared = declared(&loaded.stack, workload).await?;
        let problem = |problem: &declared::Problem| {
            let key = place(&key, workload, problem);
            let next = "correct it, and `sluice plan` shows what the operator reads".to_owned();
            loaded.problem(file, &key, problem.text.clone(), next)
        };
        wrong.extend(declared.problems.iter().map(problem));
        written.push(Written {
            workload: workload.name.clone(),
            min_replicas: workload.scaling.min_replicas,
            max_replicas: workload.scaling.max_replicas,
            triggers: declared.triggers,
            formula: workload.scaling.modifiers.clone(),
            fallback: workload.scaling.fallback.clone(),
        });
    }
    wrong.sort_by_key(|problem: &Problem| problem.position());
    let diagnostics: Vec<_> = wrong.iter().map(|problem| Diagnostic::of_problem(problem, Diagnostic::error)).collect();
    if diagnostics.is_empty() { Ok(written) } else { Err(diagnostics) }
}

/// Whether the stack says anything of triggers that is not the default trigger of a queue.
fn is_written(settings: &[Setting], workload: &str) -> bool {
    let keys = ["triggers", "scaling.fallback", "scaling.scalingModifiers"].map(|key| format!("{workload}.{key}"));
    settings.iter().any(|setting| keys.iter().any(|key| setting.key.starts_with(key)))
}

async fn declared(stack: &Stack, workload: &Workload) -> Outcome<Declared> {
    let url = |queue: &str| format!("https://sqs.{}.amazonaws.com/{ACCOUNT}/{queue}", stack.region);
    let site = Site {
        account_id: ACCOUNT.to_owned(),
        queue_urls: stack.names().workloads.into_iter().map(|named| (named.workload, url(&named.queue))).collect(),
        endpoint_for_pods: None,
    };
    let objects: Vec<Value> =
        manifests::workload(stack, &site, workload).map_err(one)?.into_iter().map(|manifest| manifest.object).collect();
    let session = session::Settings { region: Some(stack.region.clone()), ..session::Settings::new("cli") };
    let session = Session::load(session).await.map_err(one)?;
    let identities = Identities::new(session, None, Clock::real());
    declared::triggers(&objects, identities).map_err(|error| one(Diagnostic::error(error)))
}

/// The key that a problem is with: the metadata's own, where the operator names it.
fn place(workload: &str, of: &Workload, problem: &declared::Problem) -> String {
    let index = match problem.subject {
        Subject::Trigger(index) => index,
        Subject::Triggers => return format!("{workload}.triggers"),
        Subject::Modifiers => return format!("{workload}.scaling.scalingModifiers"),
        Subject::Fallback => return format!("{workload}.scaling.fallback"),
    };
    let key = format!("{workload}.triggers[{index}]");
    let Some(trigger) = of.triggers.get(index) else { return key };
    let words: Vec<_> = problem.text.split(|one: char| !one.is_ascii_alphanumeric()).collect();
    let named = |name: &&String| words.contains(&name.as_str());
    match trigger.metadata.keys().find(named) {
        Some(name) => format!("{key}.metadata.{name}"),
        None => key,
    }
}

/// Explains each trigger in a line.
pub(crate) fn show(written: &[Written], view: &View) {
    for workload in written {
        view.event("triggers", json!({ "scaled": workload }));
        let Written { workload, min_replicas, max_replicas, triggers, formula, fallback } = workload;
        view.print(Tone::Strong, format!("Triggers of {workload}, {min_replicas} to {max_replicas}:"));
        for trigger in triggers {
            view.line(format!("  {trigger}"));
        }
        if let Some(Modifiers { formula: Some(formula), target: Some(target), .. }) = formula {
            view.line(format!("  formula {formula:?}, held at {target} in their place"));
        }
        if let Some(fallback) = fallback {
            view.line(format!(
                "  fallback: {} replicas after more than {} failed reads in a row{}",
                fallback.replicas,
                fallback.failure_threshold,
                fallback.behavior.as_ref().map_or_else(String::new, |behavior| format!(" ({behavior})"))
            ));
        }
        view.line("");
    }
}
