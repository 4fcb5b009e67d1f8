//! The targets: the only place that knows that there is more than one. What it gives out is a session, a clock and
//! facts; from there on every command is the same everywhere.

mod aws;
mod existing;
mod local;
mod localstack;

use ::aws::session::Session;
use clock::Clock;
pub(crate) use existing::is_wanted as has_own_cluster;
pub(crate) use existing::{ExistingCluster, check_pods, missing_rights};
use futures::FutureExt as _;
use futures::future::BoxFuture;
pub(crate) use local::{
    location, log as local_log, other_region, process as local_process, record as local_record, same_faults,
};

use crate::arguments::TargetName;
use crate::diagnostic::{Outcome, one};
use crate::settings::Settings;
use crate::view::View;
use crate::waiting::{self, Reason};

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
    /// Below which URL the endpoint begins incidents, if it offers that.
    pub(crate) incidents: Option<String>,
    /// What a run here cannot prove.
    pub(crate) limits: Vec<String>,
    /// What is left out of the plan, and why.
    pub(crate) skipped: Vec<String>,
    /// Whether a person is asked before something is changed: it costs money here.
    pub(crate) asks: bool,
    /// The target's own network, which takes the place of the one that the stack names.
    pub(crate) subnets: Vec<String>,
    /// Whether the cloud was started by [`open`].
    pub(crate) started: bool,
    /// The cluster that is used instead of one on EKS.
    pub(crate) existing: Option<ExistingCluster>,
}

/// What to do if the cloud does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Start it.
    Start,
    /// Start it; one that runs is taken as it is.
    StartOrTake,
    /// Say that nothing is up.
    Refuse,
}

/// Finds out who we are where the settings say, starting the cloud if asked to, with the cluster of the user's if they name one.
pub(crate) async fn open(settings: &Settings, missing: Missing, view: &View) -> Outcome<Target> {
    // Asked before anything is started: without it nothing is.
    let finding = Box::pin(existing::found(settings));
    let existing = waiting::during(view, "Waiting for the cluster that the settings name", finding).await?;
    let target = open_aws(settings, missing, view).await?;
    Ok(existing::added(target, settings, existing))
}

/// The same without a look at any cluster: for who is asked by the client of one, and must not ask one in turn.
pub(crate) async fn open_aws(settings: &Settings, missing: Missing, view: &View) -> Outcome<Target> {
    let reason = Reason::default();
    let (what, opening): (_, BoxFuture<'_, _>) = match settings.target {
        TargetName::Local => ("Waiting for the local cloud", local::open(settings, missing).boxed()),
        TargetName::Localstack => ("Waiting for LocalStack", localstack::open(settings, missing, &reason).boxed()),
        TargetName::Aws => ("Waiting for AWS to say who the caller is", aws::open(settings).boxed()),
    };
    waiting::with_reason(view, what, &reason, opening).await
}

/// The faults of a scenario file that can be played where the settings say.
pub(crate) fn plays(settings: &Settings) -> Vec<verify::FaultKind> {
    let is_local = settings.target == TargetName::Local;
    let has_own_pods = is_local && !existing::is_wanted(settings);
    let is_played = |kind: &verify::FaultKind| {
        !kind.is_of_the_cloud() || if *kind == verify::FaultKind::PodsSlow { has_own_pods } else { is_local }
    };
    verify::FaultKind::ALL.into_iter().filter(is_played).collect()
}

/// Whether the cloud is there without being started.
pub(crate) fn is_running(settings: &Settings) -> Outcome<bool> {
    match settings.target {
        TargetName::Local => Ok(local::process(settings)?.is_some()),
        TargetName::Localstack => localstack::is_known(settings),
        TargetName::Aws => Ok(true),
    }
}

/// Ends the cloud and removes its files; nothing to do where it was not ours.
pub(crate) async fn close(settings: &Settings, view: &View) -> Outcome<()> {
    match settings.target {
        TargetName::Local => waiting::during(view, "Ending the local cloud", local::close(settings)).await,
        TargetName::Localstack => waiting::during(view, "Removing LocalStack", localstack::close(settings)).await,
        TargetName::Aws => Ok(()),
    }
}

/// The variables that point stock clients at the target, in shell order; `None` unsets.
pub(crate) fn environment(settings: &Settings) -> Outcome<Vec<(&'static str, Option<String>)>> {
    let mut variables = vec![
        ("AWS_REGION", Some(settings.stack.region.clone())),
        ("AWS_DEFAULT_REGION", Some(settings.stack.region.clone())),
    ];
    match settings.target {
        TargetName::Local => variables.extend(local::environment(settings)?),
        TargetName::Localstack => variables.extend(localstack::environment(settings)?),
        TargetName::Aws => {}
    }
    let kubernetes = &settings.stack.kubernetes;
    if existing::is_wanted(settings) {
        // The user's own kubeconfig is left as it is; only a file that was named is pointed at.
        variables.extend(kubernetes.kubeconfig.iter().map(|file| ("KUBECONFIG", Some(file.clone()))));
    } else {
        variables.push(("KUBECONFIG", Some(absolute(settings.kubeconfig())?)));
    }
    Ok(variables)
}

/// Whether the cluster's issuer may be another one than EKS's own on AWS.
pub(crate) fn has_foreign_issuers(settings: &Settings) -> bool {
    settings.target != TargetName::Aws || existing::is_wanted(settings)
}

pub(crate) fn absolute(path: std::path::PathBuf) -> Outcome<String> {
    std::path::absolute(path).map(|path| path.display().to_string()).map_err(one)
}
