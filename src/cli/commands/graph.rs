//! `sluice graph`: the resource graph in Mermaid's notation. Nothing has to be up.

use std::collections::HashMap;
use std::fmt::Write as _;

use provision::plan::Mode;
use provision::{Graph, Lock};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::diagnostic::Outcome;
use crate::engine::{Engine, Others};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::target::Target;
use crate::view::View;

pub(crate) fn run(settings: &Settings, target: &Target, lock: &Lock, view: &View, stop: &CancellationToken) -> Outcome {
    let engine = Engine::open(settings, target, lock, view, stop, (Mode::Up, Others::Kept))?;
    let graph = &engine.graph;
    if view.is_human() {
        View::raw(&mermaid(graph));
        return Ok(Exit::Done);
    }
    let edges: Vec<_> = graph.edges().map(|(from, to)| json!({ "from": from, "needs": to })).collect();
    view.event("graph", json!({ "nodes": graph.order(), "edges": edges }));
    Ok(Exit::Done)
}

fn mermaid(graph: &Graph) -> String {
    let numbers: HashMap<_, _> = graph.order().iter().enumerate().map(|(number, address)| (address, number)).collect();
    let mut text = "flowchart LR\n".to_owned();
    for (number, address) in graph.order().iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  n{number}[\"{address}\"]");
    }
    for (from, to) in graph.edges() {
        if let (Some(from), Some(to)) = (numbers.get(from), numbers.get(to)) {
            let _ = writeln!(text, "  n{from} --> n{to}");
        }
    }
    text
}
