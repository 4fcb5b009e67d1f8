//! What a pod as a whole asks for: its containers together, or the largest init container.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::quantity::Quantity;

/// Amounts by the names of resources.
pub(crate) type Amounts = BTreeMap<String, Quantity>;

/// A map of quantities.
pub(crate) fn amounts(list: &Value) -> Amounts {
    let pairs = list.as_object().into_iter().flatten();
    pairs.filter_map(|(name, value)| Some((name.clone(), Quantity::of(value)?))).collect()
}

fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        let held = sum.entry(name.clone()).or_default();
        *held = held.plus(*amount);
    }
}

fn at_least(sum: &mut Amounts, least: &Amounts) {
    for (name, amount) in least {
        let held = sum.entry(name.clone()).or_default();
        *held = held.or_more(*amount);
    }
}

/// `requests` or `limits` of a pod. Sidecars run beside everything that starts after them.
pub(crate) fn of_pod(spec: &Value, field: &str) -> Amounts {
    let each = |kind: &str| spec[kind].as_array().cloned().unwrap_or_default();
    let mut sum = Amounts::new();
    for container in each("containers") {
        add(&mut sum, &amounts(&container["resources"][field]));
    }
    let (mut sidecars, mut largest) = (Amounts::new(), Amounts::new());
    for container in each("initContainers") {
        let own = amounts(&container["resources"][field]);
        if container["restartPolicy"] == "Always" {
            add(&mut sum, &own);
            add(&mut sidecars, &own);
            at_least(&mut largest, &sidecars);
        } else {
            let mut beside = sidecars.clone();
            add(&mut beside, &own);
            at_least(&mut largest, &beside);
        }
    }
    at_least(&mut sum, &largest);
    for (name, amount) in amounts(&spec["resources"][field]) {
        sum.insert(name, amount);
    }
    for (name, amount) in amounts(&spec["overhead"]) {
        if let Some(held) = sum.get_mut(&name) {
            *held = held.plus(amount);
        } else if field == "requests" {
            sum.insert(name, amount);
        }
    }
    sum
}
