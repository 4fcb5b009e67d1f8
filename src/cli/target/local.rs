//! Sluice's own local cloud, a process per stack.

use ::local::files::{Folder, Record};
use ::local::process;
use aws::session::{self, Session};
use clock::Clock;

use super::{Missing, Target, absolute, existing};
use crate::arguments::{LocalRun, TargetName};
use crate::commands::local::{self as command, StackLocation};
use crate::diagnostic::{Diagnostic, Outcome, one, preflight};
use crate::exit::Exit;
use crate::options::{is_same, other_time};
use crate::settings::Settings;

/// The private subnets of the local cloud's one network, as its EC2 lists them. A stack file names those of AWS.
const SUBNETS: [&str; 2] = ["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"];

/// The place of the stack's local cloud.
pub(crate) fn location(settings: &Settings) -> StackLocation {
    StackLocation {
        folder: Folder::at(&settings.folder),
        region: settings.stack.region.clone(),
        time_scale: settings.time_scale,
        faults: settings.faults.clone(),
    }
}

pub(super) async fn open(settings: &Settings, missing: Missing) -> Outcome<Target> {
    let location = location(settings);
    let running = process::find(&location.folder).map_err(one)?;
    let started = running.is_none();
    let record = match (running, missing) {
        (Some(record), _) => record,
        (None, Missing::Refuse) => return Err(nothing_is_up()),
        (None, Missing::Start | Missing::StartOrTake) => command::start(&LocalRun::default(), &location).await?,
    };
    if record.region != settings.stack.region {
        return Err(vec![other_region(&record.region, &settings.stack.region)]);
    }
    let scale = if existing::is_wanted(settings) { Some(1.0) } else { settings.wanted_time_scale };
    if let Some(scale) = scale.filter(|scale| missing == Missing::Start && !is_same(*scale, record.time_scale)) {
        return Err(vec![other_time(scale, record.time_scale, settings)]);
    }
    if missing == Missing::Start {
        same_faults(settings, &record)?;
    }
    let access = location.folder.load_access().map_err(one)?.ok_or_else(|| {
        let text = format!("{} is missing or empty", location.folder.credentials().display());
        vec![Diagnostic::error(text).help("end the local cloud with `sluice local stop`, then begin again")]
    })?;
    let Record { aws_endpoint, region, time_scale, .. } = record;
    let wanted = session::Settings {
        region: Some(region),
        endpoint_url: Some(aws_endpoint.clone()),
        ..session::Settings::new("cli")
    };
    let session = settings.recorded(Session::load(wanted).await.map_err(one)?);
    let token = access.session_token.as_deref();
    let session = session.with_static_credentials(&access.key.id, &access.key.secret, token);
    let caller = session.caller_identity().await.map_err(preflight)?;
    let mut limits = vec!["that AWS itself behaves like this: the cloud was Sluice's own, on this machine".to_owned()];
    if !existing::is_wanted(settings) {
        limits.push("start-up times of Fargate and EKS: pods were processes, and time was scaled".to_owned());
    }
    Ok(Target {
        session,
        account_id: caller.account_id,
        caller_arn: caller.arn,
        clock: Clock::scaled(time_scale),
        denials: Some(format!("{aws_endpoint}/_sluice/denials")),
        incidents: Some(format!("{aws_endpoint}/_sluice/incidents")),
        endpoint_for_pods: Some(aws_endpoint),
        limits,
        skipped: Vec::new(),
        asks: false,
        subnets: SUBNETS.map(str::to_owned).to_vec(),
        started,
        existing: None,
    })
}

/// Refuses faults that a running cloud does not have: it began with its own.
pub(crate) fn same_faults(settings: &Settings, record: &Record) -> Outcome<()> {
    let wanted = settings.stack.local.faults.as_ref().map(|_| settings.faults.to_string());
    let Some(wanted) = wanted.filter(|wanted| record.faults.as_ref() != Some(wanted)) else { return Ok(()) };
    let runs = record.faults.as_deref().unwrap_or("no");
    let text = format!("the local cloud runs with {runs} faults, and {wanted} was asked for");
    let help = "end it first with `sluice down` (or `sluice local stop`), then begin again";
    Err(vec![Diagnostic::error(text).help(help).exit(Exit::Preflight)])
}

/// What the stack's local cloud says about itself, if it runs.
pub(crate) fn record(settings: &Settings) -> Outcome<Option<Record>> {
    process::find(&location(settings).folder).map_err(one)
}

/// The log of the stack's local cloud, if it is on this target.
pub(crate) fn log(settings: &Settings) -> Option<std::path::PathBuf> {
    (settings.target == TargetName::Local).then(|| location(settings).folder.log())
}

/// The process of the stack's local cloud, if it runs on this target.
pub(crate) fn process(settings: &Settings) -> Outcome<Option<u32>> {
    if settings.target != TargetName::Local {
        return Ok(None);
    }
    Ok(record(settings)?.and_then(|record| u32::try_from(record.pid).ok()))
}

/// Where nothing is said, the region of what is up is taken; so somebody said another one.
pub(crate) fn other_region(runs: &str, wanted: &str) -> Diagnostic {
    let text = format!("the local cloud stands for {runs}, and {wanted} was asked for");
    let help = format!("give --region {runs}; or end it first with `sluice down --region {runs}`");
    Diagnostic::error(text).help(help).exit(Exit::Usage)
}

pub(super) async fn close(settings: &Settings) -> Outcome<()> {
    let folder = location(settings).folder;
    process::stop(&folder).await.map_err(one)?;
    folder.clear().map_err(one)
}

pub(super) fn environment(settings: &Settings) -> Outcome<Vec<(&'static str, Option<String>)>> {
    let folder = location(settings).folder;
    let record = process::find(&folder).map_err(one)?.ok_or_else(nothing_is_up)?;
    let mut variables = vec![
        ("AWS_ENDPOINT_URL", Some(record.aws_endpoint)),
        ("AWS_SHARED_CREDENTIALS_FILE", Some(absolute(folder.credentials())?)),
        ("AWS_CONFIG_FILE", Some(absolute(folder.config())?)),
    ];
    let others = ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    variables.extend(others.map(|name| (name, None)));
    Ok(variables)
}

fn nothing_is_up() -> Vec<Diagnostic> {
    preflight(
        Diagnostic::error("nothing is up: the local cloud of this stack is not running")
            .help("start it with `sluice up`, or only the cloud with `sluice local start`"),
    )
}
