//! Leader election by a Lease: at most one replica reconciles and scales.
//!
//! Whether somebody else's lease has run out is counted from the moment when this process saw it change last, never by
//! comparing its timestamps with the own clock: two machines' clocks may differ (`docs/rules.md#keda-leader-election`).
//! A fast clock shrinks the durations of the system under test, but not the stalls of a busy machine, so a lease never lasts
//! shorter than [`REAL_FLOOR`] on a real watch.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clock::{Clock, Moment};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::error::{self, Error, Result};
use crate::mandate::Mandate;
use crate::settings::{LeaseTiming, Settings};
use crate::stop::unless_stopped;

/// The shortest real time that a lease lasts, however fast the clock runs: KEDA's own, of which a renewal may take two thirds.
/// A busy machine was seen to answer one after more than three seconds.
const REAL_FLOOR: Duration = Duration::from_secs(15);
/// How long what was begun may take to end after a shutdown began, and how long giving the lease back may then take; system
/// time. Both together are shorter than the `terminationGracePeriodSeconds` of the operator's pod (10 s).
const FINISH_LIMIT: Duration = Duration::from_secs(5);
const RELEASE_LIMIT: Duration = Duration::from_secs(3);
/// The same for the release at the least, real time.
const RELEASE_FLOOR: Duration = Duration::from_millis(500);

/// What to do about the lease as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Nobody has made the lease yet.
    Create,
    /// It is free: released, or not renewed in time.
    Take,
    /// It is ours.
    Renew,
    /// Somebody else holds it.
    Wait,
}

/// Takes part in the election of one lease.
pub(crate) struct Elector {
    leases: Api<Lease>,
    name: String,
    namespace: String,
    identity: String,
    timing: LeaseTiming,
    clock: Clock,
    mandate: Mandate,
    seen: Mutex<Option<Seen>>,
}

/// The lease as it was read last, and when it was first read so.
struct Seen {
    spec: LeaseSpec,
    at: Moment,
}

impl Elector {
    /// Takes part with `client`. Leadership grants `mandate`.
    pub(crate) fn new(client: Client, settings: &Settings, clock: Clock, mandate: Mandate) -> Self {
        Self {
            leases: Api::namespaced(client, &settings.namespace),
            name: settings.lease_name.clone(),
            namespace: settings.namespace.clone(),
            identity: settings.identity.clone(),
            timing: stretched(settings.lease, &clock),
            clock,
            mandate,
            seen: Mutex::default(),
        }
    }

    /// Runs `lead` while this process leads, as a task of its own; the token that it gets says when to stop.
    ///
    /// Ends when `stop` is cancelled (the lease is given back after `lead` has finished, or after [`FINISH_LIMIT`]) or with
    /// [`Error::LeadershipLost`]. Whatever ends it, the mandate is revoked first.
    pub(crate) async fn run<F: Future<Output = ()> + Send + 'static>(
        &self,
        stop: &CancellationToken,
        lead: impl FnOnce(CancellationToken) -> F,
    ) -> Result<()> {
        if unless_stopped(stop, self.win()).await.is_none() {
            // An attempt may have been under way.
            self.release().await;
            return Ok(());
        }
        tracing::info!(lease = %self.full_name(), identity = %self.identity, "became the leader");
        let leading = stop.child_token();
        let is_lost = {
            // In a task of its own, however much it has to do, it delays no renewal. Dropped, it is aborted.
            let work = AbortOnDropHandle::new(tokio::spawn(lead(leading.clone())));
            tokio::select! {
                biased;
                () = self.hold() => true,
                ended = work => match ended {
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    _ => false,
                },
                () = self.overdue(stop) => false,
            }
        };
        self.mandate.revoke();
        leading.cancel();
        if is_lost {
            tracing::error!(lease = %self.full_name(), "leadership lost; stopping");
            return Err(Error::LeadershipLost { lease: self.full_name() });
        }
        self.release().await;
        Ok(())
    }

    /// Returns when what was begun has had its time after a shutdown began.
    async fn overdue(&self, stop: &CancellationToken) {
        stop.cancelled().await;
        self.clock.sleep(FINISH_LIMIT).await;
        tracing::warn!(lease = %self.full_name(), "what was begun has not finished in time; giving the lease back");
    }

    fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Returns once the lease is ours.
    async fn win(&self) {
        loop {
            match self.attempt().await {
                Ok(Some(_)) => return,
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(lease = %self.full_name(), error = %error::brief(&error), "failed to take part in the leader election");
                }
            }
            self.clock.sleep(self.timing.retry).await;
        }
    }

    /// Renews the lease until that has failed for the renew deadline, or somebody else holds it.
    async fn hold(&self) {
        let mut renewed = self.clock.moment();
        loop {
            self.clock.sleep(self.timing.retry).await;
            let left = self.timing.renew_deadline.saturating_sub(self.clock.elapsed(renewed));
            match self.clock.timeout(left, self.renew()).await {
                Ok(Ok(Some(at))) => renewed = at,
                Ok(Ok(None)) | Err(clock::Elapsed) => return,
                Ok(Err(error)) => {
                    tracing::warn!(lease = %self.full_name(), error = %error::brief(&error), "failed to renew the leader lease");
                }
            }
            if self.clock.elapsed(renewed) >= self.timing.renew_deadline {
                return;
            }
        }
    }

    /// Renews once. If there is no answer for a third of the deadline, a second attempt is made beside the first, on another
    /// connection: one that died must not cost the lease, and a server that is slow is still waited for.
    async fn renew(&self) -> kube::Result<Option<Moment>> {
        let first = self.attempt();
        let second = async {
            self.clock.sleep(self.timing.renew_deadline / 3).await;
            tracing::warn!(lease = %self.full_name(), "no answer yet to the renewal of the leader lease; asking again");
            self.attempt().await
        };
        tokio::pin!(first);
        tokio::select! {
            biased;
            renewed = &mut first => renewed,
            renewed = second => match renewed {
                Ok(renewed) => Ok(renewed),
                Err(_) => first.await,
            },
        }
    }

    /// One attempt to take or renew. If the lease is ours now, the moment since when it surely is; the mandate then holds for
    /// the renew deadline from there.
    async fn attempt(&self) -> kube::Result<Option<Moment>> {
        let started = self.clock.moment();
        let current = self.leases.get_opt(&self.name).await?;
        let step = self.next(current.as_ref(), started);
        let wanted = match step {
            Step::Wait => return Ok(None),
            Step::Create | Step::Take | Step::Renew => self.claim(current.as_ref(), step),
        };
        let written = match step {
            Step::Create => self.leases.create(&PostParams::default(), &wanted).await,
            _ => self.leases.replace(&self.name, &PostParams::default(), &wanted).await,
        };
        match written {
            Ok(_) => {
                self.mandate.grant(started.plus(self.timing.renew_deadline));
                Ok(Some(started))
            }
            // Somebody else was faster; a renewal that conflicts is tried again after a fresh read.
            Err(error) if error::is_conflict(&error) && step != Step::Renew => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What to do about the lease as it was read, of which it is remembered since when it is so.
    fn next(&self, lease: Option<&Lease>, now: Moment) -> Step {
        let Some(lease) = lease else { return Step::Create };
        let spec = lease.spec.clone().unwrap_or_default();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let at = match &*seen {
            Some(before) if before.spec == spec => before.at,
            _ => now,
        };
        let step = evaluate(&spec, &self.identity, now.since(at));
        *seen = Some(Seen { spec, at });
        step
    }

    /// The lease with us as its holder; the resourceVersion of the one that was read makes the write conditional.
    fn claim(&self, current: Option<&Lease>, step: Step) -> Lease {
        let now = MicroTime(self.clock.now());
        let mut lease = current.cloned().unwrap_or_else(|| Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                namespace: Some(self.namespace.clone()),
                ..ObjectMeta::default()
            },
            ..Lease::default()
        });
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        if step != Step::Renew {
            spec.acquire_time = Some(now.clone());
            spec.lease_transitions = Some(match step {
                Step::Take => spec.lease_transitions.unwrap_or(0) + 1,
                _ => 0,
            });
        }
        spec.holder_identity = Some(self.identity.clone());
        spec.lease_duration_seconds = Some(i32::try_from(self.timing.duration.as_secs()).unwrap_or(i32::MAX).max(1));
        spec.renew_time = Some(now);
        lease
    }

    /// Gives the lease back so that another replica need not wait for it to run out.
    async fn release(&self) {
        let released = async {
            let Some(mut lease) = self.leases.get_opt(&self.name).await? else { return Ok(false) };
            let Some(spec) = lease.spec.as_mut().filter(|spec| spec.holder_identity.as_deref() == Some(&self.identity))
            else {
                return Ok(false);
            };
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
            spec.renew_time = Some(MicroTime(self.clock.now()));
            self.leases.replace(&self.name, &PostParams::default(), &lease).await.map(|_| true)
        };
        match self.clock.timeout(RELEASE_LIMIT.max(self.clock.to_system(RELEASE_FLOOR)), released).await {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => tracing::info!(lease = %self.full_name(), "released the leader lease"),
            Ok(Err(error)) => {
                tracing::warn!(lease = %self.full_name(), error = %error::brief(&error), "failed to release the leader lease");
            }
            Err(clock::Elapsed) => {
                tracing::warn!(lease = %self.full_name(), "failed to release the leader lease in time");
            }
        }
    }
}

/// `timing`, stretched so that the lease lasts at least [`REAL_FLOOR`] of real time.
fn stretched(timing: LeaseTiming, clock: &Clock) -> LeaseTiming {
    let floor = clock.to_system(REAL_FLOOR.min(timing.duration));
    let factor = (floor.as_secs_f64() / timing.duration.as_secs_f64().max(f64::MIN_POSITIVE)).max(1.0);
    LeaseTiming {
        duration: timing.duration.mul_f64(factor),
        renew_deadline: timing.renew_deadline.mul_f64(factor),
        retry: timing.retry.mul_f64(factor),
    }
}

/// What `identity` should do about a lease that has not changed for `unchanged`.
fn evaluate(lease: &LeaseSpec, identity: &str, unchanged: Duration) -> Step {
    match lease.holder_identity.as_deref() {
        None | Some("") => Step::Take,
        Some(holder) if holder == identity => Step::Renew,
        Some(_) => {
            let lasts = Duration::from_secs(lease.lease_duration_seconds.unwrap_or(0).max(0).unsigned_abs().into());
            if unchanged > lasts { Step::Take } else { Step::Wait }
        }
    }
}

#[cfg(test)]
mod tests;
