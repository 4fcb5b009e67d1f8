//! What is observed, in the order of time: a line for each change, a line for each decision, and every ten seconds what the
//! scenario waits for.

mod decision;
mod held;

use std::fmt::Write as _;
use std::time::Duration;

use clock::Clock;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use verify::{Record, Snapshot, Source, StepState};

use self::decision::Decisions;
use self::held::Held;
use crate::screen::Seen;
use crate::view::{Tone, View, Weight};
use crate::waiting::{self, Due, LOOK};

/// A channel for records of the workload, and the task that shows them until it is closed, each line with the label if there is
/// one. A workload without a queue has no words for one.
pub(super) fn print(
    view: &View,
    label: &str,
    has_queue: bool,
    workload: &str,
) -> (mpsc::UnboundedSender<Record>, impl Future<Output = ()> + use<>) {
    let (sender, mut records) = mpsc::unbounded_channel::<Record>();
    let mut live = Live::new(label, has_queue, &Clock::real());
    let (view, workload) = (view.clone(), workload.to_owned());
    let task = tokio::spawn(async move {
        let clock = Clock::real();
        let mut held = Held::new(clock.now());
        loop {
            let next = held.next_due().map(|due| due.duration_since(clock.now()));
            let next = next.map_or(LOOK, |left| Duration::try_from(left).unwrap_or_default().min(LOOK));
            tokio::select! {
                biased;
                record = records.recv() => match record {
                    Some(record) => {
                        live.report(&record, &view);
                        view.see(|| Seen::Record { workload: workload.clone(), record: Box::new(record.clone()) });
                        held.put(record, clock.now());
                    }
                    None => break,
                },
                () = clock.sleep(next) => {}
            }
            for record in held.due(clock.now()) {
                live.show(&record, &workload, &view);
            }
            // Also among records, which may come without a pause.
            if let Some((elapsed, body, line)) = live.due() {
                let time = clock.now().strftime("%H:%M:%S%.1f").to_string();
                view.event("waiting", body);
                view.say(waiting::weight(elapsed), Tone::Dim, format!("{time}  {line}"));
            }
        }
        for record in held.rest() {
            live.show(&record, &workload, &view);
        }
    });
    (sender, async move {
        let _ = task.await;
    })
}

/// What is shown of one run.
struct Live {
    label: String,
    has_queue: bool,
    snapshot: Snapshot,
    decisions: Decisions,
    shown: String,
    clock: Clock,
    /// The wait of the current step.
    step: String,
    due: Due,
}

impl Live {
    fn new(label: &str, has_queue: bool, clock: &Clock) -> Self {
        Self {
            label: label.to_owned(),
            has_queue,
            snapshot: Snapshot::default(),
            decisions: Decisions::default(),
            shown: String::new(),
            clock: clock.clone(),
            step: String::new(),
            due: Due::new(clock),
        }
    }

    fn workload(&self) -> Option<&str> {
        Some(self.label.as_str()).filter(|label| !label.is_empty())
    }

    /// Reports a record to programs at once: it carries its own time, so it need not wait for its turn.
    fn report(&self, record: &Record, view: &View) {
        view.event("observation", json!({ "workload": self.workload(), "record": record }));
    }

    /// Shows a record to a person, and the decision that it holds in both forms.
    fn show(&mut self, record: &Record, workload: &str, view: &View) {
        let time = record.time.strftime("%H:%M:%S%.1f").to_string();
        let time = view.dress(Tone::Dim, &time);
        if let Some(decision) = self.decisions.of(record) {
            view.event("decision", json!({ "workload": self.workload(), "decision": decision }));
            view.see(|| Seen::Decision {
                workload: workload.to_owned(),
                time: record.time,
                line: decision.line(decision::WIDTH),
                whole: decision.reasons(),
            });
            let room = decision::WIDTH.saturating_sub(self.labelled("").chars().count());
            view.line(format!("{time}  {}", self.labelled(&view.dress(Tone::Strong, &decision.line(room)))));
        }
        if let Some((weight, line)) = self.take(record) {
            view.say(weight, Tone::Plain, format!("{time}  {line}"));
        }
    }

    /// Takes a record in; the line to show if it changed what is seen. What the queue alone does is the lesser news.
    fn take(&mut self, record: &Record) -> Option<(Weight, String)> {
        self.snapshot.apply(record);
        let step = self.snapshot.step.as_ref().map_or("", |step| step.name.as_str());
        if self.step != step {
            step.clone_into(&mut self.step);
            self.due = Due::new(&self.clock);
        }
        let snapshot = &self.snapshot;
        let is_first = self.shown.is_empty() && snapshot.step.is_none() && snapshot.blindness().is_none();
        let awaits_queue = self.has_queue && snapshot.queue.is_none();
        if is_first && (awaits_queue || (snapshot.deployment.is_none() && snapshot.jobs.is_none())) {
            // What is read first is no change yet; a question mark is for what cannot be read.
            return None;
        }
        let line = line(&self.snapshot, self.has_queue);
        if line == self.shown {
            return None;
        }
        let beside_queue = |line: &str| line.split_once(" · ").map(|(_, rest)| rest.to_owned());
        let is_lesser = beside_queue(&line) == beside_queue(&self.shown);
        self.shown = line;
        Some((if is_lesser { Weight::Minor } else { Weight::Usual }, self.labelled(&self.shown)))
    }

    /// What is due to be said of the wait, as an object of the stream and as a line.
    fn due(&mut self) -> Option<(Duration, Value, String)> {
        let step = self.snapshot.step.as_ref().filter(|step| step.state == StepState::Started);
        let elapsed = self.due.take()?;
        let what = step
            .map_or_else(|| "nothing changes".to_owned(), |step| format!("{}: waiting: {}", step.name, step.detail));
        let reason = reason(&self.snapshot, self.has_queue);
        let body = json!({ "workload": self.workload(), "what": what, "real_seconds": elapsed.as_secs_f64(),
            "reason": reason, "step": step.map(|step| step.name.as_str()) });
        let line = self.labelled(&waiting::line(&what, elapsed, None, &reason));
        Some((elapsed, body, line))
    }

    fn labelled(&self, line: &str) -> String {
        if self.label.is_empty() { line.to_owned() } else { format!("{:<10} {line}", self.label) }
    }
}

/// What is seen, and why it is not what is waited for, as far as pods and conditions say.
fn reason(snapshot: &Snapshot, has_queue: bool) -> String {
    let seen = line(snapshot, has_queue);
    // The step stands before it.
    let seen = seen.split_once(" · ").map_or(seen.as_str(), |(seen, _)| seen).trim_end();
    let seen = seen.split_whitespace().collect::<Vec<_>>().join(" ");
    std::iter::once(seen).chain(snapshot.trouble()).collect::<Vec<_>>().join("; ")
}

/// The chart in one line; what is not known is a question mark, never a zero.
fn line(snapshot: &Snapshot, has_queue: bool) -> String {
    let number = |value: Option<String>| value.unwrap_or_else(|| "?".to_owned());
    let queue = snapshot.queue.as_ref();
    let replicas = snapshot.deployment.as_ref();
    let scaled = match snapshot.jobs {
        Some(jobs) => format!("Jobs {} run, {} made", jobs.running, snapshot.made_jobs.len()),
        None if snapshot.unreadable.contains_key(&Source::Jobs) => "Jobs ? run".to_owned(),
        None => format!(
            "replicas {}/{} ready",
            number(replicas.map(|replicas| replicas.ready.to_string())),
            number(replicas.map(|replicas| replicas.desired.to_string())),
        ),
    };
    let mut line = if has_queue {
        format!(
            "queue {:>3} waiting {:>3} in work · {scaled}",
            number(queue.map(|counts| counts.visible.to_string())),
            number(queue.map(|counts| counts.in_flight.to_string())),
        )
    } else {
        scaled
    };
    // Writing to a string cannot fail.
    if let Some(step) = &snapshot.step {
        let _ = write!(line, " · {}", step.name);
    }
    if let Some(refusal) = &snapshot.refusal {
        let _ = write!(line, " · refused: {}", refusal.text);
    }
    if let Some(blindness) = snapshot.blindness() {
        let _ = write!(line, " · {blindness}");
    }
    line
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn record(source: &str, kind: &str, payload: &Value) -> Record {
        let record = json!({ "time": "2026-11-24T04:00:00Z", "source": source, "kind": kind, "payload": payload });
        serde_json::from_value(record).unwrap()
    }

    fn step(name: &str, state: &str) -> Record {
        let payload = json!({ "name": name, "state": state, "detail": "3 are ready", "deadline_seconds": 600.0 });
        record("story", "step", &payload)
    }

    #[test]
    fn a_step_in_which_nothing_changes_says_every_ten_seconds_what_it_waits_for_and_why() {
        let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let mut run = Live::new("", true, &clock);
        run.take(&step("scale-out", "started"));
        let pod = json!({ "name": "myapp-1", "phase": "Pending", "ready": false, "restarts": 0, "terminating": false,
            "waiting": "ImagePullBackOff: no such image" });
        run.take(&record("pods", "pods", &json!({ "pods": [pod] })));
        let mut said = Vec::new();
        for _ in 0..25 {
            handle.advance(Duration::from_secs(1));
            said.extend(run.due());
        }
        assert_eq!(said.len(), 2, "{said:?}");
        let (_, body, line) = &said[1];
        for part in ["scale-out: waiting: 3 are ready", "20s elapsed", "myapp-1: ImagePullBackOff: no such image"] {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert_eq!(body["step"], "scale-out");
        run.take(&step("work", "started"));
        handle.advance(Duration::from_secs(9));
        assert!(run.due().is_none(), "each step begins to count anew");
    }

    #[test]
    fn who_only_watches_is_reported_that_nothing_changes() {
        let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let mut run = Live::new("orders", true, &clock);
        handle.advance(Duration::from_secs(10));
        let (_, _, line) = run.due().unwrap();
        assert!(line.starts_with("orders") && line.contains("nothing changes") && line.contains('?'), "{line}");
    }

    #[test]
    fn the_first_line_of_a_watch_comes_when_queue_and_replicas_have_been_read() {
        let (clock, _handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let mut run = Live::new("", true, &clock);
        let queue = record("queue", "queue", &json!({ "visible": 0, "in_flight": 0, "delayed": 0 }));
        assert_eq!(run.take(&queue), None);
        let replicas = json!({ "desired": 0, "ready": 0, "current": 0, "available": 0 });
        let (weight, line) = run.take(&record("deployment", "deployment", &replicas)).unwrap();
        assert_eq!(weight, Weight::Usual);
        assert!(line.contains("replicas 0/0 ready") && !line.contains('?'), "{line}");
        let queue = record("queue", "queue", &json!({ "visible": 3, "in_flight": 0, "delayed": 0 }));
        let (weight, line) = run.take(&queue).unwrap();
        assert!(weight == Weight::Minor && line.contains("3 waiting"), "{line}");
    }

    #[test]
    fn the_line_fits_eighty_columns_and_knows_no_zero_it_has_not_seen() {
        let snapshot = Snapshot::default();
        assert_eq!(line(&snapshot, true), "queue   ? waiting   ? in work · replicas ?/? ready");
        assert_eq!(line(&snapshot, false), "replicas ?/? ready", "nothing is said of a queue that there is not");
        assert!(line(&snapshot, true).chars().count() + " · scale-out".len() <= decision::WIDTH);
    }
}
