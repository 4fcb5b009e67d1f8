//! `sluice operator chart`: what the operator needs in a cluster as a Helm chart, a folder and a package.

use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use serde_json::json;
use stack::chart::{self, File};

use crate::arguments::pods::Chart;
use crate::assembly::CRDS;
use crate::diagnostic::{Diagnostic, Outcome, one};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::view::{Tone, View};
use crate::whole_file;

/// A chart that this command wrote.
const MARK: &str = "sluice.dev/chart";
const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn run(wanted: &Chart, settings: &Settings, view: &View) -> Outcome {
    let image = &settings.stack.operator.image;
    let files = chart::files(image, VERSION, CRDS).map_err(one)?;
    let folder = wanted.folder.join(chart::NAME);
    let package = wanted.folder.join(format!("{}-{VERSION}.tgz", chart::NAME));
    clear(&folder)?;
    store(&folder, &files).map_err(|error| not_written(&folder, &error))?;
    let texts = files.iter().map(|file| (file.path.as_str(), file.text.as_str()));
    whole_file::archive(&package, 0o666, chart::NAME, texts).map_err(|error| not_written(&package, &error))?;
    view.outcome(
        "chart_written",
        json!({ "folder": folder, "package": package, "chart_version": VERSION, "image": image }),
        Tone::Good,
        format!("Wrote the chart {} {VERSION} to {} and {}", chart::NAME, folder.display(), package.display()),
    );
    if !image.contains('/') {
        let text = format!(
            "Its image is {image}, which names no registry: push one with `sluice image push`, and give it with --image here or --set image.sluice= there."
        );
        view.print(Tone::Dim, text);
    }
    let next = format!("Next: helm install {} {} --namespace keda --create-namespace", chart::NAME, package.display());
    view.print(Tone::Dim, next);
    Ok(Exit::Done)
}

/// Takes an older chart of this command away, so that no file of it stays; nothing else is touched.
fn clear(folder: &Path) -> Outcome<()> {
    let failed = |error: &io::Error| Err(not_written(folder, error));
    let first = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next(),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return failed(&error),
    };
    if first.is_none() {
        return Ok(());
    }
    if !std::fs::read_to_string(folder.join("Chart.yaml")).is_ok_and(|text| text.contains(MARK)) {
        let summary = format!("{} holds something else than a chart of Sluice's", folder.display());
        return Err(one(Diagnostic::error(summary)
            .help("name another folder, or move what is there away")
            .exit(Exit::Usage)));
    }
    std::fs::remove_dir_all(folder).or_else(|error| failed(&error))
}

fn store(folder: &Path, files: &[File]) -> io::Result<()> {
    files.iter().try_for_each(|file| {
        whole_file::write(&folder.join(&file.path), 0o666, |out| out.write_all(file.text.as_bytes()))
    })
}

fn not_written(path: &Path, error: &io::Error) -> Vec<Diagnostic> {
    let summary = format!("failed to write {}: {error}", path.display());
    one(Diagnostic::error(summary).help("name a folder that you may write to"))
}
