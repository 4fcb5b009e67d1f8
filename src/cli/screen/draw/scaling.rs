//! What scales: queue, replicas as blocks, pods, the HPA, the decision in words, and the two clocks.

use ratatui::text::{Line, Span};
use verify::{Pod, Snapshot};

use super::{Manner, cut, parts};
use crate::screen::model::Model;
use crate::screen::workload::{Clock, Workload};
use crate::tone::Tone;

/// Columns of the bar of the queue.
const BAR: usize = 20;
/// Blocks that are drawn one by one; more are a number.
const BLOCKS_MAX: u32 = 40;

/// A line each; what is not known is a question mark, never a zero.
pub(super) fn lines<'a>(model: &Model, workload: &Workload, manner: Manner, width: u16) -> Vec<Line<'a>> {
    let snapshot = &workload.snapshot;
    let row = |name: &str, text: String| {
        let text = cut(&text, (width as usize).saturating_sub(10));
        Line::from(vec![manner.span(Tone::Dim, format!("{name:<10}")), Span::raw(text)])
    };
    let mut lines = vec![head(model, workload, manner, width)];
    if workload.has_queue {
        lines.push(row("Queue", queue(workload)));
    }
    lines.push(replicas(workload, manner));
    if snapshot.jobs.is_none() {
        lines.push(row("HPA", hpa(snapshot)));
    }
    lines.push(row("Pods", pods(snapshot)));
    lines.push(row("Decision", decision(workload)));
    if snapshot.jobs.is_none() {
        lines.push(row("Clocks", clocks(model, workload)));
    }
    let trouble = snapshot.refusal.as_ref().map(|refusal| format!("refused: {}", refusal.text));
    let trouble = trouble.into_iter().chain(snapshot.blindness()).chain(snapshot.trouble());
    let text = trouble.collect::<Vec<_>>().join("; ");
    if !text.is_empty() {
        lines.push(Line::from(manner.span(Tone::Bad, cut(&text, width as usize))));
    }
    lines
}

/// The workload, and what the scenario waits for.
fn head<'a>(model: &Model, workload: &Workload, manner: Manner, width: u16) -> Line<'a> {
    let step = workload.snapshot.step.as_ref();
    let step = step.map_or_else(String::new, |step| format!(" · {}: {}", step.name, step.detail));
    let which = match model.workloads.len() {
        0 | 1 => String::new(),
        all => format!(" ({} of {all})", model.selected + 1),
    };
    Line::from(manner.span(Tone::Strong, cut(&format!("{}{which}{step}", workload.name), width as usize)))
}

fn queue(workload: &Workload) -> String {
    let Some(counts) = workload.snapshot.queue else { return "?".to_owned() };
    let most = workload.points.iter().filter_map(|point| point.queue).max().unwrap_or_default().max(1);
    let bar = parts::bar(counts.total() as usize, most as usize, BAR);
    let delayed = if counts.delayed > 0 { format!(", {} delayed", counts.delayed) } else { String::new() };
    format!("{bar} {} waiting, {} in work{delayed}", counts.visible, counts.in_flight)
}

/// A block for each: ready, starting, wanted and not there.
fn replicas<'a>(workload: &Workload, manner: Manner) -> Line<'a> {
    if let Some(jobs) = workload.snapshot.jobs {
        let made = workload.snapshot.made_jobs.len();
        let blocks = "█ ".repeat(jobs.running.min(BLOCKS_MAX) as usize);
        let text = format!("{blocks}{} run, {made} made, {} failed", jobs.running, jobs.failed);
        return Line::from(vec![manner.span(Tone::Dim, format!("{:<10}", "Jobs")), Span::raw(text)]);
    }
    let name = manner.span(Tone::Dim, format!("{:<10}", "Replicas"));
    let Some((ready, starting, missing)) = workload.blocks() else {
        return Line::from(vec![name, Span::raw("?")]);
    };
    let wanted = workload.snapshot.deployment.map_or(0, |replicas| replicas.desired);
    let text =
        format!("{wanted} wanted, {starting} starting, {ready} ready, at most {}", workload.scaling.max_replicas);
    if ready + starting + missing > BLOCKS_MAX {
        return Line::from(vec![name, Span::raw(text)]);
    }
    let blocks = |tone, block: &str, count: u32| manner.span(tone, format!("{block} ").repeat(count as usize));
    Line::from(vec![
        name,
        blocks(Tone::Good, "█", ready),
        blocks(Tone::Change, "▒", starting),
        blocks(Tone::Dim, "░", missing),
        Span::raw(text),
    ])
}

fn hpa(snapshot: &Snapshot) -> String {
    let Some(hpa) = &snapshot.hpa else { return "?".to_owned() };
    let number = |value: Option<u32>| value.map_or("?".to_owned(), |value| value.to_string());
    let mut text = format!("wants {} of {} to {}", number(hpa.desired), number(hpa.min), number(hpa.max));
    for value in hpa.metrics.values() {
        text.extend([" · metric ", value]);
    }
    let unusual = ["ScaleDownStabilized", "ScalingDisabled", "TooManyReplicas", "TooFewReplicas"];
    for condition in hpa.conditions.iter().filter(|it| unusual.contains(&it.reason.as_str())) {
        text.extend([" · ", &condition.reason]);
    }
    text
}

fn pods(snapshot: &Snapshot) -> String {
    let Some(pods) = &snapshot.pods else { return "?".to_owned() };
    if pods.is_empty() {
        return "none".to_owned();
    }
    // What they have in common is said by the row.
    let state = |pod: &Pod| match (pod.terminating, &pod.waiting, pod.ready) {
        (true, ..) => "ending".to_owned(),
        (_, Some(why), _) => why.split(':').next().unwrap_or_default().to_owned(),
        (_, None, true) => "ready".to_owned(),
        (_, None, false) => pod.phase.to_lowercase(),
    };
    let short = |name: &str| name.rsplit('-').next().unwrap_or(name).to_owned();
    pods.iter().map(|pod| format!("{} {}", short(&pod.name), state(pod))).collect::<Vec<_>>().join(", ")
}

fn decision(workload: &Workload) -> String {
    workload.decisions.back().map_or_else(|| "none seen yet".to_owned(), |decision| decision.line.clone())
}

fn clocks(model: &Model, workload: &Workload) -> String {
    let since = |time| model.seconds_since(time);
    let text = |name: &str, clock| match clock {
        Clock::Idle(full) => format!("{name} {full} s, not running"),
        Clock::Left(left) => format!("{name} {:.0} s left", left.ceil()),
    };
    format!("{} · {}", text("cooldown", workload.cooldown(since)), text("window", workload.window(since)))
}
