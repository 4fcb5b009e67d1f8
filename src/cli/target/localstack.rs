//! LocalStack: a container that Sluice starts for the stack, or an endpoint that the user names. What it lacks is found by
//! asking it.

use std::path::PathBuf;

use aws::probe::{self, Offer};
use aws::session::{self, Session};
use clock::Clock;
use serde::{Deserialize, Serialize};

use super::{Missing, Target};
use crate::diagnostic::{Diagnostic, Outcome, one, preflight};
use crate::settings::Settings;
use crate::waiting::Reason;

/// LocalStack takes any key; a real one must never be sent there.
const KEY: &str = "test";

/// What a started container is remembered by.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    endpoint: String,
    image: String,
}

pub(super) async fn open(settings: &Settings, missing: Missing, reason: &Reason) -> Outcome<Target> {
    let clock = Clock::real();
    let (endpoint, started) = endpoint(settings, missing, &clock, reason).await?;
    let services = ::localstack::services(&endpoint, &clock).await.map_err(preflight)?;
    for service in ["iam", "sqs", "sts"] {
        if services.get(service).is_none_or(|state| state == "disabled") {
            let text = format!("LocalStack at {endpoint} has no {service}");
            return Err(preflight(Diagnostic::error(text).help("enable it, for instance by SERVICES")));
        }
    }
    let wanted = session::Settings {
        region: Some(settings.stack.region.clone()),
        endpoint_url: Some(endpoint.clone()),
        ..session::Settings::new("cli")
    };
    let session = settings.recorded(Session::load(wanted).await.map_err(one)?);
    let session = session.with_static_credentials(KEY, KEY, None);
    let caller = session.caller_identity().await.map_err(preflight)?;
    let mut limits = vec!["that AWS itself behaves like this: AWS was LocalStack".to_owned()];
    let mut skipped = Vec::new();
    if let Offer::Missing(words) = probe::eks(&session).await.map_err(preflight)? {
        skipped.push(format!("EKS cluster, Fargate profile, addon: LocalStack does not offer EKS ({words})"));
        limits.push("anything about EKS and Fargate: LocalStack does not offer EKS".to_owned());
    }
    if !probe::checks_web_identity(&session, &caller.account_id).await.map_err(preflight)? {
        limits.push(
            "that identities are right: LocalStack takes any web identity token, and enforces no policy".to_owned(),
        );
    }
    Ok(Target {
        session,
        account_id: caller.account_id,
        caller_arn: caller.arn,
        clock,
        endpoint_for_pods: Some(endpoint),
        denials: None,
        incidents: None,
        limits,
        skipped,
        asks: false,
        subnets: Vec::new(),
        started,
        existing: None,
    })
}

/// The endpoint, and whether its container was started now.
async fn endpoint(settings: &Settings, missing: Missing, clock: &Clock, reason: &Reason) -> Outcome<(String, bool)> {
    if let Some(endpoint) = &settings.stack.localstack.endpoint {
        return Ok((endpoint.trim_end_matches('/').to_owned(), false));
    }
    let known = load(settings)?;
    let started = known.is_none();
    let image = match (known, missing) {
        (Some(record), _) => {
            let other = settings.stack.localstack.image.as_ref().filter(|image| **image != record.image);
            if let Some(image) = other.filter(|_| missing != Missing::StartOrTake) {
                let text = format!("LocalStack runs already from {}, so {image} cannot be used", record.image);
                let help = "end it first with `sluice down --target localstack`, or name the image that runs";
                return Err(preflight(Diagnostic::error(text).help(help)));
            }
            record.image
        }
        (None, Missing::Refuse) => return Err(nothing_is_up()),
        (None, Missing::Start | Missing::StartOrTake) => image(settings),
    };
    reason.give(format!("Docker starts {image}, which it may have to pull first"));
    let say = |why: &str| reason.give(why);
    let container = ::localstack::start(&settings.stack.name, &image, clock, &say).await.map_err(preflight)?;
    let record = Record { endpoint: container.endpoint, image };
    std::fs::create_dir_all(&settings.folder).map_err(one)?;
    std::fs::write(path(settings), serde_json::to_string_pretty(&record).map_err(one)?).map_err(one)?;
    Ok((record.endpoint, started))
}

/// Whether its endpoint is known without a container being started.
pub(super) fn is_known(settings: &Settings) -> Outcome<bool> {
    Ok(settings.stack.localstack.endpoint.is_some() || load(settings)?.is_some())
}

pub(super) async fn close(settings: &Settings) -> Outcome<()> {
    let Some(record) = load(settings)? else { return Ok(()) };
    ::localstack::remove(&settings.stack.name, &record.image).await.map_err(one)?;
    std::fs::remove_file(path(settings)).map_err(one)
}

pub(super) fn environment(settings: &Settings) -> Outcome<Vec<(&'static str, Option<String>)>> {
    let named = settings.stack.localstack.endpoint.clone();
    let endpoint = match named {
        Some(endpoint) => endpoint,
        None => load(settings)?.ok_or_else(nothing_is_up)?.endpoint,
    };
    Ok(vec![
        ("AWS_ENDPOINT_URL", Some(endpoint)),
        ("AWS_ACCESS_KEY_ID", Some(KEY.to_owned())),
        ("AWS_SECRET_ACCESS_KEY", Some(KEY.to_owned())),
        ("AWS_PROFILE", None),
        ("AWS_SESSION_TOKEN", None),
    ])
}

fn image(settings: &Settings) -> String {
    settings.stack.localstack.image.clone().unwrap_or_else(|| ::localstack::IMAGE_DEFAULT.to_owned())
}

fn path(settings: &Settings) -> PathBuf {
    settings.folder.join("localstack.json")
}

fn load(settings: &Settings) -> Outcome<Option<Record>> {
    match std::fs::read_to_string(path(settings)) {
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(|error| {
            let text = format!("{} cannot be read: {error}", path(settings).display());
            vec![Diagnostic::error(text).help("remove the file, and the container if it still runs")]
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(one(error)),
    }
}

fn nothing_is_up() -> Vec<Diagnostic> {
    preflight(
        Diagnostic::error("nothing is up: no LocalStack was started for this stack, and none is named")
            .help("start it with `sluice up --target localstack`, or name one with --endpoint"),
    )
}
