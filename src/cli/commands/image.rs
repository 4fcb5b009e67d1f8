//! `sluice image`: this program as a container image, into a file or to a registry.

use image::{Error, Name, Options, Program};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::arguments::image::{Image, Push, Save};
use crate::diagnostic::{Diagnostic, Outcome, one};
use crate::exit::Exit;
use crate::view::{Tone, View};

/// Bytes of a megabyte as people count them.
const MEGABYTE: f64 = 1e6;

pub(crate) async fn run(image: Image, view: &View, stop: CancellationToken) -> Outcome {
    match image {
        Image::Save(wanted) => save(wanted, view, stop).await,
        Image::Push(wanted) => push(&wanted, view, stop).await,
    }
}

async fn save(wanted: Save, view: &View, stop: CancellationToken) -> Outcome {
    let name = Name::parse_tagged(&wanted.name).map_err(usage)?;
    let image = build(view, &stop).await?;
    let (digest, size) = (image.digest().to_owned(), image.size());
    let (file, reference) = (wanted.file.clone(), name.to_string());
    // From here on a signal waits: the file is there in a moment, whole.
    tokio::task::spawn_blocking(move || image.save(&file, &name)).await.map_err(one)?.map_err(one)?;
    let path = wanted.file.display();
    view.fact(
        "image_saved",
        json!({ "path": wanted.file, "reference": reference, "digest": digest, "size": size }),
        Tone::Good,
        format!("Saved {reference} to {path} ({}, {digest})", megabytes(size)),
    );
    view.tell(
        Tone::Dim,
        format!("Next: docker load -i {path} | kind load image-archive {path} | ctr -n k8s.io images import {path}"),
    );
    Ok(Exit::Done)
}

async fn push(wanted: &Push, view: &View, stop: CancellationToken) -> Outcome {
    let name = Name::parse(&wanted.reference).map_err(usage)?;
    let image = build(view, &stop).await?;
    let options = Options { plain_http: wanted.plain_http, ..Options::default() };
    view.tell(Tone::Dim, format!("Pushing {} to {}", megabytes(image.size()), name.registry()));
    let pushed = tokio::select! {
        pushed = image::push(&image, &name, &options) => pushed.map_err(one)?,
        () = stop.cancelled() => return Err(stopped("run it again; what the registry has whole is not sent twice")),
    };
    view.fact(
        "image_pushed",
        json!({ "reference": pushed.reference, "digest": pushed.digest, "size": image.size(), "sent": pushed.sent }),
        Tone::Good,
        format!("Pushed {} ({} sent)", pushed.reference, megabytes(pushed.sent)),
    );
    Ok(Exit::Done)
}

async fn build(view: &View, stop: &CancellationToken) -> Outcome<image::Image> {
    let program = Program::running().map_err(one)?;
    view.tell(Tone::Dim, "Packing this program");
    tokio::select! {
        built = tokio::task::spawn_blocking(move || image::Image::build(&program)) => built.map_err(one)?.map_err(one),
        () = stop.cancelled() => Err(stopped("run it again; nothing is left behind")),
    }
}

/// A name that is none is a mistake on the command line.
fn usage(error: Error) -> Vec<Diagnostic> {
    vec![Diagnostic::from(error).exit(Exit::Usage)]
}

fn stopped(help: &str) -> Vec<Diagnostic> {
    vec![Diagnostic::error("stopped before the image was complete").help(help)]
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / MEGABYTE)
}
