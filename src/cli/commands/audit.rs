//! `sluice audit`: what exists of this stack, found by tag and by name, whatever the state file says.

use std::collections::BTreeMap;

use aws::audit::{Found, Scope};
use aws::resources::Cloud;
use provision::{Address, Attributes, Health, Object};
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
    /// What is kept on purpose is no leftover.
    pub(crate) fn exit(&self) -> Exit {
        if self.found.is_empty() { Exit::Done } else { Exit::Leftovers }
    }
}

/// Objects of others that are named, of each thing that is kept; the JSON has all.
const HOLDS_SHOWN: usize = 5;

pub(crate) async fn run(settings: &Settings, target: &Target, view: &View) -> Outcome {
    let cloud = Cloud::new(&target.session, &settings.stack.name, "audit", "", &std::collections::BTreeMap::new());
    let found = find(settings, target, &cloud, view).await?;
    show(&found, view);
    Ok(found.exit())
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
    view.event("audit", json!({ "found": found, "kept": kept }));
    if found.is_empty() {
        let but = if kept.is_empty() { "" } else { " but what is kept for the sake of others" };
        let looked = "clusters and objects in them, queues, roles, policies, OIDC providers";
        view.print(Tone::Good, format!("Audit: nothing of this stack is left{but} ({looked})."));
    } else {
        view.print(Tone::Change, format!("Audit: {} things of this stack exist:", found.len()));
    }
    for found in found {
        let whose = if found.tagged { "tagged as ours" } else { "called like ours, without our tag" };
        view.line(format!("  {} [id={}] ({whose})", found.address, found.object.id));
    }
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
