//! The targets: the only place that knows that there is more than one. What it gives out is a session, a clock and
//! facts; from there on every command is the same everywhere.

use aws::session::Session;
use clock::Clock;
use local::files::{Folder, Record};
use local::process;

use crate::arguments::{Global, LocalRun, TargetName};
use crate::commands::local::{self as local_command, Place};
use crate::diagnostic::{Diagnostic, Outcome, one};
use crate::exit::Exit;
use crate::settings::Settings;

/// Where a command works, once it is clear that something answers there.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) session: Session,
    pub(crate) account_id: String,
    /// The caller, as AWS names it.
    pub(crate) caller_arn: String,
    pub(crate) clock: Clock,
    /// The AWS endpoint as pods see it; `None` where they need no override.
    pub(crate) endpoint_for_pods: Option<String>,
    /// Where refused requests are listed with the statement that refused them, if the endpoint offers it.
    pub(crate) denials: Option<String>,
    /// What a run here cannot prove.
    pub(crate) limits: Vec<String>,
    /// Whether a person is asked before something is changed: it costs money here.
    pub(crate) asks: bool,
    /// Subnets that stand for a network where the stack names none.
    pub(crate) subnets: Vec<String>,
    /// Whether the local cloud was started by [`open`].
    pub(crate) started: bool,
}

/// The local cloud has no network; EKS wants two subnets all the same.
const LOCAL_SUBNETS: [&str; 2] = ["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"];

/// What to do if the local cloud does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Start it.
    Start,
    /// Say that nothing is up.
    Refuse,
}

/// Finds out who we are where the settings say, starting the local cloud if asked to.
pub(crate) async fn open(settings: &Settings, global: &Global, missing: Missing) -> Outcome<Target> {
    match settings.target {
        TargetName::Local => local(settings, global, missing).await,
        TargetName::Aws => aws(settings).await,
    }
}

/// The place of the stack's local cloud.
pub(crate) fn place(settings: &Settings) -> Place {
    Place {
        folder: Folder::at(&settings.folder),
        region: settings.stack.region.clone(),
        time_scale: settings.time_scale,
    }
}

/// Ends the local cloud and removes its files; nothing to do on other targets.
pub(crate) async fn close(settings: &Settings) -> Outcome<()> {
    if settings.target == TargetName::Local {
        let folder = place(settings).folder;
        process::stop(&folder).await.map_err(one)?;
        folder.clear().map_err(one)?;
    }
    Ok(())
}

/// The variables that point stock clients at the target, in shell order; `None` unsets.
pub(crate) fn environment(settings: &Settings) -> Outcome<Vec<(&'static str, Option<String>)>> {
    let absolute =
        |path: std::path::PathBuf| std::path::absolute(path).map(|path| path.display().to_string()).map_err(one);
    let mut variables = vec![("AWS_REGION", Some(settings.stack.region.clone()))];
    variables.push(("AWS_DEFAULT_REGION", Some(settings.stack.region.clone())));
    if settings.target == TargetName::Local {
        let folder = place(settings).folder;
        let record = process::find(&folder).map_err(one)?.ok_or_else(nothing_is_up)?;
        variables.push(("AWS_ENDPOINT_URL", Some(record.aws_endpoint)));
        variables.push(("AWS_SHARED_CREDENTIALS_FILE", Some(absolute(folder.credentials())?)));
        variables.push(("AWS_CONFIG_FILE", Some(absolute(folder.config())?)));
        for name in ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
            variables.push((name, None));
        }
    }
    variables.push(("KUBECONFIG", Some(absolute(settings.kubeconfig())?)));
    Ok(variables)
}

fn nothing_is_up() -> Vec<Diagnostic> {
    vec![
        Diagnostic::error("nothing is up: the local cloud of this stack is not running")
            .help("start it with `sluice up`, or only the cloud with `sluice local start`")
            .exit(Exit::Preflight),
    ]
}

async fn local(settings: &Settings, global: &Global, missing: Missing) -> Outcome<Target> {
    let place = place(settings);
    let running = process::find(&place.folder).map_err(one)?;
    let started = running.is_none();
    let record = match (running, missing) {
        (Some(record), _) => record,
        (None, Missing::Refuse) => return Err(nothing_is_up()),
        (None, Missing::Start) => local_command::start(&LocalRun::default(), &place, global).await?,
    };
    if record.region != settings.stack.region {
        let text = format!("the local cloud stands for {}, the stack wants {}", record.region, settings.stack.region);
        return Err(vec![Diagnostic::error(text).help("end it first with `sluice down`").exit(Exit::Usage)]);
    }
    let key = place.folder.load_access().map_err(one)?.ok_or_else(|| {
        let text = format!("{} is missing or empty", place.folder.credentials().display());
        vec![Diagnostic::error(text).help("end the local cloud with `sluice down` and begin again")]
    })?;
    let Record { aws_endpoint, region, time_scale, .. } = record;
    let settings =
        aws::session::Settings { profile: None, region: Some(region), endpoint_url: Some(aws_endpoint.clone()) };
    let session = Session::load(settings).await.map_err(one)?.with_static_credentials(&key.id, &key.secret, None);
    let caller = session.caller_identity().await.map_err(preflight)?;
    Ok(Target {
        session,
        account_id: caller.account_id,
        caller_arn: caller.arn,
        clock: Clock::scaled(time_scale),
        denials: Some(format!("{aws_endpoint}/_sluice/denials")),
        endpoint_for_pods: Some(aws_endpoint),
        limits: vec![
            "that AWS itself behaves like this: the cloud was Sluice's own, on this machine".to_owned(),
            "start-up times of Fargate and EKS: pods were processes, and time was scaled".to_owned(),
        ],
        asks: false,
        subnets: LOCAL_SUBNETS.map(str::to_owned).to_vec(),
        started,
    })
}

async fn aws(settings: &Settings) -> Outcome<Target> {
    let wanted =
        aws::session::Settings { profile: None, region: Some(settings.stack.region.clone()), endpoint_url: None };
    let session = Session::load(wanted).await.map_err(preflight)?;
    let caller = session.caller_identity().await.map_err(preflight)?;
    Ok(Target {
        session,
        account_id: caller.account_id,
        caller_arn: caller.arn,
        clock: Clock::real(),
        endpoint_for_pods: None,
        denials: None,
        limits: Vec::new(),
        asks: true,
        subnets: Vec::new(),
        started: false,
    })
}

fn preflight(error: aws::Error) -> Vec<Diagnostic> {
    vec![Diagnostic::from(error).exit(Exit::Preflight)]
}
