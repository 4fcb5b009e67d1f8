//! Pod logs, each followed from the pod's appearance to its end, so that a dying pod's last lines are kept.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use futures::{AsyncBufReadExt, StreamExt, TryStreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use tokio::task::JoinSet;

use crate::log_line;
use crate::observation::{Observation, Source};
use crate::observe::Observer;
use crate::observe::objects::{self, Group};

/// Follows the log of every pod of the group, present and to come.
pub(crate) async fn observe(observer: Observer, group: Group) {
    let selector = objects::selector(&observer, &group).await;
    let api = observer.pods(&group.namespace);
    let events = watcher(api.clone(), Config::default().labels(&selector)).default_backoff();
    let mut events = pin!(events);
    let mut known = BTreeSet::new();
    let mut followers = JoinSet::new();
    while let Some(event) = events.next().await {
        if let Ok(Event::Apply(pod) | Event::InitApply(pod)) = event
            && known.insert(pod.uid().unwrap_or_default())
        {
            let follower = Follower::new(&observer, api.clone(), group.log, &pod);
            followers.spawn(follower.follow());
        }
    }
}

/// Reads what the logs of the group's pods hold now.
pub(crate) async fn read_all(observer: &Observer, group: &Group) {
    let api = observer.pods(&group.namespace);
    let what = format!("logs of {}", group.owner);
    let selector = match objects::try_selector(observer, group).await {
        Ok(selector) => selector,
        Err(error) => return observer.recorder.failure(group.log, &what, error),
    };
    match api.list(&ListParams::default().labels(&selector)).await {
        Ok(pods) => {
            for pod in pods {
                let mut follower = Follower::new(observer, api.clone(), group.log, &pod);
                // What a container wrote before it was started again is a log of its own.
                if has_restarted(&pod)
                    && let Err(error) = follower.read(Which::Previous).await
                {
                    let what = format!("log of {} before its restart", follower.name);
                    observer.recorder.failure(group.log, &what, error);
                }
                if let Err(error) = follower.read(Which::Present).await {
                    observer.recorder.failure(group.log, &format!("log of {}", follower.name), error);
                }
            }
        }
        Err(error) => observer.recorder.failure(group.log, &what, error),
    }
}

fn has_restarted(pod: &Pod) -> bool {
    let containers = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    containers.map(|container| container.restart_count).sum::<i32>() > 0
}

/// Which log is read, and how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// That of the container before its last restart.
    Previous,
    /// That of the container, as far as it goes.
    Present,
    /// The same until the container ends.
    Followed,
}

/// Where a pod is, as far as its log is concerned.
enum Stage {
    /// More may be written.
    Alive,
    /// Nothing more will be written.
    Over,
}

struct Follower {
    observer: Observer,
    api: Api<Pod>,
    source: Source,
    name: String,
    uid: String,
    /// Lines up to this time have been taken, whichever connection supplied them.
    last: Option<Timestamp>,
    lines: u64,
}

impl Follower {
    fn new(observer: &Observer, api: Api<Pod>, source: Source, pod: &Pod) -> Self {
        Self {
            observer: observer.clone(),
            api,
            source,
            name: pod.name_any(),
            uid: pod.uid().unwrap_or_default(),
            last: None,
            lines: 0,
        }
    }

    async fn follow(mut self) {
        let mut has_started = false;
        loop {
            // The stage is read before the log, so that a log that ends after the pod was over is the whole log.
            let stage = self.stage().await;
            let end = self.read(Which::Followed).await;
            has_started |= end.is_ok();
            match (stage, end) {
                (Stage::Over, Ok(())) => break,
                (Stage::Over, Err(error)) => {
                    // A pod that never got a container has no log to lose.
                    if has_started && self.lines == 0 {
                        self.observer.recorder.failure(self.source, &format!("log of {}", self.name), error);
                    }
                    break;
                }
                (Stage::Alive, _) => {}
            }
            let pause = Duration::from_secs(1).max(self.observer.settings.clock.to_system(Duration::from_millis(50)));
            self.observer.settings.clock.sleep(pause).await;
        }
        self.observer.recorder.record(self.source, Observation::LogEnded { pod: self.name, lines: self.lines });
    }

    async fn stage(&self) -> Stage {
        match self.api.get_opt(&self.name).await {
            Ok(None) => Stage::Over,
            Ok(Some(pod)) => {
                let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
                let is_over =
                    pod.uid().unwrap_or_default() != self.uid || matches!(phase, Some("Succeeded" | "Failed"));
                if is_over { Stage::Over } else { Stage::Alive }
            }
            Err(_) => Stage::Alive,
        }
    }

    /// Reads a log to its end.
    async fn read(&mut self, which: Which) -> Result<(), String> {
        let resume = self.last;
        let since = resume.or(self.observer.since);
        let params = LogParams {
            follow: which == Which::Followed,
            previous: which == Which::Previous,
            timestamps: true,
            since_time: since,
            ..LogParams::default()
        };
        let stream = self.api.log_stream(&self.name, &params).await.map_err(|error| error.to_string())?;
        let mut lines = pin!(stream.lines());
        while let Some(line) = lines.try_next().await.map_err(|error| error.to_string())? {
            self.take(&line, resume);
        }
        Ok(())
    }

    /// Takes a line unless an earlier connection, which got as far as `resume`, has supplied it.
    fn take(&mut self, line: &str, resume: Option<Timestamp>) {
        let (time, text) = log_line::split_time(line);
        let is_known = time.zip(resume).is_some_and(|(time, resume)| time <= resume);
        let is_old = time.zip(self.observer.since).is_some_and(|(time, since)| time < since);
        if is_known || is_old {
            return;
        }
        self.last = time.or(self.last);
        self.lines += 1;
        let observation = log_line::observation(&self.name, text)
            .filter(|observation| !self.observer.settings.is_of_another(observation));
        if let Some(observation) = observation {
            let time = time.unwrap_or_else(|| self.observer.settings.clock.now());
            self.observer.recorder.record_at(time, self.source, observation);
        }
    }
}
