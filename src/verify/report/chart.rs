//! The chart: queue depth over replicas, on one axis of system time, with the operator's decisions marked.

use jiff::Timestamp;
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::error::{Error, Result};
use crate::evidence::Evidence;

const SIZE: (u32, u32) = (960, 520);
const VISIBLE: RGBColor = RGBColor(37, 111, 196);
const IN_FLIGHT: RGBColor = RGBColor(217, 130, 30);
const DESIRED: RGBColor = RGBColor(140, 82, 180);
const READY: RGBColor = RGBColor(38, 150, 90);
/// A grey that is legible on white and on near-black.
const INK: RGBColor = RGBColor(128, 134, 142);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One line of a chart: points of (system seconds, value).
struct Series {
    name: &'static str,
    color: RGBColor,
    points: Vec<(f64, f64)>,
}

impl Series {
    /// A value holds until the next read, so the line goes in steps.
    fn stepped(name: &'static str, color: RGBColor, reads: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut points: Vec<(f64, f64)> = Vec::new();
        for (time, value) in reads {
            if let Some((_, last)) = points.last().copied() {
                points.push((time, last));
            }
            points.push((time, value));
        }
        Self { name, color, points }
    }

    fn most(&self) -> f64 {
        self.points.iter().fold(0.0, |most, (_, value)| value.max(most))
    }
}

/// An SVG element without a background, so that it follows the page's colours.
pub(super) fn draw(evidence: &Evidence) -> Result<String> {
    let mut svg = String::new();
    render(evidence, &mut svg).map_err(|reason| Error::Report { what: "the chart", reason })?;
    // Scalable: the size is given by the page, the proportions by the view box.
    Ok(svg.replacen(
        "<svg width=\"960\" height=\"520\"",
        "<svg role=\"img\" aria-label=\"queue depth and replicas over time\"",
        1,
    ))
}

fn render(evidence: &Evidence, svg: &mut String) -> Result<(), String> {
    let origin = evidence.sending().unwrap_or(evidence.header.started);
    let offset = |time: Timestamp| evidence.seconds(origin, time);
    let queue = [
        Series::stepped(
            "visible",
            VISIBLE,
            evidence.queue().map(|(time, counts)| (offset(time), counts.visible as f64)),
        ),
        Series::stepped(
            "in flight",
            IN_FLIGHT,
            evidence.queue().map(|(time, counts)| (offset(time), counts.in_flight as f64)),
        ),
    ];
    let replicas = [
        Series::stepped(
            "desired",
            DESIRED,
            evidence.deployments().map(|(time, it)| (offset(time), f64::from(it.desired))),
        ),
        Series::stepped("ready", READY, evidence.deployments().map(|(time, it)| (offset(time), f64::from(it.ready)))),
    ];
    let changes = evidence.decisions().filter(|(_, decision)| decision.from != decision.to);
    let marks: Vec<_> =
        changes.map(|(time, decision)| (offset(time), format!("→ {}", decision.to.unwrap_or(0)))).collect();
    let span = (offset(evidence.header.started), offset(evidence.end()).max(1.0));
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let (upper, lower) = area.split_vertically(SIZE.1 / 2);
    chart(&upper, "messages in the queue", span, &queue, &[]).map_err(|error| error.to_string())?;
    chart(&lower, "replicas, and the operator's decisions", span, &replicas, &marks)
        .map_err(|error| error.to_string())?;
    area.present().map_err(|error| error.to_string())
}

fn chart(
    area: &Area<'_>,
    title: &str,
    span: (f64, f64),
    series: &[Series],
    marks: &[(f64, String)],
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let top = series.iter().map(Series::most).fold(1.0, f64::max) * 1.25;
    let text = ("sans-serif", 14).into_font().color(&INK);
    let mut chart = ChartBuilder::on(area)
        .caption(title, text.clone())
        .margin(8)
        .x_label_area_size(34)
        .y_label_area_size(36)
        .build_cartesian_2d(span.0..span.1, 0.0..top)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(INK.mix(0.25))
        .axis_style(INK)
        .label_style(("sans-serif", 12).into_font().color(&INK))
        .x_desc("seconds of system time after sending")
        .x_label_formatter(&|value| format!("{value:.0}"))
        .y_label_formatter(&|value| format!("{value:.0}"))
        .y_labels(5)
        .draw()?;
    for (index, line) in series.iter().enumerate() {
        let color = line.color;
        chart.draw_series(LineSeries::new(line.points.iter().copied(), color.stroke_width(2)))?;
        // A legend of our own: the library's needs a background, which would not follow the page's colours.
        let position = (span.0 + (span.1 - span.0) * (0.72 + 0.14 * index as f64), top * 0.97);
        chart.draw_series([Text::new(line.name, position, ("sans-serif", 13).into_font().color(&color))])?;
    }
    for (time, label) in marks {
        chart.draw_series([PathElement::new(vec![(*time, 0.0), (*time, top * 0.86)], DESIRED.mix(0.6))])?;
        chart.draw_series([Text::new(
            label.clone(),
            (*time, top * 0.95),
            ("sans-serif", 12).into_font().color(&DESIRED),
        )])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Run;

    #[test]
    fn the_chart_is_balanced_markup_with_all_lines_and_marks() {
        let svg = draw(&Run::good().evidence()).unwrap();
        assert!(svg.starts_with("<svg role=\"img\"") && svg.trim_end().ends_with("</svg>"), "{}", &svg[..200]);
        assert!(svg.contains("viewBox=\"0 0 960 520\""));
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        for part in ["visible", "in flight", "desired", "ready", "→ 1", "→ 0"] {
            assert!(svg.contains(part), "{part}");
        }
        assert!(svg.matches("<polyline").count() >= 4);
    }

    #[test]
    fn a_run_without_any_read_still_has_a_chart() {
        assert!(draw(&Run::good().without(|_| true).evidence()).unwrap().contains("</svg>"));
    }
}
