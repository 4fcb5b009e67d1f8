//! Who may scale what: an index of the workloads that ScaledObjects and HPAs claim, so that two masters of one workload, or of
//! one HPA, are found without a walk over all objects. The rules are those of KEDA's admission webhook
//! (`docs/rules.md#keda-one-master`), held here because a webhook may be absent.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use keda::api::ScaledObject;
use keda::naming;

use crate::few::Few;
use crate::key::Key;

/// A workload, as both kinds name it: its namespace, apiVersion, kind and name. Clones share the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Workload(Arc<[Box<str>; 4]>);

impl Workload {
    fn new(namespace: &str, api_version: &str, kind: &str, name: &str) -> Self {
        Self(Arc::new([namespace, api_version, kind, name].map(Box::from)))
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [_, api_version, kind, name] = &*self.0;
        write!(f, "the workload '{name}' of type '{api_version}.{kind}'")
    }
}

/// Why an object may not scale what it names. The words are KEDA's, the remedy is ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Conflict {
    #[error("{workload} is already managed by the ScaledObject '{other}'; remove one of the two")]
    Workload { workload: String, other: String },
    #[error(
        "the HPA '{hpa}' is already managed by the ScaledObject '{other}'; set \
         advanced.horizontalPodAutoscalerConfig.name to a name of its own"
    )]
    Autoscaler { hpa: String, other: String },
    #[error(
        "{workload} is already managed by the hpa '{hpa}'; remove that, or take it over with annotation {} \"true\" and \
         its name in advanced.horizontalPodAutoscalerConfig.name",
        naming::TRANSFER_HPA_OWNERSHIP
    )]
    Foreign { workload: String, hpa: String },
    #[error(
        "the existing hpa '{hpa}' for {} must be specified by name in advanced settings to enable ownership \
         transfer",
        workload.trim_start_matches("the ")
    )]
    NotNamed { workload: String, hpa: String },
    #[error("the hpa '{hpa}' exists and scales {workload}; give this ScaledObject's HPA another name")]
    Name { workload: String, hpa: String },
}

/// The index.
#[derive(Debug, Default)]
pub(crate) struct Masters(Mutex<Index>);

#[derive(Debug, Default)]
struct Index {
    objects: HashMap<Key, Claim>,
    autoscalers: HashMap<Key, Autoscaler>,
    objects_of: HashMap<Workload, Few<Key>>,
    autoscalers_of: HashMap<Workload, Few<Key>>,
    /// The ScaledObjects by the HPA that they want.
    wanting: HashMap<Key, Few<Key>>,
}

/// What a ScaledObject claims.
#[derive(Debug, Clone, PartialEq)]
struct Claim {
    workload: Workload,
    hpa: Key,
    /// Who came first is right; of two of one second the name decides.
    created: Option<Time>,
}

/// What an HPA is to the claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Autoscaler {
    workload: Workload,
    /// The ScaledObject that owns it.
    owner: Option<String>,
    /// Said by an annotation not to count.
    is_exempt: bool,
}

impl Masters {
    /// Takes in a ScaledObject as it is now, or that it is gone. Returns the others whose right may have changed.
    pub(crate) fn learn_object(&self, key: &Key, object: Option<&ScaledObject>) -> BTreeSet<Key> {
        let after = object.filter(|object| object.metadata.deletion_timestamp.is_none()).map(Claim::of);
        let mut index = self.lock();
        let before = index.objects.remove(key);
        if before == after {
            index.objects.extend(after.map(|claim| (key.clone(), claim)));
            return BTreeSet::new();
        }
        let mut peers = BTreeSet::new();
        if let Some(claim) = before {
            remove(&mut index.objects_of, &claim.workload, key);
            remove(&mut index.wanting, &claim.hpa, key);
            peers.extend(index.rivals(&claim));
        }
        if let Some(claim) = after {
            peers.extend(index.rivals(&claim));
            index.objects_of.entry(claim.workload.clone()).or_default().insert(key.clone());
            index.wanting.entry(claim.hpa.clone()).or_default().insert(key.clone());
            index.objects.insert(key.clone(), claim);
        }
        peers
    }

    /// Takes in an HPA as it is now, or that it is gone. Returns the ScaledObjects whose right may have changed.
    pub(crate) fn learn_autoscaler(&self, key: &Key, after: Option<Autoscaler>) -> BTreeSet<Key> {
        let mut index = self.lock();
        let before = index.autoscalers.remove(key);
        let mut touched = BTreeSet::new();
        if before != after {
            touched.extend(index.wanting.get(key).into_iter().flatten().cloned());
            for workload in before.iter().chain(&after).map(|autoscaler| &autoscaler.workload) {
                touched.extend(index.objects_of.get(workload).into_iter().flatten().cloned());
            }
        }
        if let Some(autoscaler) = before {
            remove(&mut index.autoscalers_of, &autoscaler.workload, key);
        }
        if let Some(autoscaler) = after {
            index.autoscalers_of.entry(autoscaler.workload.clone()).or_default().insert(key.clone());
            index.autoscalers.insert(key.clone(), autoscaler);
        }
        touched
    }

    /// Whether the object may scale its target by the HPA that it wants. It need not be known yet: one that is about to be
    /// created, or changed, is judged as it would be, and comes after those that are there.
    ///
    /// # Errors
    ///
    /// Who else does.
    pub(crate) fn check(&self, object: &ScaledObject) -> Result<(), Conflict> {
        let (key, claim) = (Key::of(&object.metadata), Claim::of(object));
        let index = self.lock();
        let workload = || claim.workload.to_string();
        let owns = |owner: &Key, hpa: &Key| {
            index.autoscalers.get(hpa).is_some_and(|it| it.owner.as_ref() == Some(&owner.name))
        };
        let on_target: Vec<_> = index.autoscalers_of.get(&claim.workload).into_iter().flatten().collect();
        let by_target = |key: &Key| !on_target.iter().any(|hpa| owns(key, hpa));
        if let Some(other) = index.first(index.objects_of.get(&claim.workload), &key, &claim, by_target) {
            return Err(Conflict::Workload { workload: workload(), other: other.name.clone() });
        }
        let by_name = |key: &Key| !owns(key, &claim.hpa);
        if let Some(other) = index.first(index.wanting.get(&claim.hpa), &key, &claim, by_name) {
            return Err(Conflict::Autoscaler { hpa: claim.hpa.name.clone(), other: other.name.clone() });
        }
        let annotation = |name| object.metadata.annotations.as_ref().and_then(|all| all.get(name)).map(String::as_str);
        let is_transfer = annotation(naming::TRANSFER_HPA_OWNERSHIP) == Some("true");
        for hpa in on_target {
            let found = &index.autoscalers[hpa];
            if found.is_exempt || owns(&key, hpa) {
                continue;
            }
            let name = hpa.name.clone();
            match is_transfer {
                true if naming::is_hpa_named(object, &name) => {}
                true => return Err(Conflict::NotNamed { workload: workload(), hpa: name }),
                false => return Err(Conflict::Foreign { workload: workload(), hpa: name }),
            }
        }
        match index.autoscalers.get(&claim.hpa) {
            Some(found)
                if found.workload != claim.workload && !found.is_exempt && !is_transfer && !owns(&key, &claim.hpa) =>
            {
                Err(Conflict::Name { workload: found.workload.to_string(), hpa: claim.hpa.name.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Whether an HPA of that name is there and belongs to somebody else than the object.
    pub(crate) fn is_foreign(&self, object: &ScaledObject, hpa: &str) -> bool {
        let key = Key::of(&object.metadata);
        let index = self.lock();
        let found = index.autoscalers.get(&Key::new(&key.namespace, hpa));
        found.is_some_and(|found| found.owner.as_ref() != Some(&key.name))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Index> {
        // The maps are consistent between any two of their operations, so a panic elsewhere does not spoil them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn rivals(&self, claim: &Claim) -> Vec<Key> {
        let same = self.objects_of.get(&claim.workload).into_iter().chain(self.wanting.get(&claim.hpa));
        same.flatten().cloned().collect()
    }

    /// Who of the `claimants` comes before `key`: who has an HPA before who has none, then the older one.
    fn first<'a>(
        &'a self,
        claimants: Option<&'a Few<Key>>,
        key: &'a Key,
        claim: &'a Claim,
        has_none: impl Fn(&Key) -> bool,
    ) -> Option<&'a Key> {
        let rank = |key: &'a Key, claim: &'a Claim| {
            (has_none(key), claim.created.is_none(), claim.created.as_ref().map(|time| time.0), &key.name)
        };
        let own = rank(key, claim);
        let others = claimants.into_iter().flatten().filter(|other| *other != key);
        others.filter(|other| self.objects.get(*other).is_some_and(|claim| rank(other, claim) < own)).min()
    }
}

fn remove<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Few<Key>>, of: &K, key: &Key) {
    if let Some(keys) = map.get_mut(of) {
        keys.remove(key);
        if keys.is_empty() {
            map.remove(of);
        }
    }
}

impl Claim {
    fn of(object: &ScaledObject) -> Self {
        let namespace = &Key::of(&object.metadata).namespace;
        let target = &object.spec.scale_target_ref;
        let (api_version, kind) = (target.api_version_or_default(), target.kind_or_default());
        Self {
            hpa: Key::new(namespace, &naming::hpa(object)),
            workload: Workload::new(namespace, api_version, kind, &target.name),
            created: object.metadata.creation_timestamp.clone(),
        }
    }
}

impl Autoscaler {
    /// What an HPA claims; nothing without a spec.
    pub(crate) fn of(hpa: &HorizontalPodAutoscaler) -> Option<Self> {
        let target = &hpa.spec.as_ref()?.scale_target_ref;
        let owners = hpa.metadata.owner_references.iter().flatten();
        let annotations = hpa.metadata.annotations.as_ref();
        let namespace = hpa.metadata.namespace.as_deref().unwrap_or_default();
        let api_version = target.api_version.as_deref().unwrap_or_default();
        Some(Self {
            workload: Workload::new(namespace, api_version, &target.kind, &target.name),
            owner: owners.into_iter().find(|owner| owner.kind == "ScaledObject").map(|owner| owner.name.clone()),
            is_exempt: annotations.and_then(|all| all.get(naming::HPA_OWNERSHIP)).is_some_and(|value| value == "false"),
        })
    }
}

#[cfg(test)]
mod tests;
