//! Why pods do not run: looked into while they exist, since a pod takes its Events' subject and its log with it.

use std::collections::BTreeMap;

use cluster::Rollout;

use crate::observation::{Diagnosis, Observation};
use crate::observe::Observer;
use crate::observe::objects::{Group, Owner};

/// Looks into restarts of one Deployment's pods that are recorded; more would say the same.
const RESTARTS: usize = 3;

/// Watches the Deployment of the group: records once why waiting for its pods does not help, and looks into its first
/// restarts.
pub(crate) async fn observe(observer: Observer, group: Group) {
    let mut rollout = rollout(&observer, &group);
    let mut restarts = Restarts::default();
    let mut is_lost = false;
    loop {
        match rollout.lost().await {
            Ok(Some(why)) if !is_lost => {
                is_lost = true;
                record(&observer, &group, &rollout, Some(why)).await;
            }
            Ok(_) => {}
            // Those who read the Deployment and its pods record that they cannot.
            Err(error) => tracing::debug!(%error, "the Deployment cannot be looked at"),
        }
        if restarts.are_news(&observer, &group).await {
            record(&observer, &group, &rollout, None).await;
        }
        observer.settings.clock.sleep(observer.settings.cadence()).await;
    }
}

/// What there is to see of the Deployment of the group now, at a step that failed. `None` for one that ails from nothing, if
/// only ailing ones matter.
pub(crate) async fn look(observer: &Observer, group: &Group, only_ailing: bool) -> Option<Diagnosis> {
    let rollout = rollout(observer, group);
    let found = rollout.diagnose().await;
    let matters = found.is_ailing || (!only_ailing && !found.evidence.is_empty());
    matters.then(|| of(observer, &rollout, None, found))
}

fn rollout(observer: &Observer, group: &Group) -> Rollout {
    match &group.owner {
        Owner::Deployment(name) => Rollout::new(&observer.settings.cluster, &group.namespace, name),
        Owner::ScaledJob(name) => Rollout::of_jobs(&observer.settings.cluster, &group.namespace, name),
    }
}

async fn record(observer: &Observer, group: &Group, rollout: &Rollout, hopeless: Option<String>) {
    let found = rollout.diagnose().await;
    observer.recorder.record(group.source, Observation::Diagnosis(of(observer, rollout, hopeless, found)));
}

fn of(observer: &Observer, rollout: &Rollout, hopeless: Option<String>, found: cluster::Diagnosis) -> Diagnosis {
    let cluster::Diagnosis { evidence, next, is_ailing: _ } = found;
    Diagnosis { about: rollout.about(), hopeless, evidence, next: next.map(|next| observer.settings.next_step(&next)) }
}

/// Restarts seen so far, by pod.
#[derive(Default)]
struct Restarts {
    /// `None` before the first look: what was before the run is not its doing.
    seen: Option<BTreeMap<String, i32>>,
    news: usize,
}

impl Restarts {
    async fn are_news(&mut self, observer: &Observer, group: &Group) -> bool {
        let Ok(pods) = super::objects::list_pods(observer, group).await else { return false };
        let counts: BTreeMap<String, i32> = pods
            .iter()
            .map(|pod| {
                let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
                let name = pod.metadata.name.clone().unwrap_or_default();
                (name, statuses.map(|status| status.restart_count).sum())
            })
            .collect();
        let Some(seen) = &mut self.seen else {
            self.seen = Some(counts);
            return false;
        };
        let is_new = counts.iter().any(|(name, count)| count > seen.get(name).unwrap_or(&0));
        seen.extend(counts);
        self.news += usize::from(is_new);
        is_new && self.news <= RESTARTS
    }
}
