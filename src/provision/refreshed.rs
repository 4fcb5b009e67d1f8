//! What exists, as a refresh found it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::address::Address;
use crate::reference::Reference;
use crate::resource::{Failure, Object, Reading};

/// What exists, as it was found. An address is in exactly one of the two maps.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Refreshed {
    /// What was learnt.
    pub readings: BTreeMap<Address, Reading>,
    /// What could not be read, and why.
    pub failures: BTreeMap<Address, Failure>,
    /// What is not the stack's and would go with a resource of the stack's, by that resource; for people, as
    /// [`Resource::identity`](crate::Resource::identity) has it.
    pub holds: BTreeMap<Address, Vec<String>>,
    /// Whether that is to go as well. Otherwise a resource that holds any is kept.
    pub sweeps: bool,
}

impl Refreshed {
    /// The object at `address`, if it was found.
    pub fn object(&self, address: &Address) -> Option<&Object> {
        match self.readings.get(address) {
            Some(Reading::Present(object)) => Some(object),
            _ => None,
        }
    }

    /// The value that a reference stands for, if what it names was found.
    pub(crate) fn lookup(&self, reference: &Reference) -> Option<Value> {
        value_of(self.object(&reference.address)?, &reference.attribute)
    }
}

pub(crate) fn value_of(object: &Object, attribute: &str) -> Option<Value> {
    if attribute == "id" { Some(object.id.clone().into()) } else { object.attributes.get(attribute).cloned() }
}
