//! The tutorial's scenario, and what may die in the middle of it.

use crate::scenarios::account::Account;
use crate::scenarios::clients::WORKLOAD;
use crate::scenarios::stage::Stage;

/// How often workers are killed at most until one dies at its work.
const KILLINGS_MAX: usize = 6;

/// `sluice verify`: the scenario `tutorial`, evaluated by its own checks, and then by stock clients.
pub(crate) fn tutorial(stage: &Stage) {
    let verified = stage.verify(0);
    let report = stage.report();
    let verdicts = report["verdicts"].as_array().unwrap();
    assert_eq!(verdicts.len(), 16, "{verdicts:#?}");
    assert!(verdicts.iter().all(|verdict| verdict["outcome"] == "pass"), "{}", verified.stdout);
    stage.comes_to_rest();
    stage.proven.set(true);
    let saw = |name: &str| verdicts.iter().find(|verdict| verdict["name"] == name).unwrap()["saw"].to_string();
    stage.note(format!("{} checks passed; {}", verdicts.len(), saw("every-message-deleted-once").replace('"', "")));
}

/// Workers are deleted without grace while they work: their messages come back and are worked on by others.
pub(crate) fn workers_die(stage: &Stage) {
    let clients = stage.clients();
    let account = Account::open(stage);
    // A real kubelet grants even a pod that was deleted by force its time to stop, and the worker uses it to finish.
    let is_hard = !stage.suite.is_real_kubernetes();
    let (mut killed, mut again) = (Vec::new(), 0);
    // On a busy machine a worker may be through with its message before it is killed; then it is done once more.
    for _ in 0..KILLINGS_MAX {
        account.send(15);
        for _ in 0..2 {
            // A pod that has just finished a message is at work on the next one.
            let busy = stage.expect("another worker has finished a message", 600, || {
                let fresh = account.receipts().into_iter().map(|receipt| receipt.pod);
                let mut fresh = fresh.filter(|pod| !killed.contains(pod));
                let alive = clients.pods(WORKLOAD).ok()?;
                fresh.find(|pod| alive.iter().any(|it| it.metadata.name.as_ref() == Some(pod)))
            });
            clients.kill_pod(WORKLOAD.0, &busy).unwrap();
            killed.push(busy);
        }
        account.settles_after(killed.len());
        again = account.receipts().iter().filter(|receipt| receipt.receive_count > 1).count();
        if again > 0 || !is_hard {
            break;
        }
    }
    assert!(again > 0 || !is_hard, "no message was received twice, so no worker died while it worked");
    stage.note(format!("{} workers killed, {again} messages received again", killed.len()));
}

/// The operator is deleted without grace while the workload is active: its successor takes the lease and scales to zero.
pub(crate) fn operator_dies(stage: &Stage) {
    let clients = stage.clients();
    let before = stage.operator();
    let account = Account::open(stage);
    account.send(9);
    stage.expect("the workload is active", 180, || clients.replicas().ok().filter(|replicas| replicas.ready > 0));
    let (holder, transitions) = clients.leader().unwrap();
    assert!(holder.contains(&before), "{before} should lead, but {holder} does");
    clients.kill_pod("keda", &before).unwrap();
    let successor = stage.expect("another operator leads", 180, || {
        clients.leader().ok().filter(|(now, _)| *now != holder && !now.is_empty())
    });
    assert!(successor.1 > transitions, "{successor:?} after {transitions} transitions");
    assert_ne!(stage.operator(), before);
    account.settles();
    stage.note(format!("lease from {holder} to {}", successor.0));
}
