//! A plan as lines of text in Terraform's manner; colours are the view's business.
//!
//! What is made shows its fields one a line, nested ones indented; what is changed shows `path: old -> new`.

mod kinds;
mod tree;

use serde_json::Value;

use crate::action::Action;
use crate::diff::{After, Field};
use crate::plan::{Change, Drift, Mode, Plan};
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
        if !render_head(change, "", &mut lines) {
            continue;
        }
        render_holds(change, &mut lines);
        for field in &change.fields {
            render_field(field, &mut lines);
        }
    }
    if lines.iter().any(|line| line.text.ends_with(tree::FOLDED)) {
        let text = "Note: (N values) stands for N values that are not shown; the plan as JSON has them.";
        lines.push(line(Mark::Plain, text));
    }
    lines.extend(notes(plan));
    lines.push(line(Mark::Plain, summary(plan)));
    lines
}

/// The plan in short: a line for each resource, with the names of the fields that change in what is there; notes; how many of
/// each kind; the summary.
pub fn outline(plan: &Plan) -> Vec<Line> {
    let mut lines = Vec::new();
    for change in &plan.changes {
        if render_head(change, &changed(change), &mut lines) {
            render_holds(change, &mut lines);
        }
    }
    lines.extend(notes(plan));
    lines.extend(kinds::of(plan).into_iter().map(|(action, text)| line(mark(action), text)));
    lines.push(line(Mark::Plain, summary(plan)));
    lines
}

fn notes(plan: &Plan) -> impl Iterator<Item = Line> {
    plan.notes.iter().map(|note| line(Mark::Plain, format!("Note: {note}")))
}

fn summary(plan: &Plan) -> String {
    match plan.mode {
        _ if !plan.is_empty() => plan.summary().to_string(),
        Mode::Up => "No changes. What exists is as declared.".to_owned(),
        Mode::Down => "No changes. Nothing is there to be destroyed.".to_owned(),
    }
}

/// The names of the fields that change in what is there; all fields of what is made or removed change.
fn changed(change: &Change) -> String {
    let names = |wanted: &dyn Fn(&Field) -> bool| {
        let names: Vec<&str> =
            change.fields.iter().filter(|field| wanted(field)).map(|field| field.path.as_str()).collect();
        if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) }
    };
    match change.action {
        Action::Update => names(&|_| true),
        Action::Replace => names(&|field| field.forces_replacement),
        Action::Create | Action::Delete | Action::NoOp | Action::Forget | Action::Keep => String::new(),
    }
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
        for field in fields {
            render_field(field, &mut lines);
        }
    }
    lines
}

/// Lines for what a resource holds of others; a namespace may hold thousands.
const HOLDS_SHOWN: usize = 20;

fn mark(action: Action) -> Mark {
    match action {
        Action::Create => Mark::Add,
        Action::Update => Mark::Change,
        Action::Replace => Mark::Replace,
        Action::Delete => Mark::Destroy,
        Action::Keep | Action::NoOp | Action::Forget => Mark::Plain,
    }
}

/// The line that says what becomes of a resource, ending with `more`; false if nothing does.
fn render_head(change: &Change, more: &str, lines: &mut Vec<Line>) -> bool {
    let verb = match change.action {
        Action::NoOp | Action::Forget => return false,
        Action::Create => "will be created",
        Action::Update => "will be updated in place",
        Action::Replace => "must be replaced",
        Action::Delete => "will be destroyed",
        Action::Keep => "is kept",
    };
    let mark = mark(change.action);
    let because = change.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    lines.push(line(mark, format!("{} {} {verb}{because}{more}", mark.symbol(), change.address)));
    true
}

/// What a resource holds of others.
fn render_holds(change: &Change, lines: &mut Vec<Line>) {
    if change.holds.is_empty() {
        return;
    }
    let (ending, mark) = match change.action {
        Action::Delete => ("is destroyed with it", Mark::Destroy),
        _ => ("is in it", Mark::Plain),
    };
    lines.push(line(mark, format!("      {} what is not this stack's {ending}:", mark.symbol().trim())));
    let shown = change.holds.iter().take(HOLDS_SHOWN);
    lines.extend(shown.map(|held| line(mark, format!("          {held}"))));
    if let more @ 1.. = change.holds.len().saturating_sub(HOLDS_SHOWN) {
        lines.push(line(mark, format!("          and {more} more; the plan as JSON has them all")));
    }
}

fn render_field(field: &Field, lines: &mut Vec<Line>) {
    let Field { path, before, after, forces_replacement, sensitive } = field;
    let forces = if *forces_replacement { " # forces replacement" } else { "" };
    let mark = match (before, after) {
        (None, _) if !sensitive => Mark::Add,
        (_, After::Removed) => Mark::Destroy,
        _ => Mark::Change,
    };
    let first = line(mark, format!("      {} {path}:", mark.symbol().trim()));
    let whole = |text: &str| line(mark, format!("{} {text}{forces}", first.text));
    if *sensitive {
        lines.push(whole("(sensitive value)"));
        return;
    }
    let short = |value: &Value| tree::short(value);
    let new = match after {
        After::Known(value) => short(value),
        After::Unknown => Some(UNKNOWN.to_owned()),
        After::Removed => Some("null".to_owned()),
    };
    match (before.as_ref().map(short), new) {
        (None, Some(new)) => lines.push(whole(&new)),
        (Some(Some(old)), Some(new)) => lines.push(whole(&format!("{old} -> {new}"))),
        _ => {
            lines.push(line(mark, format!("{}{forces}", first.text)));
            if let Some(before) = before {
                grow(Mark::Destroy, before, lines);
            }
            if let After::Known(value) = after {
                grow(Mark::Add, value, lines);
            }
        }
    }
}

/// A value that takes more than one line, below the line that names it.
fn grow(mark: Mark, value: &Value, lines: &mut Vec<Line>) {
    let symbol = mark.symbol().trim();
    for tree::Twig { depth, text } in tree::grow(value) {
        lines.push(line(mark, format!("{:indent$}{symbol} {text}", "", indent = 10 + 4 * depth)));
    }
}

#[cfg(test)]
mod tests;
