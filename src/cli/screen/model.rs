//! The state of the screen: folded from what was seen, without a terminal. Pure but for the clock that it is given.

use std::collections::{BTreeMap, VecDeque};

use clock::{Clock, Moment};
use jiff::Timestamp;
use provision::{Action, Event};

use super::seen::Seen;
use super::workload::Workload;
use crate::tone::Tone;

/// Lines that are kept for the screen.
const LINES_MAX: usize = 400;

/// What the screen shows.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    /// The command and its stack.
    pub(super) title: String,
    /// Real time, or a test's.
    clock: Clock,
    /// Seconds of the stack's time in one of real time.
    pub(super) scale: f64,
    begun: Moment,
    pub(super) parts: Vec<Part>,
    pub(super) workloads: Vec<Workload>,
    /// The workload that is shown.
    pub(super) selected: usize,
    pub(super) waiting: Option<String>,
    pub(super) lines: VecDeque<(Tone, String)>,
}

/// A part of the command.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) usual: Option<String>,
    begun: Moment,
    ended: Option<Moment>,
    /// It did all that it had to do.
    pub(super) is_done: bool,
    pub(super) steps: Steps,
}

/// The steps of the engine in a part.
#[derive(Debug, Clone, Default)]
pub(super) struct Steps {
    pub(super) of: usize,
    pub(super) done: usize,
    pub(super) failed: usize,
    /// Resources that were read, and that are being read.
    pub(super) read: usize,
    pub(super) running: BTreeMap<String, Step>,
}

/// A step that runs.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) verb: &'static str,
    pub(super) begun: Moment,
    pub(super) usual: Option<String>,
    pub(super) status: String,
}

impl Model {
    /// `clock` is real time, or a test's; the stack's time runs `scale` times as fast.
    pub(crate) fn new(title: impl Into<String>, clock: &Clock, scale: f64) -> Self {
        Self {
            title: title.into(),
            clock: clock.clone(),
            scale,
            begun: clock.moment(),
            parts: Vec::new(),
            workloads: Vec::new(),
            selected: 0,
            waiting: None,
            lines: VecDeque::new(),
        }
    }

    /// Takes in what was seen.
    pub(crate) fn see(&mut self, seen: Seen) {
        let now = self.clock.moment();
        match seen {
            Seen::Part { name, usual } => {
                self.end_part(now);
                self.parts.push(Part { name, usual, begun: now, ended: None, is_done: false, steps: Steps::default() });
            }
            Seen::PartDone => {
                self.end_part(now);
                if let Some(part) = self.parts.last_mut() {
                    part.is_done = true;
                }
            }
            Seen::Run { steps } => {
                if let Some(part) = self.parts.last_mut() {
                    part.steps = Steps { of: steps, ..Steps::default() };
                }
            }
            Seen::Step { event, usual } => {
                if let Some(part) = self.parts.last_mut() {
                    part.steps.take(&event, usual, now);
                }
            }
            Seen::Waiting(what) => self.waiting = what,
            Seen::Workload { name, has_queue, scaling, steps } => {
                self.workloads.retain(|workload| workload.name != name);
                self.workloads.push(Workload::new(name, has_queue, scaling, steps));
                self.selected = self.workloads.len() - 1;
            }
            Seen::Record { workload, record } => {
                if let Some(workload) = self.workload_mut(&workload) {
                    workload.take(&record);
                }
            }
            Seen::Decision { workload, time, line, whole } => {
                if let Some(workload) = self.workload_mut(&workload) {
                    workload.decide(time, line, whole);
                }
            }
            Seen::Line(tone, text) => self.lines.extend(text.lines().map(|line| (tone, undressed(line)))),
        }
        let surplus = self.lines.len().saturating_sub(LINES_MAX);
        self.lines.drain(..surplus);
    }

    /// What was looked at belongs to the part that ends.
    fn end_part(&mut self, now: Moment) {
        let steps = self.workloads.iter().map(|workload| (workload.reached, workload.steps.len()));
        let scenario = steps.reduce(|(reached, of), next| (reached + next.0, of + next.1));
        if let Some(part) = self.parts.last_mut() {
            part.ended.get_or_insert(now);
            if let Some((reached, of)) = scenario {
                (part.steps.done, part.steps.of) = (reached, of);
            }
        }
        self.workloads.clear();
        self.selected = 0;
    }

    fn workload_mut(&mut self, name: &str) -> Option<&mut Workload> {
        self.workloads.iter_mut().find(|workload| workload.name == name)
    }

    /// Shows the next workload, if there are several.
    pub(super) fn select_next(&mut self) {
        self.selected = (self.selected + 1) % self.workloads.len().max(1);
    }

    pub(super) fn selected(&self) -> usize {
        self.selected
    }

    pub(super) fn has_several(&self) -> bool {
        self.workloads.len() > 1
    }

    /// Whether the workload that is shown has a queue.
    pub(super) fn has_queue(&self) -> bool {
        self.workload().is_some_and(|workload| workload.has_queue)
    }

    /// The workload that is shown: none while nothing is looked at.
    pub(super) fn workload(&self) -> Option<&Workload> {
        self.workloads.get(self.selected)
    }

    /// Whether steps of the engine are what happens now.
    pub(super) fn is_applying(&self) -> bool {
        self.workloads.is_empty() || self.parts.last().is_some_and(|part| !part.steps.running.is_empty())
    }

    /// The last lines, at most `count` of them.
    pub(super) fn last_lines(&self, count: usize) -> Vec<String> {
        let first = self.lines.len().saturating_sub(count);
        self.lines.iter().skip(first).map(|(_, text)| text.clone()).collect()
    }

    /// How long the command runs, in whole seconds of real time.
    pub(super) fn elapsed(&self) -> std::time::Duration {
        self.clock.elapsed(self.begun)
    }

    pub(super) fn since(&self, moment: Moment) -> std::time::Duration {
        self.clock.elapsed(moment)
    }

    /// How long a part has taken.
    pub(super) fn took(&self, part: &Part) -> std::time::Duration {
        part.ended.unwrap_or_else(|| self.clock.moment()).since(part.begun)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Seconds of the stack's time between a timestamp and now.
    pub(super) fn seconds_since(&self, time: Timestamp) -> f64 {
        self.now().duration_since(time).as_secs_f64().max(0.0) * self.scale
    }
}

/// The line without its colours (ECMA-48, SGR).
fn undressed(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}

impl Part {
    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }
}

impl Steps {
    fn take(&mut self, event: &Event, usual: Option<String>, now: Moment) {
        match event {
            Event::ApplyStart { address, action } => {
                let verb = match action {
                    Action::Create => "creating",
                    Action::Delete => "destroying",
                    Action::Update | Action::Replace | Action::NoOp | Action::Forget | Action::Keep => "changing",
                };
                self.begin(address.to_string(), verb, usual, now);
            }
            Event::RefreshStart { address } => self.begin(address.to_string(), "reading", usual, now),
            Event::RefreshComplete { address, .. } => {
                self.running.remove(&address.to_string());
                self.read += 1;
            }
            Event::Progress { address, status, .. } => {
                if let Some(step) = self.running.get_mut(&address.to_string()) {
                    status.clone_into(&mut step.status);
                }
            }
            Event::Complete { address, .. } | Event::LeftToContainer { address, .. } => {
                self.running.remove(&address.to_string());
                self.done += 1;
            }
            Event::Errored { address, .. } => {
                self.running.remove(&address.to_string());
                self.failed += 1;
            }
            Event::Note { .. } | Event::Skipped { .. } => {}
        }
    }

    fn begin(&mut self, address: String, verb: &'static str, usual: Option<String>, now: Moment) {
        self.running.insert(address, Step { verb, begun: now, usual, status: String::new() });
    }
}
