//! The life of one container: prepare, run, interpret the exit, restart after a growing pause.

use std::sync::Arc;
use std::time::Duration;

use clock::Moment;
use jiff::Timestamp;
use serde_json::Value;
use tokio::process::Child;
use tokio::sync::mpsc;

use super::log::Log;
use super::pod::Pod;
use super::probe::Verdict;
use super::process::{Command, Inside, exit_code, kill_group};
use super::restart::Restart;
use super::state::{Standing, Terminated};
use super::{hook, last_words, preparation, probe};
use crate::event::Severity;
use crate::object::{namespace, text};

/// First pause before a restart of a container that failed twice; doubles each time.
const BACKOFF: Duration = Duration::from_secs(10);
const BACKOFF_MAX: Duration = Duration::from_mins(5);
/// A run that lasted this long starts the pauses anew.
const BACKOFF_RESET: Duration = Duration::from_mins(10);
/// Real time that readers of a dead process's output get to drain its pipes.
const DRAIN: Duration = Duration::from_secs(1);

/// Why a container could not be started.
pub(super) struct Refusal {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// Runs container `index` of the pod until it has ended for good; returns whether its last run succeeded.
pub(super) async fn run(pod: Arc<Pod>, index: usize, spec: Value, restart: Restart) -> bool {
    let mut pause = Duration::ZERO;
    loop {
        if pod.ending(index).is_some() {
            return false;
        }
        let ended = match preparation::prepare(&pod, index, &spec).await {
            Ok(command) => run_once(&pod, index, &spec, &command).await,
            Err(refusal) => {
                refuse(&pod, index, &spec, refusal, &mut pause).await;
                continue;
            }
        };
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) => {
                let message = format!("failed to start: {error}");
                pod.container_event(&spec, Severity::Warning, "Failed", &format!("Error: {message}")).await;
                let refusal = Refusal { reason: "RunContainerError", message };
                wait(&pod, index, refusal, next_pause(&mut pause)).await;
                continue;
            }
        };
        if pod.ending(index).is_some() || !restart.applies(ended.code) {
            return ended.code == 0;
        }
        back_off(&pod, index, &spec, &ended, &mut pause).await;
    }
}

fn next_pause(pause: &mut Duration) -> Duration {
    *pause = if pause.is_zero() { BACKOFF } else { (*pause * 2).min(BACKOFF_MAX) };
    *pause
}

/// The first restart is at once; later ones wait as CrashLoopBackOff.
async fn back_off(pod: &Pod, index: usize, spec: &Value, ended: &Terminated, pause: &mut Duration) {
    let lasted = Duration::try_from(ended.finished.duration_since(ended.started)).unwrap_or_default();
    if pod.cache.clock.to_system(lasted) >= BACKOFF_RESET {
        *pause = Duration::ZERO;
    }
    let first = pod.restarts(index) == 0;
    if !first {
        let pause = next_pause(pause);
        let object = pod.object();
        let (name, whose) = (text(spec, "/name"), pod.key.clone());
        let seconds = pause.as_secs();
        let (minutes, rest) = (seconds / 60, seconds % 60);
        let length = if minutes > 0 { format!("{minutes}m{rest}s") } else { format!("{rest}s") };
        let full = format!("{}_{}({})", whose.name, namespace(&object), crate::object::uid(&object));
        let message = format!("back-off {length} restarting failed container={name} pod={full}");
        let event = format!("Back-off restarting failed container {name} in pod {full}");
        pod.container_event(spec, Severity::Warning, "BackOff", &event).await;
        wait(pod, index, Refusal { reason: "CrashLoopBackOff", message }, pause).await;
    }
    pod.set(index, |one| one.restarts += 1);
}

async fn refuse(pod: &Pod, index: usize, spec: &Value, refusal: Refusal, pause: &mut Duration) {
    if refusal.reason != "ErrImagePull" {
        pod.container_event(spec, Severity::Warning, "Failed", &format!("Error: {}", refusal.message)).await;
        // The kubelet looks again with its next sync of the pod.
        return wait(pod, index, refusal, BACKOFF).await;
    }
    let image = text(spec, "/image");
    let event = |reason: &'static str, message: String| async move {
        pod.container_event(spec, Severity::Warning, reason, &message).await;
    };
    if pause.is_zero() {
        event("Failed", refusal.message.clone()).await;
        event("Failed", "Error: ErrImagePull".to_owned()).await;
        let hint = refusal.message.clone();
        pod.set(index, |one| one.standing = Standing::Waiting { reason: "ErrImagePull", message: hint });
    }
    event("BackOff", format!("Back-off pulling image \"{image}\": ErrImagePull: {}", refusal.message)).await;
    let message = format!("Back-off pulling image \"{image}\": ErrImagePull: {}", refusal.message);
    let pause = next_pause(pause);
    wait(pod, index, Refusal { reason: "ImagePullBackOff", message }, pause).await;
}

/// Waits with a reason to show, or until the pod ends.
async fn wait(pod: &Pod, index: usize, refusal: Refusal, pause: Duration) {
    pod.set(index, |one| one.wait(refusal.reason, refusal.message));
    tokio::select! {
        () = pod.cache.clock.sleep(pause) => {}
        () = pod.ended(index) => {}
    }
}

impl super::state::Container {
    fn wait(&mut self, reason: &'static str, message: String) {
        let waiting = Standing::Waiting { reason, message };
        if let Standing::Terminated(end) = std::mem::replace(&mut self.standing, waiting) {
            self.last = Some(end);
        }
        (self.ready, self.started) = (false, false);
    }
}

/// One run from start to end.
async fn run_once(pod: &Arc<Pod>, index: usize, spec: &Value, command: &Command) -> crate::Result<Terminated> {
    let started = pod.cache.clock.now();
    let path = pod.dir.join(text(spec, "/name")).join(format!("{}.log", pod.restarts(index)));
    let log = Log::create(&path, pod.cache.clock.clone())?;
    let program = std::path::PathBuf::from(command.argv.first().map_or("", String::as_str));
    let mut process = command.spawn().map_err(crate::Error::file(&program))?;
    let pid = process.child.id();
    let id = format!("sluice://{}-{}", pid.unwrap_or(0), uuid::Uuid::new_v4().simple());
    let readers = readers(&mut process.child, &log);
    pod.note_pid(index, pid);
    if let Err(reason) = process.confirmed().await {
        drop(process.child.wait().await);
        pod.note_pid(index, None);
        return Ok(not_started(pod, index, spec, reason, started, id).await);
    }
    let mut child = process.child;
    pod.set(index, |one| {
        if let Standing::Terminated(end) = &one.standing {
            one.last = Some(end.clone());
        }
        one.standing = Standing::Running { since: started };
        one.id.clone_from(&id);
    });
    let name = text(spec, "/name");
    pod.container_event(spec, Severity::Normal, "Created", &format!("Container created: {name}")).await;
    pod.container_event(spec, Severity::Normal, "Started", &format!("Container started: {name}")).await;
    let code = watch_over(pod, index, spec, command, &mut child).await;
    // What the program left behind in its group ends with it, as in a container.
    kill_group(pid);
    pod.note_pid(index, None);
    if pod.cache.clock.timeout(pod.cache.clock.to_system(DRAIN), readers).await.is_err() {
        tracing::debug!(pod = %pod.key, name, "output of an ended container is still held open");
    }
    let message = last_words::of(spec, code, &command.last_words, &path);
    let finished = pod.cache.clock.now();
    let reason = if code == 0 { "Completed" } else { "Error" };
    let ended = Terminated { code, reason, message, started, finished, id };
    pod.set(index, |one| {
        one.standing = Standing::Terminated(ended.clone());
        (one.ready, one.started) = (false, false);
    });
    Ok(ended)
}

/// The end of a container whose program could not be started, as runtimes report it.
async fn not_started(
    pod: &Pod,
    index: usize,
    spec: &Value,
    reason: String,
    started: Timestamp,
    id: String,
) -> Terminated {
    let message = format!("failed to start container \"{}\": {reason}", text(spec, "/name"));
    pod.container_event(spec, Severity::Warning, "Failed", &format!("Error: {message}")).await;
    let finished = pod.cache.clock.now();
    let code = i32::from(local_container::START_FAILED);
    let ended = Terminated { code, reason: "StartError", message, started, finished, id };
    pod.set(index, |one| {
        if let Standing::Terminated(end) = &one.standing {
            one.last = Some(end.clone());
        }
        one.standing = Standing::Terminated(ended.clone());
        (one.ready, one.started) = (false, false);
    });
    ended
}

fn readers(child: &mut Child, log: &Log) -> impl Future<Output = ()> + use<> {
    let stdout = child.stdout.take().map(|pipe| log.clone().copy("stdout", pipe));
    let stderr = child.stderr.take().map(|pipe| log.clone().copy("stderr", pipe));
    let tasks = (stdout.map(tokio::spawn), stderr.map(tokio::spawn));
    async move {
        if let Some(task) = tasks.0 {
            drop(task.await);
        }
        if let Some(task) = tasks.1 {
            drop(task.await);
        }
    }
}

/// Waits for the process, ends it when the pod ends or a probe gives it up, and kills it when its grace is over.
async fn watch_over(pod: &Arc<Pod>, index: usize, spec: &Value, command: &Command, child: &mut Child) -> i32 {
    let clock = pod.cache.clock.clone();
    let pid = child.id();
    let (give_up, mut verdicts) = mpsc::channel(1);
    let inside = Inside { command: command.clone(), pid };
    let probes = tokio::spawn(attend(Arc::clone(pod), index, spec.clone(), inside.clone(), give_up));
    let mut ending = pod.subscribe_ending(index);
    ending.mark_changed();
    let mut deadline: Option<Moment> = None;
    let mut hook: Option<tokio::task::JoinHandle<()>> = None;
    let code = loop {
        let overdue = async {
            match deadline {
                Some(moment) => clock.sleep_until(moment).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            status = child.wait() => break status.map_or(255, exit_code),
            () = overdue => {
                kill_group(pid);
                deadline = Some(clock.moment().plus(Duration::from_secs(5)));
            }
            Some(Verdict { why, grace }) = verdicts.recv(), if deadline.is_none() => {
                pod.container_event(spec, Severity::Normal, "Killing", &why).await;
                deadline = Some(clock.moment().plus(grace.unwrap_or_else(|| pod.grace())));
                hook = Some(stop_kindly(pod, spec, &inside));
            }
            Ok(()) = ending.changed() => {
                let Some(grace) = *ending.borrow_and_update() else { continue };
                probes.abort();
                if hook.is_none() {
                    hook = Some(stop_kindly(pod, spec, &inside));
                    pod.killing(spec);
                }
                let moment = clock.moment().plus(grace);
                deadline = Some(deadline.map_or(moment, |known| known.min(moment)));
            }
        }
    };
    probes.abort();
    if let Some(hook) = hook {
        hook.abort();
    }
    code
}

/// The hook after the start, then the probes.
async fn attend(pod: Arc<Pod>, index: usize, spec: Value, inside: Inside, end: mpsc::Sender<Verdict>) {
    match hook::post_start(&pod, &spec, &inside).await {
        Ok(()) => Box::pin(probe::watch(pod, index, spec, inside, end)).await,
        Err(why) => drop(end.send(Verdict { why, grace: None }).await),
    }
}

/// The hook before the end, then the signal.
fn stop_kindly(pod: &Arc<Pod>, spec: &Value, inside: &Inside) -> tokio::task::JoinHandle<()> {
    let (pod, spec, inside) = (Arc::clone(pod), spec.clone(), inside.clone());
    tokio::spawn(async move { hook::stop(&pod, &spec, &inside).await })
}
