//! Faults of the local cloud: how AWS behaves while what was just made spreads, under load, and when it is slow.
//!
//! Entry points: [`Faults`], read from text such as `aws:7` or `roles-late,queues-late`, and [`Kind`], one fault each;
//! [`Incidents`], which begin while the cloud runs. Without
//! faults the local cloud is consistent at once, which is what its other users expect.
//!
//! Everything that a fault leaves open is drawn from the seed and from what it concerns, not from the order of calls: the same
//! seed gives a role of the same name the same delay in every run. Delays are times of the system, and so follow the time scale.
//!
//! This crate must not know sockets, AWS's protocols or Kubernetes: whoever has the thing asks how long it is hidden.

mod incident;
mod kind;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

pub use incident::{Incident, Incidents, Strike};
pub use kind::Kind;

/// The name of all faults that pass together.
pub const ALL: &str = "aws";

/// Which faults there are, and the seed of what they leave open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    chosen: BTreeSet<Kind>,
    seed: u64,
}

/// The text names no faults.
#[expect(clippy::error_impl_error, reason = "one error enum per crate, and it is called Error everywhere")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no fault of that name.
    #[error("there is no fault `{name}`; there are {ALL} (all that pass), {}", names())]
    Unknown {
        /// What was given.
        name: String,
    },
    /// What stands behind the colon is no number.
    #[error("`{seed}` is no seed: give a number from 0 to {}, as in `{ALL}:7`", u64::MAX)]
    Seed {
        /// What was given.
        seed: String,
    },
}

/// The faults that pass by themselves.
fn passing() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(|kind| !kind.stands())
}

fn names() -> String {
    Kind::ALL.map(Kind::name).join(", ")
}

impl FromStr for Faults {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (kinds, seed) = match text.split_once(':') {
            Some((kinds, seed)) => (kinds, seed.parse().map_err(|_| Error::Seed { seed: seed.to_owned() })?),
            None => (text, 0),
        };
        let mut chosen = BTreeSet::new();
        for name in kinds.split(',').map(str::trim) {
            match Kind::ALL.into_iter().find(|kind| kind.name() == name) {
                Some(kind) => drop(chosen.insert(kind)),
                None if name == ALL => chosen.extend(passing()),
                None => return Err(Error::Unknown { name: name.to_owned() }),
            }
        }
        Ok(Self { chosen, seed })
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = passing().all(|kind| self.has(kind));
        let single = self.chosen.iter().filter(|kind| !all || kind.stands()).map(|kind| kind.name());
        let words: Vec<&str> = all.then_some(ALL).into_iter().chain(single).collect();
        write!(f, "{}:{}", words.join(","), self.seed)
    }
}

impl Faults {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.chosen.is_empty()
    }

    /// Whether this is one of them.
    pub fn has(&self, kind: Kind) -> bool {
        self.chosen.contains(&kind)
    }

    /// How long the fault lasts for the thing called `of`, from 0 without the fault; between the kind's bounds otherwise.
    pub fn lasts(&self, kind: Kind, of: &str) -> Duration {
        self.lasts_within(kind, of, kind.lasts())
    }

    /// The same with bounds of the caller's.
    pub fn lasts_within(&self, kind: Kind, of: &str, bounds: RangeInclusive<u64>) -> Duration {
        if !self.has(kind) {
            return Duration::ZERO;
        }
        let (least, most) = bounds.into_inner();
        let spread = most.saturating_sub(least).saturating_mul(1000).saturating_add(1);
        Duration::from_millis(least * 1000 + self.draw(kind, of, 0) % spread)
    }

    /// Whether the fault strikes the `nth` time that it could for the thing called `of`; once in `of_times` on average.
    pub fn strikes(&self, kind: Kind, of: &str, nth: u64, of_times: u64) -> bool {
        self.has(kind) && self.draw(kind, of, nth).is_multiple_of(of_times.max(1))
    }

    /// One of several, for the thing called `of`.
    pub fn one_of<'a, T>(&self, kind: Kind, of: &str, choices: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(choices.len()).ok().filter(|count| *count > 0)?;
        choices.get(usize::try_from(self.draw(kind, of, 1) % count).ok()?)
    }

    /// FNV-1a of seed, kind, thing and number, mixed once more so that near inputs give far numbers.
    fn draw(&self, kind: Kind, of: &str, nth: u64) -> u64 {
        let bytes =
            self.seed.to_le_bytes().into_iter().chain(kind.name().bytes()).chain(of.bytes()).chain(nth.to_le_bytes());
        let mut mixed =
            bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        mixed ^= mixed >> 33;
        mixed = mixed.wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ (mixed >> 33)
    }
}
