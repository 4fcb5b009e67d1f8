//! Links effects to their causes, and brings what happened into an order in which no effect stands before its cause.
//!
//! The times of records are not equally good. Most Events are known to the second only, which at time scale 30 is half a
//! minute of the system; what is observed, and what a log says, was so a little earlier. So each happening has the earliest
//! time of which its record speaks and the latest that is possible. A link is made where controllers work so (decision, scale,
//! ReplicaSet, pod) and the numbers or names agree; it then moves the effect after its cause within the effect's second, or
//! the cause before an effect that was seen earlier.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::observation::{Observation, Record};
use crate::timeline::Line;
use crate::timeline::role::{KILLING, Role};

/// How much later than it happened something may be stamped that is seen or logged, in real time.
const LATE: Duration = Duration::from_secs(1);
/// The same of an Event without a time of its own, which stood for up to two turns of an observer: in system time besides.
const LATE_EVENT: Duration = Duration::from_secs(10);
/// Causes this recent are the first to be thought of, in real time.
const RECENT: Duration = Duration::from_secs(1);
/// Controllers do not wait for longer, in real time.
const OLD: Duration = Duration::from_mins(1);

/// One line with what is known of its time.
#[derive(Debug, Clone)]
pub(super) struct Happening {
    /// The actor and the text.
    pub(super) line: (&'static str, String),
    /// When it happened: the best that is known, with what is linked to it.
    pub(super) at: Timestamp,
    /// The same by its own record alone.
    own: Timestamp,
    /// It did not happen later.
    latest: Timestamp,
    /// How much earlier it may have happened.
    late: SignedDuration,
    role: Role,
}

impl Happening {
    /// The line of a record, at a time scale.
    pub(super) fn new(record: &Record, line: Line, scale: f64) -> Self {
        let second = SignedDuration::from_secs(1) - SignedDuration::from_nanos(1);
        let late = SignedDuration::try_from(LATE).unwrap_or_default();
        let Line { actor, text, role } = line;
        let seen = record.time;
        let exact = Self { line: (actor, text), at: seen, own: seen, latest: seen, late, role };
        let Observation::Event(event) = &record.observation else { return exact };
        let own = event.at.unwrap_or(seen);
        if own.subsec_nanosecond() == 0 {
            let end = own + second;
            // Seen within the second: it was over by then.
            let latest = if seen > own { end.min(seen) } else { end };
            return Self { at: own, own, latest, late: SignedDuration::ZERO, ..exact };
        }
        if event.at.is_some() {
            return Self { at: own, own, latest: own, late: SignedDuration::ZERO, ..exact };
        }
        let turns = LATE_EVENT.div_f64(scale.max(f64::MIN_POSITIVE)).min(OLD);
        Self { late: late + SignedDuration::try_from(turns).unwrap_or_default(), ..exact }
    }

    /// The change of the number of pods that it stands for.
    fn change(&self) -> Option<(Option<i64>, i64)> {
        match &self.role {
            Role::Decision { from, to: Some(to), .. } if from.is_none_or(|from| from != *to) => Some((*from, *to)),
            Role::Change { from, to } => Some((Some((*from).into()), (*to).into())),
            Role::ReplicaSet { from, to, .. } => Some((from.map(Into::into), (*to).into())),
            Role::Rescale { size } | Role::Wanted { size } => Some((None, (*size).into())),
            _ => None,
        }
    }
}

/// The happenings in order, each with the position of its cause.
pub(super) fn ordered(happenings: Vec<Happening>) -> Vec<(Happening, Option<usize>)> {
    let mut links = Links::new(happenings);
    links.link_lives();
    links.settle();
    links.link_scalings();
    links.link_pods(false);
    links.link_pods(true);
    links.settle();
    links.in_order()
}

/// Happenings and, of each, what must have come before it; the first of these is its cause.
struct Links {
    all: Vec<Happening>,
    before: Vec<Vec<usize>>,
    cause: Vec<Option<usize>>,
}

impl Links {
    fn new(all: Vec<Happening>) -> Self {
        let (before, cause) = (vec![Vec::new(); all.len()], vec![None; all.len()]);
        Self { all, before, cause }
    }

    fn having(&self, wanted: impl Fn(&Role) -> bool) -> Vec<usize> {
        (0..self.all.len()).filter(|index| wanted(&self.all[*index].role)).collect()
    }

    /// Notes that `first` came before `then`, unless that would go round in a circle.
    fn order(&mut self, first: usize, then: usize) -> bool {
        let (mut open, mut seen) = (vec![first], HashSet::new());
        while let Some(index) = open.pop() {
            if index == then {
                return false;
            }
            if seen.insert(index) {
                open.extend(&self.before[index]);
            }
        }
        self.before[then].push(first);
        // What is compared with it from now on compares with what is known now.
        let (floor, effect) = (self.all[first].at, &mut self.all[then]);
        effect.at = effect.at.max(floor.min(effect.latest));
        true
    }

    fn link(&mut self, cause: usize, effect: usize) {
        if self.order(cause, effect) {
            self.cause[effect] = Some(cause);
        }
    }

    /// The most likely of the candidates for the cause of `effect`. Of several within the uncertainty of its time
    /// the earliest, which may have had this effect among others.
    fn likely(&self, effect: usize, candidates: impl Iterator<Item = usize>) -> Option<usize> {
        let it = &self.all[effect];
        let (mut recent, mut near, mut after, mut old) = (None, None, None, None);
        for candidate in candidates.filter(|candidate| *candidate != effect) {
            let cause = &self.all[candidate];
            let behind = it.at.duration_since(cause.at);
            let earliest = |slot: &Option<usize>| slot.is_none_or(|index: usize| cause.at < self.all[index].at);
            let newest = |slot: &Option<usize>| slot.is_none_or(|index: usize| cause.at >= self.all[index].at);
            if cause.at <= it.at && behind <= SignedDuration::try_from(RECENT).unwrap_or_default() {
                if newest(&recent) {
                    recent = Some(candidate);
                }
            } else if cause.at <= it.at {
                if behind <= SignedDuration::try_from(OLD).unwrap_or_default() && newest(&old) {
                    old = Some(candidate);
                }
            } else if cause.at <= it.latest {
                if earliest(&near) {
                    near = Some(candidate);
                }
            } else if cause.at.duration_since(it.latest) <= cause.late && earliest(&after) {
                after = Some(candidate);
            }
        }
        recent.or(near).or(after).or(old)
    }

    /// What happened to one pod, in the order of a pod's life.
    fn link_lives(&mut self) {
        let mut lives: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, happening) in self.all.iter().enumerate() {
            if let Some(pod) = happening.role.pod() {
                lives.entry(pod.to_owned()).or_default().push(index);
            }
        }
        for life in lives.into_values() {
            for &effect in &life {
                let earlier = |rank: &dyn Fn(&Role) -> Option<u8>, below: u8| {
                    let ranks = life.iter().filter_map(|index| Some((rank(&self.all[*index].role)?, *index)));
                    let best = ranks.filter(|(rank, _)| *rank < below).max_by_key(|(rank, _)| *rank)?.0;
                    let of_best = life.iter().copied().filter(|index| rank(&self.all[*index].role) == Some(best));
                    self.likely(effect, of_best)
                };
                let cause = match &self.all[effect].role {
                    Role::Life { rank: KILLING, .. } => earlier(&ending, 2),
                    Role::Life { rank, .. } => earlier(&beginning, *rank),
                    Role::Seen { ending: false, running, .. } => {
                        earlier(&beginning, if *running { KILLING } else { 1 })
                    }
                    Role::Worked { .. } => earlier(&beginning, KILLING),
                    _ => None,
                };
                match (cause, &self.all[effect].role) {
                    // A pod works for long after it was started: that it came after says enough.
                    (Some(cause), Role::Worked { .. }) => drop(self.order(cause, effect)),
                    (Some(cause), _) => self.link(cause, effect),
                    (None, _) => {}
                }
            }
        }
    }

    /// From decisions and the HPA to the Deployment and its ReplicaSets. What was seen exactly goes first: it says how late
    /// its causes are stamped.
    fn link_scalings(&mut self) {
        let changes = self.having(|role| matches!(role, Role::Change { .. }));
        for &effect in &changes {
            self.link_same_size(effect, |role| matches!(role, Role::Decision { .. }));
        }
        self.settle();
        self.link_announcements();
        self.settle();
        for effect in changes.into_iter().filter(|change| self.cause[*change].is_none()).collect::<Vec<_>>() {
            let linked = self.link_same_size(effect, |role| matches!(role, Role::Rescale { .. }));
            let _ = linked || self.link_same_size(effect, |role| matches!(role, Role::Wanted { .. }));
        }
        self.settle();
        let sets = self.having(|role| matches!(role, Role::ReplicaSet { .. }));
        for &effect in &sets {
            let linked = self.link_same_size(effect, |role| matches!(role, Role::Change { .. }));
            let _ = linked
                || self.link_same_size(effect, |role| matches!(role, Role::Decision { .. } | Role::Rescale { .. }));
        }
        self.link_steps(&sets);
        self.settle();
    }

    /// What the operator and the HPA say of their own decisions.
    fn link_announcements(&mut self) {
        for effect in self.having(|role| matches!(role, Role::Activation { .. })) {
            let Role::Activation { up } = self.all[effect].role else { continue };
            self.link_one(effect, |links, index| {
                let fits =
                    |from: Option<i64>, to: i64| if up { to > 0 && from.is_none_or(|from| from == 0) } else { to == 0 };
                matches!(links.all[index].role, Role::Decision { .. })
                    && links.all[index].change().is_some_and(|(from, to)| fits(from, to))
            });
        }
        for effect in self.having(|role| matches!(role, Role::Rescale { .. })) {
            let Some((_, size)) = self.all[effect].change() else { continue };
            let wants = self.having(|role| matches!(role, Role::Decision { wanted, .. } if *wanted == Some(size)));
            if let Some(cause) = self.likely(effect, wants.into_iter()) {
                self.link(cause, effect);
            }
        }
        for effect in self.having(|role| matches!(role, Role::Wanted { .. })) {
            self.link_same_size(effect, |role| matches!(role, Role::Rescale { .. }));
        }
    }

    /// Links to the likeliest that fits and has no effect of the same kind yet.
    fn link_one(&mut self, effect: usize, fits: impl Fn(&Self, usize) -> bool) -> bool {
        let kind = std::mem::discriminant(&self.all[effect].role);
        let taken = |cause: usize| {
            let mut effects = (0..self.all.len()).filter(|index| self.cause[*index] == Some(cause));
            effects.any(|index| std::mem::discriminant(&self.all[index].role) == kind)
        };
        let candidates: Vec<usize> = (0..self.all.len()).filter(|index| fits(self, *index) && !taken(*index)).collect();
        let cause = self.likely(effect, candidates.into_iter());
        if let Some(cause) = cause {
            self.link(cause, effect);
        }
        cause.is_some()
    }

    /// Links to a change to the same number, and from the same where both say it.
    fn link_same_size(&mut self, effect: usize, kind: impl Fn(&Role) -> bool) -> bool {
        let Some((from, to)) = self.all[effect].change() else { return false };
        self.link_one(effect, |links, index| {
            let same = |one: Option<i64>| one.zip(from).is_none_or(|(one, other)| one == other);
            kind(&links.all[index].role)
                && links.all[index].change().is_some_and(|(before, after)| after == to && same(before))
        })
    }

    /// A scaling from a number comes after the one to that number, and so does the HPA's word for it.
    fn link_steps(&mut self, sets: &[usize]) {
        for &effect in sets {
            let Role::ReplicaSet { set, from: Some(from), .. } = self.all[effect].role.clone() else { continue };
            let before: Vec<usize> = sets
                .iter()
                .copied()
                .filter(|index| matches!(&self.all[*index].role, Role::ReplicaSet { set: other, to, .. } if *other == set && *to == from))
                .filter(|index| self.all[*index].at <= self.all[effect].latest)
                .collect();
            let Some(previous) = self.likely(effect, before.into_iter()) else { continue };
            let mut first = effect;
            while let Some(cause) =
                self.cause[first].filter(|cause| !matches!(self.all[*cause].role, Role::Decision { .. }))
            {
                first = cause;
            }
            if self.all[previous].at <= self.all[first].latest {
                self.order(previous, first);
            }
            self.order(previous, effect);
        }
    }

    /// From scalings to the pods that they made (or, with `ends`, took away): each as many as its numbers say.
    fn link_pods(&mut self, ends: bool) {
        let mut heads: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, happening) in self.all.iter().enumerate() {
            let Some(pod) = happening.role.pod().filter(|_| happening.role.is_end() == ends) else { continue };
            let head = heads.entry(pod).or_insert(index);
            let by_set = matches!(happening.role, Role::Created { .. } | Role::Deleted { .. });
            let head_by_set = matches!(self.all[*head].role, Role::Created { .. } | Role::Deleted { .. });
            if !head_by_set && (by_set || happening.at < self.all[*head].at) {
                *head = index;
            }
        }
        let mut heads: Vec<usize> = heads.into_values().filter(|head| self.cause[*head].is_none()).collect();
        // Whatever is known to have been over first chooses first.
        heads.sort_by_key(|head| (self.all[*head].latest, self.all[*head].at, *head));
        let mut room = self.scalings(ends);
        for head in heads {
            let set = match &self.all[head].role {
                Role::Created { set, .. } | Role::Deleted { set, .. } => Some(set.clone()),
                _ => None,
            };
            let free = room.iter().filter(|(index, left)| {
                let other = match &self.all[**index].role {
                    Role::ReplicaSet { set, .. } => Some(set.clone()),
                    _ => None,
                };
                **left > 0 && other.zip(set.clone()).is_none_or(|(one, other)| one == other)
            });
            let free: Vec<usize> = free.map(|(index, _)| *index).collect();
            if let Some(cause) = self.earliest_likely(head, &free) {
                self.link(cause, head);
                room.entry(cause).and_modify(|left| *left -= 1);
            }
        }
        self.link_ends(ends);
    }

    /// A pod that is deleted is reported several times, each with the same cause.
    fn link_ends(&mut self, ends: bool) {
        if !ends {
            return;
        }
        for effect in self.having(|role| matches!(role, Role::Seen { ending: true, .. })) {
            let Some(pod) = self.all[effect].role.pod() else { continue };
            let same = |index: &usize| self.all[*index].role.pod() == Some(pod) && self.all[*index].role.is_end();
            let cause = (0..self.all.len()).filter(same).find_map(|index| match self.all[index].role {
                Role::Deleted { .. } | Role::Seen { .. } => self.cause[index],
                _ => None,
            });
            if let Some(cause) = cause.filter(|_| self.cause[effect].is_none()) {
                self.link(cause, effect);
            }
        }
    }

    /// As [`Self::likely`], but of several recent ones the earliest: each takes only as many as it made.
    fn earliest_likely(&self, effect: usize, candidates: &[usize]) -> Option<usize> {
        let it = &self.all[effect];
        let recent = SignedDuration::try_from(RECENT).unwrap_or_default();
        let possible = candidates.iter().copied().filter(|index| {
            let at = self.all[*index].at;
            at <= it.latest && it.at.duration_since(at) <= recent
        });
        possible.min_by_key(|index| self.all[*index].at).or_else(|| self.likely(effect, candidates.iter().copied()))
    }

    /// What made pods, or took them away, each with how many; of a chain only its last link.
    fn scalings(&self, down: bool) -> BTreeMap<usize, i64> {
        let chain = |role: &Role| matches!(role, Role::Change { .. } | Role::ReplicaSet { .. } | Role::Rescale { .. });
        let has_effect = |index: usize| {
            (0..self.all.len()).any(|other| self.cause[other] == Some(index) && chain(&self.all[other].role))
        };
        let counted = (0..self.all.len()).filter_map(|index| {
            let is_wanted = matches!(self.all[index].role, Role::Wanted { .. });
            let (from, to) = self.all[index].change().filter(|_| !is_wanted)?;
            let known = from.or_else(|| self.cause[index].and_then(|cause| self.all[cause].change()?.0));
            let count = match known {
                Some(from) if down => from - to,
                Some(from) => to - from,
                // An old API server's words: as many as there may be.
                None => i64::MAX,
            };
            (count > 0 && !has_effect(index)).then_some((index, count))
        });
        counted.collect()
    }

    /// Causes before their effects; what could not be ordered is not there, since [`Self::order`] refuses circles.
    fn topological(&self) -> (Vec<usize>, Vec<usize>) {
        let mut after = vec![Vec::new(); self.all.len()];
        let mut open: Vec<usize> = self.before.iter().map(Vec::len).collect();
        for (then, firsts) in self.before.iter().enumerate() {
            for first in firsts {
                after[*first].push(then);
            }
        }
        let mut order: Vec<usize> = (0..self.all.len()).filter(|index| open[*index] == 0).collect();
        let (mut depth, mut next) = (vec![0; self.all.len()], 0);
        while let Some(&index) = order.get(next) {
            next += 1;
            for &then in &after[index] {
                depth[then] = depth[then].max(depth[index] + 1);
                open[then] -= 1;
                if open[then] == 0 {
                    order.push(then);
                }
            }
        }
        (order, depth)
    }

    /// Moves times to where the links leave them: no cause later than the earliest of its effects, no effect before a cause.
    fn settle(&mut self) {
        let (order, _) = self.topological();
        for &index in order.iter().rev() {
            let latest = self.all[index].latest;
            for &first in &self.before[index] {
                self.all[first].latest = self.all[first].latest.min(latest);
            }
        }
        for &index in &order {
            let floor = self.before[index].iter().map(|first| self.all[*first].at).max();
            let it = &mut self.all[index];
            it.at = it.own.min(it.latest).max(floor.unwrap_or(Timestamp::MIN));
        }
    }

    fn in_order(self) -> Vec<(Happening, Option<usize>)> {
        let (_, depth) = self.topological();
        let mut order: Vec<usize> = (0..self.all.len()).collect();
        order.sort_by_key(|index| (self.all[*index].at, depth[*index], *index));
        let mut position = vec![0; order.len()];
        for (rank, index) in order.iter().enumerate() {
            position[*index] = rank;
        }
        order
            .into_iter()
            .map(|index| (self.all[index].clone(), self.cause[index].map(|cause| position[cause])))
            .collect()
    }
}

/// The rank of what begins a pod's life, for what follows from it.
fn beginning(role: &Role) -> Option<u8> {
    match role {
        Role::Created { .. } => Some(0),
        Role::Life { rank, .. } if *rank != KILLING => Some(*rank),
        _ => None,
    }
}

/// The same of its end.
fn ending(role: &Role) -> Option<u8> {
    match role {
        Role::Deleted { .. } => Some(0),
        _ => None,
    }
}
