//! The parts of the command with how far each is, and the steps that run.

use ratatui::text::{Line, Span};

use super::{Manner, cut};
use crate::screen::model::{Model, Part};
use crate::spelled::spelled;
use crate::tone::Tone;

/// Columns of the bar of a part that runs.
const BAR: usize = 16;

/// One line a part, and one for what is waited for.
pub(super) fn lines<'a>(model: &Model, manner: Manner, width: u16) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = model.parts.iter().map(|part| line(model, part, manner, width)).collect();
    if let Some(what) = &model.waiting {
        lines.push(Line::from(manner.span(Tone::Dim, cut(&format!("   {what}…"), width as usize))));
    }
    lines
}

fn line<'a>(model: &Model, part: &Part, manner: Manner, width: u16) -> Line<'a> {
    let (mark, tone) = match (part.is_done, part.steps.failed, part.has_ended()) {
        (true, ..) => ("✓", Tone::Good),
        (false, 1.., _) => ("!", Tone::Bad),
        (false, 0, true) => ("–", Tone::Change),
        (false, 0, false) => ("▶", Tone::Strong),
    };
    let (done, of) = progress(model, part);
    let bar = if part.has_ended() || of == 0 { String::new() } else { format!("{} ", bar(done, of, BAR)) };
    let steps = if of > 0 { format!("{done} of {of} · ") } else { String::new() };
    let usual = part.usual.as_ref().map(|usual| format!(", {usual}")).unwrap_or_default();
    let mut text = format!("{:<11} {bar}{steps}{}{usual}", part.name, spelled(model.took(part)));
    if part.has_ended() && !part.is_done {
        text += " · not finished";
    }
    if part.steps.of == 0 && part.steps.read > 0 && !part.has_ended() {
        text.extend([" · ", &part.steps.read.to_string(), " resources read"]);
    }
    let text = cut(&text, (width as usize).saturating_sub(2));
    Line::from(vec![manner.span(tone, format!("{mark} ")), Span::styled(text, manner.style(tone))])
}

/// How far it is: steps of the engine, or those of the scenario of the part that runs now.
fn progress(model: &Model, part: &Part) -> (usize, usize) {
    let of_engine = (part.steps.done, part.steps.of);
    let of_scenario = model.workload().map(|workload| (workload.reached, workload.steps.len()));
    let verifies = !part.has_ended() && part.steps.of == 0;
    of_scenario.filter(|_| verifies).unwrap_or(of_engine)
}

/// `done` of `of` in `width` columns.
pub(super) fn bar(done: usize, of: usize, width: usize) -> String {
    let full = (done * width / of.max(1)).min(width);
    format!("{}{}", "█".repeat(full), "░".repeat(width - full))
}

/// The steps that run, those that last longest first; at most `room` lines.
pub(super) fn running<'a>(model: &Model, manner: Manner, width: u16, room: u16) -> Vec<Line<'a>> {
    let Some(part) = model.parts.last() else { return Vec::new() };
    let mut steps: Vec<_> = part.steps.running.iter().collect();
    steps.sort_by_key(|(_, step)| step.begun);
    let surplus = steps.len().saturating_sub(room as usize);
    steps.truncate(room as usize);
    let mut lines: Vec<Line<'a>> = steps
        .into_iter()
        .map(|(address, step)| {
            let usual = step.usual.as_ref().map(|usual| format!(", {usual}")).unwrap_or_default();
            let time = spelled(model.since(step.begun));
            let text = format!("   {} {address}  {time}{usual}  {}", step.verb, step.status);
            Line::from(manner.span(Tone::Plain, cut(text.trim_end(), width as usize)))
        })
        .collect();
    if surplus > 0 {
        lines.push(Line::from(manner.span(Tone::Dim, format!("   and {surplus} more"))));
    }
    lines
}
