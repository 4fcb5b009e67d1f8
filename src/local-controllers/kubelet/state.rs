//! How the containers of one pod stand: what its status is computed from.

use jiff::Timestamp;
use serde_json::Value;

use super::restart::Role;
use crate::object::{items, text};

/// How a container run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terminated {
    pub(super) code: i32,
    pub(super) reason: &'static str,
    pub(super) message: String,
    pub(super) started: Timestamp,
    pub(super) finished: Timestamp,
    pub(super) id: String,
}

/// Where a container stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    Waiting { reason: &'static str, message: String },
    Running { since: Timestamp },
    Terminated(Terminated),
}

#[derive(Debug, Clone)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) role: Role,
    pub(super) standing: Standing,
    pub(super) last: Option<Terminated>,
    pub(super) restarts: u32,
    /// The startup probe has succeeded, or there is none and it runs.
    pub(super) started: bool,
    pub(super) ready: bool,
    pub(super) id: String,
}

#[derive(Debug, Clone)]
pub(super) struct State {
    /// Init containers first, in their order.
    pub(super) containers: Vec<Container>,
    /// Volumes and address are there.
    pub(super) sandbox: bool,
    /// Nothing will be started any more.
    pub(super) finished: bool,
    /// The init containers have done their part, whatever becomes of them.
    pub(super) past_init: bool,
    /// Why the pod has failed whatever its containers say: reason and message.
    pub(super) failure: Option<(&'static str, &'static str)>,
    pub(super) start_time: Timestamp,
}

impl State {
    pub(super) fn new(pod: &Value, now: Timestamp) -> Self {
        let init = items(pod, "/spec/initContainers").iter().map(|one| (one, true));
        let main = items(pod, "/spec/containers").iter().map(|one| (one, false));
        let has_init = !items(pod, "/spec/initContainers").is_empty();
        let containers = init.chain(main).map(|(one, init)| Container {
            name: text(one, "/name").to_owned(),
            image: text(one, "/image").to_owned(),
            role: Role::of(one, init),
            standing: Standing::Waiting {
                reason: if has_init { "PodInitializing" } else { "ContainerCreating" },
                message: String::new(),
            },
            last: None,
            restarts: 0,
            started: false,
            ready: false,
            id: String::new(),
        });
        let containers = containers.collect();
        Self { containers, sandbox: false, finished: false, past_init: false, failure: None, start_time: now }
    }

    pub(super) fn main(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(|one| one.role == Role::Main)
    }

    pub(super) fn init(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(|one| one.role != Role::Main)
    }

    /// The containers whose readiness is the pod's.
    pub(super) fn lasting(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(|one| one.role != Role::Init)
    }

    pub(super) fn initialised(&self) -> bool {
        self.past_init || self.init().all(Container::initialised)
    }
}

impl Container {
    pub(super) fn succeeded(&self) -> bool {
        matches!(&self.standing, Standing::Terminated(end) if end.code == 0)
    }

    /// An init container has done its part: a sidecar has started, another has succeeded.
    pub(super) fn initialised(&self) -> bool {
        if self.role == Role::Sidecar { self.started } else { self.succeeded() }
    }

    pub(super) fn ended(&self) -> bool {
        matches!(self.standing, Standing::Terminated(_))
    }

    /// Starting, running, or about to be restarted.
    pub(super) fn has_run(&self) -> bool {
        self.last.is_some() || !matches!(self.standing, Standing::Waiting { .. })
    }
}
