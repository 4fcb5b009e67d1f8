//! The one door for output: text for a person, or a versioned stream of JSON objects for a program.
//!
//! Human text goes to stdout, diagnostics and logs to stderr. In JSON everything goes to stdout, one object a line:
//! `{"version":1,"type":…,"at":…,…}`; types are only ever added.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the door that all output goes through")]

use std::io::{IsTerminal, Write};

use clock::Clock;
use serde_json::{Value, json};

use crate::arguments::Output;
use crate::diagnostic::{Diagnostic, Severity};

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

/// Where a command writes what it has to say.
#[derive(Debug, Clone)]
pub(crate) struct View {
    output: Output,
    coloured: bool,
    clock: Clock,
}

impl View {
    /// A view in the given format; colours only on a terminal, and never when `NO_COLOR` is set.
    pub(crate) fn new(output: Output, no_color: bool) -> Self {
        let coloured = output == Output::Human && !no_color && std::io::stdout().is_terminal();
        Self { output, coloured, clock: Clock::real() }
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
        self.tell(Tone::Plain, text);
    }

    /// A dressed line for a person; nothing in JSON.
    pub(crate) fn tell(&self, tone: Tone, text: impl AsRef<str>) {
        if self.is_human() {
            write_line(&self.dress(tone, text.as_ref()));
        }
    }

    /// An object of the stream; nothing for a person.
    pub(crate) fn event(&self, kind: &str, body: Value) {
        if self.output == Output::Json {
            let mut object = json!({ "version": STREAM_VERSION, "type": kind, "at": self.clock.now().to_string() });
            if let (Value::Object(object), Value::Object(body)) = (&mut object, body) {
                object.extend(body);
            }
            write_line(&object.to_string());
        }
    }

    /// The same fact in both forms.
    pub(crate) fn fact(&self, kind: &str, body: Value, tone: Tone, text: impl AsRef<str>) {
        self.event(kind, body);
        self.tell(tone, text);
    }

    /// Output that is meant for another program whatever the format, such as a kubeconfig.
    pub(crate) fn raw(text: &str) {
        write_line(text.trim_end_matches('\n'));
    }

    /// A diagnostic: on stderr for a person, in the stream for a program.
    pub(crate) fn diagnostic(&self, diagnostic: &Diagnostic) {
        let Diagnostic { severity, summary, detail, help, exit } = diagnostic;
        let (name, tone) = match severity {
            Severity::Error => ("error", Tone::Bad),
            Severity::Warning => ("warning", Tone::Change),
        };
        self.event(
            "diagnostic",
            json!({ "severity": name, "summary": summary, "detail": detail, "help": help, "exit_code": *exit as u8 }),
        );
        if self.is_human() {
            let mut text = format!("{}: {summary}", self.dress(tone, name));
            for line in detail {
                text.push_str("\n  ");
                text.push_str(line);
            }
            if let Some(help) = help {
                text.push_str("\n  → ");
                text.push_str(help);
            }
            eprintln!("{text}");
        }
    }

    /// Asks for a line of text. `None` if there is nobody to ask or the input ended.
    pub(crate) fn ask(&self, question: &str) -> Option<String> {
        if !self.can_ask() {
            return None;
        }
        print!("{} ", self.dress(Tone::Strong, question));
        std::io::stdout().flush().ok()?;
        let mut answer = String::new();
        (std::io::stdin().read_line(&mut answer).ok()? > 0).then(|| answer.trim().to_owned())
    }

    /// `text` in the colour of `tone`, where colours are shown.
    pub(crate) fn dress(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Good => "32",
            Tone::Change => "33",
            Tone::Bad => "31",
            Tone::Dim => "2",
            Tone::Strong => "1",
        };
        if self.coloured { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// A reader that went away (`sluice … | head`) is no reason to fail or to stop working.
fn write_line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
