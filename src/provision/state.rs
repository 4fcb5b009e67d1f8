//! What the engine remembers between runs. Plain values; [`store`](crate::store) writes them.
//!
//! What exists is always read again: the state only says what to look for, what was being made when a run was killed,
//! and in which order to remove what nobody declares any more. Without it, everything is found by name and tag.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::address::Address;
use crate::resource::{Attributes, Object, Schema};

/// The format written by this build.
pub const VERSION: u32 = 1;

/// The contents of a state file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The format, [`VERSION`].
    pub version: u32,
    /// Counts every write.
    pub serial: u64,
    /// Made once, when the file is first written.
    pub lineage: String,
    /// The run that wrote last.
    pub run: String,
    /// When it was last written.
    pub updated_at: Timestamp,
    /// Where the resources are: values by name, such as the account and the region.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[serde(rename = "place")]
    pub location: BTreeMap<String, String>,
    /// What is known to exist or was about to.
    pub resources: BTreeMap<Address, Entry>,
}

/// The record of one resource.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Entry {
    /// The object as last seen, without sensitive attributes; absent if it was only about to be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Object>,
    /// The step that had begun and not ended: the run was killed in it, or it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Action>,
    /// What it was to become, without sensitive attributes, while there is no object yet: enough to find it again if
    /// nobody declares it any more.
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub wanted: Attributes,
    /// What it needed when it was made.
    #[serde(default)]
    pub depends_on: Vec<Address>,
}

/// A run would look for the resources where they are not, and take each for gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what the state records is in {key} {recorded}, and this run would look in {wanted}")]
pub struct Elsewhere {
    /// The fact that differs.
    pub key: &'static str,
    /// What it was when the resources were made.
    pub recorded: String,
    /// What it is now.
    pub wanted: String,
}

impl State {
    /// Takes `location` for where the resources are.
    ///
    /// # Errors
    ///
    /// [`Elsewhere`] if resources are recorded already and one of the `identifying` facts of their location differs.
    pub fn settle(
        &mut self,
        location: BTreeMap<String, String>,
        identifying: &[&'static str],
    ) -> Result<(), Elsewhere> {
        let shown = |key: Option<&String>| key.map_or_else(|| "none".to_owned(), Clone::clone);
        // A state of an earlier build has no location.
        let is_bound = !self.resources.is_empty() && !self.location.is_empty();
        for key in identifying.iter().copied().filter(|_| is_bound) {
            let (recorded, wanted) = (self.location.get(key), location.get(key));
            if recorded != wanted {
                return Err(Elsewhere { key, recorded: shown(recorded), wanted: shown(wanted) });
            }
        }
        self.location = location;
        Ok(())
    }

    /// A state that knows nothing.
    pub fn new(lineage: impl Into<String>, run: impl Into<String>, now: Timestamp) -> Self {
        Self {
            version: VERSION,
            serial: 0,
            lineage: lineage.into(),
            run: run.into(),
            updated_at: now,
            location: BTreeMap::new(),
            resources: BTreeMap::new(),
        }
    }

    /// Records that `action` is about to begin.
    pub fn begin(&mut self, address: &Address, action: Action, depends_on: Vec<Address>) {
        let entry = self.resources.entry(address.clone()).or_default();
        entry.pending = Some(action);
        entry.depends_on = depends_on;
    }

    /// Records what the object is about to become, without what `schema` calls sensitive.
    pub fn intend(&mut self, address: &Address, mut wanted: Attributes, schema: Schema) {
        wanted.retain(|name, _| !schema.sensitive.contains(&name.as_str()));
        self.resources.entry(address.clone()).or_default().wanted = wanted;
    }

    /// Records that the object exists, without what `schema` calls sensitive.
    pub fn record(&mut self, address: &Address, object: &Object, schema: Schema, depends_on: Vec<Address>) {
        let mut object = object.clone();
        object.attributes.retain(|name, _| !schema.sensitive.contains(&name.as_str()));
        self.resources.insert(
            address.clone(),
            Entry { object: Some(object), pending: None, wanted: Attributes::new(), depends_on },
        );
    }

    /// Records that the object is gone.
    pub fn forget(&mut self, address: &Address) {
        self.resources.remove(address);
    }
}
