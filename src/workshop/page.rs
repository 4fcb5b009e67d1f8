//! A page: its text, and the steps in it.

use regex::Regex;
use serde::Serialize;

/// What is wrong with a page, or with an output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(clippy::error_impl_error, reason = "one error enum per crate, and it is called Error everywhere")]
pub enum Error {
    /// The page cannot be read.
    #[error("failed to read {file}, line {line}: {reason}")]
    Page {
        /// The page's file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A command ended with another exit code than the page says.
    #[error("the command ended with exit code {got}, the page says {expected}; its output:\n{output}")]
    Exit {
        /// What the page says.
        expected: i32,
        /// What happened.
        got: i32,
        /// What was printed.
        output: String,
    },
    /// An expected line is missing.
    #[error("no line of the output{after} matches {pattern:?}; the output:\n{output}")]
    Missing {
        /// The expectation.
        pattern: String,
        /// Where the search began.
        after: String,
        /// What was printed.
        output: String,
    },
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A page of the workshop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page {
    /// Its number, from 1.
    pub number: u32,
    /// The name of its file.
    pub file: String,
    /// Its first heading.
    pub title: String,
    /// The whole text, for reading.
    pub text: String,
    /// What is to be executed, in order.
    pub steps: Vec<Step>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The heading under which it stands.
    pub heading: String,
    /// The text between the previous step and this one, without headings.
    pub note: String,
    /// For a POSIX shell; may have several lines. The shell's variables live on from step to step.
    pub command: String,
    /// The line of the page, from 1.
    pub line: usize,
    /// What must come of it.
    pub expectation: Expectation,
}

impl Step {
    /// Whether the command calls `program` (as a word of its own, also inside `$(…)`).
    pub fn calls(&self, program: &str) -> bool {
        let inside_word = |letter: char| letter.is_ascii_alphanumeric() || "-_./:".contains(letter);
        self.command.split(|letter| !inside_word(letter)).any(|word| word == program)
    }
}

/// What must come of a command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Expectation {
    /// The exit code.
    pub exit: i32,
    /// Regular expressions, each for a line of the output (stdout and stderr), in this order.
    pub lines: Vec<String>,
    /// System seconds for which the command is to be repeated until this holds; 0 for once.
    pub retry_seconds: u64,
}

/// Reads a page.
///
/// # Errors
///
/// [`Error::Page`] names the line that cannot be read.
pub fn parse(number: u32, file: &str, text: &str) -> Result<Page> {
    let mut parser = Parser { file, ..Parser::default() };
    for (index, line) in text.lines().enumerate() {
        parser.line(index + 1, line)?;
    }
    if let Some(fence) = parser.fence {
        return Err(parser_error(file, fence.line, "the block is not closed".to_owned()));
    }
    if parser.title.is_empty() {
        return Err(parser_error(file, 1, "the page has no heading".to_owned()));
    }
    Ok(Page { number, file: file.to_owned(), title: parser.title, text: text.to_owned(), steps: parser.steps })
}

fn parser_error(file: &str, line: usize, reason: String) -> Error {
    Error::Page { file: file.to_owned(), line, reason }
}

/// A block being read.
struct Fence {
    kind: Kind,
    line: usize,
    body: Vec<String>,
}

enum Kind {
    Run(Expectation),
    Expect,
    Other,
}

#[derive(Default)]
struct Parser<'a> {
    file: &'a str,
    title: String,
    heading: String,
    note: Vec<String>,
    steps: Vec<Step>,
    /// Whether the last block was a command, so that an expectation belongs to it.
    after_run: bool,
    fence: Option<Fence>,
}

impl Parser<'_> {
    fn line(&mut self, number: usize, line: &str) -> Result<()> {
        match (self.fence.as_mut(), line.strip_prefix("```")) {
            (Some(_), Some("")) => self.close(),
            (Some(fence), _) => {
                fence.body.push(line.to_owned());
                Ok(())
            }
            (None, Some(info)) => {
                let kind = self.kind(number, info)?;
                self.fence = Some(Fence { kind, line: number, body: Vec::new() });
                Ok(())
            }
            (None, None) => {
                self.prose(line);
                Ok(())
            }
        }
    }

    fn prose(&mut self, line: &str) {
        if let Some(heading) = line.strip_prefix('#') {
            heading.trim_start_matches('#').trim().clone_into(&mut self.heading);
            if self.title.is_empty() {
                self.title.clone_from(&self.heading);
            }
        } else {
            self.note.push(line.to_owned());
        }
        self.after_run &= line.trim().is_empty();
    }

    fn kind(&self, number: usize, info: &str) -> Result<Kind> {
        let error = |reason: String| parser_error(self.file, number, reason);
        let mut words = info.split_whitespace();
        match (words.next(), words.next()) {
            (Some("sh"), Some("run")) => {
                let mut expectation = Expectation::default();
                for word in words {
                    let (key, value) =
                        word.split_once('=').ok_or_else(|| error(format!("{word:?} is not KEY=VALUE")))?;
                    let wrong = |_| error(format!("{value:?} is no number"));
                    match key {
                        "exit" => expectation.exit = value.parse().map_err(wrong)?,
                        "retry" => expectation.retry_seconds = value.parse().map_err(wrong)?,
                        _ => return Err(error(format!("unknown key {key:?}; known: exit, retry"))),
                    }
                }
                Ok(Kind::Run(expectation))
            }
            (Some("text"), Some("expect")) if self.after_run => Ok(Kind::Expect),
            (Some("text"), Some("expect")) => Err(error("an expectation must follow its command directly".to_owned())),
            _ => Ok(Kind::Other),
        }
    }

    fn close(&mut self) -> Result<()> {
        let Some(Fence { kind, line, body }) = self.fence.take() else { return Ok(()) };
        match kind {
            Kind::Run(expectation) => {
                let note = std::mem::take(&mut self.note).join("\n").trim().to_owned();
                let heading = self.heading.clone();
                self.steps.push(Step { heading, note, command: body.join("\n"), line, expectation });
                self.after_run = true;
            }
            Kind::Expect => {
                let lines: Vec<_> = body.into_iter().filter(|pattern| !pattern.trim().is_empty()).collect();
                for (index, pattern) in lines.iter().enumerate() {
                    Regex::new(pattern)
                        .map_err(|error| parser_error(self.file, line + 1 + index, error.to_string()))?;
                }
                if let Some(step) = self.steps.last_mut() {
                    step.expectation.lines = lines;
                }
                self.after_run = false;
            }
            Kind::Other => self.after_run = false,
        }
        Ok(())
    }
}

/// Compares what a command did with what its page promises. `output` is stdout and stderr together.
///
/// # Errors
///
/// [`Error::Exit`] if the exit code is another. [`Error::Missing`] if a line is missing or out of order.
/// [`Error::Page`] if the step's pattern is no regular expression.
pub fn check(step: &Step, exit: i32, output: &str) -> Result<()> {
    let Expectation { exit: expected, lines: patterns, retry_seconds: _ } = &step.expectation;
    if exit != *expected {
        return Err(Error::Exit { expected: *expected, got: exit, output: output.to_owned() });
    }
    let mut rest = output.lines();
    let mut after = String::new();
    for pattern in patterns {
        let regex = Regex::new(pattern).map_err(|error| parser_error("the step", step.line, error.to_string()))?;
        if !rest.any(|line| regex.is_match(line)) {
            return Err(Error::Missing { pattern: pattern.clone(), after, output: output.to_owned() });
        }
        after = format!(" after the one for {pattern:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Title\n\nRead this.\n\n## Look\n\nLook here.\n\n```sh run retry=60\nls\nls -l\n```\n\n```text expect\n^total \\d+\nme.*txt\n```\n\n```text\nonly read\n```\n\n```sh run exit=4\nfalse\n```\n";

    #[test]
    fn a_page_gives_its_steps_with_notes_and_expectations() {
        let page = parse(1, "01-x.md", PAGE).unwrap();
        assert_eq!((page.title.as_str(), page.steps.len()), ("Title", 2));
        let step = &page.steps[0];
        assert_eq!((step.heading.as_str(), step.command.as_str(), step.line), ("Look", "ls\nls -l", 9));
        assert_eq!(step.note, "Read this.\n\n\nLook here.");
        assert_eq!(step.expectation.retry_seconds, 60);
        assert_eq!(step.expectation.lines, ["^total \\d+", "me.*txt"]);
        assert_eq!(page.steps[1].expectation, Expectation { exit: 4, ..Expectation::default() });
    }

    #[test]
    fn a_step_says_which_programs_it_calls() {
        let page =
            parse(1, "p", "# T\n```sh run\nX=\"$(aws sqs list-queues)\"; get s0-aws-sqs /kubectl\n```\n").unwrap();
        assert!(page.steps[0].calls("aws"));
        assert!(!page.steps[0].calls("kubectl") && !page.steps[0].calls("sqs-list"));
    }

    #[test]
    fn mistakes_in_a_page_are_named_with_their_line() {
        for (text, line, part) in [
            ("# T\n```sh run retry=soon\n```\n", 2, "no number"),
            ("# T\n```sh run wait=1\n```\n", 2, "unknown key"),
            ("# T\n```text expect\n```\n", 2, "follow its command"),
            ("# T\n```sh run\nls\n", 2, "not closed"),
            ("# T\n```sh run\nls\n```\n```text expect\nok\n(\n```\n", 7, "unclosed"),
            ("text\n", 1, "no heading"),
        ] {
            let Err(Error::Page { line: found, reason, .. }) = parse(1, "p", text) else { panic!("{text}") };
            assert_eq!((found, reason.contains(part)), (line, true), "{reason}");
        }
    }

    #[test]
    fn an_output_is_checked_by_exit_code_and_lines_in_order() {
        let page = parse(1, "p", PAGE).unwrap();
        let step = &page.steps[0];
        assert_eq!(check(step, 0, "total 4\n-rw me.txt\n"), Ok(()));
        assert!(matches!(check(step, 1, "total 4\nme.txt"), Err(Error::Exit { got: 1, .. })));
        assert!(
            matches!(check(step, 0, "me.txt\ntotal 4\n"), Err(Error::Missing { pattern, .. }) if pattern == "me.*txt")
        );
        assert!(matches!(check(step, 0, ""), Err(Error::Missing { .. })));
    }
}
