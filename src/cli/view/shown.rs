//! The screen that a view has, while one is shown: it takes what would be printed, and what is to be read after it is kept.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::Weight;
use crate::screen::{self, Model, Options, Screen, Seen};
use crate::tone::Tone;

/// Lines that a command leaves in the terminal after its screen.
const KEPT_MAX: usize = 40;
/// Lines that stand above a question: a plan has that many.
const QUESTION_LINES: usize = 80;

/// The screen, if there is one. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Lines are wanted in place of a screen.
    is_plain: bool,
    screen: Option<Screen>,
    /// What is printed after it, dressed.
    kept: Vec<String>,
}

impl Shown {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // A panic elsewhere while it was held leaves whole values.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_plain(&self, is_plain: bool) {
        self.with(|state| state.is_plain = is_plain);
    }

    pub(super) fn is_plain(&self) -> bool {
        self.with(|state| state.is_plain)
    }

    /// Shows a screen; false if the terminal does not let it.
    pub(super) fn open(&self, model: Model, options: Options) -> bool {
        match Screen::open(model, options) {
            Ok(screen) => self.with(|state| state.screen = Some(screen)),
            Err(error) => {
                tracing::warn!(%error, "the terminal cannot show a screen");
                return false;
            }
        }
        true
    }

    /// Gives what was seen to the screen, if one is shown.
    pub(super) fn see(&self, seen: impl FnOnce() -> Seen) -> bool {
        self.with(|state| match &state.screen {
            Some(screen) if screen.is_shown() => {
                screen.see(seen());
                true
            }
            _ => false,
        })
    }

    /// Takes a line in place of printing it; `dressed` is what is printed after the screen if the line is one of the last.
    pub(super) fn takes(&self, weight: Weight, tone: Tone, text: &str, dressed: impl FnOnce() -> String) -> bool {
        match weight {
            // Neither is for a screen, which has its own way to say it.
            Weight::Detail | Weight::Gist => self.with(|state| state.is_shown()),
            Weight::Minor | Weight::Usual | Weight::Last => {
                let is_taken = self.see(|| Seen::Line(tone, text.to_owned()));
                if is_taken && weight == Weight::Last {
                    self.with(|state| state.kept.push(dressed()));
                }
                is_taken
            }
        }
    }

    /// Gives the terminal back at once.
    pub(super) fn give_back(&self) {
        self.with(|state| state.screen.iter().for_each(Screen::give_back));
    }

    /// Gives the terminal back for a question, below what it is about; true if a screen was shown.
    pub(super) fn suspend(&self) -> bool {
        let Some((thread, lines)) = self.with(|state| {
            let screen = state.screen.as_mut().filter(|screen| screen.is_shown())?;
            Some((screen.end(), screen.last_lines(QUESTION_LINES)))
        }) else {
            return false;
        };
        // Not while the state is held: the thread may have a log line for it.
        screen::wait(thread);
        print(&mut io::stdout(), &lines);
        true
    }

    /// Shows it again.
    pub(super) fn resume(&self) {
        let resumed = self.with(|state| state.screen.as_mut().map_or(Ok(()), Screen::resume));
        if let Err(error) = resumed {
            tracing::warn!(%error, "the terminal cannot show the screen again");
        }
    }

    /// Ends the screen and prints what is to be read after it: the last lines that were kept, and of what only watches the last
    /// `tail` lines of all. `log` has the rest.
    pub(super) fn close(&self, tail: usize, log: Option<&Path>) {
        let Some((mut screen, kept)) = self.with(|state| Some((state.screen.take()?, std::mem::take(&mut state.kept))))
        else {
            return;
        };
        screen::wait(screen.end());
        let mut lines = screen.last_lines(tail);
        lines.extend(kept.iter().flat_map(|text| text.lines().map(str::to_owned)));
        print(&mut io::stdout(), &shortened(lines, log));
    }
}

impl State {
    fn is_shown(&self) -> bool {
        self.screen.as_ref().is_some_and(Screen::is_shown)
    }
}

/// At most [`KEPT_MAX`] lines: the last ones, since there stands how it ended.
fn shortened(mut lines: Vec<String>, log: Option<&Path>) -> Vec<String> {
    let surplus = lines.len().saturating_sub(KEPT_MAX);
    if surplus > 0 {
        let rest = log.map_or_else(String::new, |log| format!(", see {}", log.display()));
        lines.splice(..=surplus, [format!("… {} earlier lines are left out{rest}", surplus + 1)]);
    }
    lines
}

fn print(out: &mut impl Write, lines: &[String]) {
    // A reader that went away is no reason to fail.
    let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_forty_lines_are_left_and_the_end_is_among_them() {
        let lines = |count: usize| (1..=count).map(|number| number.to_string()).collect::<Vec<_>>();
        assert_eq!(shortened(lines(40), None), lines(40));
        let short = shortened(lines(100), Some(Path::new("one.log")));
        assert_eq!((short.len(), short[39].as_str()), (40, "100"));
        assert_eq!((short[0].as_str(), short[1].as_str()), ("… 61 earlier lines are left out, see one.log", "62"));
    }
}
