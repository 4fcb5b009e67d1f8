//! Rollouts decided on plain objects.

use std::time::Duration;

use clock::Clock;
use serde_json::{Value, json};

use super::rollout::{self, Plan, Sets, wanted};
use super::{revision, status};
use crate::object::{condition, text, uid};

fn deployment(replicas: i64, surge: &Value, unavailable: &Value) -> Value {
    json!({
        "metadata": {"name": "web", "namespace": "x", "uid": "d", "generation": 1},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c"}]}},
            "strategy": {"type": "RollingUpdate",
                         "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}},
        },
    })
}

fn set(uid: &str, size: i64, available: i64, created: &str) -> Value {
    json!({
        "metadata": {"name": uid, "uid": uid, "creationTimestamp": created},
        "spec": {"replicas": size},
        "status": {"replicas": size, "availableReplicas": available, "readyReplicas": available},
    })
}

fn sets(newest: Value, old: Vec<Value>) -> Sets {
    Sets { newest: Some(newest), old }
}

fn plan(entries: &[(&str, i64)]) -> Plan {
    entries.iter().map(|(uid, size)| ((*uid).to_owned(), *size)).collect()
}

#[test]
fn surge_rounds_up_and_unavailable_rounds_down() {
    let at = |replicas, surge: Value, unavailable: Value| {
        let deployment = deployment(replicas, &surge, &unavailable);
        (rollout::surge(&deployment), rollout::max_unavailable(&deployment))
    };
    assert_eq!(at(3, json!("25%"), json!("25%")), (1, 0));
    assert_eq!(at(10, json!("25%"), json!("25%")), (3, 2));
    assert_eq!(at(3, json!(0), json!(0)), (0, 1));
    assert_eq!(at(1, json!(0), json!(5)), (0, 1));
}

#[test]
fn a_new_set_grows_within_surge_and_old_ones_shrink_within_availability() {
    let deployment = deployment(3, &json!(1), &json!(0));
    let grow = sets(set("new", 0, 0, "2"), vec![set("old", 3, 3, "1")]);
    assert_eq!(rollout::rolling_update(&deployment, &grow), plan(&[("new", 1)]));
    let wait = sets(set("new", 1, 0, "2"), vec![set("old", 3, 3, "1")]);
    assert_eq!(rollout::rolling_update(&deployment, &wait), plan(&[]));
    let shrink = sets(set("new", 1, 1, "2"), vec![set("old", 3, 3, "1")]);
    assert_eq!(rollout::rolling_update(&deployment, &shrink), plan(&[("old", 2)]));
}

#[test]
fn unhealthy_old_pods_go_without_waiting_for_new_ones() {
    let deployment = deployment(4, &json!(0), &json!(1));
    let stuck = sets(set("new", 0, 0, "2"), vec![set("old", 4, 2, "1")]);
    assert_eq!(rollout::rolling_update(&deployment, &stuck), plan(&[("old", 3)]));
}

#[test]
fn a_rollout_played_to_its_end_never_breaks_its_bounds() {
    for (replicas, surge, unavailable) in [(5, 1, 0), (5, 0, 2), (10, 3, 2), (1, 1, 0), (7, 7, 7)] {
        let deployment = deployment(replicas, &json!(surge), &json!(unavailable));
        let mut state = sets(set("new", 0, 0, "2"), vec![set("old", replicas, replicas, "1")]);
        for _ in 0..50 {
            let next = rollout::rolling_update(&deployment, &state);
            for one in state.all_mut() {
                let size = next.get(uid(one)).copied().unwrap_or_else(|| wanted(one));
                *one = set(uid(one), size, size, "1");
            }
            let total: i64 = state.all().map(wanted).sum();
            assert!(total <= replicas + surge && total >= replicas - unavailable, "{total}");
        }
        assert_eq!(state.newest.as_ref().map(wanted), Some(replicas));
        assert_eq!(wanted(&state.old[0]), 0);
    }
}

#[test]
fn a_change_of_size_in_a_rollout_is_spread_in_proportion() {
    let deployment = deployment(15, &json!(3), &json!(2));
    let state = sets(set("new", 5, 0, "2"), vec![set("old", 8, 8, "1")]);
    assert_eq!(rollout::scale_in_proportion(&deployment, &state), plan(&[("new", 7), ("old", 11)]));
    let alone = sets(set("new", 5, 5, "2"), vec![set("old", 0, 0, "1")]);
    assert_eq!(rollout::scale_in_proportion(&deployment, &alone), plan(&[("new", 15)]));
}

#[test]
fn templates_are_recognised_by_content_and_named_by_hash() {
    let deployment = deployment(1, &json!(1), &json!(0));
    let made = revision::build_set(&deployment, 1, 4);
    assert!(revision::is_newest(&deployment, &made));
    assert_eq!(revision::number(&made), 4);
    let mut other = deployment.clone();
    other["spec"]["template"]["spec"]["containers"][0]["image"] = json!("x");
    assert!(!revision::is_newest(&other, &made));
    assert_ne!(revision::hash(&deployment["spec"]["template"], 0), revision::hash(&deployment["spec"]["template"], 1));
}

#[test]
fn progress_is_reported_with_the_reasons_of_kubernetes() {
    let (clock, handle) = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
    let mut deployment = deployment(2, &json!(1), &json!(0));
    let mut step = |state: &Sets| {
        let report = status::report(&deployment, state, None, &clock);
        deployment["status"] = report.status;
        let of = |kind: &str| condition(&deployment, kind).map(|one| text(one, "/reason").to_owned()).unwrap();
        (of("Available"), of("Progressing"))
    };
    let reasons = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let young = sets(set("new", 2, 0, "1"), vec![]);
    assert_eq!(step(&young), reasons("MinimumReplicasUnavailable", "NewReplicaSetCreated"));
    assert_eq!(step(&sets(set("new", 2, 1, "1"), vec![])).1, "ReplicaSetUpdated");
    handle.advance(Duration::from_secs(601));
    assert_eq!(step(&sets(set("new", 2, 1, "1"), vec![])).1, "ProgressDeadlineExceeded");
    let done = sets(set("new", 2, 2, "1"), vec![]);
    assert_eq!(step(&done), reasons("MinimumReplicasAvailable", "NewReplicaSetAvailable"));
    assert_eq!(step(&sets(set("new", 2, 1, "1"), vec![])).1, "NewReplicaSetAvailable");
}
