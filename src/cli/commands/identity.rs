//! `sluice identity`: who reads and consumes each queue as whom, link by link, by the documents of what is up or of what is declared.
//!
//! Nothing is assumed and no token exchanged: the documents are read and evaluated, so the statement that refuses can be named.

mod declared;
mod live;

use identity::{Finding, Link, Wanted, prove};
use serde_json::json;
use stack::{Identity, Stack, Workload};

use crate::arguments;
use crate::commands::outputs;
use crate::diagnostic::Outcome;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::target::{self, Missing};
use crate::view::{Tone, View};

/// What a scaler does with a queue.
const READ: [&str; 1] = ["sqs:GetQueueAttributes"];
/// What a consumer does with it.
const CONSUME: [&str; 3] = ["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage"];

/// A chain and what it is for.
struct Chain {
    title: String,
    wanted: Wanted,
}

pub(crate) async fn run(wanted: &arguments::Identity, settings: &Settings, view: &View) -> Outcome {
    let stack = &settings.stack;
    let is_live = !wanted.declared && outputs::recorded_resources(settings)? > 0;
    let (facts, account_id) = if is_live {
        let target = target::open(settings, Missing::Refuse, view).await?;
        (live::facts(settings, &target).await?, target.account_id)
    } else {
        (declared::facts(stack)?, declared::ACCOUNT.to_owned())
    };
    let seen = if is_live { "as it is in AWS and the cluster" } else { "as the stack file declares it" };
    view.print(Tone::Strong, format!("Identity of stack {}, {seen}", stack.name));
    for workload in stack.workloads.iter().filter(|workload| workload.queue.is_none()) {
        let text =
            format!("{}: it has no queue of the stack's, so it has no role, and nothing to prove", workload.name);
        view.print(Tone::Dim, text);
    }
    let mut broken = 0;
    for chain in chains(stack, &account_id) {
        let links = prove(&facts, &chain.wanted);
        let holds = links.iter().all(Link::holds);
        broken += usize::from(!holds);
        view.event("identity_chain", json!({ "title": chain.title, "holds": holds, "links": links }));
        view.line("");
        view.print(Tone::Strong, &chain.title);
        for link in &links {
            show(link, view);
        }
    }
    let body = json!({ "live": is_live, "broken": broken });
    let (tone, text) = if !stack.has_queue() {
        (Tone::Plain, "No workload has a queue: the stack has no role, and no chain was looked at.".to_owned())
    } else if broken == 0 {
        (Tone::Good, "Every chain holds by its documents.".to_owned())
    } else {
        (Tone::Bad, format!("Chains that do not hold, or that the documents alone do not prove: {broken}."))
    };
    view.event("identity", body);
    view.line("");
    view.print(tone, text);
    view.print(Tone::Dim, "Policies of an organisation and of a session are not seen here.");
    Ok(if broken == 0 { Exit::Done } else { Exit::VerificationFailed })
}

fn show(link: &Link, view: &View) {
    let (tone, word, why) = match &link.finding {
        Finding::Allowed(by) => (Tone::Good, "holds", vec![by.clone()]),
        Finding::Denied(by) => (Tone::Bad, "denied", vec![by.clone()]),
        Finding::Missing(why) => (Tone::Bad, "fails", why.clone()),
        Finding::Unclear(why) => (Tone::Change, "unclear", why.clone()),
    };
    view.line(format!("  {} {}", view.dress(tone, &format!("{word:<7}")), link.what));
    for why in why {
        view.print(Tone::Dim, format!("          {why}"));
    }
    if let Some(repair) = &link.repair {
        view.line(format!("          → {repair}"));
    }
}

/// The two chains of each workload that has a queue: its queue's reader and its consumer.
fn chains(stack: &Stack, account_id: &str) -> Vec<Chain> {
    let names = stack.names();
    let arn = |role: &str| names.role_arn(account_id, role);
    let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
    let operator = (stack.operator.namespace.clone(), stack.operator.service_account.clone());
    let of_workload = |workload: &Workload| {
        let Some(its) = names.workload(&workload.name) else { return Vec::new() };
        let (own, queue) = (arn(&its.role), names.queue_arn(account_id, &its.queue));
        let (assumed, mode) = match workload.identity {
            Identity::Operator => (None, "operator"),
            Identity::Workload => (Some(own.clone()), "workload"),
            Identity::Role => (Some(arn(&names.scaler_role)), "role"),
        };
        let reads = Wanted {
            service_account: operator.clone(),
            role: arn(&names.operator_role),
            assumed,
            actions: texts(&READ),
            queue: queue.clone(),
        };
        let consumes = Wanted {
            service_account: (workload.namespace.clone(), workload.name.clone()),
            role: own,
            assumed: None,
            actions: texts(&CONSUME),
            queue,
        };
        let name = &workload.name;
        vec![
            Chain { title: format!("{name}: the operator reads the queue (identity: {mode})"), wanted: reads },
            Chain { title: format!("{name}: its pods consume the queue"), wanted: consumes },
        ]
    };
    stack.workloads.iter().flat_map(of_workload).collect()
}
