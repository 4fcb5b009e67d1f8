//! What pods of the local node can do to the machine that they run on: nothing, whoever runs the product.
//!
//! A pod tries a list of things, as its root and as a user of its own. Each has to be refused to it; and, whatever it
//! was answered, the machine is looked at before and after.

mod attempts;
mod intruder;
mod machine;

use intruder::{Host, Outcome, intrude};

/// Somebody whom no file of the test belongs to unless it is given to him.
const NOBODY: u32 = 65534;

/// The outcome of all attempts behind these walls, unless they cannot be had here.
fn all_are_refused(walls: &str, user: Option<u32>) {
    let Some(Outcome { came_off, tried, status, .. }) = intrude(walls, user) else { return };
    println!("{walls}, user {user:?}: {} of {tried} refused", tried - came_off.len());
    assert!(came_off.is_empty(), "these came off: {came_off:#?}");
    assert!(tried >= 2 * 25, "{tried} attempts are too few");
    let name = if walls == "landlock" { "walled in by Landlock" } else { "walled in by namespaces" };
    assert!(status.contains(name), "{status}");
}

/// Whether another user can be had; only root can become one.
fn can_become_another() -> bool {
    let is_root = nix::unistd::Uid::effective().is_root();
    if !is_root {
        println!("left out: only root can become another user");
    }
    is_root
}

#[test]
fn a_pod_behind_namespaces_reaches_nothing_of_the_machine() {
    all_are_refused("namespaces", None);
}

#[test]
fn a_pod_of_a_user_behind_namespaces_reaches_nothing_of_the_machine() {
    if can_become_another() {
        all_are_refused("namespaces", Some(NOBODY));
    }
}

#[test]
fn a_pod_behind_landlock_reaches_nothing_of_the_machine() {
    all_are_refused("landlock", None);
}

#[test]
fn a_pod_of_a_user_behind_landlock_reaches_nothing_of_the_machine() {
    if can_become_another() {
        all_are_refused("landlock", Some(NOBODY));
    }
}

#[test]
fn without_walls_the_same_attempts_come_off_and_status_says_so() {
    // As somebody who can do little, where there is a choice: here they are really done.
    let user = nix::unistd::Uid::effective().is_root().then_some(NOBODY);
    let Some(Outcome { came_off, status, machine, .. }) = intrude("none", user) else { return };
    let expected = attempts::ALL.iter().filter(|one| one.is_harmless_without_walls() && one.can_be_tried());
    let refused: Vec<_> = expected.map(|one| one.what).filter(|what| !came_off.contains(&(*what).to_owned())).collect();
    assert!(refused.is_empty(), "these prove nothing, since nothing holds them back here: {refused:#?}");
    assert!(status.contains("NOT walled in") && status.contains("SLUICE_LOCAL_WALLS says so"), "{status}");
    assert_eq!(machine, Host::Changed, "the look at the machine sees no change");
}
