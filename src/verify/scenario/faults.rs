//! The faults of a scenario file: pods that die are deleted by any client of the cluster; the rest the cloud plays itself.

use std::time::Duration;

use bytes::Bytes;
use clock::Moment;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::api::DeleteParams;
use serde_json::Value;
use tokio::sync::watch;
use url::Url;

use crate::course::{Fault, FaultKind};
use crate::observation::{FaultSeen, FaultState, Observation, Source};
use crate::observe::Observer;
use crate::snapshot::Snapshot;

/// System time for which pods that are to die are waited for.
const PODS_WITHIN: Duration = Duration::from_mins(15);

/// A workload that faults may be about.
pub(super) struct Subject {
    pub(super) workload: Option<String>,
    pub(super) observer: Observer,
    pub(super) snapshot: watch::Receiver<Snapshot>,
}

/// Plays all of them, each at its time; returns when the last one is over.
pub(super) async fn play(faults: &[Fault], subjects: &[Subject], begun: Moment) {
    futures::future::join_all(faults.iter().map(|fault| one(fault, subjects, begun))).await;
}

async fn one(fault: &Fault, subjects: &[Subject], begun: Moment) {
    let Some(first) = subjects.first() else { return };
    let clock = &first.observer.settings.clock;
    clock.sleep_until(begun.plus(Duration::from_secs_f64(fault.after_seconds))).await;
    let ended = match fault.kind {
        FaultKind::WorkersDie => {
            let whose = subjects.iter().find(|subject| subject.workload == fault.workload).unwrap_or(first);
            workers(fault, whose, subjects).await
        }
        FaultKind::OperatorDies => operator(fault, first, subjects).await,
        _ => incident(fault, first, subjects).await,
    };
    match ended {
        Ok((struck, detail)) => note(fault, subjects, FaultState::Over, &detail, Some(struck)),
        Err(error) => note(fault, subjects, FaultState::Failed, &error, None),
    }
}

/// Every workload's evidence has it: it may show in all of them.
fn note(fault: &Fault, subjects: &[Subject], state: FaultState, detail: &str, struck: Option<u64>) {
    for subject in subjects {
        let seen = FaultSeen { name: fault.kind.name().to_owned(), state, detail: detail.to_owned(), struck };
        subject.observer.recorder.record(Source::Scenario, Observation::Fault(seen));
    }
}

type Ended = Result<(u64, String), String>;

/// Deletes as many workers as are wanted, once so many are ready.
async fn workers(fault: &Fault, whose: &Subject, subjects: &[Subject]) -> Ended {
    let wanted = fault.pods as usize;
    let settings = &whose.observer.settings;
    let ready = |snapshot: &Snapshot| -> Vec<String> {
        let pods = snapshot.pods.iter().flatten().filter(|pod| pod.is_live() && pod.ready);
        pods.map(|pod| pod.name.clone()).collect()
    };
    let mut snapshot = whose.snapshot.clone();
    let all_ready = settings.clock.timeout(PODS_WITHIN, snapshot.wait_for(|seen| ready(seen).len() >= wanted)).await;
    let names = match all_ready {
        Ok(Ok(seen)) => ready(&seen),
        _ => return Err(format!("{wanted} ready workers were not seen at once")),
    };
    let names: Vec<String> = names.into_iter().take(wanted).collect();
    note(fault, subjects, FaultState::Begun, &format!("deleting {}", names.join(", ")), None);
    kill(&whose.observer, &settings.names.namespace, &names).await
}

async fn operator(fault: &Fault, subject: &Subject, subjects: &[Subject]) -> Ended {
    let names = crate::observe::operator_pods(&subject.observer).await?;
    note(fault, subjects, FaultState::Begun, &format!("deleting {}", names.join(", ")), None);
    kill(&subject.observer, &subject.observer.settings.names.operator_namespace, &names).await
}

async fn kill(observer: &Observer, namespace: &str, names: &[String]) -> Ended {
    let pods = observer.pods(namespace);
    for name in names {
        let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        pods.delete(name, &at_once).await.map_err(|error| format!("{name}: {}", crate::observe::words(&error)))?;
    }
    Ok((names.len() as u64, format!("deleted without grace: {}", names.join(", "))))
}

/// Has the cloud begin it, and waits until it is over.
async fn incident(fault: &Fault, subject: &Subject, subjects: &[Subject]) -> Ended {
    let settings = &subject.observer.settings;
    let name = fault.kind.name();
    let Some(url) = &settings.incidents else { return Err("this target does not play it".to_owned()) };
    let mut url = Url::parse(&format!("{url}/{name}")).map_err(|error| error.to_string())?;
    let page = url.clone();
    url.query_pairs_mut()
        .append_pair("seconds", &fault.lasts_seconds.to_string())
        .append_pair("by", &fault.late_seconds.to_string());
    call(http::Method::POST, &url).await?;
    note(fault, subjects, FaultState::Begun, &format!("for {} s", fault.lasts_seconds), None);
    settings.clock.sleep(Duration::from_secs_f64(fault.lasts_seconds)).await;
    let struck = call(http::Method::GET, &page).await?["struck"].as_u64().unwrap_or(0);
    let what = if fault.kind == FaultKind::PodsSlow { "pods" } else { "calls" };
    Ok((struck, format!("struck {struck} {what} in {} s", fault.lasts_seconds)))
}

async fn call(method: http::Method, url: &Url) -> Result<Value, String> {
    let client: Client<HttpConnector, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let request = http::Request::builder().method(method).uri(url.as_str()).body(Empty::new());
    let answer =
        client.request(request.map_err(|error| error.to_string())?).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
    if !status.is_success() {
        return Err(format!("{url} answers with HTTP status {status}"));
    }
    serde_json::from_slice(&body).map_err(|error| error.to_string())
}
