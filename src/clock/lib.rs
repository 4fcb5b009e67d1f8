//! Time as a value that is handed around: real, scaled and manual.
//!
//! Every wait of the product takes a [`Clock`]. A scaled clock shrinks *durations* (polling, cooldown, visibility
//! timeout, work per message) by one factor; *timestamps* stay real, so signatures, tokens and certificates keep
//! their meaning. A manual clock moves only when a test moves it.
//!
//! This crate must not know what is being waited for.
#![expect(clippy::disallowed_methods, reason = "this is the one place where the system's time is read")]

pub mod env;
mod manual;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
pub use manual::ClockHandle;

/// The deadline given to [`Clock::timeout`] passed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

impl std::fmt::Display for Elapsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("deadline has elapsed")
    }
}

impl std::error::Error for Elapsed {}

/// A point on a clock's own monotonic axis: the duration, in system time, since the clock was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// The moment `after` later, in system time.
    #[must_use]
    pub fn plus(self, after: Duration) -> Self {
        Self(self.0.saturating_add(after))
    }

    /// The nearest multiple of `period` since the clock was made; the moment itself if `period` is zero.
    #[must_use]
    pub fn nearest(self, period: Duration) -> Self {
        let (at, period) = (self.0.as_nanos(), period.as_nanos());
        let whole = (at + period / 2).checked_div(period).map(|count| count * period);
        whole.and_then(|nanos| u64::try_from(nanos).ok()).map_or(self, |nanos| Self(Duration::from_nanos(nanos)))
    }

    /// System time from `earlier` to this moment; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A source of time. Cheap to clone; clones share one axis.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
enum Inner {
    Flowing { origin: std::time::Instant, scale: f64 },
    Manual(manual::Face),
}

impl Clock {
    /// Real time: one second is one second.
    pub fn real() -> Self {
        Self::scaled(1.0)
    }

    /// System time that runs `scale` times faster than real time. A `scale` that is not finite or not positive counts as 1.
    pub fn scaled(scale: f64) -> Self {
        let scale = if scale.is_finite() && scale > 0.0 { scale } else { 1.0 };
        Self(Arc::new(Inner::Flowing { origin: std::time::Instant::now(), scale }))
    }

    /// Time that stands at `start` until the returned [`ClockHandle`] moves it.
    pub fn manual(start: Timestamp) -> (Self, ClockHandle) {
        let (face, handle) = manual::pair(start);
        (Self(Arc::new(Inner::Manual(face))), handle)
    }

    /// System seconds per real second.
    pub fn scale(&self) -> f64 {
        match &*self.0 {
            Inner::Flowing { scale, .. } => *scale,
            Inner::Manual(_) => 1.0,
        }
    }

    /// The wall clock's timestamp: always real time (or the manual time), never scaled.
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Inner::Flowing { .. } => Timestamp::now(),
            Inner::Manual(face) => face.now(),
        }
    }

    /// The current point on the monotonic axis, in system time.
    pub fn moment(&self) -> Moment {
        match &*self.0 {
            Inner::Flowing { origin, scale } => Moment(origin.elapsed().mul_f64(*scale)),
            Inner::Manual(face) => Moment(face.elapsed()),
        }
    }

    /// System time that has passed since `earlier`.
    pub fn elapsed(&self, earlier: Moment) -> Duration {
        self.moment().since(earlier)
    }

    /// System time between a wall-clock timestamp (of this machine or another) and now; zero if it lies in the future.
    ///
    /// This is how a window such as a cooldown is compared with a timestamp that was stored in an object's status.
    pub fn since(&self, timestamp: Timestamp) -> Duration {
        let real = Duration::try_from(self.now().duration_since(timestamp)).unwrap_or(Duration::ZERO);
        real.mul_f64(self.scale())
    }

    /// The wall-clock timestamp at which `after` of system time will have passed from now.
    pub fn deadline(&self, after: Duration) -> Timestamp {
        let real = jiff::SignedDuration::try_from(self.to_real(after)).unwrap_or(jiff::SignedDuration::MAX);
        self.now().checked_add(real).unwrap_or(Timestamp::MAX)
    }

    /// How long `system` takes on a real watch.
    pub fn to_real(&self, system: Duration) -> Duration {
        Duration::try_from_secs_f64(system.as_secs_f64() / self.scale()).unwrap_or(Duration::MAX)
    }

    /// How much system time passes in `real`.
    pub fn to_system(&self, real: Duration) -> Duration {
        Duration::try_from_secs_f64(real.as_secs_f64() * self.scale()).unwrap_or(Duration::MAX)
    }

    /// Waits for `system` time to pass.
    pub async fn sleep(&self, system: Duration) {
        match &*self.0 {
            Inner::Flowing { .. } => tokio::time::sleep(self.to_real(system)).await,
            Inner::Manual(face) => face.sleep(system).await,
        }
    }

    /// Waits until `moment`; returns at once if it has passed.
    pub async fn sleep_until(&self, moment: Moment) {
        self.sleep(moment.since(self.moment())).await;
    }

    /// Waits for `future`, but no longer than `system` time.
    ///
    /// # Errors
    ///
    /// [`Elapsed`] if the time passes first.
    pub async fn timeout<F: Future>(&self, system: Duration, future: F) -> Result<F::Output, Elapsed> {
        tokio::pin!(future);
        let sleep = self.sleep(system);
        tokio::pin!(sleep);
        tokio::select! {
            biased;
            output = &mut future => Ok(output),
            () = &mut sleep => Err(Elapsed),
        }
    }

    /// Calls `check` every `period` until it gives a value, for at most `limit`. The first call is at once.
    ///
    /// # Errors
    ///
    /// [`Elapsed`] if `limit` has passed and the last call gave none.
    pub async fn poll_until<T, F: Future<Output = Option<T>>>(
        &self,
        limit: Duration,
        period: Duration,
        mut check: impl FnMut() -> F,
    ) -> Result<T, Elapsed> {
        let start = self.moment();
        loop {
            if let Some(value) = check().await {
                return Ok(value);
            }
            if self.elapsed(start) >= limit {
                return Err(Elapsed);
            }
            self.sleep(period).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn scaled_time_shrinks_waits_and_not_timestamps() {
        let clock = Clock::scaled(100.0);
        let (moment, stamp) = (clock.moment(), clock.now());
        clock.sleep(Duration::from_secs(2)).await;
        assert!(clock.elapsed(moment) >= Duration::from_secs(2));
        assert!(clock.now().duration_since(stamp) < jiff::SignedDuration::from_secs(2));
        assert!(clock.since(stamp) >= Duration::from_secs(2));
    }

    #[tokio::test]
    async fn manual_time_moves_only_by_hand() {
        let (clock, handle) = Clock::manual(Timestamp::UNIX_EPOCH);
        let waiter = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep(Duration::from_secs(10)).await;
                clock.now()
            }
        });
        // Its ten seconds count from when it begins to wait.
        tokio::task::yield_now().await;
        handle.advance(Duration::from_secs(4));
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        handle.advance(Duration::from_secs(6));
        assert_eq!(waiter.await.unwrap().as_second(), 10);
    }

    #[test]
    fn moments_are_rounded_to_a_common_grid() {
        let moment = |millis| Moment(Duration::from_millis(millis));
        let grid = Duration::from_millis(500);
        assert_eq!([0, 249, 250, 749, 1001].map(|at| moment(at).nearest(grid)), [0, 0, 500, 500, 1000].map(moment));
        assert_eq!(moment(249).nearest(Duration::ZERO), moment(249));
    }

    #[tokio::test]
    async fn timeout_prefers_a_ready_future_and_reports_elapsed() {
        let clock = Clock::scaled(1000.0);
        assert_eq!(clock.timeout(Duration::ZERO, async { 7 }).await, Ok(7));
        assert_eq!(clock.timeout(Duration::from_secs(1), std::future::pending::<()>()).await, Err(Elapsed));
    }

    #[test]
    fn a_senseless_scale_counts_as_real_time() {
        for scale in [0.0, -3.0, f64::NAN, f64::INFINITY] {
            assert!((Clock::scaled(scale).scale() - 1.0).abs() < f64::EPSILON);
        }
    }
}
