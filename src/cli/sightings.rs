//! What an audit saw of the stack, held against what the stack declares and the state records. Pure.
//!
//! An audit knows nothing of declarations, so the same thing may be in both under two addresses: taken for two, it would be removed
//! twice, the second time without the order that its declaration asks for. And it is a look of its own: what it saw is there,
//! although one read of it has failed, or one server of the service did not know it yet.

use std::collections::BTreeMap;

use aws::audit::Found;
use provision::{Address, Attributes, Graph, Node, Reading, Refreshed, State};
use serde_json::Value;

/// The addresses in the graph of what an audit saw, by kind and id.
pub(crate) type Known = BTreeMap<(String, String), Address>;

/// Which of what was found is in the graph already: by the id that was read or is recorded, whatever the last read of it said; where
/// there is neither, by its name.
pub(crate) fn known(graph: &Graph, state: &State, refreshed: &Refreshed, found: &[Found]) -> Known {
    let id = |address: &Address| {
        let recorded = || state.resources.get(address)?.object.as_ref();
        refreshed.object(address).or_else(recorded).map(|object| object.id.clone())
    };
    let by_id = |address: &Address| Some(((address.kind().to_owned(), id(address)?), address.clone()));
    let mut known: Known = graph.order().iter().filter_map(by_id).collect();
    let meant = |text: &str| referred(graph, refreshed, text).unwrap_or_else(|| text.to_owned());
    let nameless: Vec<&Address> = graph.order().iter().filter(|address| id(address).is_none()).collect();
    for one in found {
        let key = key(one);
        let is_it = |address: &&&Address| {
            address.kind() == one.address.kind()
                && graph.get(address).is_some_and(|node| is_called(node, &one.object.attributes, &meant))
        };
        if let (false, Some(address)) = (known.contains_key(&key), nameless.iter().find(is_it)) {
            known.insert(key, (*address).clone());
        }
    }
    known
}

/// Takes what an audit saw for there where no read has seen it.
pub(crate) fn fill(known: &Known, graph: &Graph, refreshed: &mut Refreshed, found: &[Found]) {
    for one in found.iter().filter(|one| one.tagged) {
        let address = known.get(&key(one)).unwrap_or(&one.address);
        let is_seen = matches!(refreshed.readings.get(address), Some(Reading::Present(_) | Reading::Foreign(_)));
        if !is_seen && graph.get(address).is_some() {
            refreshed.failures.remove(address);
            refreshed.readings.insert(address.clone(), Reading::Present(one.object.clone()));
        }
    }
}

fn key(found: &Found) -> (String, String) {
    (found.address.kind().to_owned(), found.object.id.clone())
}

/// Whether what is declared is what was found, by all of the attributes that name a thing of AWS; `meant` is what a declared text
/// stands for.
fn is_called(declared: &Node, found: &Attributes, meant: &dyn Fn(&str) -> String) -> bool {
    const NAMING: [&str; 5] = ["name", "cluster_name", "addon_name", "principal_arn", "url"];
    let desired = declared.desired();
    let mut named = NAMING.iter().filter_map(|name| Some((name, desired.get(*name)?.as_str()?))).peekable();
    named.peek().is_some()
        && named.all(|(name, wanted)| {
            let there = found.get(*name).and_then(Value::as_str).unwrap_or_default();
            // IAM shows an issuer without its scheme.
            there.trim_start_matches("https://") == meant(wanted).trim_start_matches("https://")
        })
}

/// The value of a reference, as far as it is declared or was read.
fn referred(graph: &Graph, refreshed: &Refreshed, text: &str) -> Option<String> {
    let (address, attribute) = text.strip_prefix("${")?.strip_suffix('}')?.rsplit_once('.')?;
    let address = address.parse().ok()?;
    let value = graph.get(&address)?.desired().get(attribute);
    let value = value.or_else(|| refreshed.object(&address)?.attributes.get(attribute));
    value?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests;
