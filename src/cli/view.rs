//! The one door for output: text for a person, or a versioned stream of JSON objects for a program.
//!
//! Human text goes to stdout, diagnostics and logs to stderr. In JSON everything goes to stdout, one object a line:
//! `{"version":1,"type":…,"at":…,…}`; types are only ever added.
//!
//! A reader that went away (`sluice … | head`, a terminal that was closed) is no reason to fail or to stop working: what
//! cannot be written is dropped. The macros of the standard library panic there, so they are not used.

use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;

use clock::Clock;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::arguments::Output;
use crate::diagnostic::{Diagnostic, Severity};
use crate::transcript::Transcript;

/// The version of the JSON stream.
const STREAM_VERSION: u32 = 1;

/// What text is dressed in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tone {
    /// As it is.
    Plain,
    /// Good news.
    Good,
    /// A change, a warning.
    Change,
    /// Bad news.
    Bad,
    /// Less important.
    Dim,
    /// A heading.
    Strong,
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
        }
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
        if self.is_human() {
            self.transcript.add(self.clock.now(), text.as_ref());
            write_line(std::io::stdout(), &self.dress(tone, text.as_ref()));
        }
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
            write_line(std::io::stderr(), &(dressed(tone, name, self.coloured_aside) + &text));
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
            write_line(std::io::stderr(), &dressed(tone, text, self.coloured_aside));
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

fn dressed(tone: Tone, text: &str, coloured: bool) -> String {
    let code = match tone {
        Tone::Plain => return text.to_owned(),
        Tone::Good => "32",
        Tone::Change => "33",
        Tone::Bad => "31",
        Tone::Dim => "2",
        Tone::Strong => "1",
    };
    if coloured { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// One write, so that lines of several writers do not mix.
fn write_line(mut stream: impl Write, text: &str) {
    let _ = stream.write_all(format!("{text}\n").as_bytes());
}
