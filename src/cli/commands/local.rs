//! `sluice local`: the local cloud by itself.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use clock::Clock;
use local::files::Folder;
use local::{Faults, cloud, container, process};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::arguments::LocalRun;
use crate::arguments::command::{Container, LocalCloud};
use crate::diagnostic::{Diagnostic, Outcome, one, preflight};
use crate::exit::Exit;
use crate::images;
use crate::lock;
use crate::settings::Settings;
use crate::target;
use crate::view::{Tone, View};
use crate::waiting;

/// The account that the local cloud stands for.
const ACCOUNT_ID: &str = "111122223333";

/// Where one stack's local cloud lives, and its options.
#[derive(Debug, Clone)]
pub(crate) struct StackLocation {
    pub(crate) folder: Folder,
    pub(crate) region: String,
    pub(crate) time_scale: f64,
    pub(crate) faults: Faults,
}

pub(crate) async fn run(command: LocalCloud, settings: &Settings, view: &View, stop: CancellationToken) -> Outcome {
    let location = &target::location(settings);
    match command {
        LocalCloud::Run(options) => {
            if !options.mapped {
                images::resolve(settings, &options.images.run, false, view)?.store(settings, true)?;
            }
            here(options, location, stop).await
        }
        LocalCloud::Start(options) => {
            // Not only the process that is started reads it.
            options.trust.as_deref().map(certificates).transpose()?;
            let images = images::resolve(settings, &options.images.run, false, view)?;
            let started = process::find(&location.folder).map_err(one)?.is_none();
            // One that runs is only shown, whoever works with it.
            let _alone = started.then(|| lock::exclusive(settings, "local start")).transpose()?;
            let started = process::find(&location.folder).map_err(one)?.is_none();
            waiting::during(view, "Waiting for the local cloud", start(&options, location)).await?;
            images.store(settings, started)?;
            status(location, view)
        }
        LocalCloud::Stop => {
            let _alone = lock::exclusive(settings, "local stop")?;
            let ended =
                waiting::during(view, "Ending the local cloud", process::stop(&location.folder)).await.map_err(one)?;
            let text = if ended { "The local cloud has ended." } else { "No local cloud was running." };
            view.outcome("local_stopped", json!({ "was_running": ended }), Tone::Plain, text);
            Ok(Exit::Done)
        }
        LocalCloud::Status => status(location, view),
    }
}

/// The running local cloud, started if it was not.
pub(crate) async fn start(options: &LocalRun, location: &StackLocation) -> Outcome<local::files::Record> {
    if let Some(record) = process::find(&location.folder).map_err(one)? {
        return Ok(record);
    }
    let program = program()?;
    let mut words = vec!["local".to_owned(), "run".to_owned()];
    let path = std::path::absolute(location.folder.path()).map_err(one)?;
    let folder = path.parent().unwrap_or(&path);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    words.extend(["--directory".into(), folder.display().to_string(), "--stack".into(), name]);
    words.extend(["--region".into(), location.region.clone()]);
    words.extend(["--time-scale".into(), location.time_scale.to_string()]);
    if !location.faults.is_empty() {
        words.extend(["--faults".into(), location.faults.to_string()]);
    }
    words.extend(["--port".into(), options.port.unwrap_or(0).to_string()]);
    words.extend(options.bind.iter().flat_map(|address| ["--bind".into(), address.to_string()]));
    let files = [
        ("--trust", &options.trust),
        ("--audit-log-path", &options.audit_log_path),
        ("--trail-path", &options.trail_path),
        ("--wire-log-path", &options.wire_log_path),
    ];
    for (name, file) in files {
        if let Some(file) = file {
            words.extend([name.to_owned(), std::path::absolute(file).map_err(one)?.display().to_string()]);
        }
    }
    words.push("--mapped".into());
    process::start(&location.folder, &program, &words).await.map_err(preflight)
}

async fn here(options: LocalRun, location: &StackLocation, stop: CancellationToken) -> Outcome {
    let path = std::path::absolute(location.folder.path()).map_err(one)?;
    cloud::run(
        cloud::Options {
            folder: Folder::at(path),
            address: std::net::SocketAddr::new(
                options.bind.unwrap_or(Ipv4Addr::LOCALHOST.into()),
                options.port.unwrap_or(0),
            ),
            trusted: options.trust.as_deref().map(certificates).transpose()?,
            region: location.region.clone(),
            account_id: ACCOUNT_ID.to_owned(),
            clock: Clock::scaled(location.time_scale),
            faults: location.faults.clone(),
            program: program()?,
            logs: cloud::LogFiles {
                audit: options.audit_log_path,
                trail: options.trail_path,
                wire: options.wire_log_path,
            },
        },
        stop,
    )
    .await
    .map_err(|error| {
        use local::Error::{Address, Running, Starting};
        if matches!(error, Address { .. } | Running { .. } | Starting { .. }) { preflight(error) } else { one(error) }
    })?;
    Ok(Exit::Done)
}

fn certificates(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(|error| {
        let text = format!("failed to read {}: {error}", path.display());
        vec![Diagnostic::error(text).help("name a file of PEM certificates with --trust").exit(Exit::Usage)]
    })
}

fn program() -> Outcome<PathBuf> {
    std::env::current_exe().map_err(one)
}

fn status(location: &StackLocation, view: &View) -> Outcome {
    let Some(record) = process::find(&location.folder).map_err(one)? else {
        view.outcome("local_status", json!({ "running": false }), Tone::Plain, "No local cloud is running.");
        return Ok(Exit::Failed);
    };
    let text = format!(
        "The local cloud runs as process {}: AWS at {} (account {}, {}), time {}× as fast.\n\
         Its AWS offers SQS, STS, IAM, EKS and tag search; what of them: {}/_sluice/operations\n\
         For aws, kubectl, boto3 and terraform:  eval \"$(sluice env)\"",
        record.pid, record.aws_endpoint, record.account_id, record.region, record.time_scale, record.aws_endpoint
    );
    let text = match &record.faults {
        Some(faults) => format!("{text}\nFaults: {faults}"),
        None => text,
    };
    view.outcome("local_status", json!({ "running": true, "local": record }), Tone::Plain, text);
    Ok(Exit::Done)
}

/// Becomes a process of a container; the exit code is its program's.
pub(crate) fn contained(process: &Container) -> u8 {
    match process {
        Container::Exec(exec) => {
            let way = exec.enter.map_or(container::Way::Start, container::Way::Enter);
            container::exec(exec.parent, &exec.spec, way, &exec.command)
        }
        Container::Init(init) => container::init(&init.command),
    }
}
