//! The model as a picture of any size: the parts of the command, what scales and why, a chart, the last lines, the keys.

mod chart;
mod parts;
mod scaling;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Wrap};

use super::keys::{Keys, Overlay};
use super::model::Model;
use crate::spelled::spelled;
use crate::tone::Tone;

/// Below this there is no room for a screen.
pub(super) const COLUMNS_MIN: u16 = 60;
pub(super) const ROWS_MIN: u16 = 16;
/// Rows of the last lines, at least.
const LINES_MIN: u16 = 3;

/// How the model is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) coloured: bool,
    pub(super) keys: Keys,
    pub(super) overlay: Option<Overlay>,
    pub(super) paused: bool,
}

impl Manner {
    fn style(self, tone: Tone) -> Style {
        if !self.coloured {
            return Style::new();
        }
        match tone {
            Tone::Plain => Style::new(),
            Tone::Good => Style::new().fg(Color::Green),
            Tone::Change => Style::new().fg(Color::Yellow),
            Tone::Bad => Style::new().fg(Color::Red),
            Tone::Dim => Style::new().add_modifier(Modifier::DIM),
            Tone::Strong => Style::new().add_modifier(Modifier::BOLD),
        }
    }

    pub(super) fn span<'a>(self, tone: Tone, text: impl Into<String>) -> Span<'a> {
        Span::styled(text.into(), self.style(tone))
    }
}

/// Draws all of it.
pub(super) fn draw(model: &Model, manner: Manner, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.width < COLUMNS_MIN || area.height < ROWS_MIN {
        let text = format!("{} goes on; make the terminal {COLUMNS_MIN}x{ROWS_MIN} or larger to see it", model.title);
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
        return;
    }
    let parts = parts::lines(model, manner, area.width);
    let [title, above, middle, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(parts.len() as u16),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(headline(model, manner, title.width), title);
    frame.render_widget(Paragraph::new(parts), above);
    draw_middle(model, manner, frame, middle);
    frame.render_widget(Paragraph::new(manner.keys.line(manner)), keys);
    if let Some(overlay) = manner.overlay {
        let whole = Rect { height: above.height + middle.height, ..above };
        frame.render_widget(Clear, whole);
        frame.render_widget(overlaid(model, manner, overlay, whole.height), whole);
    }
}

fn headline<'a>(model: &Model, manner: Manner, width: u16) -> Paragraph<'a> {
    let time = spelled(model.elapsed());
    let paused = if manner.paused { "paused · " } else { "" };
    let end = format!("{paused}{time}");
    let room = (width as usize).saturating_sub(end.chars().count() + 1);
    let title = cut(&model.title, room);
    let gap = " ".repeat(room.saturating_sub(title.chars().count()) + 1);
    Paragraph::new(Line::from(vec![manner.span(Tone::Strong, title), Span::raw(gap), manner.span(Tone::Strong, end)]))
}

/// What scales, its chart, and the last lines; while the engine works, its steps.
fn draw_middle(model: &Model, manner: Manner, frame: &mut Frame<'_>, area: Rect) {
    let Some(workload) = model.workload().filter(|_| !model.is_applying()) else {
        let running = parts::running(model, manner, area.width, area.height.saturating_sub(LINES_MIN) / 2);
        let [steps, lines] =
            Layout::vertical([Constraint::Length(running.len() as u16), Constraint::Min(0)]).areas(area);
        frame.render_widget(Paragraph::new(running), steps);
        return draw_lines(model, manner, frame, lines);
    };
    let scaling = scaling::lines(model, workload, manner, area.width);
    let rest = area.height.saturating_sub(scaling.len() as u16);
    let of_chart = rest.saturating_sub(LINES_MIN).min((rest * 3 / 5).max(7));
    let [above, charts, lines] =
        Layout::vertical([Constraint::Length(scaling.len() as u16), Constraint::Length(of_chart), Constraint::Min(0)])
            .areas(area);
    frame.render_widget(Paragraph::new(scaling), above);
    chart::draw(model, workload, manner, frame, charts);
    draw_lines(model, manner, frame, lines);
}

fn draw_lines(model: &Model, manner: Manner, frame: &mut Frame<'_>, area: Rect) {
    let rule = manner.span(Tone::Dim, "─".repeat(area.width as usize));
    let mut lines = vec![Line::from(rule)];
    let room = area.height.saturating_sub(1) as usize;
    let first = model.lines.len().saturating_sub(room);
    let cut_off = |text: &str| cut(text, area.width as usize);
    lines.extend(model.lines.iter().skip(first).map(|(tone, text)| Line::from(manner.span(*tone, cut_off(text)))));
    frame.render_widget(Paragraph::new(lines), area);
}

/// The decisions with all their reasons, or the last lines in full.
fn overlaid<'a>(model: &Model, manner: Manner, overlay: Overlay, height: u16) -> Paragraph<'a> {
    let mut lines = Vec::new();
    match overlay {
        Overlay::Explain => {
            let name = model.workload().map_or_else(String::new, |workload| format!(" about {}", workload.name));
            lines.push(Line::from(manner.span(Tone::Strong, format!("Decisions{name}, the newest first"))));
            for decision in model.workload().iter().flat_map(|workload| workload.decisions.iter().rev()) {
                let time = decision.time.strftime("%H:%M:%S%.1f");
                lines.push(Line::from(manner.span(Tone::Strong, format!("{time}  {}", decision.line))));
                lines.extend(decision.whole.iter().map(|why| Line::from(format!("            {why}"))));
            }
            if lines.len() == 1 {
                lines.push(Line::from("None was seen so far."));
            }
            lines.truncate(height as usize);
            // A reason is read to its end.
            return Paragraph::new(lines).wrap(Wrap { trim: false });
        }
        Overlay::Lines => {
            lines.push(Line::from(manner.span(Tone::Strong, "The last lines")));
            let first = model.lines.len().saturating_sub(height.saturating_sub(1) as usize);
            let shown = model.lines.iter().skip(first);
            lines.extend(shown.map(|(tone, text)| Line::from(manner.span(*tone, text.clone()))));
        }
    }
    Paragraph::new(lines)
}

/// At most `room` columns of a text, with an ellipsis where it was longer.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
