//! How long changes are kept for pages of a list and for watches that go on: as long as a real server keeps them, unless
//! they take too much memory.
//!
//! A real server compacts what is older than five minutes (`--etcd-compaction-interval`,
//! <https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/>), whatever happened meanwhile.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use clock::{Clock, Moment};
use serde_json::Value;

/// Real time for which a change is kept.
pub(super) const KEPT_FOR: Duration = Duration::from_mins(5);
/// What all kept changes may take together, by [`size`]; beyond it the oldest go before their time.
pub(super) const BYTES_MAX: usize = 128 << 20;

/// The kept changes of all collections, oldest first.
#[derive(Debug, Default)]
pub(super) struct Window {
    kept: VecDeque<Kept>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    collection: Arc<str>,
    since: Moment,
    bytes: usize,
}

impl Window {
    /// Takes in a change that was made just now, to this state of an object.
    pub(super) fn admit(&mut self, collection: &str, state: Option<&Value>, clock: &Clock) {
        let bytes = state.map_or(0, size);
        self.bytes += bytes;
        self.kept.push_back(Kept { collection: collection.into(), since: clock.moment(), bytes });
    }

    /// The collection whose oldest change is to be forgotten, if one is. The newest change of all is always kept.
    pub(super) fn expired(&mut self, clock: &Clock) -> Option<Arc<str>> {
        if self.kept.len() < 2 {
            return None;
        }
        let is_old = |kept: &mut Kept| clock.to_real(clock.elapsed(kept.since)) > KEPT_FOR;
        let is_too_much = self.bytes > BYTES_MAX;
        let gone = self.kept.pop_front_if(|kept| is_too_much || is_old(kept))?;
        self.bytes -= gone.bytes;
        Some(gone.collection)
    }
}

/// About the bytes that a value takes in memory.
fn size(value: &Value) -> usize {
    /// A map's entry besides the text of its key: the key's own fields and its share of a tree's node.
    const ENTRY: usize = 48;
    let below = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(map) => map.iter().map(|(key, value)| ENTRY + key.len() + size(value)).sum(),
    };
    size_of::<Value>() + below
}
