//! Why it scaled: the causal chain from messages to replicas and back, as lines.

mod cause;
mod role;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::observation::{Decision, JobCounts, Observation, Pod, Record, Source, StepState};
use crate::timeline::cause::Happening;
use crate::timeline::role::Role;

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Real time. Where only the second is known, as with most Events, no earlier than its cause.
    pub time: Timestamp,
    /// System seconds after the origin: the sending of the messages where it is known.
    pub offset_seconds: f64,
    /// Who did it: queue, operator, hpa, deployment, pods, worker, scenario, identity.
    pub actor: &'static str,
    /// What happened, and why.
    pub text: String,
    /// The entry that caused it, by its position in the timeline; always an earlier one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<usize>,
}

/// A causal timeline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timeline {
    /// In order of time, and no effect before its cause.
    pub entries: Vec<Entry>,
}

impl Timeline {
    /// From records in order of time: only changes make entries.
    pub(crate) fn of(records: &[Record], scale: f64, origin: Option<Timestamp>) -> Self {
        let origin = origin.or_else(|| records.first().map(|record| record.time));
        let mut narrator = Narrator::default();
        let mut happenings = Vec::new();
        for record in records {
            for line in narrator.run(record) {
                happenings.push(Happening::new(record, line, scale));
            }
        }
        let entries = cause::ordered(happenings).into_iter().map(|(happening, cause)| {
            let (actor, text) = happening.line;
            let offset = origin.map_or(0.0, |origin| happening.at.duration_since(origin).as_secs_f64() * scale);
            Entry { time: happening.at, offset_seconds: offset, actor, text, cause }
        });
        Self { entries: entries.collect() }
    }

    /// The timeline as text, one line an entry; an arrow names the cause by its time and actor.
    pub fn lines(&self) -> Vec<String> {
        let line = |entry: &Entry| {
            let clock = entry.time.strftime("%H:%M:%S%.3f");
            let because = self.because(entry).map_or_else(String::new, |because| format!("  ← {because}"));
            format!("{clock} {:>+8.1} s  {:<10} {}{because}", entry.offset_seconds, entry.actor, entry.text)
        };
        self.entries.iter().map(line).collect()
    }

    /// An entry's cause in few words: when and by whom.
    pub(crate) fn because(&self, entry: &Entry) -> Option<String> {
        let cause = self.entries.get(entry.cause?)?;
        Some(format!("{} {:+.1} s", cause.actor, cause.offset_seconds))
    }

    /// The timeline as versioned JSON.
    pub fn json(&self) -> Value {
        serde_json::json!({ "version": 1, "entries": self.entries })
    }
}

/// One thing to be said of a record.
struct Line {
    actor: &'static str,
    text: String,
    role: Role,
}

impl Line {
    fn new(actor: &'static str, text: String) -> Self {
        Self { actor, text, role: Role::Other }
    }

    fn playing(self, role: Role) -> Self {
        Self { role, ..self }
    }
}

/// Remembers what was last said of each thing, so that only changes are said.
#[derive(Default)]
struct Narrator {
    said: BTreeMap<&'static str, String>,
    pods: BTreeMap<String, String>,
    replicas: Option<u32>,
}

impl Narrator {
    fn run(&mut self, record: &Record) -> Vec<Line> {
        match &record.observation {
            Observation::Step(step) if step.state == StepState::Missed || step.state == StepState::Stopped => {
                vec![Line::new("scenario", format!("step {} {:?}: {}", step.name, step.state, step.detail))]
            }
            Observation::Sent { message_ids } => {
                vec![Line::new("scenario", format!("{} messages sent", message_ids.len()))]
            }
            Observation::Poison { message_ids } => {
                vec![Line::new("scenario", format!("{} of them are poison", message_ids.len()))]
            }
            Observation::Fault(fault) => {
                let state = format!("{:?}", fault.state).to_lowercase();
                vec![Line::new("scenario", format!("fault {} {state}: {}", fault.name, fault.detail))]
            }
            Observation::Queue(counts) if record.source == Source::Queue => {
                let more = if counts.delayed > 0 { format!(", {} delayed", counts.delayed) } else { String::new() };
                self.change("queue", format!("{} visible, {} in flight{more}", counts.visible, counts.in_flight))
            }
            Observation::Deployment(replicas) => self.deployment(replicas.desired, replicas.ready),
            Observation::Jobs { jobs } => self.jobs(JobCounts::of(jobs)),
            Observation::Hpa(hpa) => {
                let Some(desired) = hpa.desired else { return Vec::new() };
                let metrics: Vec<_> = hpa.metrics.iter().map(|(name, value)| format!("{name} = {value}")).collect();
                let because = if metrics.is_empty() { String::new() } else { format!(" ({})", metrics.join(", ")) };
                let lines = self.change_by("hpa", desired.to_string(), format!("wants {desired} replicas{because}"));
                lines.into_iter().map(|line| line.playing(Role::Wanted { size: desired })).collect()
            }
            Observation::ScaledObject(object) => {
                let state = |kind: &str| {
                    object.condition(kind).map_or("unset".to_owned(), |it| format!("{} ({})", it.status, it.reason))
                };
                let kind = if record.source == Source::ScaledJob { "ScaledJob" } else { "ScaledObject" };
                self.change("conditions", format!("{kind} Ready={}, Active={}", state("Ready"), state("Active")))
            }
            Observation::Pods { pods } if record.source == Source::Pods => self.pods(pods),
            Observation::Event(event) => {
                let text = format!("{} on {}: {}", event.reason, event.object, event.message);
                vec![Line::new("event", text).playing(Role::of_event(event))]
            }
            Observation::Decision(decision) => {
                vec![Line::new("operator", decision_text(decision)).playing(Role::of_decision(decision))]
            }
            Observation::Receipt(receipt) => {
                let seconds = receipt.finished_at.duration_since(receipt.started_at).as_secs_f64();
                let text = format!(
                    "{} {} message {} after {seconds:.2} s (real)",
                    receipt.pod, receipt.outcome, receipt.message_id
                );
                vec![Line::new("worker", text).playing(Role::Worked { pod: receipt.pod.clone() })]
            }
            Observation::Denial(denial) => {
                let text = format!(
                    "{} was refused {} on {}: {}",
                    denial.principal, denial.action, denial.resource, denial.reason
                );
                vec![Line::new("identity", text)]
            }
            Observation::Diagnosis(found) => {
                let lines = found.hopeless.iter().chain(&found.evidence).cloned().collect::<Vec<_>>();
                vec![Line::new("diagnosis", format!("{}: {}", found.about, lines.join("; ")))]
            }
            Observation::Trouble { pod, message } => self.change("log", format!("{pod}: {message}")),
            Observation::Failure { what, error } => self.change("unseen", format!("{what} could not be read: {error}")),
            Observation::Absent { what } => self.change("unseen", format!("{what} does not exist")),
            Observation::Step(_) | Observation::Queue(_) | Observation::Pods { .. } | Observation::LogEnded { .. } => {
                Vec::new()
            }
        }
    }

    fn deployment(&mut self, desired: u32, ready: u32) -> Vec<Line> {
        let before = self.replicas.replace(desired);
        let scaled = match before {
            Some(before) if before != desired => format!("scaled {before} -> {desired}, {ready} ready"),
            _ => format!("{desired} replicas, {ready} ready"),
        };
        let lines = self.change_by("deployment", format!("{desired}/{ready}"), scaled);
        match before {
            Some(from) if from != desired => {
                lines.into_iter().map(|line| line.playing(Role::Change { from, to: desired })).collect()
            }
            _ => lines,
        }
    }

    fn jobs(&mut self, counts: JobCounts) -> Vec<Line> {
        let JobCounts { running, complete, failed } = counts;
        let before = self.replicas.replace(running);
        let lines = self.change("jobs", format!("{running} run, {complete} complete, {failed} failed"));
        match before.filter(|from| *from != running) {
            Some(from) => lines.into_iter().map(|line| line.playing(Role::Change { from, to: running })).collect(),
            None => lines,
        }
    }

    fn pods(&mut self, pods: &[Pod]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut now = BTreeMap::new();
        for pod in pods {
            let ending = if pod.terminating { ", ending" } else { "" };
            let ready = if pod.ready { ", ready" } else { "" };
            let waiting = pod.waiting.as_ref().map_or_else(String::new, |why| format!(", waiting: {why}"));
            let state = format!("{}{ready}{ending}{waiting}", pod.phase);
            if self.pods.get(&pod.name) != Some(&state) {
                let running = pod.phase == "Running";
                let role = Role::Seen { pod: pod.name.clone(), running, ending: pod.terminating };
                lines.push(Line::new("pods", format!("{} {state}", pod.name)).playing(role));
            }
            now.insert(pod.name.clone(), state);
        }
        let gone = self.pods.keys().filter(|name| !now.contains_key(*name));
        lines.extend(gone.map(|name| {
            let role = Role::Seen { pod: name.clone(), running: false, ending: true };
            Line::new("pods", format!("{name} gone")).playing(role)
        }));
        self.pods = now;
        lines
    }

    fn change(&mut self, actor: &'static str, text: String) -> Vec<Line> {
        self.change_by(actor, text.clone(), text)
    }

    /// Says `text` if `key` differs from what was last said.
    fn change_by(&mut self, actor: &'static str, key: String, text: String) -> Vec<Line> {
        if self.said.get(actor) == Some(&key) {
            return Vec::new();
        }
        self.said.insert(actor, key);
        vec![Line::new(actor, text)]
    }
}

/// A decision: what, why (sample, formula, limit, in the operator's words), and what the HPA should make of it.
fn decision_text(decision: &Decision) -> String {
    let number = |value: Option<i64>| value.map_or("?".to_owned(), |value| value.to_string());
    if let Some(create) = decision.jobs() {
        let jobs = match create {
            0 => "makes no Job".to_owned(),
            1 => "makes 1 Job".to_owned(),
            _ => format!("makes {create} Jobs"),
        };
        return format!("{jobs} beside {} that run: {}", number(decision.from), decision.reason);
    }
    let verb = match (decision.from, decision.to) {
        (Some(from), Some(to)) if from == to => format!("keeps {to}"),
        (Some(from), None) => format!("leaves {from} as it is"),
        (from, to) => format!("decides {} -> {}", number(from), number(to)),
    };
    let hpa = decision.decision.get("wantedByHpa").and_then(Value::as_i64);
    let hpa = hpa.map_or_else(String::new, |wanted| format!("; the HPA should want {wanted}"));
    format!("{verb}: {}{hpa}", decision.reason)
}
