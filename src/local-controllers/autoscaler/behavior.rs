//! From what metrics ask for to what is done: stabilisation windows, scaling policies, minimum and maximum. Pure over a
//! history that is handed in; all ages are in system time. Rules: `docs/rules.md#hpa-behavior`.

use std::time::Duration;

use clock::Moment;
use serde_json::Value;

use super::algorithm::Tolerance;
use crate::object::{integer, items, text};

/// The scale-down window when the HPA says nothing.
const DOWN_WINDOW: Duration = Duration::from_mins(5);

/// Which of several policies counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Select {
    Max,
    Min,
    Disabled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Amount {
    Pods(i64),
    Percent(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Policy {
    amount: Amount,
    period: Duration,
}

/// How fast one direction may go.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rules {
    window: Duration,
    select: Select,
    policies: Vec<Policy>,
}

/// How fast an HPA may scale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Behavior {
    /// None if the HPA has no `behavior`: then growth is limited to the double (at least 4) per step.
    rules: Option<(Rules, Rules)>,
}

/// What an HPA asked for and did before.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    recommendations: Vec<(Moment, i64)>,
    ups: Vec<(Moment, i64)>,
    downs: Vec<(Moment, i64)>,
}

/// Reason and message of a condition.
pub(super) type Why = (&'static str, &'static str);

/// What is to be done, and the conditions that say why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) replicas: i64,
    pub(super) able: Why,
    pub(super) limited: bool,
    pub(super) limit: Why,
}

const READY: Why = ("ReadyForNewScale", "recommended size matches current size");
const WITHIN: Why = ("DesiredWithinRange", "the desired count is within the acceptable range");
const TOO_FEW: Why = ("TooFewReplicas", "the desired replica count is less than the minimum replica count");
const TOO_MANY: Why = ("TooManyReplicas", "the desired replica count is more than the maximum replica count");
const UP_LIMIT: Why = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate");
const DOWN_LIMIT: Why =
    ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate");
const DOWN_STABILIZED: Why = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
);
const UP_STABILIZED: Why = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
);

/// The tolerances of an HPA's behavior, where it has any.
pub(super) fn tolerance(hpa: &Value) -> Tolerance {
    let of = |direction: &str| {
        let quantity = text(hpa, &format!("/spec/behavior/{direction}/tolerance"));
        crate::quantity::to_milli(quantity).map(|milli| milli as f64 / 1000.0)
    };
    let default = Tolerance::default();
    Tolerance { down: of("scaleDown").unwrap_or(default.down), up: of("scaleUp").unwrap_or(default.up) }
}

impl Behavior {
    pub(super) fn of(hpa: &Value) -> Self {
        let Some(behavior) = hpa.pointer("/spec/behavior").filter(|behavior| behavior.is_object()) else {
            return Self { rules: None };
        };
        let second15 = Duration::from_secs(15);
        let double = Policy { amount: Amount::Percent(100), period: second15 };
        let four = Policy { amount: Amount::Pods(4), period: second15 };
        let up = Rules { window: Duration::ZERO, select: Select::Max, policies: vec![four, double] };
        let down = Rules { window: DOWN_WINDOW, select: Select::Max, policies: vec![double] };
        Self { rules: Some((up.overridden(&behavior["scaleUp"]), down.overridden(&behavior["scaleDown"]))) }
    }

    /// Turns a recommendation into a size, and remembers the recommendation.
    pub(super) fn settle(
        &self,
        history: &mut History,
        now: Moment,
        current: i64,
        wanted: i64,
        (min, max): (i64, i64),
    ) -> Settled {
        let (stable, why_stable) = self.stabilize(history, now, current, wanted);
        history.recommendations.push((now, wanted));
        let able = if stable == wanted { READY } else { why_stable };
        let (replicas, limit) = match &self.rules {
            None => limit_without_rules(current, stable, min, max),
            Some((up, down)) => limit_by_rules(history, now, (up, down), current, stable, (min, max)),
        };
        Settled { replicas, able, limited: replicas != stable, limit }
    }

    fn windows(&self) -> (Duration, Duration) {
        self.rules.as_ref().map_or((Duration::ZERO, DOWN_WINDOW), |(up, down)| (up.window, down.window))
    }

    /// The lowest recommendation of the scale-up window limits growth, the highest of the scale-down window shrinkage.
    fn stabilize(&self, history: &mut History, now: Moment, current: i64, wanted: i64) -> (i64, Why) {
        let (up_window, down_window) = self.windows();
        let longest = up_window.max(down_window);
        history.recommendations.retain(|(at, _)| now.since(*at) < longest);
        let within = |window: Duration| {
            history.recommendations.iter().filter(move |(at, _)| now.since(*at) < window).map(|(_, n)| *n)
        };
        let highest = within(down_window).chain([wanted]).max().unwrap_or(wanted);
        if self.rules.is_none() {
            return (highest, DOWN_STABILIZED);
        }
        let lowest = within(up_window).chain([wanted]).min().unwrap_or(wanted);
        let stable = current.max(lowest).min(highest);
        (stable, if wanted >= current { UP_STABILIZED } else { DOWN_STABILIZED })
    }

    /// Notes a change of size, for the policies that count changes per period.
    pub(super) fn note(&self, history: &mut History, now: Moment, from: i64, to: i64) {
        let Some((up, down)) = &self.rules else { return };
        let (events, rules) = if to > from { (&mut history.ups, up) } else { (&mut history.downs, down) };
        // Both directions look at both lists, so that the longest period of either decides what is kept.
        let longest = rules.policies.iter().chain(&up.policies).chain(&down.policies).map(|one| one.period).max();
        events.retain(|(at, _)| now.since(*at) < longest.unwrap_or_default());
        events.push((now, (to - from).abs()));
    }
}

impl History {
    /// The size that was found at first counts as a recommendation: a new HPA does not shrink its target at once.
    pub(super) fn start(now: Moment, current: i64) -> Self {
        Self { recommendations: vec![(now, current)], ..Self::default() }
    }
}

impl Rules {
    fn overridden(mut self, given: &Value) -> Self {
        if let Some(seconds) = integer(given, "/stabilizationWindowSeconds") {
            self.window = Duration::from_secs(seconds.max(0) as u64);
        }
        match text(given, "/selectPolicy") {
            "Min" => self.select = Select::Min,
            "Disabled" => self.select = Select::Disabled,
            _ => {}
        }
        let policies: Vec<Policy> = items(given, "/policies").iter().map(Policy::parse).collect();
        if !policies.is_empty() {
            self.policies = policies;
        }
        self
    }
}

impl Policy {
    fn parse(given: &Value) -> Self {
        let value = integer(given, "/value").unwrap_or(0);
        let amount = if text(given, "/type") == "Pods" { Amount::Pods(value) } else { Amount::Percent(value) };
        Self { amount, period: Duration::from_secs(integer(given, "/periodSeconds").unwrap_or(15).max(1) as u64) }
    }
}

fn limit_without_rules(current: i64, wanted: i64, min: i64, max: i64) -> (i64, Why) {
    let rate = (2 * current).max(4);
    let (most, why) = if max > rate { (rate, UP_LIMIT) } else { (max, TOO_MANY) };
    if wanted < min {
        (min, TOO_FEW)
    } else if wanted > most {
        (most, why)
    } else {
        (wanted, WITHIN)
    }
}

fn limit_by_rules(
    history: &History,
    now: Moment,
    (up, down): (&Rules, &Rules),
    current: i64,
    wanted: i64,
    (min, max): (i64, i64),
) -> (i64, Why) {
    if wanted > current {
        let rate = up_limit(history, now, up, current).max(current);
        let (most, why) = if max > rate { (rate, UP_LIMIT) } else { (max, TOO_MANY) };
        if wanted > most {
            return (most, why);
        }
    } else if wanted < current {
        let rate = down_limit(history, now, down, current).min(current);
        let (least, why) = if min < rate { (rate, DOWN_LIMIT) } else { (min, TOO_FEW) };
        if wanted < least {
            return (least, why);
        }
    }
    (wanted, WITHIN)
}

/// The size at the start of a policy's period.
fn period_start(history: &History, now: Moment, policy: &Policy, current: i64) -> i64 {
    let changed = |events: &[(Moment, i64)]| -> i64 {
        events.iter().filter(|(at, _)| now.since(*at) < policy.period).map(|(_, n)| *n).sum()
    };
    current - changed(&history.ups) + changed(&history.downs)
}

fn up_limit(history: &History, now: Moment, rules: &Rules, current: i64) -> i64 {
    let limits = rules.policies.iter().map(|policy| {
        let start = period_start(history, now, policy, current);
        match policy.amount {
            Amount::Pods(pods) => start + pods,
            Amount::Percent(percent) => (start * (100 + percent) + 99).div_euclid(100),
        }
    });
    match rules.select {
        Select::Disabled => Some(current),
        Select::Max => limits.max(),
        Select::Min => limits.min(),
    }
    .unwrap_or(current)
}

fn down_limit(history: &History, now: Moment, rules: &Rules, current: i64) -> i64 {
    let limits = rules.policies.iter().map(|policy| {
        let start = period_start(history, now, policy, current);
        match policy.amount {
            Amount::Pods(pods) => start - pods,
            Amount::Percent(percent) => (start * (100 - percent)).div_euclid(100),
        }
    });
    // The most change is the smallest size.
    match rules.select {
        Select::Disabled => Some(current),
        Select::Max => limits.min(),
        Select::Min => limits.max(),
    }
    .unwrap_or(current)
}

#[cfg(test)]
mod tests {
    use clock::Clock;
    use serde_json::json;

    use super::*;

    fn origin() -> Moment {
        Clock::manual(jiff::Timestamp::UNIX_EPOCH).0.moment()
    }

    fn at(seconds: u64) -> Moment {
        origin().plus(Duration::from_secs(seconds))
    }

    fn behavior(spec: &Value) -> Behavior {
        Behavior::of(&json!({"spec": {"behavior": spec}}))
    }

    /// Applies recommendations in turn; gives the sizes.
    fn play(behavior: &Behavior, start: i64, limits: (i64, i64), requested: &[(u64, i64)]) -> Vec<i64> {
        let mut history = History::start(origin(), start);
        let mut size = start;
        requested
            .iter()
            .map(|(second, wanted)| {
                let settled = behavior.settle(&mut history, at(*second), size, *wanted, limits);
                if settled.replicas != size {
                    behavior.note(&mut history, at(*second), size, settled.replicas);
                }
                size = settled.replicas;
                size
            })
            .collect()
    }

    #[test]
    fn shrinking_waits_for_the_window_and_growing_does_not() {
        for given in [Behavior { rules: None }, behavior(&json!({}))] {
            assert_eq!(play(&given, 1, (1, 10), &[(0, 3), (15, 1), (290, 1), (299, 1), (316, 1)]), [3, 3, 3, 3, 1]);
        }
        let quick = behavior(&json!({"scaleDown": {"stabilizationWindowSeconds": 30}}));
        assert_eq!(play(&quick, 5, (1, 10), &[(0, 5), (15, 1), (31, 1)]), [5, 5, 1]);
    }

    #[test]
    fn growth_without_behavior_doubles_or_reaches_four() {
        assert_eq!(play(&Behavior { rules: None }, 1, (1, 100), &[(0, 50), (15, 50), (30, 50)]), [4, 8, 16]);
    }

    #[test]
    fn default_rules_add_four_pods_or_double_per_fifteen_seconds() {
        assert_eq!(play(&behavior(&json!({})), 1, (1, 100), &[(0, 50), (5, 50), (15, 50), (30, 50)]), [5, 5, 10, 20]);
    }

    #[test]
    fn limits_are_named() {
        let default = Behavior { rules: None };
        let settle = |current, wanted, limits| default.settle(&mut History::default(), at(0), current, wanted, limits);
        assert_eq!(settle(1, 9, (1, 3)).limit.0, "TooManyReplicas");
        assert!(settle(1, 9, (1, 3)).limited);
        assert_eq!(settle(1, 9, (1, 30)).limit.0, "ScaleUpLimit");
        assert_eq!(settle(3, 0, (2, 3)).limit.0, "TooFewReplicas");
        assert_eq!(settle(3, 3, (1, 3)).limit.0, "DesiredWithinRange");
        assert!(!settle(3, 3, (1, 3)).limited);
        let mut history = History::start(at(0), 3);
        assert_eq!(default.settle(&mut history, at(15), 3, 1, (1, 3)).able.0, "ScaleDownStabilized");
    }

    #[test]
    fn policies_count_what_happened_in_their_period() {
        let slow = behavior(&json!({"scaleDown": {"stabilizationWindowSeconds": 0,
            "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}}));
        assert_eq!(play(&slow, 5, (1, 10), &[(0, 1), (15, 1), (59, 1), (60, 1), (120, 1)]), [4, 4, 4, 3, 2]);
        let half = behavior(&json!({"scaleDown": {"stabilizationWindowSeconds": 0,
            "policies": [{"type": "Percent", "value": 50, "periodSeconds": 15}]}}));
        assert_eq!(play(&half, 9, (1, 10), &[(0, 1), (15, 1), (30, 1)]), [4, 2, 1]);
    }

    #[test]
    fn the_selected_policy_decides() {
        let policies = json!([{"type": "Pods", "value": 2, "periodSeconds": 15},
                              {"type": "Percent", "value": 100, "periodSeconds": 15}]);
        let with = |select: &str| behavior(&json!({"scaleUp": {"selectPolicy": select, "policies": policies}}));
        assert_eq!(play(&with("Max"), 5, (1, 100), &[(0, 50)]), [10]);
        assert_eq!(play(&with("Min"), 5, (1, 100), &[(0, 50)]), [7]);
        assert_eq!(play(&with("Disabled"), 5, (1, 100), &[(0, 50)]), [5]);
        let down = behavior(&json!({"scaleDown": {"selectPolicy": "Disabled", "stabilizationWindowSeconds": 0}}));
        assert_eq!(play(&down, 5, (1, 100), &[(0, 1), (600, 1)]), [5, 5]);
    }

    #[test]
    fn a_scale_up_window_applies_the_lowest_recommendation() {
        let calm = behavior(&json!({"scaleUp": {"stabilizationWindowSeconds": 60}}));
        assert_eq!(play(&calm, 2, (1, 100), &[(1, 2), (15, 5), (61, 5)]), [2, 2, 5]);
    }
}
