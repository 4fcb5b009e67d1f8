//! The resources of a stack and what must exist before what. Pure.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use crate::address::Address;
use crate::reference::references;
use crate::resource::Node;
use crate::state::{Entry, State};

/// The resources cannot be ordered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two resources have one address.
    #[error("{0} is declared twice; give one of them another name")]
    Duplicate(Address),
    /// A dependency or reference points at nothing.
    #[error("{from} refers to {to}, which is not declared")]
    Unknown {
        /// Who refers.
        from: Address,
        /// To what.
        to: Address,
    },
    /// A reference names an attribute that the resource does not have.
    #[error("{from} refers to {to}.{attribute}, but {to} has no attribute of that name")]
    UnknownAttribute {
        /// Who refers.
        from: Address,
        /// To whom.
        to: Address,
        /// To what of it.
        attribute: String,
    },
    /// Resources wait for each other; the first is repeated at the end.
    #[error("resources depend on each other: {}", list(.0))]
    Cycle(Vec<Address>),
}

fn list(addresses: &[Address]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" -> ")
}

/// Resources with their dependencies; the order of declaration decides between equals.
#[derive(Clone)]
pub struct Graph {
    nodes: IndexMap<Address, Node>,
    dependencies: BTreeMap<Address, BTreeSet<Address>>,
    orphans: BTreeSet<Address>,
    order: Vec<Address>,
}

impl Graph {
    /// The graph of `nodes`: edges are references, `depends_on` and `lives_in`.
    ///
    /// # Errors
    ///
    /// [`GraphError::Duplicate`] if two nodes have one address. [`GraphError::Unknown`] if one needs or refers to an
    /// address that no node has. [`GraphError::UnknownAttribute`] if a reference names an attribute that its resource
    /// does not have. [`GraphError::Cycle`] if resources depend on each other.
    pub fn new(nodes: impl IntoIterator<Item = Node>) -> Result<Self, GraphError> {
        let mut by_address: IndexMap<Address, Node> = IndexMap::new();
        for node in nodes {
            let address = node.address().clone();
            if by_address.insert(address.clone(), node).is_some() {
                return Err(GraphError::Duplicate(address));
            }
        }
        let mut dependencies = BTreeMap::new();
        for (from, node) in &by_address {
            let mut needs: BTreeSet<Address> = node.depends_on().into_iter().chain(node.lives_in()).collect();
            for reference in references(node.desired()) {
                let to = reference.address;
                let Some(target) = by_address.get(&to) else {
                    return Err(GraphError::Unknown { from: from.clone(), to });
                };
                let attribute = reference.attribute;
                let known = attribute == "id"
                    || target.desired().contains_key(&attribute)
                    || target.schema().computed.contains(&attribute.as_str());
                if !known {
                    return Err(GraphError::UnknownAttribute { from: from.clone(), to, attribute });
                }
                needs.insert(to);
            }
            if let Some(to) = needs.iter().find(|to| !by_address.contains_key(*to)) {
                return Err(GraphError::Unknown { from: from.clone(), to: to.clone() });
            }
            dependencies.insert(from.clone(), needs);
        }
        let order = order(by_address.keys(), &dependencies)?;
        Ok(Self { nodes: by_address, dependencies, orphans: BTreeSet::new(), order })
    }

    /// Adds what `state` records and nobody declares any more, rebuilt from its record by `rebuild`, so that a plan can
    /// remove it. Gives the addresses that `rebuild` did not know.
    ///
    /// # Errors
    ///
    /// [`GraphError::Cycle`] if the additions make resources depend on each other.
    pub fn add_orphans(
        &mut self,
        state: &State,
        rebuild: &dyn Fn(&Address, &Entry) -> Option<Node>,
    ) -> Result<Vec<Address>, GraphError> {
        let (mut nodes, mut unknown) = (Vec::new(), Vec::new());
        for (address, entry) in &state.resources {
            if self.nodes.contains_key(address) {
                continue;
            }
            match rebuild(address, entry) {
                Some(node) => nodes.push((node, entry.depends_on.clone())),
                None => unknown.push(address.clone()),
            }
        }
        self.extend(nodes)?;
        Ok(unknown)
    }

    /// Adds things found in what exists that nobody declares, so that a plan can remove them. Known addresses are skipped;
    /// dependencies on what is not in the graph are dropped.
    ///
    /// # Errors
    ///
    /// [`GraphError::Cycle`] if the additions make resources depend on each other.
    pub fn add_found(&mut self, nodes: impl IntoIterator<Item = Node>) -> Result<(), GraphError> {
        self.extend(nodes.into_iter().map(|node| (node, Vec::new())).collect())
    }

    fn extend(&mut self, nodes: Vec<(Node, Vec<Address>)>) -> Result<(), GraphError> {
        let mut added = Vec::new();
        for (node, recorded) in nodes {
            let address = node.address().clone();
            if self.nodes.contains_key(&address) {
                continue;
            }
            let needs: BTreeSet<_> = recorded.into_iter().chain(node.depends_on()).chain(node.lives_in()).collect();
            self.nodes.insert(address.clone(), node);
            self.orphans.insert(address.clone());
            added.push((address, needs));
        }
        for (address, mut needs) in added {
            needs.retain(|to| self.nodes.contains_key(to));
            self.dependencies.insert(address, needs);
        }
        self.order = order(self.nodes.keys(), &self.dependencies)?;
        Ok(())
    }

    /// Every address, dependencies before dependants.
    pub fn order(&self) -> &[Address] {
        &self.order
    }

    /// The resource at `address`.
    pub fn get(&self, address: &Address) -> Option<&Node> {
        self.nodes.get(address)
    }

    /// The resources in dependency order.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.order.iter().filter_map(|address| self.nodes.get(address))
    }

    /// What must exist before `address`.
    pub fn dependencies(&self, address: &Address) -> &BTreeSet<Address> {
        static NONE: BTreeSet<Address> = BTreeSet::new();
        self.dependencies.get(address).unwrap_or(&NONE)
    }

    /// Whether nobody declares it: it is here to be removed.
    pub fn is_orphan(&self, address: &Address) -> bool {
        self.orphans.contains(address)
    }

    /// Every edge, from dependant to dependency.
    pub fn edges(&self) -> impl Iterator<Item = (&Address, &Address)> {
        self.dependencies.iter().flat_map(|(from, needs)| needs.iter().map(move |to| (from, to)))
    }
}

impl std::fmt::Debug for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Graph")
            .field("dependencies", &self.dependencies)
            .field("orphans", &self.orphans)
            .finish_non_exhaustive()
    }
}

/// `addresses` with dependencies first.
fn order<'a>(
    addresses: impl Iterator<Item = &'a Address>,
    dependencies: &BTreeMap<Address, BTreeSet<Address>>,
) -> Result<Vec<Address>, GraphError> {
    let mut walk = Walk { dependencies, path: Vec::new(), done: BTreeSet::new(), order: Vec::new() };
    for address in addresses {
        walk.visit(address)?;
    }
    Ok(walk.order)
}

struct Walk<'a> {
    dependencies: &'a BTreeMap<Address, BTreeSet<Address>>,
    path: Vec<Address>,
    done: BTreeSet<Address>,
    order: Vec<Address>,
}

impl Walk<'_> {
    fn visit(&mut self, address: &Address) -> Result<(), GraphError> {
        if self.done.contains(address) {
            return Ok(());
        }
        if let Some(start) = self.path.iter().position(|on| on == address) {
            let mut cycle = self.path[start..].to_vec();
            cycle.push(address.clone());
            return Err(GraphError::Cycle(cycle));
        }
        self.path.push(address.clone());
        for dependency in self.dependencies.get(address).into_iter().flatten() {
            self.visit(dependency)?;
        }
        self.path.pop();
        self.done.insert(address.clone());
        self.order.push(address.clone());
        Ok(())
    }
}
