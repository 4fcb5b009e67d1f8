//! This program as a container image: into a file, to a registry (`sluice image`), onto a kind cluster's nodes (`sluice up`).

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use aws::ecr;
use aws::session::{self, Session};
use image::{Error, Login, Name, Options, Program};
use serde_json::json;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::arguments::image::{Image, Push, Save};
use crate::diagnostic::{Diagnostic, Outcome, one};
use crate::exit::Exit;
use crate::view::{Tone, View};
use crate::waiting;

/// kind's own program.
const KIND: &str = "kind";
/// Bytes of a megabyte as people count them.
const MEGABYTE: f64 = 1e6;

pub(crate) async fn run(image: Image, view: &View, stop: CancellationToken) -> Outcome {
    match image {
        Image::Save(wanted) => save(wanted, view, stop).await,
        Image::Push(wanted) => {
            let Push { reference, plain_http, program } = wanted;
            let program = program_of(program.as_deref())?;
            let login = own_login(&reference).await?;
            Name::parse(&reference).map_err(usage)?;
            let image = build(&program, view, &stop).await?;
            push(&reference, &image, (login, plain_http), view, &stop).await?;
            Ok(Exit::Done)
        }
    }
}

async fn save(wanted: Save, view: &View, stop: CancellationToken) -> Outcome {
    let name = Name::parse_tagged(&wanted.name).map_err(usage)?;
    let image = build(&program_of(wanted.program.as_deref())?, view, &stop).await?;
    let (digest, size) = (image.digest().to_owned(), image.size());
    let reference = name.to_string();
    // From here on a signal waits: the file is there in a moment, whole.
    waiting::during(view, "Writing the image", write(image, name, wanted.archive.clone())).await?;
    let path = wanted.archive.display();
    view.outcome(
        "image_saved",
        json!({ "path": wanted.archive, "reference": reference, "digest": digest, "size": size }),
        Tone::Good,
        format!("Saved {reference} to {path} ({}, {digest})", megabytes(size)),
    );
    view.print(
        Tone::Dim,
        format!("Next: docker load -i {path} | kind load image-archive {path} | ctr -n k8s.io images import {path}"),
    );
    Ok(Exit::Done)
}

/// Who pushes to a registry of ECR: whoever calls AWS. Somebody without credentials may still have those of `docker login`.
async fn own_login(reference: &str) -> Outcome<Option<Login>> {
    let Some(region) = ecr::region_of(reference.split('/').next().unwrap_or_default()) else { return Ok(None) };
    let wanted = session::Settings { region: Some(region.to_owned()), ..session::Settings::new("cli") };
    let session = Session::load(wanted).await.map_err(one)?;
    match ecr::login(&session).await {
        Ok(ecr::Login { user, password }) => Ok(Some(Login { user, password })),
        Err(error) if error.is_of_identity() => Ok(None),
        Err(error) => Err(one(error)),
    }
}

/// The program that becomes the image: the one of this file, or else the running one.
pub(super) fn program_of(file: Option<&Path>) -> Outcome<Program> {
    file.map_or_else(Program::running, Program::at).map_err(one)
}

/// Sends an image to the registry that `reference` names.
pub(super) async fn push(
    reference: &str,
    image: &image::Image,
    (login, plain_http): (Option<Login>, bool),
    view: &View,
    stop: &CancellationToken,
) -> Outcome<()> {
    let name = Name::parse(reference).map_err(usage)?;
    let options = Options { login, plain_http, ..Options::default() };
    view.print(Tone::Dim, format!("Pushing {} to {}", megabytes(image.size()), name.registry()));
    let what = format!("Pushing to {}", name.registry());
    let pushed = tokio::select! {
        pushed = waiting::during(view, &what, image::push(image, &name, &options)) => pushed.map_err(one)?,
        () = stop.cancelled() => return Err(stopped("run it again; what the registry has whole is not sent twice")),
    };
    view.outcome(
        "image_pushed",
        json!({ "reference": pushed.reference, "digest": pushed.digest, "size": image.size(), "sent": pushed.sent }),
        Tone::Good,
        format!("Pushed {} ({} sent)", pushed.reference, megabytes(pushed.sent)),
    );
    Ok(())
}

/// Loads this program onto the nodes of the kind cluster of that name, by kind itself.
pub(super) async fn load_into_kind(
    reference: &str,
    cluster: &str,
    view: &View,
    stop: &CancellationToken,
) -> Outcome<()> {
    let name = Name::parse_tagged(reference).map_err(usage)?;
    let image = build(&program_of(None)?, view, stop).await?;
    let folder = tempfile::tempdir().map_err(one)?;
    let file = folder.path().join("sluice.tar");
    waiting::during(view, "Writing the image", write(image, name, file.clone())).await?;
    view.print(Tone::Dim, format!("Loading {reference} onto the nodes of kind cluster {cluster}"));
    let mut kind = Command::new(KIND);
    kind.args(["load", "image-archive"]).arg(&file).args(["--name", cluster]).stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::select! {
        ended = waiting::during(view, "Waiting for kind to load the image", kind.output()) => ended,
        () = stop.cancelled() => return Err(stopped("run it again; kind loads it anew")),
    };
    let why = match ended {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => format!("there is no program {KIND} on PATH"),
        Err(error) => error.to_string(),
    };
    let text = format!("`{KIND} load image-archive` failed: {why}");
    let help = format!(
        "the nodes keep what they have as {reference}, maybe of an older program; load this one with kind yourself"
    );
    Err(one(Diagnostic::error(text).help(help)))
}

/// Packs a program.
pub(super) async fn build(program: &Program, view: &View, stop: &CancellationToken) -> Outcome<image::Image> {
    let program = program.clone();
    view.print(Tone::Dim, "Packing this program");
    let building = tokio::task::spawn_blocking(move || image::Image::build(&program));
    tokio::select! {
        built = waiting::during(view, "Packing this program", building) => built.map_err(one)?.map_err(one),
        () = stop.cancelled() => Err(stopped("run it again; nothing is left behind")),
    }
}

async fn write(image: image::Image, name: Name, file: PathBuf) -> Outcome<()> {
    tokio::task::spawn_blocking(move || image.save(&file, &name)).await.map_err(one)?.map_err(one)
}

/// A name that is none is a mistake on the command line.
fn usage(error: Error) -> Vec<Diagnostic> {
    vec![Diagnostic::from(error).exit(Exit::Usage)]
}

fn stopped(help: &str) -> Vec<Diagnostic> {
    vec![Diagnostic::interrupted("the image was not complete yet").help(help)]
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / MEGABYTE)
}
