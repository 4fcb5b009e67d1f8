//! The plan: what an apply will do, as a value. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::Action;
use crate::address::Address;
use crate::diff::{self, Field};
use crate::graph::Graph;
use crate::reference::{Reference, resolve};
use crate::refreshed::Refreshed;
use crate::resource::{Attributes, Failure, Health, Node, Object, Reading};
use crate::state::State;

/// What the plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Make what exists as declared.
    Up,
    /// Remove everything.
    Down,
}

/// One resource's part of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Which resource.
    pub address: Address,
    /// What is done.
    pub action: Action,
    /// Why, where the fields do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The differences.
    pub fields: Vec<Field>,
    /// What is not the stack's and is kept with it, or destroyed with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<String>,
    /// The object as read. In memory only: it may hold sensitive attributes.
    #[serde(skip)]
    pub prior: Option<Object>,
    /// What it needs (within the graph, or as the state recorded it).
    pub depends_on: BTreeSet<Address>,
    /// What of that may be removed before it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub may_outlive: BTreeSet<Address>,
    /// Steps with the same key run one after another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial_key: Option<String>,
    /// When it is removed together with others: lower turns first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removal_turn: Option<u8>,
    /// Only one thing at a time may have this slot: an old one is removed before a new one is made.
    #[serde(rename = "place", default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// What is removed by the same plan and takes this with it, so that it need not wait for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goes_with: Option<Address>,
    /// Whether the apply looks again before making it, because it could not be read while what contains it is not ready.
    #[serde(default)]
    pub look_first: bool,
    /// Whether it exists, is ours, and was not in the state.
    #[serde(default)]
    pub adopted: bool,
    /// Whether something that it needs is replaced under it, so that it has to be waited for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disturbed: bool,
}

/// The state and what exists disagree: somebody else changed something since the last run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// Which resource.
    pub address: Address,
    /// Whether it is gone altogether.
    pub gone: bool,
    /// What differs: `before` as recorded, `after` as read.
    pub fields: Vec<Field>,
}

/// Every step of an apply, dependencies first, and nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What it is for.
    pub mode: Mode,
    /// One per resource, in dependency order, those with nothing to do included.
    pub changes: Vec<Change>,
    /// What changed outside.
    pub drift: Vec<Drift>,
    /// Things a person should know, such as objects that are left alone because they are not ours.
    pub notes: Vec<String>,
}

impl Plan {
    /// The part that makes this one thing, if it is to be made and needs nothing else.
    #[must_use]
    pub fn only(&self, address: &Address) -> Option<Self> {
        let change =
            self.changes.iter().find(|change| change.address == *address && change.action == Action::Create)?;
        change.depends_on.is_empty().then(|| Self {
            mode: self.mode,
            changes: vec![change.clone()],
            drift: Vec::new(),
            notes: Vec::new(),
        })
    }

    /// The plan once [`Self::only`] of this thing was carried out: nothing is left to do for it.
    pub fn has_made(&mut self, address: &Address, object: &Object) {
        for change in self.changes.iter_mut().filter(|change| change.address == *address) {
            change.action = Action::NoOp;
            change.fields.clear();
            change.prior = Some(object.clone());
        }
    }
}

/// How many resources are added, changed and destroyed; a replacement counts as one added and one destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// Made.
    pub add: usize,
    /// Changed in place.
    pub change: usize,
    /// Removed.
    pub destroy: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plan: {} to add, {} to change, {} to destroy.", self.add, self.change, self.destroy)
    }
}

impl Summary {
    pub(crate) fn count(&mut self, action: Action) {
        match action {
            Action::Create => self.add += 1,
            Action::Update => self.change += 1,
            Action::Delete => self.destroy += 1,
            Action::Replace => (self.add, self.destroy) = (self.add + 1, self.destroy + 1),
            Action::NoOp | Action::Forget | Action::Keep => {}
        }
    }
}

/// Why there is no plan; every reason at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", texts(.0))]
pub struct Unplannable(pub Vec<(Address, Failure)>);

fn texts(reasons: &[(Address, Failure)]) -> String {
    reasons.iter().map(|(address, failure)| format!("{address}: {failure}")).collect::<Vec<_>>().join("\n")
}

impl Plan {
    /// The counts.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        self.changes.iter().for_each(|change| summary.count(change.action));
        summary
    }

    /// What is kept because it could not be read, and why.
    pub fn unread(&self) -> impl Iterator<Item = (&Address, &str)> {
        // What is kept for the sake of others says what it holds.
        let unread = self.changes.iter().filter(|change| change.action == Action::Keep && change.holds.is_empty());
        unread.map(|change| (&change.address, change.reason.as_deref().unwrap_or_default()))
    }

    /// Whether an apply would touch nothing in what exists.
    pub fn is_empty(&self) -> bool {
        self.changes.iter().all(|change| matches!(change.action, Action::NoOp | Action::Forget | Action::Keep))
    }
}

/// The plan that makes what exists as `graph` declares it; orphans are removed.
///
/// # Errors
///
/// [`Unplannable`] names every resource that could not be read, and everything declared that exists and is not ours.
pub fn up(graph: &Graph, state: &State, cloud: &Refreshed) -> Result<Plan, Unplannable> {
    let mut plan = Planner { graph, state, cloud, after: BTreeMap::new(), changes: Vec::new(), obstacles: Vec::new() };
    for node in graph.nodes() {
        plan.visit(node);
    }
    if !plan.obstacles.is_empty() {
        return Err(Unplannable(plan.obstacles));
    }
    mark_lodgers(graph, &mut plan.changes);
    spare(cloud, &mut plan.changes);
    Ok(Plan { mode: Mode::Up, changes: plan.changes, drift: drift(graph, state, cloud), notes: Vec::new() })
}

/// [`up`] for what could be read, to be shown and not carried out: what is an obstacle to it is left out.
pub fn readable(graph: &Graph, state: &State, cloud: &Refreshed) -> Plan {
    let mut plan = Planner { graph, state, cloud, after: BTreeMap::new(), changes: Vec::new(), obstacles: Vec::new() };
    graph.nodes().for_each(|node| plan.visit(node));
    let obstacles: BTreeSet<Address> = plan.obstacles.into_iter().map(|(address, _)| address).collect();
    plan.changes.retain(|change| !obstacles.contains(&change.address));
    Plan { mode: Mode::Up, changes: plan.changes, drift: drift(graph, state, cloud), notes: Vec::new() }
}

/// What a resource's attributes will be, as far as planning knows.
struct Later<'a> {
    desired: Attributes,
    /// The object, unless it is made anew.
    object: Option<&'a Object>,
    action: Action,
}

struct Planner<'a> {
    graph: &'a Graph,
    state: &'a State,
    cloud: &'a Refreshed,
    after: BTreeMap<Address, Later<'a>>,
    changes: Vec<Change>,
    obstacles: Vec<(Address, Failure)>,
}

impl Planner<'_> {
    fn lookup(&self, reference: &Reference) -> Option<Value> {
        let later = self.after.get(&reference.address)?;
        if reference.attribute == "id" {
            return later.object.map(|object| object.id.clone().into());
        }
        let desired = later.desired.get(&reference.attribute);
        desired.or_else(|| later.object?.attributes.get(&reference.attribute)).cloned()
    }

    fn visit(&mut self, node: &Node) {
        let address = node.address();
        let orphan = self.graph.is_orphan(address);
        let desired = resolve(node.desired(), &|reference| self.lookup(reference));
        let container = node.lives_in().and_then(|container| self.after.get(&container));
        let container_replaced = container.is_some_and(|later| later.action == Action::Replace);
        let container_unready = container.and_then(|later| later.object).is_some_and(|o| o.health != Health::Ready);
        let blank = || (Action::NoOp, None, Vec::new());
        let (mut look_first, mut disturbed) = (false, None);
        let (action, reason, fields) = match self.cloud.readings.get(address) {
            Some(Reading::Foreign(why)) if orphan => {
                (Action::Forget, Some(format!("it is not ours: {why}")), Vec::new())
            }
            Some(Reading::Foreign(why)) => {
                let text =
                    format!("{} exists and is not ours: {why}; remove it or choose another name", node.identity());
                self.obstacles.push((address.clone(), Failure::new(text)));
                blank()
            }
            Some(Reading::Absent) if orphan => (Action::Forget, Some("it is gone".into()), Vec::new()),
            Some(Reading::Absent) => (Action::Create, None, diff::creation(node.as_ref(), &desired)),
            Some(Reading::Present(_)) if orphan => {
                (Action::Delete, Some("it is no longer declared".into()), Vec::new())
            }
            Some(Reading::Present(object)) => {
                let fields = diff::changes(node.as_ref(), &desired, object);
                disturbed = self.disturbing(node);
                match (present(object, fields, container_replaced), &disturbed) {
                    ((Action::NoOp, _, fields), Some(by)) => {
                        let reason = format!("{by} is replaced, and it begins anew with that");
                        (Action::Update, Some(reason), fields)
                    }
                    (decided, _) => decided,
                }
            }
            None if (container_unready || container_replaced) && !orphan => {
                look_first = true;
                let why = "it could not be read while what contains it is not ready";
                (Action::Create, Some(why.into()), diff::creation(node.as_ref(), &desired))
            }
            None => {
                let failure = self.cloud.failures.get(address).cloned();
                let failure = failure.unwrap_or_else(|| Failure::new("it was not read; run the command again"));
                self.obstacles.push((address.clone(), failure));
                blank()
            }
        };
        let object = match self.cloud.readings.get(address) {
            Some(Reading::Present(object)) => Some(object),
            _ => None,
        };
        let kept = object.filter(|_| matches!(action, Action::NoOp | Action::Update));
        self.after.insert(address.clone(), Later { desired, object: kept, action });
        let change = change(self.graph, self.state, node, action, reason, fields, object, look_first);
        self.changes.push(Change { disturbed: disturbed.is_some() && action == Action::Update, ..change });
    }

    /// What is replaced and disturbs the node.
    fn disturbing(&self, node: &Node) -> Option<Address> {
        let mut needed = self.graph.dependencies(node.address()).iter();
        let is_replaced = |address: &&Address| {
            node.is_disturbed_by(address)
                && self.after.get(address).is_some_and(|later| later.action == Action::Replace)
        };
        needed.find(is_replaced).cloned()
    }
}

fn present(object: &Object, fields: Vec<Field>, container_replaced: bool) -> (Action, Option<String>, Vec<Field>) {
    match &object.health {
        _ if container_replaced => (Action::Replace, Some("what contains it is replaced".into()), fields),
        Health::Broken(why) => (Action::Replace, Some(format!("it is broken: {why}")), fields),
        _ if fields.iter().any(|field| field.forces_replacement) => (Action::Replace, None, fields),
        Health::Settling(status) => (Action::Update, Some(format!("it is still {status}")), fields),
        Health::Ready if fields.is_empty() => (Action::NoOp, None, fields),
        Health::Ready => (Action::Update, None, fields),
    }
}

#[expect(clippy::too_many_arguments, reason = "every part of a change is decided elsewhere")]
fn change(
    graph: &Graph,
    state: &State,
    node: &Node,
    action: Action,
    reason: Option<String>,
    fields: Vec<Field>,
    object: Option<&Object>,
    look_first: bool,
) -> Change {
    let address = node.address();
    let recorded = state.resources.get(address);
    // What the object needed when it was made may still have to outlive it, declared or not.
    let before = recorded.into_iter().flat_map(|entry| entry.depends_on.iter().cloned());
    let depends_on: BTreeSet<Address> = graph.dependencies(address).iter().cloned().chain(before).collect();
    Change {
        address: address.clone(),
        action,
        reason,
        fields,
        holds: Vec::new(),
        prior: object.cloned(),
        may_outlive: depends_on.iter().filter(|dependency| node.may_outlive(dependency)).cloned().collect(),
        depends_on,
        serial_key: node.serial_key(),
        removal_turn: node.removal_turn(),
        slot: node.slot(),
        goes_with: None,
        look_first,
        adopted: object.is_some() && recorded.is_none_or(|entry| entry.object.is_none()),
        disturbed: false,
    }
}

/// The plan that removes everything in `graph`, dependants first. What cannot be read is kept and said, unless what
/// contains it is removed as well (or is gone): then it goes with that. What is not ours stays.
///
/// # Errors
///
/// [`Unplannable`] names what contains others and cannot be read: nothing is known of those either.
pub fn down(graph: &Graph, state: &State, cloud: &Refreshed) -> Result<Plan, Unplannable> {
    let (mut changes, mut obstacles, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for node in graph.nodes() {
        let address = node.address();
        let reading = cloud.readings.get(address);
        let container_goes = node.lives_in().is_some_and(|container| {
            matches!(cloud.readings.get(&container), Some(Reading::Present(_) | Reading::Absent))
        });
        let (action, reason) = match reading {
            Some(Reading::Absent) => (Action::Forget, Some("it does not exist".to_owned())),
            Some(Reading::Present(_)) => (Action::Delete, None),
            Some(Reading::Foreign(why)) => {
                notes.push(format!("{address}: {} is left alone, it is not ours: {why}", node.identity()));
                (Action::Forget, Some("it is not ours".to_owned()))
            }
            None if container_goes => {
                (Action::Forget, Some("it cannot be read and goes with what contains it".to_owned()))
            }
            None => {
                let failure = cloud.failures.get(address).cloned();
                let failure = failure.unwrap_or_else(|| Failure::new("it was not read; run the command again"));
                if graph.nodes().any(|other| other.lives_in().as_ref() == Some(address)) {
                    obstacles.push((address.clone(), failure));
                    continue;
                }
                // What one leaf hides is no reason to let everything else run on.
                (Action::Keep, Some(format!("it could not be read: {failure}")))
            }
        };
        let object = match reading {
            Some(Reading::Present(object)) => Some(object),
            _ => None,
        };
        changes.push(change(graph, state, node, action, reason, Vec::new(), object, false));
    }
    if !obstacles.is_empty() {
        return Err(Unplannable(obstacles));
    }
    mark_lodgers(graph, &mut changes);
    spare(cloud, &mut changes);
    Ok(Plan { mode: Mode::Down, changes, drift: drift(graph, state, cloud), notes })
}

/// Says of each removal whether the removal of a container covers it.
fn mark_lodgers(graph: &Graph, changes: &mut [Change]) {
    let goes: BTreeSet<Address> =
        changes.iter().filter(|change| change.action == Action::Delete).map(|change| change.address.clone()).collect();
    for change in changes.iter_mut().filter(|change| change.action == Action::Delete) {
        let node = graph.get(&change.address).filter(|node| node.goes_with_container());
        change.goes_with = node.and_then(|node| node.lives_in()).filter(|container| goes.contains(container));
    }
}

/// Keeps what others have something in, or says what goes with it. What goes with its container is not held up.
fn spare(cloud: &Refreshed, changes: &mut [Change]) {
    for change in changes.iter_mut().filter(|change| change.action == Action::Delete && change.goes_with.is_none()) {
        let Some(holds) = cloud.holds.get(&change.address).filter(|holds| !holds.is_empty()) else { continue };
        change.holds.clone_from(holds);
        if !cloud.sweeps {
            change.action = Action::Keep;
        }
    }
}

/// What differs between the record of the last run and what exists as read.
pub fn drift(graph: &Graph, state: &State, cloud: &Refreshed) -> Vec<Drift> {
    let mut found = Vec::new();
    for (address, entry) in &state.resources {
        let (Some(recorded), Some(node)) = (&entry.object, graph.get(address)) else { continue };
        if entry.pending.is_some() {
            continue;
        }
        match cloud.readings.get(address) {
            Some(Reading::Absent | Reading::Foreign(_)) => {
                found.push(Drift { address: address.clone(), gone: true, fields: Vec::new() });
            }
            Some(Reading::Present(object)) => {
                // Recorded and read swap roles: `before` is the record and `after` what is there now. Only declared
                // attributes count; others may change by themselves.
                let declared =
                    |name: &String| node.desired().contains_key(name) && object.attributes.contains_key(name);
                let mut old = recorded.clone();
                old.attributes.retain(|name, _| declared(name));
                let mut new = object.attributes.clone();
                new.retain(|name, _| old.attributes.contains_key(name));
                let fields = diff::changes(node.as_ref(), &new, &old);
                if !fields.is_empty() {
                    found.push(Drift { address: address.clone(), gone: false, fields });
                }
            }
            None => {}
        }
    }
    found
}
