//! `sluice audit`: what exists of this stack, found by tag and by name, whatever the state file says.
//!
//! What this folder's state records is the stack itself, which is up; everything else is left over and changes the exit code.

use std::collections::BTreeMap;

use aws::audit::{Found, Scope};
use aws::cloud::Cloud;
use provision::state::{Entry, State};
use provision::{Address, Attributes, Health, Object, store};
use serde_json::json;

use crate::diagnostic::{Outcome, one};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::target::Target;
use crate::view::{Tone, View};
use crate::waiting;

/// What exists of a stack.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    /// What should not be there once the stack is down.
    pub(crate) found: Vec<Found>,
    /// What `down` keeps, with what it holds of others.
    pub(crate) kept: BTreeMap<Address, Vec<String>>,
}

impl Audit {
    /// How it ends once the stack was taken down. What is kept on purpose is no leftover.
    pub(crate) fn exit(&self) -> Exit {
        if self.found.is_empty() { Exit::Done } else { Exit::Leftovers }
    }
}

/// Whether the state records this as made, and not as half-made or half-removed.
fn is_recorded(state: Option<&State>, found: &Found) -> bool {
    let kind = found.address.kind();
    let is_it = |(address, entry): (&Address, &Entry)| {
        let is_same = *address == found.address
            || address.kind() == kind && entry.object.as_ref().is_some_and(|object| object.id == found.object.id);
        is_same && entry.pending.is_none()
    };
    state.is_some_and(|state| state.resources.iter().any(is_it))
}

/// Objects of others that are named, of each thing that is kept; the JSON has all.
const HOLDS_SHOWN: usize = 5;

pub(crate) async fn run(settings: &Settings, target: &Target, view: &View) -> Outcome {
    let cloud = Cloud::new(&target.session, &settings.stack.name, "audit", "", &std::collections::BTreeMap::new());
    let audit = find(settings, target, &cloud, view).await?;
    let state = store::load(&settings.state()).map_err(one)?;
    let (up, left): (Vec<&Found>, Vec<&Found>) =
        audit.found.iter().partition(|found| is_recorded(state.as_ref(), found));
    if up.is_empty() {
        show(&audit, view);
        return Ok(audit.exit());
    }
    report(&audit, &left, view);
    let text = format!("Audit: the stack is up: {} things of it exist as this folder's state records them:", up.len());
    view.print(Tone::Good, text);
    list(&up, view);
    if left.is_empty() {
        view.print(Tone::Good, "Nothing else of this stack exists.");
    } else {
        view.print(Tone::Change, format!("{} things besides, which no finished step of this folder made:", left.len()));
        list(&left, view);
        view.line("Next: `sluice up` goes on where the last run ended, `sluice down` removes all of it.");
    }
    show_kept(&audit, view);
    Ok(if left.is_empty() { Exit::Done } else { Exit::Leftovers })
}

fn report(Audit { found, kept }: &Audit, left: &[&Found], view: &View) {
    view.event("audit", json!({ "found": found, "left": left, "kept": kept }));
}

/// Everything in the account that is this stack's, and in a cluster of the user's. Objects in a cluster of the stack's
/// own go with the cluster, which is listed.
pub(crate) async fn find(settings: &Settings, target: &Target, cloud: &Cloud, view: &View) -> Outcome<Audit> {
    waiting::during(view, "Looking for what is left", left(settings, target, cloud)).await
}

async fn left(settings: &Settings, target: &Target, cloud: &Cloud) -> Outcome<Audit> {
    let mut found = aws::audit::find(cloud, &settings.stack.cluster.name, Scope::Account).await.map_err(one)?;
    let mut kept = BTreeMap::new();
    if let Some(existing) = &target.existing {
        let (cluster, name) = (&existing.cluster, &settings.stack.name);
        let mut left = cluster::audit::leftovers(cluster, name, None, &[]).await.map_err(one)?;
        let addresses: Vec<Address> = left.iter().map(|left| left.address.clone()).collect();
        kept = cluster::foreign::held(cluster, name, &addresses).await.map_err(one)?;
        left.retain(|left| !kept.contains_key(&left.address));
        found.extend(left.into_iter().map(|left| Found {
            address: left.address,
            object: Object { id: left.identity, attributes: Attributes::new(), health: Health::default() },
            tagged: true,
        }));
    }
    Ok(Audit { found, kept })
}

pub(crate) fn show(audit: &Audit, view: &View) {
    let Audit { found, kept } = audit;
    let all: Vec<&Found> = found.iter().collect();
    report(audit, &all, view);
    if found.is_empty() {
        let but = if kept.is_empty() { "" } else { " but what is kept for the sake of others" };
        let looked =
            "clusters and objects in them, queues, roles, policies, OIDC providers, log groups, repositories, networks";
        view.say(view.last_of_one(), Tone::Good, format!("Audit: nothing of this stack is left{but} ({looked})."));
    } else {
        view.say(view.last_of_one(), Tone::Change, format!("Audit: {} things of this stack exist:", found.len()));
    }
    list(&all, view);
    show_kept(audit, view);
}

fn list(found: &[&Found], view: &View) {
    for found in found {
        let whose = if found.tagged { "tagged as ours" } else { "called like ours, without our tag" };
        view.line(format!("  {} [id={}] ({whose})", found.address, found.object.id));
    }
}

fn show_kept(Audit { kept, .. }: &Audit, view: &View) {
    for (address, holds) in kept {
        let first = holds.iter().take(HOLDS_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = holds.len().saturating_sub(HOLDS_SHOWN);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        view.line(format!("  {address} is kept, it holds what is not this stack's: {first}{more}"));
    }
    if !kept.is_empty() {
        let next = "Next: `sluice down` removes what is kept once nothing of others is in it; with --remove-foreign it goes now, with all of that.";
        view.line(next);
    }
}

#[cfg(test)]
mod tests {
    use provision::Action;

    use super::*;

    fn object(id: &str) -> Object {
        Object { id: id.to_owned(), attributes: Attributes::new(), health: Health::default() }
    }

    fn found(address: &str, id: &str) -> Found {
        Found { address: address.parse().unwrap(), object: object(id), tagged: true }
    }

    #[test]
    fn what_a_finished_step_made_is_the_stack_and_everything_else_is_left_over() {
        let mut state = State::new("lineage", "run", jiff::Timestamp::UNIX_EPOCH);
        let entry = |id: &str, pending| Entry { object: Some(object(id)), pending, ..Entry::default() };
        state.resources.insert("aws_sqs_queue.orders".parse().unwrap(), entry("https://q/orders", None));
        state.resources.insert("aws_iam_role.half".parse().unwrap(), entry("half", Some(Action::Delete)));
        let is_recorded = |address: &str, id: &str| super::is_recorded(Some(&state), &found(address, id));
        assert!(is_recorded("aws_sqs_queue.orders", "https://q/orders"));
        assert!(is_recorded("aws_sqs_queue.demo-orders", "https://q/orders"), "the audit may address it by its name");
        assert!(!is_recorded("aws_sqs_queue.other", "https://q/other"));
        assert!(!is_recorded("aws_iam_role.orders", "https://q/orders"), "another kind");
        assert!(!is_recorded("aws_iam_role.half", "half"), "its removal was begun and not ended");
        assert!(!super::is_recorded(None, &found("aws_sqs_queue.orders", "https://q/orders")));
    }
}
