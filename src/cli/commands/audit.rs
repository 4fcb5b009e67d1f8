//! `sluice audit`: what exists of this stack, found by tag and by name, whatever the state file says.

use aws::audit::{Found, Scope};
use aws::resources::Cloud;
use provision::{Attributes, Health, Object};
use serde_json::json;

use crate::diagnostic::{Outcome, one};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::target::Target;
use crate::view::{Tone, View};
use crate::waiting;

pub(crate) async fn run(settings: &Settings, target: &Target, view: &View) -> Outcome {
    let cloud = Cloud::new(&target.session, &settings.stack.name, "audit", "", &std::collections::BTreeMap::new());
    let found = find(settings, target, &cloud, view).await?;
    show(&found, view);
    Ok(if found.is_empty() { Exit::Done } else { Exit::Leftovers })
}

/// Everything in the account that is this stack's, and in a cluster of the user's. Objects in a cluster of the stack's
/// own go with the cluster, which is listed.
pub(crate) async fn find(settings: &Settings, target: &Target, cloud: &Cloud, view: &View) -> Outcome<Vec<Found>> {
    waiting::during(view, "Looking for what is left", left(settings, target, cloud)).await
}

async fn left(settings: &Settings, target: &Target, cloud: &Cloud) -> Outcome<Vec<Found>> {
    let mut found = aws::audit::find(cloud, &settings.stack.cluster.name, Scope::Account).await.map_err(one)?;
    if let Some(brought) = &target.brought {
        let left = cluster::audit::leftovers(&brought.cluster, &settings.stack.name, None, &[]).await.map_err(one)?;
        found.extend(left.into_iter().map(|left| Found {
            address: left.address,
            object: Object { id: left.identity, attributes: Attributes::new(), health: Health::default() },
            tagged: true,
        }));
    }
    Ok(found)
}

pub(crate) fn show(found: &[Found], view: &View) {
    view.event("audit", json!({ "found": found }));
    if found.is_empty() {
        view.tell(
            Tone::Good,
            "Audit: nothing of this stack is left (clusters and objects in them, queues, roles, policies, OIDC providers).",
        );
        return;
    }
    view.tell(Tone::Change, format!("Audit: {} things of this stack exist:", found.len()));
    for found in found {
        let whose = if found.tagged { "tagged as ours" } else { "called like ours, without our tag" };
        view.line(format!("  {} [id={}] ({whose})", found.address, found.object.id));
    }
}
