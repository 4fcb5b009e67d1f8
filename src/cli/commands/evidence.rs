//! `sluice evidence`: what runs recorded. Needs nothing that is up.

use serde_json::json;
use verify::Difference;

use crate::arguments::Evidence;
use crate::diagnostic::{Outcome, one};
use crate::exit::Exit;
use crate::view::View;

pub(crate) fn run(wanted: &Evidence, view: &View) -> Outcome {
    let Evidence::Diff(files) = wanted;
    let read = |file| verify::Evidence::load(file).map_err(one);
    let difference = Difference::of(&read(&files.first)?, &read(&files.second)?);
    view.event("difference", json!({ "is_none": difference.is_none(), "rows": difference.rows }));
    for line in difference.lines() {
        view.line(line);
    }
    Ok(if difference.is_none() { Exit::Done } else { Exit::VerificationFailed })
}
