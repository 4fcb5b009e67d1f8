//! The arithmetic of rollouts: which ReplicaSet gets which size next. Pure; the rules are those of the documentation of
//! Deployments (rolling update, proportional scaling).

use std::collections::BTreeMap;

use serde_json::Value;

use super::revision::{self, DESIRED};
use crate::object::{annotation, created, integer, name, text, uid};

/// New sizes by the ReplicaSet's uid; sets that are not named keep theirs.
pub(super) type Plan = BTreeMap<String, i64>;

/// The ReplicaSets of one Deployment; the old ones oldest first.
#[derive(Debug, Default)]
pub(super) struct Sets {
    pub(super) newest: Option<Value>,
    pub(super) old: Vec<Value>,
}

impl Sets {
    pub(super) fn all(&self) -> impl Iterator<Item = &Value> {
        self.newest.iter().chain(&self.old)
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        // Shrinking sets come first, so that their events read in the order of a rollout's "make room, then grow".
        self.newest.iter_mut().chain(&mut self.old)
    }
}

pub(super) fn sort_out(deployment: &Value, mut owned: Vec<Value>) -> Sets {
    owned.sort_by(|a, b| (created(a), name(a)).cmp(&(created(b), name(b))));
    let newest = owned.iter().position(|set| revision::is_newest(deployment, set)).map(|index| owned.remove(index));
    Sets { newest, old: owned }
}

/// `spec.replicas`, which defaults to 1.
pub(super) fn wanted(object: &Value) -> i64 {
    integer(object, "/spec/replicas").unwrap_or(1)
}

fn available(set: &Value) -> i64 {
    integer(set, "/status/availableReplicas").unwrap_or(0)
}

/// A number or a percentage of `whole`.
fn share(value: Option<&Value>, whole: i64, round_up: bool) -> i64 {
    let Some(value) = value else { return share(Some(&Value::from("25%")), whole, round_up) };
    if let Some(number) = value.as_i64() {
        return number;
    }
    let percent: i64 = value.as_str().and_then(|text| text.strip_suffix('%')?.parse().ok()).unwrap_or(0);
    let scaled = percent * whole;
    if round_up { (scaled + 99).div_euclid(100) } else { scaled.div_euclid(100) }
}

/// `(maxSurge, maxUnavailable)` in pods: surge rounds up, unavailable rounds down, and never are both zero.
fn fenceposts(deployment: &Value) -> (i64, i64) {
    let replicas = wanted(deployment);
    if text(deployment, "/spec/strategy/type") == "Recreate" {
        return (0, replicas);
    }
    let at = |field: &str| deployment.pointer(&format!("/spec/strategy/rollingUpdate/{field}"));
    let surge = share(at("maxSurge"), replicas, true);
    let unavailable = share(at("maxUnavailable"), replicas, false);
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
}

pub(super) fn surge(deployment: &Value) -> i64 {
    fenceposts(deployment).0
}

pub(super) fn max_unavailable(deployment: &Value) -> i64 {
    let replicas = wanted(deployment);
    if replicas == 0 { 0 } else { fenceposts(deployment).1.min(replicas) }
}

/// The size at which the newest set may be now.
pub(super) fn replicas_of_new_set(deployment: &Value, sets: &Sets) -> i64 {
    let replicas = wanted(deployment);
    let own = sets.newest.as_ref().map_or(0, wanted);
    if text(deployment, "/spec/strategy/type") == "Recreate" {
        // A new set starts empty while old pods may still run.
        return if sets.old.iter().map(wanted).sum::<i64>() == 0 { replicas } else { own };
    }
    let room = replicas + surge(deployment) - sets.all().map(wanted).sum::<i64>();
    if room <= 0 { own } else { own + room.min(replicas - own) }
}

/// Whether the Deployment's size has changed since its sets were sized.
pub(super) fn replicas_changed(deployment: &Value, sets: &Sets) -> bool {
    let noted = |set: &Value| annotation(set, DESIRED).and_then(|text| text.parse::<i64>().ok());
    sets.all().filter(|set| wanted(set) > 0).any(|set| noted(set).is_some_and(|size| size != wanted(deployment)))
}

pub(super) fn fill_newest(deployment: &Value, sets: &Sets) -> Plan {
    sets.newest.iter().map(|set| (uid(set).to_owned(), wanted(deployment))).collect()
}

pub(super) fn stop_old(sets: &Sets) -> Plan {
    sets.old.iter().filter(|set| wanted(set) > 0).map(|set| (uid(set).to_owned(), 0)).collect()
}

/// One step of a rolling update: grow the newest set as far as surge allows, else shrink old ones as far as
/// availability allows.
pub(super) fn rolling_update(deployment: &Value, sets: &Sets) -> Plan {
    let Some(newest) = &sets.newest else { return Plan::new() };
    let replicas = wanted(deployment);
    let target = if wanted(newest) > replicas { replicas } else { replicas_of_new_set(deployment, sets) };
    if target != wanted(newest) {
        return Plan::from([(uid(newest).to_owned(), target)]);
    }
    shrink_old(deployment, sets, newest)
}

fn shrink_old(deployment: &Value, sets: &Sets, newest: &Value) -> Plan {
    let mut plan = Plan::new();
    let all: i64 = sets.all().map(wanted).sum();
    let min_available = wanted(deployment) - max_unavailable(deployment);
    let missing = wanted(newest) - available(newest);
    let mut removable = all - min_available - missing;
    // Pods that are not available anyway go first; they cost no availability.
    for set in &sets.old {
        let unhealthy = (wanted(set) - available(set)).clamp(0, removable.max(0));
        if unhealthy > 0 {
            plan.insert(uid(set).to_owned(), wanted(set) - unhealthy);
            removable -= unhealthy;
        }
    }
    let mut spare = (sets.all().map(available).sum::<i64>() - min_available).min(removable);
    for set in &sets.old {
        let size = plan.get(uid(set)).copied().unwrap_or_else(|| wanted(set));
        let remove = size.min(spare.max(0));
        if remove > 0 {
            plan.insert(uid(set).to_owned(), size - remove);
            spare -= remove;
        }
    }
    plan
}

/// A change of size in the middle of a rollout is spread over the sets in proportion to their sizes.
pub(super) fn scale_in_proportion(deployment: &Value, sets: &Sets) -> Plan {
    let replicas = wanted(deployment);
    let active: Vec<&Value> = sets.all().filter(|set| wanted(set) > 0).collect();
    if active.len() <= 1 {
        let target = active.first().copied().or(sets.newest.as_ref()).or(sets.old.last());
        return target.map(|set| Plan::from([(uid(set).to_owned(), replicas)])).unwrap_or_default();
    }
    if let Some(newest) = &sets.newest
        && wanted(newest) == replicas
        && available(newest) == replicas
    {
        return stop_old(sets);
    }
    if text(deployment, "/spec/strategy/type") == "Recreate" {
        return Plan::new();
    }
    spread(deployment, active)
}

fn spread(deployment: &Value, mut active: Vec<&Value>) -> Plan {
    let replicas = wanted(deployment);
    let allowed = if replicas > 0 { replicas + surge(deployment) } else { 0 };
    let total: i64 = active.iter().map(|set| wanted(set)).sum();
    let difference = allowed - total;
    // The largest first; among equals the newest first when growing, the oldest first when shrinking.
    active.sort_by(|a, b| {
        let age = created(a).cmp(created(b));
        wanted(b).cmp(&wanted(a)).then(if difference > 0 { age.reverse() } else { age })
    });
    let mut left = difference;
    let mut plan = Plan::new();
    for set in &active {
        let size = wanted(set);
        let part = (size as f64 * difference as f64 / total as f64).round() as i64;
        let part = if difference > 0 { part.clamp(0, left) } else { part.clamp(left, 0) };
        left -= part;
        plan.insert(uid(set).to_owned(), (size + part).max(0));
    }
    if let Some(size) = active.first().and_then(|set| plan.get_mut(uid(set))) {
        *size = (*size + left).max(0);
    }
    plan
}
