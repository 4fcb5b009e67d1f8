//! One step of an apply: a removal or a making, what must come before it, and the calls that it consists of.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::BoxFuture;

use crate::action::Action;
use crate::address::Address;
use crate::diff;
use crate::plan::{Change, Plan};
use crate::reference::{Reference, is_unknown, references, resolve};
use crate::refreshed::value_of;
use crate::resource::{Attributes, Context, Failure, Health, Known, Node, Object, Reading};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Remove,
    Make,
}

pub(super) struct Step<'a> {
    pub(super) change: &'a Change,
    pub(super) half: Half,
    /// Indices of steps that must be done before.
    pub(super) needs: BTreeSet<usize>,
}

pub(super) struct Done {
    pub(super) index: usize,
    /// The object that now exists, none after a removal.
    pub(super) result: Result<Option<Object>, Failure>,
}

impl Step<'_> {
    /// What this step does; a replacement is a deletion and a creation.
    pub(super) fn action(&self) -> Action {
        match (self.half, self.change.action) {
            (Half::Remove, _) => Action::Delete,
            (Half::Make, Action::Update) => Action::Update,
            (Half::Make, _) => Action::Create,
        }
    }

    pub(super) fn key(&self) -> Option<&str> {
        self.change.serial_key.as_deref()
    }
}

/// The plan's steps. A thing is made after what it needs; it is removed after everything that needed it was removed or
/// made to do without it; a replacement removes first.
pub(super) fn steps(plan: &Plan) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let (mut removes, mut makes) = (BTreeMap::new(), BTreeMap::new());
    for change in &plan.changes {
        if matches!(change.action, Action::Delete | Action::Replace) {
            removes.insert(&change.address, steps.len());
            steps.push(Step { change, half: Half::Remove, needs: BTreeSet::new() });
        }
        if matches!(change.action, Action::Create | Action::Update | Action::Replace) {
            makes.insert(&change.address, steps.len());
            steps.push(Step { change, half: Half::Make, needs: BTreeSet::new() });
        }
    }
    for change in &plan.changes {
        let (remove, make) = (removes.get(&change.address), makes.get(&change.address));
        if let (Some(remove), Some(make)) = (remove, make) {
            steps[*make].needs.insert(*remove);
        }
        for needed in &change.depends_on {
            if let (Some(make), Some(before)) = (make, makes.get(needed)) {
                steps[*make].needs.insert(*before);
            }
            match (removes.get(needed), remove, make) {
                (Some(_), Some(_), None) if change.may_outlive.contains(needed) => {}
                (Some(after), Some(first), _) => drop(steps[*after].needs.insert(*first)),
                // An update that lets go of something comes before that is removed for good; one that follows a
                // replacement already waits for the new one. Among things with turns the turns decide.
                (Some(after), None, Some(first))
                    if !makes.contains_key(needed) && !both_take_turns(&steps[*after], &steps[*first]) =>
                {
                    steps[*after].needs.insert(*first);
                }
                _ => {}
            }
        }
    }
    take_turns(&mut steps);
    steps
}

fn both_take_turns(one: &Step<'_>, other: &Step<'_>) -> bool {
    one.change.removal_turn.is_some() && other.change.removal_turn.is_some()
}

/// Lets steps wait for removals by their turns, unless those (also by way of others) wait for them: removals for those with
/// a lower turn; what changes something for them as well, since they may need it as it is; and what takes the place of
/// something for its removal.
fn take_turns(steps: &mut [Step<'_>]) {
    let removals = |step: &&Step<'_>| step.half == Half::Remove;
    let mut turns: Vec<(u8, usize)> = (0..steps.len())
        .filter(|index| removals(&&steps[*index]))
        .filter_map(|index| Some((steps[index].change.removal_turn?, index)))
        .collect();
    turns.sort_unstable();
    for (later, after) in &turns {
        for (_, first) in turns.iter().take_while(|(earlier, _)| earlier < later) {
            wait(steps, *after, *first);
        }
    }
    for after in (0..steps.len()).filter(|index| steps[*index].half == Half::Make).collect::<Vec<_>>() {
        let change = steps[after].change;
        let Some(turn) = change.removal_turn else { continue };
        for (earlier, first) in &turns {
            let makes_room = change.slot.is_some() && change.slot == steps[*first].change.slot;
            // One that is only waited for changes nothing that a removal could still need; it may be what that waits for.
            let changes_something = change.action != Action::Create && !change.fields.is_empty();
            if makes_room || (changes_something && *earlier < turn) {
                wait(steps, after, *first);
            }
        }
    }
}

fn wait(steps: &mut [Step<'_>], after: usize, first: usize) {
    if !waits_for(steps, first, after) {
        steps[after].needs.insert(first);
    }
}

/// Whether the step at `from` cannot begin before the one at `to` is done.
fn waits_for(steps: &[Step<'_>], from: usize, to: usize) -> bool {
    let (mut seen, mut open) = (BTreeSet::from([from]), vec![from]);
    while let Some(index) = open.pop() {
        if index == to {
            return true;
        }
        open.extend(steps[index].needs.iter().copied().filter(|need| seen.insert(*need)));
    }
    false
}

/// `node`'s desired attributes with everything known.
pub(super) fn desired(
    node: &Node,
    objects: &BTreeMap<Address, Object>,
    resolved: &BTreeMap<Address, Attributes>,
) -> Result<Attributes, Failure> {
    let lookup = |reference: &Reference| {
        let made = objects.get(&reference.address).and_then(|object| value_of(object, &reference.attribute));
        made.or_else(|| resolved.get(&reference.address)?.get(&reference.attribute).cloned())
    };
    let filled = resolve(node.desired(), &lookup);
    if filled.values().any(is_unknown) {
        let missing = references(node.desired()).into_iter().find(|reference| lookup(reference).is_none());
        let what = missing.map_or("a referenced value".to_owned(), |r| format!("{}.{}", r.address, r.attribute));
        return Err(Failure::new(format!(
            "{what} is still unknown although it was applied; this is a bug in its kind"
        )));
    }
    Ok(filled)
}

pub(super) fn remove(index: usize, node: &Node, current: Option<Object>, context: Context) -> BoxFuture<'_, Done> {
    Box::pin(async move {
        let result = match &current {
            Some(object) => node.delete(object, &context).await.map(|()| None),
            None => Ok(None),
        };
        Done { index, result }
    })
}

pub(super) fn make<'a>(
    index: usize,
    node: &'a Node,
    change: &'a Change,
    current: Option<Object>,
    desired: Result<Attributes, Failure>,
    context: Context,
) -> BoxFuture<'a, Done> {
    Box::pin(async move {
        let result = match desired {
            Ok(desired) => made(node, change, current, &desired, &context).await.map(Some),
            Err(failure) => Err(failure),
        };
        Done { index, result }
    })
}

async fn made(
    node: &Node,
    change: &Change,
    current: Option<Object>,
    desired: &Attributes,
    context: &Context,
) -> Result<Object, Failure> {
    let current = match change.action {
        Action::Update => current,
        Action::Create if change.look_first => match node.read(Known { recorded: None, desired }, context).await? {
            Reading::Absent => None,
            Reading::Present(object) => Some(object),
            Reading::Foreign(why) => {
                let text =
                    format!("{} exists and is not ours: {why}; remove it or choose another name", node.identity());
                return Err(Failure::new(text));
            }
        },
        _ => None,
    };
    let Some(object) = current else { return node.create(desired, context).await };
    let changed = changed(node, desired, &object);
    // What was unknown while planning may turn out to be as it should be.
    if changed.is_empty() && object.health == Health::Ready && !change.disturbed {
        return Ok(object);
    }
    node.update(&object, desired, &changed, context).await
}

/// The names of the attributes that differ.
fn changed(node: &Node, desired: &Attributes, object: &Object) -> Vec<String> {
    let one = |name: &String, value| Attributes::from([(name.clone(), value)]);
    let differs = |(name, value): &(&String, &serde_json::Value)| {
        !diff::changes(node.as_ref(), &one(name, (*value).clone()), object).is_empty()
    };
    desired.iter().filter(differs).map(|(name, _)| name.clone()).collect()
}
