//! The one door for output: text for a person, or a versioned stream of JSON objects for a program.
//!
//! Human text goes to stdout, diagnostics and logs to stderr. In JSON everything goes to stdout, one object a line:
//! `{"version":1,"type":…,"at":…,…}`; types are only ever added.
//!
//! A reader that went away (`sluice … | head`, a terminal that was closed) is no reason to fail or to stop working: what
//! cannot be written is dropped. The macros of the standard library panic there, so they are not used.

mod brief;
mod shown;

use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use clock::Clock;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::brief::Brief;
use self::shown::Shown;
use crate::arguments::Output;
use crate::diagnostic::{Diagnostic, Severity};
use crate::screen::{self, Model, Seen, Wish};
pub(crate) use crate::tone::Tone;
use crate::tone::dressed;
use crate::transcript::Transcript;

/// The version of the JSON stream.
const STREAM_VERSION: u32 = 1;

/// How much a line matters, where not all lines are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// In the log alone.
    Detail,
    /// Left to the log where the view is brief.
    Minor,
    /// Shown, where the view is brief as far as there is room.
    Usual,
    /// Stands for many minor lines; shown where the view is brief, and nowhere else.
    Gist,
    /// Shown, however brief the view is.
    Last,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A line, without the space around it.
    Line(String),
    /// The input ended (Ctrl-D).
    Ended,
    /// A signal came instead.
    Interrupted,
    /// There is nobody to ask: no terminal, or a program reads the output.
    Nobody,
}

/// What keys ask for while a screen is shown.
pub(crate) type Wishes = mpsc::UnboundedReceiver<Wish>;

/// A screen that is shown until this is dropped.
#[derive(Debug)]
pub(crate) struct OnScreen {
    view: View,
    tail: usize,
}

impl Drop for OnScreen {
    fn drop(&mut self) {
        self.view.shown.close(self.tail, self.view.log_path().as_deref());
    }
}

/// A log line of this program: onto the screen while one is shown, which it would spoil, else to stderr.
#[derive(Debug)]
pub(crate) struct LogLine(pub(crate) View);

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        if self.0.see(|| Seen::Line(Tone::Change, line.trim_end().to_owned())) {
            return Ok(bytes.len());
        }
        std::io::stderr().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// Where a command writes what it has to say.
#[derive(Debug, Clone)]
pub(crate) struct View {
    output: Output,
    coloured: bool,
    /// Whether stderr, which may go elsewhere than stdout, shows colours.
    coloured_aside: bool,
    has_events: bool,
    clock: Clock,
    transcript: Transcript,
    brief: Brief,
    shown: Shown,
}

impl View {
    /// A view in the given format; colours only on a terminal, and never when `NO_COLOR` is set.
    pub(crate) fn new(output: Output, no_color: bool) -> Self {
        let may = output == Output::Human && !no_color;
        let coloured = may && std::io::stdout().is_terminal();
        let coloured_aside = may && std::io::stderr().is_terminal();
        Self {
            output,
            coloured,
            coloured_aside,
            has_events: true,
            clock: Clock::real(),
            transcript: Transcript::default(),
            brief: Brief::default(),
            shown: Shown::default(),
        }
    }

    /// The same without a screen, if that is wanted.
    pub(crate) fn plain(self, is_plain: bool) -> Self {
        self.shown.set_plain(is_plain);
        self
    }

    /// Whether a person reads this.
    pub(crate) fn is_human(&self) -> bool {
        self.output == Output::Human
    }

    /// Whether the person sits at a terminal and can be asked.
    pub(crate) fn can_ask(&self) -> bool {
        self.is_human() && std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
    }

    /// A line for a person; nothing in JSON.
    pub(crate) fn line(&self, text: impl AsRef<str>) {
        self.print(Tone::Plain, text);
    }

    /// A dressed line for a person; nothing in JSON.
    pub(crate) fn print(&self, tone: Tone, text: impl AsRef<str>) {
        self.say(Weight::Usual, tone, text);
    }

    /// The same with what it weighs.
    pub(crate) fn say(&self, weight: Weight, tone: Tone, text: impl AsRef<str>) {
        let text = text.as_ref();
        if !self.is_human() {
            return;
        }
        if weight != Weight::Gist {
            self.transcript.add(self.clock.now(), text);
        }
        if self.shown.takes(weight, tone, text, || self.dress(tone, text)) {
            return;
        }
        let room = self.brief.room_for(weight, text);
        if room.is_shown {
            write_line(std::io::stdout(), &self.dress(tone, text));
        }
        if let Some(remark) = room.remark {
            write_line(std::io::stdout(), &self.dress(Tone::Dim, &remark));
        }
    }

    /// From here on all that is said also goes to a file at `path`; a file that cannot be made is a warning.
    pub(crate) fn log_into(&self, path: &Path) {
        if !self.is_human() {
            return;
        }
        match self.transcript.follow(path) {
            Ok(()) => self.brief.names(path),
            Err(error) => {
                let text = format!("the output cannot be kept in {}: {error}", path.display());
                self.diagnostic(
                    &Diagnostic::warning(text).help("free some space, or name another folder with --directory"),
                );
            }
        }
    }

    /// Where all that was said is, if it is kept.
    pub(crate) fn log_path(&self) -> Option<PathBuf> {
        self.brief.path()
    }

    /// What the result weighs that a command ends with: it is the last thing, unless the command goes on with another part.
    pub(crate) fn last_of_one(&self) -> Weight {
        if self.brief.has_parts() { Weight::Usual } else { Weight::Last }
    }

    /// Says where all that was said is.
    pub(crate) fn say_log(&self, weight: Weight) {
        if let Some(path) = self.log_path() {
            self.say(weight, Tone::Dim, format!("Log      {}", path.display()));
        }
    }

    /// Begins a part of which `room` lines are shown, and the rest is left to the log. Without a log all is shown.
    pub(crate) fn begin_part(&self, heading: &str, room: usize, usual: Option<String>) {
        self.brief.begin(room);
        if !self.see(|| Seen::Part { name: heading.trim().to_owned(), usual }) {
            self.say(Weight::Last, Tone::Strong, heading);
        }
    }

    /// Shows a screen in the terminal until what is returned is dropped, where there is one that a person looks at: a terminal
    /// with room, and no wish for lines. `tail` lines of what it showed stay after it, besides those that are the last anyhow.
    pub(crate) fn open_screen(&self, model: Model, sends: bool, tail: usize) -> Option<(OnScreen, Wishes)> {
        if !self.is_human() || self.shown.is_plain() || !screen::has_room() {
            return None;
        }
        let (wishes, received) = mpsc::unbounded_channel();
        let options = screen::Options { coloured: self.coloured, sends, wishes };
        let is_open = self.shown.open(model, options);
        is_open.then(|| (OnScreen { view: self.clone(), tail }, received))
    }

    /// Gives what was seen to the screen; false if none is shown.
    pub(crate) fn see(&self, seen: impl FnOnce() -> Seen) -> bool {
        self.shown.see(seen)
    }

    /// Gives the terminal back at once, for an end that waits for nothing.
    pub(crate) fn leave_screen(&self) {
        self.shown.give_back();
    }

    /// An object of the stream; nothing for a person.
    pub(crate) fn event(&self, kind: &str, body: Value) {
        if self.output == Output::Json && self.has_events {
            let mut object = json!({ "version": STREAM_VERSION, "type": kind, "at": self.clock.now().to_string() });
            if let (Value::Object(object), Value::Object(body)) = (&mut object, body) {
                object.extend(body);
            }
            let object = object.to_string();
            self.transcript.add(self.clock.now(), &object);
            write_line(std::io::stdout(), &object);
        }
    }

    /// The same fact in both forms.
    pub(crate) fn outcome(&self, kind: &str, body: Value, tone: Tone, text: impl AsRef<str>) {
        self.event(kind, body);
        self.print(tone, text);
    }

    /// Output that is meant for another program whatever the format, such as a kubeconfig.
    pub(crate) fn raw(text: &str) {
        write_line(std::io::stdout(), text.trim_end_matches('\n'));
    }

    /// A diagnostic: on stderr for a person, in the stream for a program. An interruption is an event of its own type.
    pub(crate) fn diagnostic(&self, diagnostic: &Diagnostic) {
        let Diagnostic { severity, summary, detail, help, exit } = diagnostic;
        let (name, tone) = match severity {
            Severity::Error => ("error", Tone::Bad),
            Severity::Warning => ("warning", Tone::Change),
            Severity::Interrupted => ("interrupted", Tone::Change),
        };
        let kind = if *severity == Severity::Interrupted { "interrupted" } else { "diagnostic" };
        self.event(
            kind,
            json!({ "severity": name, "summary": summary, "detail": detail, "help": help, "exit_code": *exit as u8 }),
        );
        if self.is_human() {
            let mut text = format!(": {summary}");
            for line in detail {
                text.push_str("\n  ");
                text.push_str(line);
            }
            if let Some(help) = help {
                text.push_str("\n  → ");
                text.push_str(help);
            }
            self.transcript.add(self.clock.now(), &format!("{name}{text}"));
            let line = dressed(tone, name, self.coloured_aside) + &text;
            if !self.shown.takes(Weight::Last, tone, &format!("{name}{text}"), || line.clone()) {
                write_line(std::io::stderr(), &line);
            }
        }
    }

    /// A remark beside the work, for a person only, on stderr.
    pub(crate) fn aside(&self, text: &str) {
        self.beside(Tone::Change, text);
    }

    /// The same about what is waited for.
    pub(crate) fn aside_dim(&self, text: &str) {
        self.beside(Tone::Dim, text);
    }

    fn beside(&self, tone: Tone, text: &str) {
        if self.is_human() {
            self.transcript.add(self.clock.now(), text);
            if !self.shown.takes(Weight::Usual, tone, text, String::new) {
                write_line(std::io::stderr(), &dressed(tone, text, self.coloured_aside));
            }
        }
    }

    /// What was said so far.
    pub(crate) fn transcript(&self) -> String {
        self.transcript.text()
    }

    /// The same view for beside output that is another program's, such as a kubeconfig: no event stands among it.
    pub(crate) fn beside_raw(&self) -> Self {
        Self { has_events: false, ..self.clone() }
    }

    /// Asks for a line of text; a signal ends the question.
    pub(crate) async fn ask(&self, question: &str, stop: &CancellationToken) -> Answer {
        if !self.can_ask() {
            return Answer::Nobody;
        }
        if stop.is_cancelled() {
            return Answer::Interrupted;
        }
        let has_screen = self.shown.suspend();
        let answer = self.answer(question, stop).await;
        if has_screen {
            self.shown.resume();
        }
        answer
    }

    async fn answer(&self, question: &str, stop: &CancellationToken) -> Answer {
        let mut stdout = std::io::stdout();
        let requested = write!(stdout, "{} ", self.dress(Tone::Strong, question)).and_then(|()| stdout.flush());
        if requested.is_err() {
            return Answer::Nobody;
        }
        // Nothing ends a read of a terminal; the process does not wait for this thread when it ends.
        let answer = tokio::task::spawn_blocking(|| {
            let mut answer = String::new();
            match std::io::stdin().read_line(&mut answer) {
                Ok(0) | Err(_) => Answer::Ended,
                Ok(_) => Answer::Line(answer.trim().to_owned()),
            }
        });
        let answer = tokio::select! {
            biased;
            () = stop.cancelled() => Answer::Interrupted,
            answer = answer => answer.unwrap_or(Answer::Ended),
        };
        if !matches!(answer, Answer::Line(_)) {
            // The question's line is not left half-written.
            write_line(std::io::stdout(), "");
        }
        answer
    }

    /// Returns once nobody reads stdout any more: the pipe's other end or the terminal was closed. Otherwise never.
    pub(crate) async fn deserted() {
        // A thread, since a file cannot be registered with epoll(7); the process does not wait for it when it ends.
        let gone = tokio::task::spawn_blocking(|| {
            let stdout = std::io::stdout();
            loop {
                // No event is asked for; an error and a hang-up are always reported (poll(2)).
                let mut fds = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
                match poll(&mut fds, PollTimeout::NONE) {
                    Ok(_) if fds[0].revents().is_some_and(|found| !found.is_empty()) => return true,
                    Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                    Err(_) => return false,
                }
            }
        });
        if !gone.await.unwrap_or(false) {
            std::future::pending::<()>().await;
        }
    }

    /// `text` in the colour of `tone`, where stdout shows colours.
    pub(crate) fn dress(&self, tone: Tone, text: &str) -> String {
        dressed(tone, text, self.coloured)
    }
}

/// One write, so that lines of several writers do not mix.
fn write_line(mut stream: impl Write, text: &str) {
    let _ = stream.write_all(format!("{text}\n").as_bytes());
}
