//! What a person reads when something is wrong: the thing, the cause, the next step.

use stack::Problem;

use crate::exit::Exit;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// The command cannot do what it was asked for.
    Error,
    /// It can, but the person should know.
    Warning,
    /// It was stopped before it was done.
    Interrupted,
}

/// One message to the person at the terminal, and to the program that reads `--output json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    /// How bad it is.
    pub(crate) severity: Severity,
    /// What is wrong, in one line.
    pub(crate) summary: String,
    /// The cause, one line each, outermost first.
    pub(crate) detail: Vec<String>,
    /// The next step.
    pub(crate) help: Option<String>,
    /// The exit code that it leads to.
    pub(crate) exit: Exit,
}

impl Diagnostic {
    /// An error with a summary of its own.
    pub(crate) fn error(summary: impl Into<String>) -> Self {
        Self { severity: Severity::Error, summary: summary.into(), detail: Vec::new(), help: None, exit: Exit::Failed }
    }

    /// A warning.
    pub(crate) fn warning(summary: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(summary) }
    }

    /// A problem of the stack file.
    pub(crate) fn of_problem(problem: &Problem, kind: fn(String) -> Self) -> Self {
        let text = problem.to_string();
        let summary = text.strip_suffix(&format!("; {}", problem.next_step)).unwrap_or(&text).to_owned();
        kind(summary).help(problem.next_step.clone()).exit(Exit::Usage)
    }

    /// A panic, by its message.
    pub(crate) fn bug(panic: &(dyn std::any::Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no words".to_owned());
        Self::error(format!("this is a bug of sluice: it panicked ({text})"))
            .help("look at what is up with `sluice status`; `sluice down` removes it")
    }

    /// A command that was stopped before it was done: what was left undone.
    pub(crate) fn interrupted(summary: impl Into<String>) -> Self {
        Self { severity: Severity::Interrupted, exit: Exit::Interrupted, ..Self::error(summary) }
    }

    /// The same with a next step.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with one more line of cause.
    #[must_use]
    pub(crate) fn because(mut self, cause: impl Into<String>) -> Self {
        self.detail.push(cause.into());
        self
    }

    /// The same with another exit code.
    #[must_use]
    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
}

impl<E: std::error::Error> From<E> for Diagnostic {
    /// The error's message as the summary and its sources as the causes, without repetition.
    fn from(error: E) -> Self {
        let mut diagnostic = Self::error(error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !diagnostic.summary.contains(&text) && !diagnostic.detail.iter().any(|line| line.contains(&text)) {
                diagnostic.detail.push(text);
            }
            source = cause.source();
        }
        diagnostic
    }
}

/// A command's outcome: an exit code, or everything that is wrong.
pub(crate) type Outcome<T = Exit> = Result<T, Vec<Diagnostic>>;

/// One diagnostic as an outcome's list; lets `?` lift any error of a library.
pub(crate) fn one<E: Into<Diagnostic>>(error: E) -> Vec<Diagnostic> {
    vec![error.into()]
}

/// The same for what keeps a command from beginning.
pub(crate) fn preflight<E: Into<Diagnostic>>(error: E) -> Vec<Diagnostic> {
    vec![error.into().exit(Exit::Preflight)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("failed to read the queue: {0}")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_cause_that_the_summary_names_is_not_reported_twice() {
        let diagnostic = Diagnostic::from(Outer(std::io::Error::other("connection refused")));
        assert_eq!(diagnostic.summary, "failed to read the queue: connection refused");
        assert!(diagnostic.detail.is_empty());
    }
}
