//! Why it scaled: the causal chain from messages to replicas and back, as lines.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::fact::{Decision, Fact, Pod, Record, Source, StepState};

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Real time.
    pub time: Timestamp,
    /// System seconds after the origin: the sending of the messages where it is known.
    pub offset_seconds: f64,
    /// Who did it: queue, operator, hpa, deployment, pods, worker, story, identity.
    pub actor: &'static str,
    /// What happened, and why.
    pub text: String,
}

/// A causal timeline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timeline {
    /// In order of time.
    pub entries: Vec<Entry>,
}

impl Timeline {
    /// From records in order of time: only changes make entries.
    pub(crate) fn of(records: &[Record], scale: f64, origin: Option<Timestamp>) -> Self {
        let origin = origin.or_else(|| records.first().map(|record| record.time));
        let mut teller = Teller::default();
        let mut entries = Vec::new();
        for record in records {
            for (actor, text) in teller.tell(record) {
                let offset = origin.map_or(0.0, |origin| record.time.duration_since(origin).as_secs_f64() * scale);
                entries.push(Entry { time: record.time, offset_seconds: offset, actor, text });
            }
        }
        Self { entries }
    }

    /// The timeline as text, one line an entry.
    pub fn lines(&self) -> Vec<String> {
        let line = |entry: &Entry| {
            let clock = entry.time.strftime("%H:%M:%S%.3f");
            format!("{clock} {:>+8.1} s  {:<10} {}", entry.offset_seconds, entry.actor, entry.text)
        };
        self.entries.iter().map(line).collect()
    }

    /// The timeline as versioned JSON.
    pub fn json(&self) -> Value {
        serde_json::json!({ "version": 1, "entries": self.entries })
    }
}

type Line = (&'static str, String);

/// Remembers what was last said of each thing, so that only changes are said.
#[derive(Default)]
struct Teller {
    said: BTreeMap<&'static str, String>,
    pods: BTreeMap<String, String>,
    replicas: Option<u32>,
}

impl Teller {
    fn tell(&mut self, record: &Record) -> Vec<Line> {
        match &record.fact {
            Fact::Step(step) if step.state == StepState::Missed || step.state == StepState::Stopped => {
                vec![("story", format!("step {} {:?}: {}", step.name, step.state, step.detail))]
            }
            Fact::Sent { message_ids } => vec![("story", format!("{} messages sent", message_ids.len()))],
            Fact::Queue(counts) if record.source == Source::Queue => {
                let more = if counts.delayed > 0 { format!(", {} delayed", counts.delayed) } else { String::new() };
                self.change("queue", format!("{} visible, {} in flight{more}", counts.visible, counts.in_flight))
            }
            Fact::Deployment(replicas) => self.deployment(replicas.desired, replicas.ready),
            Fact::Hpa(hpa) => {
                let Some(desired) = hpa.desired else { return Vec::new() };
                let metrics: Vec<_> = hpa.metrics.iter().map(|(name, value)| format!("{name} = {value}")).collect();
                let because = if metrics.is_empty() { String::new() } else { format!(" ({})", metrics.join(", ")) };
                self.change_by("hpa", desired.to_string(), format!("wants {desired} replicas{because}"))
            }
            Fact::ScaledObject(object) => {
                let state = |kind: &str| {
                    object.condition(kind).map_or("unset".to_owned(), |it| format!("{} ({})", it.status, it.reason))
                };
                self.change("conditions", format!("ScaledObject Ready={}, Active={}", state("Ready"), state("Active")))
            }
            Fact::Pods { pods } if record.source == Source::Pods => self.pods(pods),
            Fact::Event(event) => vec![("event", format!("{} on {}: {}", event.reason, event.object, event.message))],
            Fact::Decision(decision) => vec![("operator", decision_text(decision))],
            Fact::Receipt(receipt) => {
                let seconds = receipt.finished_at.duration_since(receipt.started_at).as_secs_f64();
                vec![(
                    "worker",
                    format!(
                        "{} {} message {} after {seconds:.2} s (real)",
                        receipt.pod, receipt.outcome, receipt.message_id
                    ),
                )]
            }
            Fact::Denial(denial) => {
                let text = format!(
                    "{} was refused {} on {}: {}",
                    denial.principal, denial.action, denial.resource, denial.reason
                );
                vec![("identity", text)]
            }
            Fact::Trouble { pod, message } => self.change("log", format!("{pod}: {message}")),
            Fact::Failure { what, error } => self.change("unseen", format!("{what} could not be read: {error}")),
            Fact::Absent { what } => self.change("unseen", format!("{what} does not exist")),
            Fact::Step(_) | Fact::Queue(_) | Fact::Pods { .. } | Fact::LogEnded { .. } => Vec::new(),
        }
    }

    fn deployment(&mut self, desired: u32, ready: u32) -> Vec<Line> {
        let before = self.replicas.replace(desired);
        let scaled = match before {
            Some(before) if before != desired => format!("scaled {before} -> {desired}, {ready} ready"),
            _ => format!("{desired} replicas, {ready} ready"),
        };
        self.change_by("deployment", format!("{desired}/{ready}"), scaled)
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
                lines.push(("pods", format!("{} {state}", pod.name)));
            }
            now.insert(pod.name.clone(), state);
        }
        lines.extend(
            self.pods.keys().filter(|name| !now.contains_key(*name)).map(|name| ("pods", format!("{name} gone"))),
        );
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
        vec![(actor, text)]
    }
}

/// A decision: what, why (sample, formula, limit, in the operator's words), and what the HPA should make of it.
fn decision_text(decision: &Decision) -> String {
    let number = |value: Option<i64>| value.map_or("?".to_owned(), |value| value.to_string());
    let verb = match (decision.from, decision.to) {
        (Some(from), Some(to)) if from == to => format!("keeps {to}"),
        (Some(from), None) => format!("leaves {from} as it is"),
        (from, to) => format!("decides {} -> {}", number(from), number(to)),
    };
    let hpa = decision.decision.get("wantedByHpa").and_then(Value::as_i64);
    let hpa = hpa.map_or_else(String::new, |wanted| format!("; the HPA should want {wanted}"));
    format!("{verb}: {}{hpa}", decision.reason)
}

#[cfg(test)]
mod tests {
    use crate::fixture::Run;

    #[test]
    fn the_chain_is_told_in_order_and_only_changes_are_told() {
        let evidence = Run::good().evidence();
        let timeline = crate::explain(&evidence);
        let text: Vec<_> = timeline.entries.iter().map(|entry| entry.text.as_str()).collect();
        let position = |part: &str| {
            text.iter().position(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}: {text:#?}"))
        };
        let chain = [
            "9 messages sent",
            "decides 0 -> 1",
            "scaled 0 -> 1",
            "scaled 1 -> 3",
            "deleted message",
            "decides 2 -> 0",
            "scaled 2 -> 0",
        ];
        let positions: Vec<_> = chain.iter().map(|part| position(part)).collect();
        assert!(positions.is_sorted(), "{positions:?} {text:#?}");
        assert!(timeline.entries.len() < 50, "{}", timeline.entries.len());
        assert_eq!(timeline.json()["version"], 1);
        assert!(timeline.lines()[0].contains(" s  "));
    }
}
