//! One pod on its node: from the first folder to the last status.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clock::Moment;
use local_faults::Incident;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::container;
use super::restart::{Restart, Role};
use super::state::{Container, Standing, State};
use super::{Node, node_limits, status, volumes};
use crate::cache::Cache;
use crate::event::{Recorder, Severity};
use crate::object::{Key, deleting, integer, items, pod_finished, text, uid};

/// Real pause before volumes that could not be made are tried again.
const VOLUME_RETRY: Duration = Duration::from_millis(250);
/// Real pause before a status that could not be written is tried again.
const STATUS_RETRY: Duration = Duration::from_millis(100);

/// Reason and message of a pod that was active for too long.
const DEADLINE: (&str, &str) = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline");

/// A pod and everything that its parts share.
pub(super) struct Pod {
    pub(super) cache: Arc<Cache>,
    pub(super) node: Arc<Node>,
    pub(super) events: Recorder,
    pub(super) key: Key,
    pub(super) dir: PathBuf,
    pub(super) address: String,
    /// The object as last seen; none when it is gone.
    latest: watch::Receiver<Option<Arc<Value>>>,
    object: Mutex<Arc<Value>>,
    state: Mutex<State>,
    changed: Notify,
    /// For those who wait for a container; `changed` has one listener only.
    standing_changed: Notify,
    pids: Mutex<Vec<Option<u32>>>,
    /// The grace with which everything is to end; none while it is to run.
    ending: watch::Sender<Option<Duration>>,
    /// The same for each container: sidecars end after the others.
    endings: Vec<watch::Sender<Option<Duration>>>,
    /// When the grace is over; none while nothing ends.
    grace_over: Mutex<Option<Moment>>,
}

/// Sets a grace unless a shorter one is known; returns whether it did.
fn shorten(ending: &watch::Sender<Option<Duration>>, grace: Duration) -> bool {
    ending.send_if_modified(|known| {
        let shorter = known.is_none_or(|known| grace < known);
        if shorter {
            *known = Some(grace);
        }
        shorter
    })
}

async fn wait_for_end(mut ending: watch::Receiver<Option<Duration>>) {
    if ending.wait_for(Option::is_some).await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Pod {
    pub(super) fn new(node: &Arc<Node>, first: &Arc<Value>, latest: watch::Receiver<Option<Arc<Value>>>) -> Self {
        let state = State::new(first, node.cache.clock.now());
        let name = text(first, "/spec/nodeName");
        let address = name.strip_prefix(crate::scheduler::NODE_PREFIX).unwrap_or_default().replace('-', ".");
        Self {
            cache: Arc::clone(&node.cache),
            events: node.events.clone(),
            key: Key::of(first),
            dir: node.options.pods_dir.join(uid(first)),
            address,
            latest,
            object: Mutex::new(Arc::clone(first)),
            pids: Mutex::new(vec![None; state.containers.len()]),
            endings: state.containers.iter().map(|_| watch::channel(None).0).collect(),
            grace_over: Mutex::default(),
            state: Mutex::new(state),
            changed: Notify::new(),
            standing_changed: Notify::new(),
            ending: watch::channel(None).0,
            node: Arc::clone(node),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pod object as last seen.
    pub(super) fn object(&self) -> Arc<Value> {
        Arc::clone(&self.object.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The object with the addresses that its status is about to have, and with its node's limits where it sets none.
    pub(super) fn object_on_its_node(&self) -> Value {
        let mut object = (*self.object()).clone();
        object["status"]["podIP"] = self.address.as_str().into();
        object["status"]["hostIP"] = self.address.as_str().into();
        object["status"]["podIPs"] = json!([{"ip": self.address}]);
        object["status"]["hostIPs"] = json!([{"ip": self.address}]);
        if let Some(node) = self.cache.get("nodes", "", text(&object, "/spec/nodeName")) {
            node_limits::fill_in(&mut object, &node["status"]["allocatable"]);
        }
        object
    }

    /// Changes how a container stands and has the status written.
    pub(super) fn set(&self, index: usize, change: impl FnOnce(&mut Container)) {
        if let Some(one) = self.state().containers.get_mut(index) {
            change(one);
        }
        self.changed.notify_one();
        self.standing_changed.notify_waiters();
    }

    pub(super) fn restarts(&self, index: usize) -> u32 {
        self.state().containers.get(index).map_or(0, |one| one.restarts)
    }

    /// The grace with which a container is to end; none while it is to run.
    pub(super) fn ending(&self, index: usize) -> Option<Duration> {
        self.endings.get(index).and_then(|one| *one.borrow())
    }

    pub(super) fn subscribe_ending(&self, index: usize) -> watch::Receiver<Option<Duration>> {
        self.endings.get(index).unwrap_or(&self.ending).subscribe()
    }

    /// Waits until a container is to end.
    pub(super) async fn ended(&self, index: usize) {
        wait_for_end(self.subscribe_ending(index)).await;
    }

    /// Asks everything to end, sidecars after the others; a shorter grace overrides a longer one.
    fn end(&self, grace: Duration) {
        if !shorten(&self.ending, grace) {
            return;
        }
        let over = self.cache.clock.moment().plus(grace);
        *self.grace_over.lock().unwrap_or_else(PoisonError::into_inner) = Some(over);
        let sidecars: Vec<bool> = self.state().containers.iter().map(|one| one.role == Role::Sidecar).collect();
        for (ending, sidecar) in self.endings.iter().zip(sidecars) {
            // A sidecar that is ending already has no longer than the rest.
            if !sidecar || ending.borrow().is_some() {
                shorten(ending, grace);
            }
        }
    }

    /// Asks a sidecar to end, within what is left of the grace.
    fn end_sidecar(&self, index: usize) {
        let over = *self.grace_over.lock().unwrap_or_else(PoisonError::into_inner);
        let left = over.map_or_else(|| self.grace(), |over| over.since(self.cache.clock.moment()));
        if let Some(ending) = self.endings.get(index) {
            shorten(ending, left);
        }
    }

    /// `terminationGracePeriodSeconds`.
    pub(super) fn grace(&self) -> Duration {
        Duration::from_secs(integer(&self.object(), "/spec/terminationGracePeriodSeconds").unwrap_or(30).max(0) as u64)
    }

    pub(super) async fn container_event(&self, spec: &Value, severity: Severity, reason: &str, message: &str) {
        let field = format!("spec.containers{{{}}}", text(spec, "/name"));
        self.events.container(&self.object(), &field, severity, reason, message).await;
    }

    /// The event for a container that is being stopped; nobody waits for it.
    pub(super) fn killing(self: &Arc<Self>, spec: &Value) {
        let (pod, spec) = (Arc::clone(self), spec.clone());
        if !pod.node.stop.is_cancelled() {
            tokio::spawn(async move {
                let message = format!("Stopping container {}", text(&spec, "/name"));
                pod.container_event(&spec, Severity::Normal, "Killing", &message).await;
            });
        }
    }

    /// Keeps `<pod dir>/pid` up to date: one line per running container, so that leftovers can be found.
    pub(super) fn note_pid(&self, index: usize, pid: Option<u32>) {
        let mut pids = self.pids.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = pids.get_mut(index) {
            *slot = pid;
        }
        let lines = pids.iter().flatten().map(|pid| format!("{pid}\n")).collect::<Vec<_>>().concat();
        if let Err(error) = std::fs::write(self.dir.join("pid"), lines) {
            tracing::warn!(pod = %self.key, %error, "failed to write the pid file; check space of the state folder");
        }
    }

    /// The whole life. Returns when nothing runs any more and the object is gone (or the node stops).
    pub(super) async fn live(self: Arc<Self>) {
        let publisher = tokio::spawn(Arc::clone(&self).publish());
        let listener = tokio::spawn(Arc::clone(&self).listen());
        if !pod_finished(&self.object()) {
            self.run().await;
            self.state().finished = true;
        }
        publisher.abort();
        if !self.node.stop.is_cancelled() {
            drop(publisher.await);
            self.conclude().await;
        }
        listener.abort();
    }

    /// Volumes, init containers one after the other, then all containers side by side, until all have ended for good.
    async fn run(self: &Arc<Self>) {
        let object = self.object();
        tokio::select! {
            () = self.furnish() => {}
            () = wait_for_end(self.ending.subscribe()) => return self.never_ran(),
        }
        if let Some(late) = self.node.options.incidents.strike(Incident::PodsSlow) {
            tokio::select! {
                () = self.cache.clock.sleep(late.by) => {}
                () = wait_for_end(self.ending.subscribe()) => return self.never_ran(),
            }
        }
        let renewal = {
            let pod = Arc::clone(self);
            tokio::spawn(async move { volumes::renew(&pod).await })
        };
        let deadline = tokio::spawn(Arc::clone(self).keep_deadline());
        self.run_containers(&object).await;
        deadline.abort();
        renewal.abort();
        self.never_ran();
    }

    async fn run_containers(self: &Arc<Self>, object: &Value) {
        let mut sidecars = Vec::new();
        if self.initialise(object, &mut sidecars).await {
            self.state().past_init = true;
            let first = items(object, "/spec/initContainers").len();
            let main = items(object, "/spec/containers").iter().enumerate().map(|(index, spec)| {
                let restart = Restart::of(object, spec, Role::Main);
                tokio::spawn(container::run(Arc::clone(self), first + index, spec.clone(), restart))
            });
            futures::future::join_all(main.collect::<Vec<_>>()).await;
        }
        // The last one started is the first to end.
        while let Some((index, life)) = sidecars.pop() {
            self.end_sidecar(index);
            if let Err(error) = life.await {
                tracing::error!(pod = %self.key, %error, "a sidecar's agent broke off");
            }
        }
    }

    /// Init containers one after the other; sidecars stay. Returns whether the main containers may start.
    async fn initialise(self: &Arc<Self>, object: &Value, sidecars: &mut Vec<(usize, JoinHandle<bool>)>) -> bool {
        for (index, spec) in items(object, "/spec/initContainers").iter().enumerate() {
            let role = Role::of(spec, true);
            let restart = Restart::of(object, spec, role);
            if role == Role::Sidecar {
                let life = tokio::spawn(container::run(Arc::clone(self), index, spec.clone(), restart));
                sidecars.push((index, life));
                tokio::select! {
                    () = self.started(index) => {}
                    () = wait_for_end(self.ending.subscribe()) => return false,
                }
            } else if !container::run(Arc::clone(self), index, spec.clone(), restart).await {
                return false;
            }
        }
        self.ending.borrow().is_none()
    }

    /// Waits until a container has started: its startup probe has succeeded, or there is none and it runs.
    async fn started(&self, index: usize) {
        loop {
            let changed = self.standing_changed.notified();
            if self.state().containers.get(index).is_some_and(|one| one.started) {
                return;
            }
            changed.await;
        }
    }

    /// Ends the pod when it has been active for `activeDeadlineSeconds`, which may be given late.
    async fn keep_deadline(self: Arc<Self>) {
        let mut latest = self.latest.clone();
        let since = self.cache.clock.moment();
        loop {
            let seconds =
                latest.borrow_and_update().as_ref().and_then(|pod| integer(pod, "/spec/activeDeadlineSeconds"));
            let over = async {
                match seconds {
                    Some(seconds) => {
                        self.cache.clock.sleep_until(since.plus(Duration::from_secs(seconds.max(0) as u64))).await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = over => break,
                changed = latest.changed() => if changed.is_err() { return },
            }
        }
        self.events.normal(&self.object(), DEADLINE.0, DEADLINE.1).await;
        self.state().failure = Some(DEADLINE);
        self.changed.notify_one();
        self.end(self.grace());
    }

    /// Containers that wait when the pod ends have ended too; nothing of theirs ran.
    fn never_ran(&self) {
        let now = self.cache.clock.now();
        for one in &mut self.state().containers {
            if matches!(one.standing, Standing::Waiting { .. }) {
                let last = one.last.take();
                one.standing = Standing::Terminated(last.unwrap_or_else(|| super::state::Terminated {
                    code: 137,
                    reason: "ContainerStatusUnknown",
                    message: "The container could not be located when the pod was terminated".to_owned(),
                    started: now,
                    finished: now,
                    id: String::new(),
                }));
            }
        }
    }

    /// Makes the pod's folder and volumes, for as long as that takes.
    async fn furnish(&self) {
        loop {
            let made = std::fs::create_dir_all(self.dir.join("tmp")).map_err(crate::Error::file(&self.dir));
            let made = match made {
                Ok(()) => volumes::make(self).await,
                Err(error) => Err(error),
            };
            let Err(error) = made else { break };
            let message = format!("MountVolume.SetUp failed: {error}");
            self.events.warning(&self.object(), "FailedMount", &message).await;
            self.cache.pause(VOLUME_RETRY).await;
        }
        self.state().sandbox = true;
        self.changed.notify_one();
    }

    /// Follows the object and turns deletion into an end.
    async fn listen(self: Arc<Self>) {
        let mut latest = self.latest.clone();
        latest.mark_changed();
        loop {
            tokio::select! {
                () = self.node.stop.cancelled() => {
                    self.end(self.cache.clock.to_system(super::STOP_GRACE));
                    return;
                }
                changed = latest.changed() => if changed.is_err() { return },
            }
            let seen = latest.borrow_and_update().clone();
            match seen {
                None => self.end(Duration::ZERO),
                Some(object) => {
                    if deleting(&object) {
                        let grace = integer(&object, "/metadata/deletionGracePeriodSeconds");
                        self.end(Duration::from_secs(grace.unwrap_or(30).max(0) as u64));
                    }
                    *self.object.lock().unwrap_or_else(PoisonError::into_inner) = object;
                }
            }
        }
    }

    /// Writes the status whenever it has changed.
    async fn publish(self: Arc<Self>) {
        loop {
            while let Err(error) = self.write_status().await {
                if error.is_not_found() {
                    return;
                }
                tracing::debug!(pod = %self.key, %error, "failed to write a pod's status; trying again");
                self.cache.pause(STATUS_RETRY).await;
            }
            self.changed.notified().await;
        }
    }

    async fn write_status(&self) -> crate::Result<()> {
        let object = self.object();
        let report = status::report(&object, &self.state().clone(), &self.address, self.cache.clock.now());
        let patch = json!({"metadata": {"uid": uid(&object)}, "status": report});
        let written = self.cache.merge("pods", &self.key, "status", &patch).await?;
        let mut known = self.object.lock().unwrap_or_else(PoisonError::into_inner);
        if uid(&written) == uid(&known) && crate::object::version(&written) > crate::object::version(&known) {
            *known = Arc::new(written);
        }
        Ok(())
    }

    /// The last status, then (once deletion is asked for) the end of the object.
    async fn conclude(&self) {
        let mut latest = self.latest.clone();
        let mut is_reported = pod_finished(&self.object());
        loop {
            let seen = latest.borrow_and_update().clone();
            let Some(object) = seen else { return };
            if !is_reported {
                is_reported = match self.write_status().await {
                    Ok(()) => true,
                    Err(error) => error.is_not_found(),
                };
                if !is_reported {
                    self.cache.pause(STATUS_RETRY).await;
                    continue;
                }
            }
            if deleting(&object) {
                match self.cache.delete("pods", &object, &json!({"gracePeriodSeconds": 0})).await {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::debug!(pod = %self.key, %error, "failed to end a pod's object; trying again");
                    }
                }
                self.cache.pause(STATUS_RETRY).await;
                continue;
            }
            tokio::select! {
                changed = latest.changed() => if changed.is_err() { return },
                () = self.node.stop.cancelled() => return,
            }
        }
    }
}
