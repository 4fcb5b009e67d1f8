//! From zero to the maximum.

use jiff::Timestamp;

use crate::check::activity;
use crate::evidence::Evidence;
use crate::observation::Source;
use crate::verdict::{Evaluated, fail, pass};

pub(super) fn activated_expected(evidence: &Evidence) -> String {
    let latest = latest_activation(evidence);
    format!(
        "the operator decides 0 -> 1 with a reason, and the Deployment has a replica within {latest:.0} s (polling interval and slack)"
    )
}

fn latest_activation(evidence: &Evidence) -> f64 {
    evidence.header.scaling.polling_seconds as f64 + evidence.header.thresholds.slack_seconds
}

pub(super) fn activated(evidence: &Evidence) -> Evaluated {
    let sending = activity::sending(evidence)?;
    let activation = activity::activation(evidence)?;
    let delay = evidence.seconds(sending, activation);
    let decision = evidence.decisions().find(|(time, decision)| {
        *time >= sending
            && evidence.is_about(&decision.namespace, &decision.name)
            && decision.to.is_some_and(|to| to > 0)
            && decision.from.is_none_or(|from| from == 0)
            && !decision.reason.is_empty()
    });
    // The Event is the same decision as the operator published it.
    let event = evidence.events().find(|(time, event)| {
        let is_ours =
            event.object.rsplit('/').next().is_some_and(|name| evidence.header.workload.ends_with(&format!("/{name}")));
        *time >= sending && is_ours && event.reason == "KEDAScaleTargetActivated"
    });
    let why = activity::why(evidence, decision, event).map_err(|seen| {
        fail(format!(
            "a replica after {delay:.0} s, but none of {seen} decisions of the operator and no Event says why"
        ))
    })?;
    let saw = format!("a replica {delay:.0} s after sending; {why}");
    Ok(if delay <= latest_activation(evidence) { pass(saw) } else { fail(saw) })
}

pub(super) fn metric_expected(_: &Evidence) -> String {
    "the HPA shows a value of the external metric".to_owned()
}

pub(super) fn metric(evidence: &Evidence) -> Evaluated {
    let sending = activity::sending(evidence)?;
    let served: Vec<_> = evidence.hpas().filter(|(time, hpa)| *time >= sending && !hpa.metrics.is_empty()).collect();
    let Some((first, hpa)) = served.first() else {
        let reads = evidence.hpas().count();
        let why =
            evidence.hpas().next_back().and_then(|(_, hpa)| hpa.conditions.iter().find(|it| it.status == "False"));
        let why = why.map_or_else(String::new, |why| format!("; {} {}: {}", why.kind, why.reason, why.message));
        return Ok(fail(format!("no value in {reads} reads of the HPA{why}")));
    };
    let text = hpa.metrics.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ");
    Ok(pass(format!("{text} on {}, a value in {} reads", evidence.when(*first), served.len())))
}

pub(super) fn maximum_expected(evidence: &Evidence) -> String {
    let max = evidence.header.scaling.max_replicas;
    format!("the HPA wants {max} replicas, and {max} are ready")
}

pub(super) fn maximum(evidence: &Evidence) -> Evaluated {
    let sending = activity::sending(evidence)?;
    let max = evidence.header.scaling.max_replicas;
    let hpas: Vec<_> = evidence.hpas().filter(|(time, _)| *time >= sending).collect();
    let wanted = hpas.iter().find(|(_, hpa)| hpa.desired.is_some_and(|desired| desired >= max));
    let ready = evidence.deployments().find(|(time, replicas)| *time >= sending && replicas.ready >= max);
    let when = |time: Timestamp| evidence.when(time);
    Ok(match (wanted, ready) {
        (Some((wanted, _)), Some((ready, _))) => pass(format!("wanted on {}, ready on {}", when(*wanted), when(ready))),
        (Some((wanted, _)), None) => {
            let most = evidence.deployments().filter(|(time, _)| *time >= sending).map(|(_, it)| it.ready).max();
            fail(format!(
                "wanted on {}, but at most {} ready",
                when(*wanted),
                most.map_or("unknown".to_owned(), |most| most.to_string())
            ))
        }
        (None, _) => {
            let most = hpas.iter().filter_map(|(_, hpa)| hpa.desired).max();
            let held = evidence.queue().filter(|(time, _)| *time >= sending).map(|(_, counts)| counts.total()).max();
            let needed = u64::from(max.saturating_sub(1)) * u64::from(evidence.header.scaling.queue_length) + 1;
            // What was sent is gone too soon, or was too little.
            let hint = held.map_or_else(String::new, |held| {
                format!("; the queue held at most {held} messages, and {max} replicas are called for by {needed}: send more with --messages")
            });
            fail(format!(
                "the HPA wanted at most {} in {} reads{hint}",
                most.map_or("nothing".to_owned(), |most| most.to_string()),
                hpas.len()
            ))
        }
    })
}

pub(super) fn exceeds_expected(evidence: &Evidence) -> String {
    format!("no read shows more than {} replicas, desired replicas or live pods", evidence.header.scaling.max_replicas)
}

pub(super) fn exceeds(evidence: &Evidence) -> Evaluated {
    exceeds_of(evidence, evidence.header.scaling.max_replicas)
}

/// The same with a bound of the caller's.
pub(super) fn exceeds_of(evidence: &Evidence, max: u32) -> Evaluated {
    let deployments: Vec<_> = evidence.deployments().map(|(time, it)| (time, it.desired)).collect();
    let hpas: Vec<_> = evidence.hpas().filter_map(|(time, hpa)| Some((time, hpa.desired?))).collect();
    let pods: Vec<_> = evidence
        .pods(Source::Pods)
        .map(|(time, pods)| (time, pods.iter().filter(|pod| pod.is_live()).count() as u32))
        .collect();
    let mut saw = Vec::new();
    for (what, reads) in [("replicas", deployments), ("replicas wanted by the HPA", hpas), ("live pods", pods)] {
        if let Some((time, value)) = reads.iter().find(|(_, value)| *value > max) {
            return Err(fail(format!("{value} {what} on {}", evidence.when(*time))));
        }
        let Some(most) = reads.iter().map(|(_, value)| *value).max() else {
            return Err(fail(format!("{what} were never read")));
        };
        saw.push(format!("at most {most} {what} in {} reads", reads.len()));
    }
    Ok(pass(saw.join("; ")))
}
