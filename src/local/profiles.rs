//! The Fargate profiles as the scheduler knows them: at once, or late where the fault profile wants it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clock::Clock;
use local_eks::FargateProfile;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The scheduler's source.
pub(crate) struct Profiles {
    sender: watch::Sender<Vec<FargateProfile>>,
    /// How long after it is ACTIVE a profile counts.
    late: Duration,
    clock: Clock,
    /// Names of those that count.
    known: Mutex<BTreeSet<String>>,
    /// Of the last change: a late one that another has followed is dropped.
    generation: AtomicU64,
}

impl Profiles {
    pub(crate) fn new(sender: watch::Sender<Vec<FargateProfile>>, late: Duration, clock: Clock) -> Self {
        Self { sender, late, clock, known: Mutex::default(), generation: AtomicU64::default() }
    }

    /// Takes the profiles that are ACTIVE now. Those that are gone stop counting at once.
    pub(crate) fn update(self: &Arc<Self>, profiles: &[FargateProfile], stop: &CancellationToken) {
        let generation = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
        let all: BTreeSet<String> = profiles.iter().map(|profile| profile.name.clone()).collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|name| all.contains(name));
        if self.late.is_zero() {
            known.clone_from(&all);
        }
        let counting = profiles.iter().filter(|profile| known.contains(&profile.name)).cloned().collect();
        self.sender.send_replace(counting);
        if *known == all {
            return;
        }
        let (this, profiles, stop) = (Arc::clone(self), profiles.to_vec(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = this.clock.sleep(this.late) => this.count(all, profiles, generation),
                () = stop.cancelled() => {}
            }
        });
    }

    fn count(&self, all: BTreeSet<String>, profiles: Vec<FargateProfile>, generation: u64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if self.generation.load(Ordering::SeqCst) == generation {
            *known = all;
            self.sender.send_replace(profiles);
        }
    }
}
