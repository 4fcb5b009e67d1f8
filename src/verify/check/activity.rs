//! Moments that several checks reckon from.

use jiff::Timestamp;

use crate::evidence::Evidence;
use crate::observation::{Decision, KubernetesEvent};
use crate::verdict::{Finding, fail, inconclusive};

/// When sending began; without it there is nothing to evaluate.
pub(crate) fn sending(evidence: &Evidence) -> Result<Timestamp, Finding> {
    evidence.sending().ok_or_else(|| inconclusive("the scenario sent no message"))
}

/// The first time after sending at which the Deployment had a replica.
pub(crate) fn activation(evidence: &Evidence) -> Result<Timestamp, Finding> {
    let sending = sending(evidence)?;
    let seen = evidence.deployments().find(|(time, replicas)| *time >= sending && replicas.desired > 0);
    seen.map(|(time, _)| time).ok_or_else(|| {
        let reads = evidence.deployments().filter(|(time, _)| *time >= sending).count();
        fail(format!("{} never left 0 in {reads} reads after sending", what(evidence)))
    })
}

/// The first time after activation at which the Deployment was decided to be at zero.
pub(crate) fn zero(evidence: &Evidence) -> Result<Timestamp, Finding> {
    let mut activation = activation(evidence)?;
    if evidence.header.jobs.is_some() {
        // Between those that ended and the poll that makes the next, none may run.
        let busy = evidence.deployments().rev().find(|(_, running)| running.desired > 0);
        activation = busy.map_or(activation, |(time, _)| time.max(activation));
    }
    let seen = evidence.deployments().find(|(time, replicas)| *time > activation && replicas.desired == 0);
    seen.map(|(time, _)| time).ok_or_else(|| {
        let last = evidence.deployments().next_back();
        let last = last
            .map_or_else(String::new, |(time, it)| format!("; last seen at {} on {}", it.desired, evidence.when(time)));
        fail(format!("{} never came back to 0{last}", what(evidence)))
    })
}

/// The last time at which the queue was seen with a message in it after sending.
pub(super) fn last_busy(evidence: &Evidence) -> Result<Timestamp, Finding> {
    let sending = sending(evidence)?;
    let seen = evidence.queue().rev().find(|(time, counts)| *time >= sending && counts.total() > 0);
    seen.map(|(time, _)| time).ok_or_else(|| fail("the queue was never seen with a message in it"))
}

/// Why it was scaled: the operator's decision, or the Event that published it. Without either, how many decisions were seen.
pub(super) fn why(
    evidence: &Evidence,
    decision: Option<(Timestamp, &Decision)>,
    event: Option<(Timestamp, &KubernetesEvent)>,
) -> Result<String, usize> {
    match (decision, event) {
        (Some((time, decision)), _) => Ok(format!("decided on {}: {}", evidence.when(time), decision.reason)),
        (None, Some((time, event))) => Ok(format!("Event seen on {}: {}", evidence.when(time), event.message)),
        (None, None) => Err(evidence.decisions().count()),
    }
}

/// The longest time without a successful read in `[from, to]`, in system seconds.
pub(super) fn longest_gap(
    evidence: &Evidence,
    times: impl Iterator<Item = Timestamp>,
    from: Timestamp,
    to: Timestamp,
) -> f64 {
    let inner = times.filter(|time| (from..=to).contains(time));
    let (last, longest) =
        inner.fold((from, 0.0_f64), |(last, longest), time| (time, longest.max(evidence.seconds(last, time))));
    longest.max(evidence.seconds(last, to))
}

/// What it is that leaves zero and comes back to it.
fn what(evidence: &Evidence) -> &'static str {
    if evidence.header.jobs.is_some() { "the number of Jobs that run" } else { "the Deployment" }
}
