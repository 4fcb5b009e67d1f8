//! How many resources of each kind a plan makes, changes and removes, in a few lines.

use std::collections::BTreeMap;

use crate::action::Action;
use crate::plan::Plan;

/// Columns of a line.
const WIDTH: usize = 100;

/// A group of lines for each kind of change that occurs.
pub(super) fn of(plan: &Plan) -> Vec<(Action, String)> {
    let groups = [
        (Action::Create, "To add"),
        (Action::Update, "To change"),
        (Action::Replace, "To replace"),
        (Action::Delete, "To destroy"),
    ];
    let lines = groups.into_iter().flat_map(|(action, verb)| {
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for change in plan.changes.iter().filter(|change| change.action == action) {
            *kinds.entry(change.address.kind()).or_default() += 1;
        }
        let parts: Vec<String> = kinds.into_iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        wrapped(&format!("{verb}: "), &parts).into_iter().map(move |text| (action, text))
    });
    lines.collect()
}

/// The parts after each other, on as many lines as they need.
fn wrapped(first: &str, parts: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let end = if index + 1 < parts.len() { "," } else { "" };
        match lines.last_mut() {
            Some(line) if line.len() + part.len() + 2 <= WIDTH => line.extend([" ", part, end]),
            Some(_) => lines.push(format!("    {part}{end}")),
            None => lines.push(format!("{first}{part}{end}")),
        }
    }
    lines
}
