//! Leader election by a Lease: at most one replica reconciles and scales.
//!
//! Timestamps in the lease are real time; how old they are is evaluated by the clock's scale. A fast clock shrinks the durations of
//! the system under test, but not the stalls of a busy machine, so a lease never lasts shorter than [`REAL_FLOOR`] on a real watch.

use std::time::Duration;

use clock::Clock;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio_util::sync::CancellationToken;

use crate::error::{self, Error, Result};
use crate::settings::{LeaseTiming, Settings};

/// The shortest real time that a lease lasts, however fast the clock runs.
const REAL_FLOOR: Duration = Duration::from_secs(5);

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
}

impl Elector {
    pub(crate) fn new(client: Client, settings: &Settings, clock: Clock) -> Self {
        Self {
            leases: Api::namespaced(client, &settings.namespace),
            name: settings.lease_name.clone(),
            namespace: settings.namespace.clone(),
            identity: settings.identity.clone(),
            timing: stretched(settings.lease, &clock),
            clock,
        }
    }

    /// Runs `lead` while this process leads; the token that it gets says when to stop.
    ///
    /// Ends when `stop` is cancelled (the lease is given back after `lead` has finished) or with [`Error::LeadershipLost`].
    pub(crate) async fn run<F: Future<Output = ()>>(
        &self,
        stop: &CancellationToken,
        lead: impl FnOnce(CancellationToken) -> F,
    ) -> Result<()> {
        let won = tokio::select! {
            () = stop.cancelled() => false,
            () = self.win() => true,
        };
        if !won {
            return Ok(());
        }
        tracing::info!(lease = %self.full_name(), identity = %self.identity, "became the leader");
        let leading = stop.child_token();
        let work = lead(leading.clone());
        tokio::pin!(work);
        let finished = tokio::select! {
            () = &mut work => true,
            () = self.hold() => false,
        };
        if finished {
            self.release().await;
            return Ok(());
        }
        tracing::error!(lease = %self.full_name(), "leadership lost; stopping");
        leading.cancel();
        // Another replica may act from now on: what is still running must end before it can do harm.
        let _ = self.clock.timeout(self.timing.retry, work).await;
        Err(Error::LeadershipLost { lease: self.full_name() })
    }

    fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Returns once the lease is ours.
    async fn win(&self) {
        loop {
            match self.attempt().await {
                Ok(true) => return,
                Ok(false) => {}
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
            match self.clock.timeout(left, self.attempt()).await {
                Ok(Ok(true)) => renewed = self.clock.moment(),
                Ok(Ok(false)) | Err(clock::Elapsed) => return,
                Ok(Err(error)) => {
                    tracing::warn!(lease = %self.full_name(), error = %error::brief(&error), "failed to renew the leader lease");
                }
            }
            if self.clock.elapsed(renewed) >= self.timing.renew_deadline {
                return;
            }
        }
    }

    /// One attempt to take or renew; whether the lease is ours now.
    async fn attempt(&self) -> kube::Result<bool> {
        let current = self.leases.get_opt(&self.name).await?;
        let step = evaluate(current.as_ref(), &self.identity, &self.clock);
        let wanted = match step {
            Step::Wait => return Ok(false),
            Step::Create | Step::Take | Step::Renew => self.claim(current.as_ref(), step),
        };
        let written = match step {
            Step::Create => self.leases.create(&PostParams::default(), &wanted).await,
            _ => self.leases.replace(&self.name, &PostParams::default(), &wanted).await,
        };
        match written {
            Ok(_) => Ok(true),
            // Somebody else was faster; a renewal that conflicts is tried again after a fresh read.
            Err(error) if error::is_conflict(&error) && step != Step::Renew => Ok(false),
            Err(error) => Err(error),
        }
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
            let Some(mut lease) = self.leases.get_opt(&self.name).await? else { return Ok(()) };
            let Some(spec) = lease.spec.as_mut().filter(|spec| spec.holder_identity.as_deref() == Some(&self.identity))
            else {
                return Ok(());
            };
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
            spec.renew_time = Some(MicroTime(self.clock.now()));
            self.leases.replace(&self.name, &PostParams::default(), &lease).await.map(drop)
        };
        match self.clock.timeout(self.timing.renew_deadline, released).await {
            Ok(Ok(())) => tracing::info!(lease = %self.full_name(), "released the leader lease"),
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

/// What `identity` should do about the lease as it was read.
fn evaluate(lease: Option<&Lease>, identity: &str, clock: &Clock) -> Step {
    let Some(lease) = lease else { return Step::Create };
    let Some(spec) = &lease.spec else { return Step::Take };
    match spec.holder_identity.as_deref() {
        None | Some("") => Step::Take,
        Some(holder) if holder == identity => Step::Renew,
        Some(_) => {
            let renewed = spec.renew_time.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
            let lasts = Duration::from_secs(spec.lease_duration_seconds.unwrap_or(0).max(0).unsigned_abs().into());
            if clock.since(renewed) > lasts { Step::Take } else { Step::Wait }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn lease(holder: &str, renewed: Timestamp) -> Lease {
        let spec = LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            renew_time: Some(MicroTime(renewed)),
            ..LeaseSpec::default()
        };
        Lease { spec: Some(spec), ..Lease::default() }
    }

    #[test]
    fn a_lease_is_taken_only_when_free_or_run_out() {
        let (clock, handle) = Clock::manual(Timestamp::UNIX_EPOCH);
        let theirs = lease("other", clock.now());
        assert_eq!(evaluate(None, "me", &clock), Step::Create);
        assert_eq!(evaluate(Some(&lease("", clock.now())), "me", &clock), Step::Take);
        assert_eq!(evaluate(Some(&lease("me", clock.now())), "me", &clock), Step::Renew);
        handle.advance(15 * SECOND);
        assert_eq!(evaluate(Some(&theirs), "me", &clock), Step::Wait);
        handle.advance(SECOND);
        assert_eq!(evaluate(Some(&theirs), "me", &clock), Step::Take);
    }

    #[test]
    fn a_fast_clock_never_makes_a_lease_shorter_than_the_real_floor() {
        let timing = LeaseTiming::default();
        assert_eq!(stretched(timing, &Clock::real()), timing);
        let fast = Clock::scaled(30.0);
        let stretched = stretched(timing, &fast);
        assert!(fast.to_real(stretched.duration) + Duration::from_millis(1) >= REAL_FLOOR);
        assert!(stretched.retry < stretched.renew_deadline && stretched.renew_deadline < stretched.duration);
    }
}
