//! What the screen is given: the same events from which lines are made.

use jiff::Timestamp;
use provision::Event;
use verify::{Record, Scaling};

use crate::tone::Tone;

/// One thing that happened.
#[derive(Debug, Clone)]
pub(crate) enum Seen {
    /// A part of the command began; the one before it has ended.
    Part {
        /// Its name.
        name: String,
        /// How long it usually takes, if that is known.
        usual: Option<String>,
    },
    /// The part did all that it had to do.
    PartDone,
    /// A run of the engine began, with so many steps; 0 for one that only reads.
    Run { steps: usize },
    /// An event of that run, and how long the step usually takes.
    Step { event: Box<Event>, usual: Option<String> },
    /// Something is waited for, or no longer.
    Waiting(Option<String>),
    /// A workload is looked at from here on.
    Workload {
        name: String,
        /// It has a queue of the stack's; without one, nothing is shown of any.
        has_queue: bool,
        /// What is declared.
        scaling: Scaling,
        /// The steps of the scenario, if one runs.
        steps: &'static [&'static str],
    },
    /// A record of that workload.
    Record { workload: String, record: Box<Record> },
    /// A decision about it.
    Decision {
        workload: String,
        time: Timestamp,
        /// In one line.
        line: String,
        /// All of it, in words.
        whole: Vec<String>,
    },
    /// A line that would be printed without a screen.
    Line(Tone, String),
}
