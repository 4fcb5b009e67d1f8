//! A plan as lines of text in Terraform's manner; colours are the view's business.

use serde_json::Value;

use crate::diff::{After, Field};
use crate::plan::{Action, Change, Drift, Plan};
use crate::reference::UNKNOWN;

/// What kind of line it is; a view colours by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A heading or summary.
    Plain,
    /// Something is added: `+`.
    Add,
    /// Something is changed: `~`.
    Change,
    /// Something is removed: `-`.
    Destroy,
    /// Something is replaced: `-/+`.
    Replace,
}

/// One line, indented and with its symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What kind of line.
    pub mark: Mark,
    /// The text.
    pub text: String,
}

fn line(mark: Mark, text: impl Into<String>) -> Line {
    Line { mark, text: text.into() }
}

impl Mark {
    /// Terraform's symbol, three characters wide.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Plain => "   ",
            Self::Add => "  +",
            Self::Change => "  ~",
            Self::Destroy => "  -",
            Self::Replace => "-/+",
        }
    }
}

/// The whole plan: every change with its fields, notes, the summary.
pub fn render(plan: &Plan) -> Vec<Line> {
    let mut lines = Vec::new();
    for change in &plan.changes {
        render_change(change, &mut lines);
    }
    lines.extend(plan.notes.iter().map(|note| line(Mark::Plain, format!("Note: {note}"))));
    let summary =
        if plan.is_empty() { "No changes. What exists is as declared.".to_owned() } else { plan.summary().to_string() };
    lines.push(line(Mark::Plain, summary));
    lines
}

/// What changed outside since the last run.
pub fn render_drift(drift: &[Drift]) -> Vec<Line> {
    let mut lines = Vec::new();
    for Drift { address, gone, fields } in drift {
        if *gone {
            lines.push(line(Mark::Destroy, format!("  - {address} has been deleted")));
            continue;
        }
        lines.push(line(Mark::Change, format!("  ~ {address} has changed")));
        lines.extend(fields.iter().map(render_field));
    }
    lines
}

fn render_change(change: &Change, lines: &mut Vec<Line>) {
    let (mark, verb) = match change.action {
        Action::NoOp | Action::Forget => return,
        Action::Create => (Mark::Add, "will be created"),
        Action::Update => (Mark::Change, "will be updated in place"),
        Action::Replace => (Mark::Replace, "must be replaced"),
        Action::Delete => (Mark::Destroy, "will be destroyed"),
    };
    let because = change.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    lines.push(line(mark, format!("{} {} {verb}{because}", mark.symbol(), change.address)));
    lines.extend(change.fields.iter().map(render_field));
}

fn render_field(field: &Field) -> Line {
    let Field { path, before, after, forces_replacement, sensitive } = field;
    let mark = match (before, after) {
        (None, _) if !sensitive => Mark::Add,
        (_, After::Removed) => Mark::Destroy,
        _ => Mark::Change,
    };
    let new = match after {
        After::Known(value) => text(value),
        After::Unknown => UNKNOWN.to_owned(),
        After::Removed => "null".to_owned(),
    };
    let value = match before {
        _ if *sensitive => "(sensitive value)".to_owned(),
        Some(before) => format!("{} -> {new}", text(before)),
        None => new,
    };
    let forces = if *forces_replacement { " # forces replacement" } else { "" };
    line(mark, format!("      {} {path} = {value}{forces}", mark.symbol().trim()))
}

fn text(value: &Value) -> String {
    if value == UNKNOWN { UNKNOWN.to_owned() } else { value.to_string() }
}
