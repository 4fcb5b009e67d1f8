//! Single turns of the loop against a scripted API server: what is made, deleted and written, and what is not.

use std::sync::OnceLock;

use clock::Clock;
use serde_json::{Value, json};

use super::*;
use crate::phase::Phase;
use crate::scripted::{Server, until};

const SCALED_JOB: &str = "/apis/keda.sh/v1alpha1/namespaces/shop/scaledjobs/orders";
const JOBS: &str = "/apis/batch/v1/namespaces/shop/jobs";

/// One that is always active, and asks for three Jobs.
fn scaled_job(change: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledJob",
        "metadata": { "name": "orders", "namespace": "shop", "uid": "u", "resourceVersion": "7", "generation": 2 },
        "spec": {
            "jobTargetRef": { "template": { "spec": { "containers": [{ "name": "c", "image": "i" }] } } },
            "triggers": [{ "type": "cron", "metadata": {
                "timezone": "Etc/UTC", "start": "0 0 1 1 *", "end": "59 23 31 12 *", "desiredReplicas": "3",
            } }],
        },
    });
    json_patch::merge(&mut object, change);
    object
}

fn job(name: &str, generation: &str, ended: Option<&str>) -> (String, Value) {
    let conditions: Vec<_> =
        ended.iter().map(|at| json!({ "type": "Complete", "status": "True", "lastTransitionTime": at })).collect();
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {
            "name": name, "namespace": "shop", "uid": name, "labels": { "scaledjob.keda.sh/name": "orders" },
            "annotations": { "scaledjob.keda.sh/generation": generation },
        },
        "spec": { "template": {} },
        "status": { "conditions": conditions, "completionTime": ended },
    });
    (format!("{JOBS}/{name}"), job)
}

async fn job_loop(server: &Arc<Server>) -> JobLoop {
    JobLoop::new(server.watched().await, Key::new("shop", "orders"), CancellationToken::new())
}

fn condition(server: &Server, type_: &str) -> (String, String) {
    let conditions = server.object(SCALED_JOB).unwrap()["status"]["conditions"].clone();
    let found = conditions.as_array().unwrap().iter().find(|condition| condition["type"] == type_).unwrap().clone();
    (found["status"].as_str().unwrap().to_owned(), found["message"].as_str().unwrap_or_default().to_owned())
}

fn made(server: &Server) -> usize {
    server.writes().iter().filter(|line| **line == format!("POST {JOBS}")).count()
}

fn deleted(server: &Server) -> Vec<String> {
    let begin = format!("DELETE {JOBS}/");
    server.writes().iter().filter_map(|line| line.strip_prefix(&begin)).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_good_object_is_adopted_and_its_jobs_are_made_at_once() {
    let server = Server::start([(SCALED_JOB, scaled_job(&json!({})))], |_| None);
    let mut this = job_loop(&server).await;
    this.turn().await;
    assert_eq!(made(&server), 3, "{:?}", server.writes());
    assert_eq!(server.object(SCALED_JOB).unwrap()["metadata"]["finalizers"], json!(["finalizer.keda.sh"]));
    assert_eq!((condition(&server, "Ready").0, condition(&server, "Active").0), ("True".into(), "True".into()));
    let status = server.object(SCALED_JOB).unwrap()["status"].clone();
    assert!(status["lastActiveTime"].is_string(), "{status}");
    let metric = status["externalMetricNames"][0].as_str().unwrap();
    assert!(status["triggersTypes"] == "cron" && metric.starts_with("s0-cron-"), "{status}");
    assert_eq!(status["triggersActivity"][metric]["isActive"], true);
    for reason in ["KEDAScalersStarted", "ScaledJobReady", "KEDAJobsCreated: Created 3 jobs", "ScaledJobActive"] {
        assert!(server.events().iter().any(|event| event.starts_with(reason)), "{reason} {:?}", server.events());
    }
    let post = server.calls().into_iter().find(|call| call.line == format!("POST {JOBS}")).unwrap();
    assert_eq!(post.body["metadata"]["annotations"]["scaledjob.keda.sh/generation"], "2");
}

#[tokio::test]
async fn jobs_that_run_count_and_are_read_anew_before_one_is_made() {
    let (path, running) = job("orders-a", "2", None);
    let server = Server::start([(SCALED_JOB, scaled_job(&json!({}))), (&path, running)], |_| None);
    // Its caches are never filled: as if the watch were behind.
    let mut this = JobLoop::new(server.context().await, Key::new("shop", "orders"), CancellationToken::new());
    let object: ScaledJob = serde_json::from_value(server.object(SCALED_JOB).unwrap()).unwrap();
    this.poll(&object).await;
    assert_eq!(made(&server), 2);
}

#[tokio::test]
async fn work_that_ends_between_a_reading_and_the_count_of_jobs_makes_none() {
    let (path, running) = job("orders-a", "2", None);
    let waiting = json!({ "type": "kubernetes-workload", "metadata": { "podSelector": "app=waiting", "value": "1" } });
    let object = scaled_job(&json!({ "spec": { "triggers": [waiting] } }));
    let pod = json!({ "metadata": { "name": "message", "namespace": "shop", "labels": { "app": "waiting" } } });
    let pod_path = "/api/v1/namespaces/shop/pods/message";
    let known: Arc<OnceLock<Arc<Server>>> = Arc::default();
    let ends = {
        let (known, path) = (Arc::clone(&known), path.clone());
        move |line: &str| {
            let server = known.get()?;
            if line == format!("GET {JOBS}") && server.object(pod_path).is_some() {
                server.remove(pod_path);
                server.put(&path, job("orders-a", "2", Some("2026-01-01T00:00:00Z")).1);
            }
            None
        }
    };
    let server = Server::start([(SCALED_JOB, object.clone()), (&path, running), (pod_path, pod)], ends);
    let mut this = JobLoop::new(server.context().await, Key::new("shop", "orders"), CancellationToken::new());
    assert!(known.set(Arc::clone(&server)).is_ok());
    this.poll(&serde_json::from_value(object).unwrap()).await;
    assert!(server.object(pod_path).is_none(), "the Jobs were counted: {:?}", server.calls());
    assert_eq!(made(&server), 0);
}

#[tokio::test]
async fn where_the_jobs_cannot_be_read_none_is_made() {
    let refuses = |line: &str| (line == format!("GET {JOBS}")).then_some((500, "etcd is away"));
    let server = Server::start([(SCALED_JOB, scaled_job(&json!({})))], refuses);
    let mut this = JobLoop::new(server.context().await, Key::new("shop", "orders"), CancellationToken::new());
    let object: ScaledJob = serde_json::from_value(server.object(SCALED_JOB).unwrap()).unwrap();
    this.poll(&object).await;
    assert_eq!(made(&server), 0);
}

#[tokio::test]
async fn a_refused_job_is_reported_and_the_others_of_that_poll_are_not_tried() {
    let refuses = |line: &str| (line == format!("POST {JOBS}")).then_some((403, "exceeded quota"));
    let server = Server::start([(SCALED_JOB, scaled_job(&json!({})))], refuses);
    job_loop(&server).await.turn().await;
    assert_eq!(made(&server), 1);
    let events = server.events().join("\n");
    assert!(events.contains("KEDAJobCreateFailed: Failed to create job orders-: exceeded quota"), "{events}");
    assert!(!events.contains("KEDAJobsCreated"), "{events}");
}

#[tokio::test]
async fn running_jobs_of_an_earlier_spec_go_unless_the_rollout_is_gradual() {
    for (rollout, gone) in [
        (json!({}), vec!["orders-old"]),
        (json!({ "spec": { "rollout": { "strategy": "gradual" } } }), vec![]),
        (json!({ "spec": { "rolloutStrategy": "gradual" } }), vec![]),
    ] {
        let (old, over) = (job("orders-old", "1", None), job("orders-over", "1", Some("2026-01-01T00:00:00Z")));
        let new = job("orders-new", "2", None);
        let objects = [(SCALED_JOB, scaled_job(&rollout)), (&*old.0, old.1), (&*over.0, over.1), (&*new.0, new.1)];
        let server = Server::start(objects, |_| None);
        job_loop(&server).await.turn().await;
        assert_eq!(deleted(&server), gone, "{rollout}");
        let is_reported = server.events().iter().any(|event| event.starts_with("ScaledJobRolloutCleanupCompleted"));
        assert_eq!(is_reported, !gone.is_empty());
    }
}

#[tokio::test]
async fn what_ended_first_is_kept_no_longer() {
    let ended = [("a", "2026-01-01T00:03:00Z"), ("b", "2026-01-01T00:01:00Z"), ("c", "2026-01-01T00:02:00Z")];
    let [a, b, c] = ended.map(|(name, at)| job(name, "2", Some(at)));
    let limit = json!({ "spec": { "successfulJobsHistoryLimit": 1 } });
    let server = Server::start([(SCALED_JOB, scaled_job(&limit)), (&*a.0, a.1), (&*b.0, b.1), (&*c.0, c.1)], |_| None);
    let mut this = job_loop(&server).await;
    until(|| this.context.caches.jobs.of(&this.key).len() == 3).await;
    this.turn().await;
    assert_eq!(deleted(&server), ["b", "c"]);
}

#[tokio::test]
async fn a_pause_makes_and_deletes_nothing_and_its_end_goes_on() {
    let paused = json!({ "metadata": { "annotations": { "autoscaling.keda.sh/paused": "true" } } });
    let (path, over) = job("orders-over", "2", Some("2026-01-01T00:00:00Z"));
    let limit = json!({ "spec": { "successfulJobsHistoryLimit": 0 } });
    let mut object = scaled_job(&limit);
    json_patch::merge(&mut object, &paused);
    let server = Server::start([(SCALED_JOB, object), (&path, over)], |_| None);
    let mut this = job_loop(&server).await;
    until(|| !this.context.caches.jobs.of(&this.key).is_empty()).await;
    this.turn().await;
    assert_eq!((made(&server), deleted(&server)), (0, vec![]));
    assert_eq!((condition(&server, "Paused").0, condition(&server, "Ready").0), ("True".into(), "True".into()));
    let mut resumed = server.object(SCALED_JOB).unwrap();
    resumed["metadata"]["annotations"] = json!({});
    server.put(SCALED_JOB, resumed);
    let is_seen = |this: &mut JobLoop| this.latest().is_some_and(|object| !is_paused(&object));
    until(|| is_seen(&mut this)).await;
    this.turn().await;
    assert_eq!((made(&server), deleted(&server)), (3, vec!["orders-over".to_owned()]));
    assert_eq!(condition(&server, "Paused").0, "False");
    for reason in ["ScaledJobPaused", "ScaledJobUnpaused"] {
        assert!(server.events().iter().any(|event| event.starts_with(reason)), "{reason} {:?}", server.events());
    }
}

#[tokio::test]
async fn a_spec_that_becomes_invalid_is_reported_and_the_last_good_one_goes_on() {
    let server = Server::start([(SCALED_JOB, scaled_job(&json!({})))], |_| None);
    let mut this = job_loop(&server).await;
    this.turn().await;
    let mut worse = server.object(SCALED_JOB).unwrap();
    worse["metadata"]["generation"] = 3.into();
    worse["spec"]["triggers"][0]["metricType"] = "Value".into();
    server.put(SCALED_JOB, worse);
    until(|| this.latest().unwrap().metadata.generation == Some(3)).await;
    let before = made(&server);
    this.phase = Phase::Polling { last: None };
    this.turn().await;
    let (status, message) = condition(&server, "Ready");
    assert!(status == "False" && message.starts_with("Cannot set metricType in ScaledJob triggers"), "{message}");
    assert!(server.events().iter().any(|event| event.starts_with("ScaledJobCheckFailed")), "{:?}", server.events());
    assert!(this.backoff.until().is_none(), "nothing is tried again before a change");
    assert_eq!(made(&server), before + 3, "the scripted server keeps no Job that it has to name");
    let post = server.calls().into_iter().rfind(|call| call.line == format!("POST {JOBS}")).unwrap();
    assert_eq!(post.body["metadata"]["annotations"]["scaledjob.keda.sh/generation"], "2");
}

#[tokio::test]
async fn an_invalid_object_makes_no_job() {
    let broken = json!({ "spec": { "jobTargetRef": { "template": { "spec": { "containers": [] } } } } });
    let server = Server::start([(SCALED_JOB, scaled_job(&broken))], |_| None);
    job_loop(&server).await.turn().await;
    assert_eq!(made(&server), 0);
    assert_eq!((condition(&server, "Ready").0, condition(&server, "Active").0), ("False".into(), "Unknown".into()));
}

#[tokio::test]
async fn a_cpu_trigger_without_a_type_is_refused_in_the_words_of_keda() {
    let untyped = json!({ "spec": { "triggers": [{ "type": "cpu", "metadata": { "value": "50" } }] } });
    let server = Server::start([(SCALED_JOB, scaled_job(&untyped))], |_| None);
    job_loop(&server).await.turn().await;
    let wanted = "ScaledJobCheckFailed: Failed to ensure ScaledJob is correctly created: error parsing cpu metadata";
    assert!(server.events().iter().any(|event| event.starts_with(wanted)), "{:?}", server.events());
    assert_eq!((condition(&server, "Ready").0, made(&server)), ("False".into(), 0));
}

#[tokio::test]
async fn only_pending_jobs_count_against_an_accurate_strategy() {
    let accurate = json!({ "spec": { "scalingStrategy": { "strategy": "accurate" } } });
    for (phase, wanted) in [("Running", 3), ("Pending", 2)] {
        let (path, running) = job("orders-a", "2", None);
        let pod = json!({
            "metadata": { "name": "p", "labels": { "job-name": "orders-a", "scaledjob.keda.sh/name": "orders" } },
            "status": { "phase": phase },
        });
        let objects = [(SCALED_JOB, scaled_job(&accurate)), (&*path, running), ("/api/v1/namespaces/shop/pods/p", pod)];
        let server = Server::start(objects, |_| None);
        job_loop(&server).await.turn().await;
        assert_eq!(made(&server), wanted, "{phase}");
    }
}

#[tokio::test]
async fn at_its_end_only_its_finalizer_goes() {
    let terminating = json!({
        "metadata": { "finalizers": ["theirs", "finalizer.keda.sh"], "deletionTimestamp": "2026-01-01T00:00:00Z" },
    });
    let server = Server::start([(SCALED_JOB, scaled_job(&terminating))], |_| None);
    job_loop(&server).await.turn().await;
    assert_eq!(server.writes(), [format!("PATCH {SCALED_JOB}")]);
    let patch = server.calls().into_iter().rfind(|call| call.line.starts_with("PATCH")).unwrap().body;
    assert_eq!(patch["metadata"]["finalizers"], json!(["theirs"]));
    assert!(server.events().iter().any(|event| event.starts_with("ScaledJobDeleted")), "{:?}", server.events());
}

#[tokio::test]
async fn an_idle_object_costs_no_call_and_a_shutdown_makes_no_job() {
    let server = Server::start([(SCALED_JOB, scaled_job(&json!({ "spec": { "maxReplicaCount": 1 } })))], |_| None);
    let (clock, time) = Clock::manual("2026-03-01T00:00:00Z".parse().unwrap());
    let context = server.watched_by(clock).await;
    let mut this = JobLoop::new(context, Key::new("shop", "orders"), CancellationToken::new());
    let (path, running) = job("orders-a", "2", None);
    server.put(&path, running);
    until(|| !this.context.caches.jobs.of(&this.key).is_empty()).await;
    this.turn().await;
    assert_eq!(made(&server), 0);
    let before = server.calls().len();
    for _ in 0..5 {
        time.advance(Duration::from_secs(30));
        this.turn().await;
    }
    let lines: Vec<_> = server.calls()[before..].iter().map(|call| call.line.clone()).collect();
    // The time of activity, once a minute.
    assert!(lines.iter().all(|line| *line == format!("PATCH {SCALED_JOB}/status")) && lines.len() <= 3, "{lines:?}");
    server.remove(&path);
    until(|| this.context.caches.jobs.of(&this.key).is_empty()).await;
    this.stop.cancel();
    time.advance(Duration::from_secs(30));
    this.turn().await;
    assert_eq!(made(&server), 0);
}

#[tokio::test]
async fn the_end_of_a_scaled_job_leaves_a_scaled_object_of_its_name_alone() {
    let server = Server::start([(SCALED_JOB, scaled_job(&json!({})))], |_| None);
    let this = job_loop(&server).await;
    this.context.failures.record(&this.key, "s0-m", false);
    this.forget();
    let health = this.context.failures.counted(&this.key, &std::collections::BTreeMap::new());
    assert_eq!(health["s0-m"].number_of_failures, Some(1));
}
