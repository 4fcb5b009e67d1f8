//! The three numbers of a run: how long it took to the first replica, to the maximum, and back to zero.

use serde::Serialize;

use crate::check::activity;
use crate::evidence::Evidence;

/// Seconds of system time after sending began; absent where it never came so far.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Moments {
    /// Until the Deployment had a first replica to make.
    pub activated_seconds: Option<f64>,
    /// Until it had as many as it may.
    pub maximum_seconds: Option<f64>,
    /// Until it was back at zero.
    pub zero_seconds: Option<f64>,
}

impl Moments {
    pub(super) fn of(evidence: &Evidence) -> Self {
        let Some(sending) = evidence.sending() else { return Self::default() };
        let after = |time| evidence.seconds(sending, time);
        let most = evidence.header.scaling.max_replicas;
        let maximum = evidence.deployments().find(|(time, it)| *time >= sending && it.desired >= most);
        Self {
            activated_seconds: activity::activation(evidence).ok().map(after),
            maximum_seconds: maximum.map(|(time, _)| after(time)),
            zero_seconds: activity::zero(evidence).ok().map(after),
        }
    }

    /// In words, with the maximum of the workload.
    pub(super) fn words(self, most: u32, what: &str) -> String {
        let after =
            |seconds: Option<f64>| seconds.map_or("never".to_owned(), |seconds| format!("after {seconds:.0} s"));
        format!(
            "0 -> 1 {}, {most} {what} {}, back at 0 {} (stack's time)",
            after(self.activated_seconds),
            after(self.maximum_seconds),
            after(self.zero_seconds)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Run;
    use crate::observation::Observation;

    #[test]
    fn the_numbers_count_from_the_sending_and_what_never_came_is_no_number() {
        let good = Moments::of(&Run::good().evidence());
        let near = |seconds: Option<f64>, expected: f64| assert!((seconds.unwrap() - expected).abs() < 6.0, "{good:?}");
        near(good.activated_seconds, 12.0);
        near(good.maximum_seconds, 25.0);
        near(good.zero_seconds, 400.0);
        assert!(
            good.words(3, "replicas").contains("0 -> 1 after ") && good.words(3, "replicas").len() <= 78,
            "{}",
            good.words(3, "replicas")
        );
        let blind = Moments::of(
            &Run::good().without(|record| matches!(record.observation, Observation::Deployment(_))).evidence(),
        );
        assert_eq!(blind, Moments::default());
        assert!(blind.words(3, "replicas").contains("back at 0 never"));
    }
}
