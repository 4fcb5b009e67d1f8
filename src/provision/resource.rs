//! The one door between the engine and what exists: a thing that can be read, created, updated and deleted.
//!
//! The engine calls the synchronous methods while planning (they must be pure: no clock, socket, file or environment)
//! and the asynchronous ones while refreshing and applying.
//!
//! # References
//! Any string in [`Resource::desired`] (also an object's key) may hold `${kind.name.attribute}`: the attribute of another
//! resource's [`Object`], `id` being [`Object::id`]. A string that is nothing but one reference takes the attribute's JSON
//! value; otherwise its text is put in. A reference makes a dependency. `$${` stands for a literal `${`; other uses of
//! `${…}` (IAM policy variables, shell) are left alone because they do not have that form.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use clock::Clock;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::address::Address;
use crate::event::Progress;

/// Attributes by name. Names are `snake_case`; values are JSON.
pub type Attributes = BTreeMap<String, Value>;

/// A resource as the engine holds it.
pub type Node = Arc<dyn Resource>;

/// What exists, as last read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// The provider's own identifier (name, ARN, URL, UID), enough to find the thing again.
    pub id: String,
    /// Every attribute that was read: those of `desired` under the same names, and the computed ones.
    pub attributes: Attributes,
    /// Whether it can be used as it is.
    #[serde(default)]
    pub health: Health,
}

impl Object {
    /// A ready object.
    pub fn new(id: impl Into<String>, attributes: Attributes) -> Self {
        Self { id: id.into(), attributes, health: Health::Ready }
    }

    /// The attribute as text, if it is there and is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.attributes.get(name)?.as_str()
    }
}

/// What a plan does about an object that exists.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Usable.
    #[default]
    Ready,
    /// Still on its way to ready (its status); the plan holds an update, whose [`Resource::update`] waits for ready first.
    Settling(String),
    /// Failed or being deleted (why); the plan replaces it.
    Broken(String),
}

/// The outcome of a successful look at what exists. A look that fails is an `Err`, never `Absent`.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// The provider said that it does not exist.
    Absent,
    /// It exists and is ours.
    Present(Object),
    /// Something with our name exists, but it does not carry our stack's mark; says how it was recognised as foreign.
    Foreign(String),
}

/// What the engine must know about attributes of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Schema {
    /// A change of one of these cannot be made in place.
    pub force_new: &'static [&'static str],
    /// Attributes that only the provider knows; shown as `(known after apply)` when the object is created.
    pub computed: &'static [&'static str],
    /// Never shown, never written to the state.
    pub sensitive: &'static [&'static str],
    /// Attributes in which what exists may hold more keys than desired (defaults, other writers) without that being a
    /// difference, such as a Kubernetes manifest.
    pub open: &'static [&'static str],
    /// Attributes that can be set in place once, where there is none yet; another change of them cannot be made in place.
    pub set_once: &'static [&'static str],
}

/// Why a step failed: thing, cause and next step in one text, without credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    message: String,
    /// What was seen of the thing when it failed, one line each: its last warnings, the end of its log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    evidence: Vec<String>,
    /// What to do or to look at next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Failure {
    /// A failure that says `message`.
    pub fn new(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), evidence: Vec::new(), next: None }
    }

    /// The same with what was seen of the thing when it failed, one line each.
    #[must_use]
    pub fn seen(mut self, evidence: Vec<String>) -> Self {
        self.evidence = evidence;
        self
    }

    /// The same with what to do or to look at next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// What was seen of the thing when it failed, one line each.
    pub fn evidence(&self) -> &[String] {
        &self.evidence
    }

    /// What to do or to look at next.
    pub fn next_step(&self) -> Option<&str> {
        self.next.as_deref()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// What every asynchronous method is given.
#[derive(Debug, Clone)]
pub struct Context {
    /// Time for every wait.
    pub clock: Clock,
    /// Where to report what happens during a long step.
    pub progress: Progress,
    /// Set on Ctrl-C. A step need not look at it: it is given time to finish. Long waits may end early with a failure.
    pub stop: CancellationToken,
}

/// What [`Resource::read`] may go by.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What the state file recorded, if it did.
    pub recorded: Option<&'a Object>,
    /// `desired` with the references filled in; attributes whose references are not known (yet) are missing.
    pub desired: &'a Attributes,
}

/// One thing that the engine can make, change and remove.
pub trait Resource: Send + Sync {
    /// Its name inside the stack.
    fn address(&self) -> &Address;

    /// What it should be; may hold references.
    fn desired(&self) -> &Attributes;

    /// Which attributes force replacement, are computed, sensitive or open.
    fn schema(&self) -> Schema;

    /// Resources that must exist before it and may only go after it, besides those that `desired` refers to.
    fn depends_on(&self) -> Vec<Address> {
        Vec::new()
    }

    /// The resource that contains this one (a cluster, for what is inside it): if that does not exist, this does not
    /// either and is not even read; if that is replaced, this is too. Also a dependency.
    fn lives_in(&self) -> Option<Address> {
        None
    }

    /// Steps with the same key never run at the same time, for example `eks-fargate/<cluster>`.
    fn serial_key(&self) -> Option<String> {
        None
    }

    /// Its turn when things are removed together: whatever has a lower turn goes first, and before this is changed, also
    /// where no dependency between the two is recorded (a finalizer needs whoever takes it off, with the rights that it
    /// has). Without a turn only dependencies count.
    fn removal_turn(&self) -> Option<u8> {
        None
    }

    /// A slot that only one thing at a time may have, whatever its address: an old one goes before a new one comes.
    fn slot(&self) -> Option<String> {
        None
    }

    /// Whether it is gone once [`Resource::lives_in`] is, so that its own removal must not hold up the container's.
    fn goes_with_container(&self) -> bool {
        false
    }

    /// Whether it can still be removed once `dependency` is gone, although it needs that to exist: then neither removal waits
    /// for the other.
    fn may_outlive(&self, dependency: &Address) -> bool {
        let _ = dependency;
        false
    }

    /// Whether it comes to harm while `dependency`, which it needs, is removed and made anew; it is then waited for until it is
    /// ready again, although nothing of it changes.
    fn is_disturbed_by(&self, dependency: &Address) -> bool {
        let _ = dependency;
        false
    }

    /// How it is found when the state is lost, for people: `queue sluice-demo-myapp`.
    fn identity(&self) -> String;

    /// Whether two values of the attribute at `path` (`policy`, `manifest.spec.replicas`) mean the same although they
    /// may be written differently. Equal values are never asked about.
    fn same(&self, path: &str, desired: &Value, actual: &Value) -> bool {
        let _ = (path, desired, actual);
        false
    }

    /// Looks. Not found is `Absent`; a refused or failed look is an error.
    fn read<'a>(&'a self, known: Known<'a>, context: &'a Context) -> BoxFuture<'a, Result<Reading, Failure>>;

    /// Makes it and waits until it is ready. `desired` has no references left.
    fn create<'a>(&'a self, desired: &'a Attributes, context: &'a Context) -> BoxFuture<'a, Result<Object, Failure>>;

    /// Changes the attributes named in `changed` and waits until it is ready (`changed` is empty for an object that was
    /// merely [`Health::Settling`]).
    fn update<'a>(
        &'a self,
        current: &'a Object,
        desired: &'a Attributes,
        changed: &'a [String],
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Object, Failure>>;

    /// Removes it and waits until it is gone. It being gone already is success. Must work from `current` alone:
    /// the object may come from a state file or an audit.
    fn delete<'a>(&'a self, current: &'a Object, context: &'a Context) -> BoxFuture<'a, Result<(), Failure>>;
}
