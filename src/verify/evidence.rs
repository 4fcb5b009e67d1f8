//! The evidence file: a header line, then one JSON object a line, only ever appended to, each sealed to the one before.

mod chain;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::course::Played;
use crate::error::{Error, Result};
pub(crate) use crate::evidence::chain::Chain;
use crate::observation::{
    Counts, Decision, Diagnosis, FaultSeen, Hpa, Job, JobCounts, KubernetesEvent, Observation, Pod, Receipt, Record,
    Replicas, ScaledObject, Source, Step, StepState,
};
use crate::settings::{Consumer, History, Scaling, Thresholds};

/// The format's name, first key of the header.
pub(crate) const FORMAT: &str = "sluice-evidence";
/// The format's version.
pub(crate) const VERSION: u32 = 2;

/// The first line of an evidence file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// Version of the program that wrote the file.
    pub product: String,
    /// A random id of this run.
    pub run: String,
    /// The scenario's name.
    #[serde(rename = "story")]
    pub scenario: String,
    /// The stack's name.
    pub stack: String,
    /// When the observers started, real time.
    pub started: Timestamp,
    /// System seconds per real second.
    pub time_scale: f64,
    /// Seed of the fault plan, if there was one.
    pub seed: Option<u64>,
    /// Messages that the scenario sends.
    pub messages: usize,
    /// The workload's namespace and Deployment, as `namespace/name`.
    pub workload: String,
    /// Whose program works on the messages.
    #[serde(default)]
    pub consumer: Consumer,
    /// How long the queue keeps a message that nobody deletes, if that is known, in seconds of its own time.
    #[serde(default)]
    pub retention_seconds: Option<u64>,
    /// Whether the queue has a dead-letter queue, which is then looked at too.
    #[serde(default)]
    pub has_dead_letter_queue: bool,
    /// What the ScaledObject or the ScaledJob asked for.
    pub scaling: Scaling,
    /// How many Jobs are kept, where Jobs do the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<History>,
    /// Load, bounds and faults, where a scenario of a user's own was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub course: Option<Played>,
    /// How exact the checks are.
    pub thresholds: Thresholds,
    /// Target, region and the like.
    pub environment: IndexMap<String, String>,
    /// What this environment cannot prove.
    pub limits: Vec<String>,
}

/// Everything that one run saw, in order of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// What was run.
    pub header: Header,
    /// What was seen.
    pub records: Vec<Record>,
    /// The seal of its file's last line; absent of what no file holds.
    pub seal: Option<String>,
}

/// Broken lines that an error names, at most.
const NAMED_MAX: usize = 5;

/// Something of one kind with the time at which it was seen.
pub(crate) type At<'a, T> = (Timestamp, &'a T);

macro_rules! readers {
    ($($(#[$doc:meta])* $name:ident: $variant:ident -> $kind:ty;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name(&self) -> impl DoubleEndedIterator<Item = At<'_, $kind>> {
            self.records.iter().filter_map(|record| match &record.observation {
                Observation::$variant(value) => Some((record.time, value)),
                _ => None,
            })
        }
    )*};
}

impl Evidence {
    /// Brings records into order of time; log lines arrive later than they were written.
    pub fn new(header: Header, mut records: Vec<Record>) -> Self {
        records.sort_by_key(|record| record.time);
        Self { header, records, seal: None }
    }

    /// Reads an evidence file. A last line without its line feed was cut off by the end of the writer and is left out.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if the file cannot be read. [`Error::Evidence`] names the line that is not what this version
    /// writes, and [`Error::Changed`] the lines that somebody changed since.
    pub fn load(path: &Path) -> Result<Self> {
        let read_error = |source| Error::Read { path: path.to_owned(), source };
        let malformed = |line, reason: String| Error::Evidence { path: path.to_owned(), line, reason };
        let lines = lines(path).map_err(read_error)?;
        let (first, rest) = lines.split_first().ok_or_else(|| malformed(1, "there is no header".to_owned()))?;
        let header: Header = serde_json::from_str(first).map_err(|error| malformed(1, error.to_string()))?;
        if header.format != FORMAT || header.version != VERSION {
            return Err(malformed(1, format!("format {} version {} is not known", header.format, header.version)));
        }
        let seal = unbroken(&lines).map_err(|broken| Error::Changed { path: path.to_owned(), broken })?;
        let records = rest
            .iter()
            .enumerate()
            .map(|(index, line)| serde_json::from_str(line).map_err(|error| malformed(index + 2, error.to_string())));
        Ok(Self { seal: Some(seal), ..Self::new(header, records.collect::<Result<_>>()?) })
    }

    readers! {
        steps: Step -> Step;
        hpas: Hpa -> Hpa;
        scaled_objects: ScaledObject -> ScaledObject;
        events: Event -> KubernetesEvent;
        decisions: Decision -> Decision;
        receipts: Receipt -> Receipt;
        diagnoses: Diagnosis -> Diagnosis;
        faults: Fault -> FaultSeen;
    }

    /// Whether a ScaledObject is the one of this run's workload: an operator's log is about all of them.
    pub(crate) fn is_about(&self, namespace: &str, name: &str) -> bool {
        self.header.workload.split_once('/') == Some((namespace, name))
    }

    /// The Deployment's replicas; where Jobs do the work, those of them that run.
    pub(crate) fn deployments(&self) -> impl DoubleEndedIterator<Item = (Timestamp, Replicas)> {
        self.records.iter().filter_map(|record| match &record.observation {
            Observation::Deployment(replicas) => Some((record.time, *replicas)),
            Observation::Jobs { jobs } => Some((record.time, JobCounts::of(jobs).replicas())),
            _ => None,
        })
    }

    /// All Jobs at each read.
    pub(crate) fn jobs(&self) -> impl DoubleEndedIterator<Item = At<'_, Vec<Job>>> {
        self.records.iter().filter_map(|record| match &record.observation {
            Observation::Jobs { jobs } => Some((record.time, jobs)),
            _ => None,
        })
    }

    /// Counts of the workload's queue.
    pub(crate) fn queue(&self) -> impl DoubleEndedIterator<Item = At<'_, Counts>> {
        self.counts(Source::Queue)
    }

    /// Counts of one of the queues.
    pub(crate) fn counts(&self, source: Source) -> impl DoubleEndedIterator<Item = At<'_, Counts>> {
        self.records.iter().filter_map(move |record| match &record.observation {
            Observation::Queue(counts) if record.source == source => Some((record.time, counts)),
            _ => None,
        })
    }

    /// The pods of the workload or of the operator.
    pub(crate) fn pods(&self, source: Source) -> impl DoubleEndedIterator<Item = At<'_, Vec<Pod>>> {
        self.records.iter().filter_map(move |record| match &record.observation {
            Observation::Pods { pods } if record.source == source => Some((record.time, pods)),
            _ => None,
        })
    }

    /// Failed observations of one source.
    pub(crate) fn failures(&self, source: Source) -> impl Iterator<Item = (Timestamp, &str)> {
        self.records.iter().filter_map(move |record| match &record.observation {
            Observation::Failure { error, .. } if record.source == source => Some((record.time, error.as_str())),
            _ => None,
        })
    }

    /// When the scenario sent its messages, and their ids; absent if it did not get so far.
    pub(crate) fn sent(&self) -> Option<(Timestamp, Vec<String>)> {
        let (mut first, mut ids) = (None, Vec::new());
        for record in &self.records {
            if let Observation::Sent { message_ids } = &record.observation {
                first = first.or(Some(record.time));
                ids.extend(message_ids.iter().cloned());
            }
        }
        Some((first?, ids))
    }

    /// When the last message was sent.
    pub(crate) fn last_sent(&self) -> Option<Timestamp> {
        let is_sent = |record: &&Record| matches!(record.observation, Observation::Sent { .. });
        self.records.iter().rfind(is_sent).map(|record| record.time)
    }

    /// Ids of the messages that no worker is to succeed with.
    pub(crate) fn poison(&self) -> BTreeSet<&str> {
        let ids = self.records.iter().filter_map(|record| match &record.observation {
            Observation::Poison { message_ids } => Some(message_ids),
            _ => None,
        });
        ids.flatten().map(String::as_str).collect()
    }

    /// When sending began: nothing before it can be a consequence of it.
    pub(crate) fn sending(&self) -> Option<Timestamp> {
        let begun = self.steps().find(|(_, step)| step.name == "send").map(|(time, _)| time);
        self.sent().map(|(time, _)| begun.map_or(time, |begun| begun.min(time)))
    }

    /// The step in which the run was interrupted, or whose end nobody recorded since the run was killed.
    pub(crate) fn interrupted_in(&self) -> Option<&str> {
        let interrupted = self.steps().find(|(_, step)| step.is_interrupted());
        let killed = || self.steps().last().filter(|(_, step)| step.state == StepState::Started);
        interrupted.or_else(killed).map(|(_, step)| step.name.as_str())
    }

    /// The last record's time.
    pub(crate) fn end(&self) -> Timestamp {
        self.records.last().map_or(self.header.started, |record| record.time)
    }

    /// System seconds from one real timestamp to another; negative if `to` is earlier.
    pub(crate) fn seconds(&self, from: Timestamp, to: Timestamp) -> f64 {
        to.duration_since(from).as_secs_f64() * self.header.time_scale
    }

    /// A time as a check says it: the real time, and system seconds after the messages were sent.
    pub(crate) fn when(&self, time: Timestamp) -> String {
        let clock = time.strftime("%H:%M:%S%.3f");
        match self.sending() {
            Some(sent) => format!("{clock} (send {:+.0} s)", self.seconds(sent, time)),
            None => clock.to_string(),
        }
    }
}

/// The lines of a file without their line feeds. What follows the last of those was cut off by the end of the writer.
fn lines(path: &Path) -> std::io::Result<Vec<String>> {
    let mut reader = BufReader::new(std::fs::File::open(path)?);
    let mut lines = Vec::new();
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 && line.ends_with('\n') {
        line.pop();
        lines.push(std::mem::take(&mut line));
    }
    Ok(lines)
}

/// The last seal, or in words which lines are not what was written.
fn unbroken(lines: &[String]) -> Result<String, String> {
    let mut chain = Chain::default();
    let numbered = (1..).zip(lines);
    let broken: Vec<String> =
        numbered.filter(|(_, line)| chain.check(line).is_err()).map(|(number, line)| place(number, line)).collect();
    match broken.len() {
        0 => Ok(chain.last()),
        count @ ..=NAMED_MAX => Err(broken[..count].join(", ")),
        count => Err(format!("{} and {} more", broken[..NAMED_MAX].join(", "), count - NAMED_MAX)),
    }
}

/// A line of a file, with what it is about as far as it can be read.
fn place(number: usize, line: &str) -> String {
    match (number, serde_json::from_str::<Record>(line)) {
        (1, _) => "line 1 (the header)".to_owned(),
        (_, Ok(record)) => {
            let (source, time) =
                (record.source.noun().trim_start_matches("the "), record.time.strftime("%H:%M:%S%.3f"));
            format!("line {number} (record {}: {source} at {time})", number - 1)
        }
        (_, Err(_)) => format!("line {number} (record {})", number - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Run;

    #[test]
    fn what_is_written_is_read_back() {
        let evidence = Run::good().evidence();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evidence.jsonl");
        let text = evidence.text();
        std::fs::write(&path, text.clone() + "{\"time\":\"2026-").unwrap();
        let read = Evidence::load(&path).unwrap();
        assert_eq!((&read.header, &read.records), (&evidence.header, &evidence.records));
        std::fs::write(&path, text + "{\"time\":\"2026-\n").unwrap();
        let error = Evidence::load(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("line {}", evidence.records.len() + 2)), "{error}");
    }

    #[test]
    fn a_changed_record_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evidence.jsonl");
        let text = Run::good().evidence().text();
        let (number, line) = text.lines().enumerate().find(|(_, line)| line.contains("\"kind\":\"queue\"")).unwrap();
        std::fs::write(&path, text.replacen(line, &line.replace("\"in_flight\":", "\"in_flight\":1"), 1)).unwrap();
        let error = Evidence::load(&path).unwrap_err().to_string();
        let named = format!("line {} (record {number}: queue at ", number + 1);
        assert!(error.contains(&named) && !error.contains(", line "), "{error}");
        std::fs::write(&path, text.replacen(&format!("{line}\n"), "", 1)).unwrap();
        assert!(Evidence::load(&path).unwrap_err().to_string().contains(&format!("line {}", number + 1)));
        let header = text.replacen("\"messages\":9", "\"messages\":3", 1);
        std::fs::write(&path, header).unwrap();
        assert!(Evidence::load(&path).unwrap_err().to_string().contains("line 1 (the header)"));
    }

    #[test]
    fn a_record_is_time_source_kind_payload() {
        let record = Record {
            time: Timestamp::UNIX_EPOCH,
            source: Source::Queue,
            observation: Observation::Queue(Counts { visible: 1, in_flight: 2, delayed: 0 }),
        };
        let expected = serde_json::json!({"time": "1970-01-01T00:00:00Z", "source": "queue", "kind": "queue",
            "payload": {"visible": 1, "in_flight": 2, "delayed": 0}});
        assert_eq!(serde_json::to_value(record).unwrap(), expected);
    }
}
