//! The status as lines on a screen.

use cluster::read::{Condition, Deployment, EndingNamespace, Hpa, Jobs, ScaledJob};
use local::files::{PodWalls, Walls};

use super::{Scaled, Seen, Status};
use crate::view::Tone;

type Lines = Vec<(Tone, String)>;

pub(super) fn lines(status: &Status) -> Lines {
    let mut lines = vec![(Tone::Strong, format!("Stack {} on {} ({})", status.stack, status.target, status.region))];
    match &status.local_cloud {
        None => {}
        Some(Seen::Is(record)) => {
            let text = format!("process {}, {}, time {}× as fast", record.pid, record.aws_endpoint, record.time_scale);
            lines.push(row("Local cloud", Tone::Plain, text));
            lines.extend(record.faults.as_ref().map(|faults| row("Faults", Tone::Plain, faults.clone())));
            lines.extend(record.pod_walls.as_ref().map(walls));
        }
        Some(other) => lines.push(missing("Local cloud", "not running", other)),
    }
    if status.is_nothing() {
        lines.push((
            Tone::Plain,
            "Nothing is up. Bring it up with `sluice up`, or see it all with `sluice demo`.".into(),
        ));
        return lines;
    }
    recorded(status, &mut lines);
    match &status.cluster {
        Seen::Is(cluster) => {
            let endpoint = cluster.endpoint.as_deref().unwrap_or("no endpoint yet");
            let status = cluster.status.as_deref().unwrap_or("(your own)");
            let tone = if status == "ACTIVE" { Tone::Good } else { Tone::Change };
            let text = format!("{} {status}, Kubernetes {}, {endpoint}", cluster.name, cluster.version);
            lines.push(row("Cluster", tone, text));
        }
        other @ (Seen::Absent | Seen::Unreadable(_)) => lines.push(missing("Cluster", "none", other)),
    }
    for queue in &status.queues {
        let name = &queue.name;
        match &queue.counts {
            Seen::Is(counts) => {
                let text = format!(
                    "{name}: {} visible, {} in flight, {} delayed",
                    counts.visible, counts.in_flight, counts.delayed
                );
                lines.push(row("Queue", Tone::Plain, text));
            }
            Seen::Unreadable(why) => lines.push(row("Queue", Tone::Bad, format!("{name}: unreadable: {why}"))),
            Seen::Absent => lines.push(row("Queue", Tone::Change, format!("{name}: none"))),
        }
    }
    match &status.ending_namespaces {
        Seen::Is(ending) => {
            let text = |one: &EndingNamespace| row("Namespace", Tone::Bad, format!("{}: {}", one.name, one.why));
            lines.extend(ending.iter().map(text));
        }
        Seen::Unreadable(why) => lines.push(row("Namespace", Tone::Bad, format!("unreadable: {why}"))),
        Seen::Absent => {}
    }
    match &status.operator {
        Seen::Is(operator) => {
            let tone = if operator.ready >= operator.desired.max(1) { Tone::Good } else { Tone::Bad };
            lines.push(row("Operator", tone, format!("{} of {} ready", operator.ready, operator.desired)));
            waiting(operator, &mut lines);
        }
        other @ (Seen::Absent | Seen::Unreadable(_)) => lines.push(missing("Operator", "none", other)),
    }
    scalings(status, &mut lines);
    lines.push(row("Next", Tone::Dim, next(status)));
    lines
}

/// The ScaledObjects and the ScaledJobs.
fn scalings(status: &Status, lines: &mut Lines) {
    match &status.scaled_objects {
        Seen::Is(objects) => objects.iter().for_each(|object| scaled(object, lines)),
        // A stack may be worked on by Jobs alone.
        Seen::Absent if matches!(status.scaled_jobs, Seen::Is(_)) => {}
        other @ (Seen::Absent | Seen::Unreadable(_)) => lines.push(missing("ScaledObject", "none", other)),
    }
    match &status.scaled_jobs {
        Seen::Is(objects) => objects.iter().for_each(|object| scaled_job(object, lines)),
        Seen::Unreadable(why) => lines.push(row("ScaledJob", Tone::Bad, format!("unreadable: {why}"))),
        Seen::Absent => {}
    }
}

/// What holds pods in on the local target, where they are processes of this machine.
fn walls(walls: &PodWalls) -> (Tone, String) {
    let because = walls.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let (tone, text) = match walls.kind {
        Walls::Namespaces => {
            (Tone::Plain, "walled in by namespaces: a file system and processes of their own".to_owned())
        }
        Walls::Landlock => (
            Tone::Plain,
            format!(
                "walled in by Landlock: they read and write only what is theirs, see other processes, and are refused chmod, \
                 chown, utimes and local sockets even there{because}"
            ),
        ),
        Walls::None => {
            (Tone::Bad, format!("NOT walled in: they can read and write this machine's files as you can{because}"))
        }
    };
    row("Pods", tone, text)
}

fn recorded(status: &Status, lines: &mut Lines) {
    match &status.recorded {
        Seen::Is(recorded) if recorded.unfinished > 0 => {
            let text = format!("{} resources, {} of them unfinished", recorded.resources, recorded.unfinished);
            lines.push(row("Recorded", Tone::Change, text));
        }
        Seen::Is(recorded) => lines.push(row("Recorded", Tone::Plain, format!("{} resources", recorded.resources))),
        other @ (Seen::Absent | Seen::Unreadable(_)) => lines.push(missing("Recorded", "nothing", other)),
    }
}

fn scaled(scaled: &Scaled, lines: &mut Lines) {
    let Scaled { object, replicas, hpa } = scaled;
    let reported = match replicas {
        Seen::Is(Deployment { desired, ready, .. }) => format!("{desired} wanted, {ready} ready"),
        Seen::Absent => "its target does not exist".to_owned(),
        Seen::Unreadable(why) => format!("replicas unreadable: {why}"),
    };
    let text = format!("{}/{}: min {}, max {}; {reported}", object.namespace, object.name, object.min, object.max);
    lines.push(row("ScaledObject", Tone::Plain, text));
    if let Seen::Is(replicas) = replicas {
        waiting(replicas, lines);
    }
    conditions(&object.conditions, lines);
    let text = match hpa {
        Seen::Is(Hpa { current, desired, .. }) => {
            let current = current.map_or_else(|| "?".to_owned(), |current| current.to_string());
            format!("  HPA {}: current {current}, desired {desired}", object.hpa.as_deref().unwrap_or_default())
        }
        Seen::Absent => "  HPA: none".to_owned(),
        Seen::Unreadable(why) => format!("  HPA unreadable: {why}"),
    };
    lines.push(row("", Tone::Plain, text));
}

fn scaled_job(object: &ScaledJob, lines: &mut Lines) {
    let ScaledJob { namespace, name, min, max, jobs, .. } = object;
    let Jobs { running, complete, failed } = jobs;
    let text =
        format!("{namespace}/{name}: min {min}, max {max}; {running} Jobs run, {complete} complete, {failed} failed");
    lines.push(row("ScaledJob", Tone::Plain, text));
    lines.extend(object.waiting.iter().map(|why| row("", Tone::Bad, format!("  {why}"))));
    conditions(&object.conditions, lines);
}

fn conditions(conditions: &[Condition], lines: &mut Lines) {
    for kind in ["Ready", "Active", "Paused"] {
        // The operator has not spoken yet where a condition is missing; that is neither True nor False.
        let text = match conditions.iter().find(|condition| condition.kind == kind) {
            Some(Condition { status, message, .. }) => format!("  {kind}={status}  {message}"),
            None => format!("  {kind}=?  not reported yet"),
        };
        lines.push(row("", Tone::Plain, text.trim_end()));
    }
}

/// Why pods do not run.
fn waiting(deployment: &Deployment, lines: &mut Lines) {
    lines.extend(deployment.waiting.iter().map(|why| row("", Tone::Bad, format!("  {why}"))));
}

fn next(status: &Status) -> &'static str {
    if matches!(status.ending_namespaces, Seen::Is(_)) {
        return "a namespace is being deleted: `sluice up` waits for its end and makes it anew; an API service that its \
                conditions name must be served or gone first (`kubectl get apiservices`); `sluice down` removes what there is";
    }
    let unfinished = matches!(&status.recorded, Seen::Is(recorded) if recorded.unfinished > 0);
    match (&status.local_cloud, &status.cluster) {
        (Some(Seen::Absent), _) => {
            "the local cloud is gone with all that was in it: `sluice up` begins anew, `sluice down` clears the record"
        }
        (_, Seen::Is(_))
            if !unfinished && (status.scaled_objects != Seen::Absent || status.scaled_jobs != Seen::Absent) =>
        {
            // Without a queue there is nothing to send to.
            if status.queues.is_empty() {
                "`sluice watch`, `sluice explain`, or `sluice down`"
            } else {
                "`sluice send 9`, `sluice watch`, `sluice verify`, or `sluice down`"
            }
        }
        _ => "`sluice up` goes on where the last run ended, `sluice down` removes what there is",
    }
}

fn row(name: &str, tone: Tone, text: impl std::fmt::Display) -> (Tone, String) {
    (tone, format!("{name:<13} {text}"))
}

fn missing<T>(name: &str, absent: &str, seen: &Seen<T>) -> (Tone, String) {
    match seen {
        Seen::Unreadable(why) => row(name, Tone::Bad, format!("unreadable: {why}")),
        Seen::Absent | Seen::Is(_) => row(name, Tone::Change, absent),
    }
}

#[cfg(test)]
mod tests;
