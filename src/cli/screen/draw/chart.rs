//! Queue and replicas over time, side by side: each has its own scale.

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, Paragraph};

use super::Manner;
use crate::screen::model::Model;
use crate::screen::workload::{Point, Workload};
use crate::tone::Tone;

/// Rows that a chart needs.
const ROWS_MIN: u16 = 5;

/// Draws both, if there is room; replicas alone where there is no queue.
pub(super) fn draw(model: &Model, workload: &Workload, manner: Manner, frame: &mut Frame<'_>, area: Rect) {
    if area.height < ROWS_MIN {
        return;
    }
    let Some(first) = workload.points.front() else {
        frame.render_widget(Paragraph::new(Line::from(manner.span(Tone::Dim, "nothing was seen yet"))), area);
        return;
    };
    let of_queue = Constraint::Fill(u16::from(workload.has_queue));
    let gap = if workload.has_queue { 2 } else { 0 };
    let [left, right] = Layout::horizontal([of_queue, Constraint::Fill(1)]).spacing(gap).areas(area);
    let now = model.now();
    let seconds = |time: Timestamp| time.duration_since(first.time).as_secs_f64() * model.scale;
    let series = |value: &dyn Fn(&Point) -> Option<f64>| steps(workload, value, &seconds, now);
    let last = seconds(now).max(1.0);
    let queue = series(&|point| point.queue.map(|count| count as f64));
    let (wanted, ready) = (series(&|point| point.wanted.map(f64::from)), series(&|point| point.ready.map(f64::from)));
    if workload.has_queue {
        let sets = vec![set("", &queue, Marker::Braille, manner, Tone::Change)];
        frame.render_widget(chart("messages on the queue", sets, &queue, last, manner), left);
    }
    let sets =
        vec![set("", &wanted, Marker::Dot, manner, Tone::Dim), set("", &ready, Marker::Braille, manner, Tone::Good)];
    let all: Vec<_> = wanted.iter().chain(&ready).copied().collect();
    let title = if workload.snapshot.jobs.is_some() { "Jobs that run" } else { "replicas: • wanted, ⣿ ready" };
    frame.render_widget(chart(title, sets, &all, last, manner), right);
}

/// A value holds until the next one; what could not be read is a gap.
fn steps(
    workload: &Workload,
    value: &dyn Fn(&Point) -> Option<f64>,
    seconds: &dyn Fn(Timestamp) -> f64,
    now: Timestamp,
) -> Vec<(f64, f64)> {
    let mut series: Vec<(f64, f64)> = Vec::new();
    let mut before = None;
    for point in &workload.points {
        let found = value(point);
        if let Some(before) = before {
            series.push((seconds(point.time), before));
        }
        series.extend(found.map(|value| (seconds(point.time), value)));
        before = found;
    }
    series.extend(before.map(|value| (seconds(now), value)));
    series
}

fn set<'a>(name: &'a str, data: &'a [(f64, f64)], marker: Marker, manner: Manner, tone: Tone) -> Dataset<'a> {
    Dataset::default().name(name).data(data).marker(marker).graph_type(GraphType::Line).style(manner.style(tone))
}

fn chart<'a>(title: &'a str, sets: Vec<Dataset<'a>>, data: &[(f64, f64)], last: f64, manner: Manner) -> Chart<'a> {
    let most = data.iter().map(|(_, value)| *value).fold(1.0, f64::max);
    let dim = manner.style(Tone::Dim);
    let time = Axis::default().bounds([0.0, last]).style(dim).labels(["0".to_owned(), format!("{last:.0} s")]);
    let value =
        Axis::default().title(title).bounds([0.0, most]).style(dim).labels(["0".to_owned(), format!("{most:.0}")]);
    Chart::new(sets).x_axis(time).y_axis(value).legend_position(None)
}
