//! What triggers were built from besides their own text and authentication: Secrets, ConfigMaps, ServiceAccounts, the pod templates of
//! workloads. Watches of their metadata say when one of them changes, so that a rotated key or a changed role takes effect at once.
//!
//! Only what some object uses is remembered, and a kind is watched only while something of it is used; workloads are watched always,
//! since their [`Generations`] are of use to each poll. Where the watch is not allowed, a change is noticed after a failed reading, as
//! without it.

mod watches;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::api::ObjectMeta;
use tokio::sync::watch;

use crate::few::Few;
use crate::generations::Generations;
use crate::key::Reference;
pub(crate) use crate::target::{DEPLOYMENT, STATEFUL_SET};

/// Kinds that are watched, as manifests have them.
pub(crate) const SECRET: &str = "Secret";
pub(crate) const CONFIG_MAP: &str = "ConfigMap";
pub(crate) const SERVICE_ACCOUNT: &str = "ServiceAccount";
const KINDS: [&str; 5] = [SECRET, CONFIG_MAP, SERVICE_ACCOUNT, DEPLOYMENT, STATEFUL_SET];

/// A state of an input, as far as somebody has seen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    Unknown,
    Absent,
    /// The resource version, or for workloads the generation, since their status changes all the time.
    At(u64),
}

/// Who uses what, and how often that has changed.
pub(crate) struct Inputs {
    /// Since when a workload is as it is.
    pub(crate) generations: Generations,
    index: Mutex<Index>,
    /// By the position in [`KINDS`].
    in_use: [watch::Sender<bool>; KINDS.len()],
    /// Is called with the user and whether a value has changed, not only a template.
    announce: Box<dyn Fn(Reference, bool) + Send + Sync>,
}

#[derive(Default)]
struct Index {
    users: HashMap<Reference, User>,
    users_of: HashMap<Reference, Few<Reference>>,
}

#[derive(Default)]
struct User {
    /// Counts the changes of its inputs.
    revision: u64,
    /// What it was built from, as it saw it.
    inputs: Vec<(Reference, Seen)>,
}

impl User {
    /// It has seen an input so, or will.
    fn sees(&mut self, input: &Reference, seen: Seen) {
        match self.inputs.iter_mut().find(|(one, _)| one == input) {
            Some((_, known)) if seen != Seen::Unknown => *known = seen,
            Some(_) => {}
            None => {
                // Most have few, and a first push would make room for four.
                self.inputs.reserve_exact(1);
                self.inputs.push((input.clone(), seen));
            }
        }
    }
}

impl Inputs {
    pub(crate) fn new(announce: impl Fn(Reference, bool) + Send + Sync + 'static) -> Self {
        Self {
            generations: Generations::default(),
            index: Mutex::default(),
            in_use: KINDS.map(|kind| watch::Sender::new(is_workload(kind))),
            announce: Box::new(announce),
        }
    }

    /// How often the inputs of `user` have changed.
    pub(crate) fn revision(&self, user: &Reference) -> u64 {
        self.lock().users.get(user).map_or(0, |user| user.revision)
    }

    /// `user` is about to read `input`, or has seen it so. Whatever becomes of that, it hears of changes from now on.
    pub(crate) fn uses(&self, user: &Reference, input: &Reference, seen: Seen) {
        let mut index = self.lock();
        index.users.entry(user.clone()).or_default().sees(input, seen);
        index.users_of.entry(input.clone()).or_default().insert(user.clone());
        drop(index);
        self.set_in_use(input.kind, true);
    }

    /// The object is gone.
    pub(crate) fn forget(&self, user: &Reference) {
        let mut index = self.lock();
        let Some(dropped) = index.users.remove(user) else { return };
        for (input, _) in &dropped.inputs {
            if let Some(users) = index.users_of.get_mut(input) {
                users.remove(user);
                if users.is_empty() {
                    index.users_of.remove(input);
                }
            }
        }
        let is_used = |kind| is_workload(kind) || index.users_of.keys().any(|input| input.kind == kind);
        let unused: Vec<_> = KINDS.into_iter().filter(|kind| !is_used(kind)).collect();
        drop(index);
        for kind in unused {
            self.set_in_use(kind, false);
        }
    }

    /// An input is now so. `is_first`: a watch begins and says what there is, which is no change for who has not seen it yet.
    fn hear(&self, input: &Reference, now: Seen, is_first: bool) {
        let mut touched = Vec::new();
        let mut index = self.lock();
        let users: Vec<_> = index.users_of.get(input).into_iter().flatten().cloned().collect();
        for user in users {
            let Some(of_user) = index.users.get_mut(&user) else { continue };
            let Some(at) = of_user.inputs.iter().position(|(one, _)| one == input) else { continue };
            let seen = &mut of_user.inputs[at].1;
            if is_change(input.kind, *seen, now, is_first) {
                of_user.revision += 1;
                touched.push(user);
            }
            *seen = newer(input.kind, *seen, now);
        }
        drop(index);
        for user in touched {
            tracing::debug!(%user, %input, "what its triggers were built from has changed");
            (self.announce)(user, !is_workload(input.kind));
        }
    }

    /// The inputs of a kind that somebody uses.
    fn used(&self, kind: &str) -> Vec<Reference> {
        self.lock().users_of.keys().filter(|input| input.kind == kind).cloned().collect()
    }

    fn is_used(&self, input: &Reference) -> bool {
        self.lock().users_of.contains_key(input)
    }

    fn set_in_use(&self, kind: &str, is_used: bool) {
        let at = KINDS.iter().position(|one| *one == kind);
        if let Some(in_use) = at.and_then(|at| self.in_use.get(at)) {
            in_use.send_if_modified(|before| std::mem::replace(before, is_used) != is_used);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        // Between any two of its operations the maps are consistent, so a panic elsewhere does not spoil them.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The resource version of an object as a number (Kubernetes KEP-5504).
pub(crate) fn version(metadata: &ObjectMeta) -> Option<u64> {
    metadata.resource_version.as_ref()?.parse().ok()
}

fn is_workload(kind: &str) -> bool {
    matches!(kind, DEPLOYMENT | STATEFUL_SET)
}

fn is_change(kind: &str, seen: Seen, now: Seen, is_first: bool) -> bool {
    match (seen, now) {
        (Seen::Unknown, _) => !is_first,
        // A watch may be behind what was read. A generation begins anew where a workload is made again.
        (Seen::At(seen), Seen::At(now)) if !is_workload(kind) => now > seen,
        _ => seen != now,
    }
}

fn newer(kind: &str, seen: Seen, now: Seen) -> Seen {
    match (seen, now) {
        (Seen::At(seen), Seen::At(now)) if !is_workload(kind) => Seen::At(seen.max(now)),
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::key::Key;

    fn reference(kind: &'static str, name: &str) -> Reference {
        Reference { kind, key: Key::new("shop", name) }
    }

    #[test]
    fn who_uses_an_input_hears_of_its_changes_and_nobody_of_what_is_known() {
        let announced = Arc::new(AtomicUsize::new(0));
        let inputs = Inputs::new({
            let announced = Arc::clone(&announced);
            move |_, _| {
                announced.fetch_add(1, Ordering::SeqCst);
            }
        });
        let (user, other) = (reference("ScaledObject", "orders"), reference("ScaledObject", "other"));
        let secret = reference(SECRET, "keys");
        inputs.uses(&user, &secret, Seen::Unknown);
        inputs.uses(&user, &secret, Seen::At(7));
        inputs.uses(&other, &secret, Seen::Unknown);
        inputs.hear(&secret, Seen::At(7), true);
        assert_eq!(
            (inputs.revision(&user), inputs.revision(&other)),
            (0, 0),
            "a watch that begins says what they have read"
        );
        inputs.hear(&secret, Seen::At(6), false);
        assert_eq!(inputs.revision(&user), 0, "a watch may be behind");
        inputs.hear(&secret, Seen::At(9), false);
        inputs.hear(&secret, Seen::At(9), false);
        inputs.hear(&secret, Seen::Absent, false);
        assert_eq!((inputs.revision(&user), inputs.revision(&other), announced.load(Ordering::SeqCst)), (2, 2, 4));
        inputs.hear(&reference(CONFIG_MAP, "keys"), Seen::At(9), false);
        assert_eq!(inputs.revision(&user), 2, "another kind of that name is not used");
    }

    #[test]
    fn a_kind_is_watched_while_something_of_it_is_used() {
        let inputs = Inputs::new(|_, _| {});
        let user = reference("ScaledObject", "orders");
        let (target, secret) = (reference(DEPLOYMENT, "orders"), reference(SECRET, "orders"));
        let is_used = |kind| *inputs.in_use[KINDS.iter().position(|one| *one == kind).unwrap()].borrow();
        assert!(is_used(DEPLOYMENT) && is_used(STATEFUL_SET) && !is_used(SECRET));
        inputs.uses(&user, &target, Seen::Unknown);
        inputs.uses(&user, &secret, Seen::Unknown);
        assert!(is_used(SECRET) && !is_used(CONFIG_MAP));
        inputs.hear(&target, Seen::At(5), true);
        inputs.hear(&target, Seen::At(1), false);
        assert_eq!(inputs.revision(&user), 1, "made again, its generation begins anew");
        inputs.forget(&user);
        assert!(is_used(DEPLOYMENT) && !is_used(SECRET) && inputs.lock().users_of.is_empty());
    }
}
