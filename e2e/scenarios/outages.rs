//! What may be away for a while: the API server, the queue, and room on the node.

use crate::scenarios::account::Account;
use crate::scenarios::clients::WORKLOAD;
use crate::scenarios::stage::Stage;

/// The API server stands still for 30 s in the middle of the work.
pub(crate) fn api_server(stage: &Stage) {
    let (clients, url) = (stage.clients(), stage.queue_url());
    let account = Account::open(stage);
    account.send(30);
    stage.expect("a message is worked", 600, || (!account.receipts().is_empty()).then_some(()));
    stage.api_server_is_away(30);
    let left = clients.queue(&url).map(|(waiting, busy)| waiting + busy).unwrap();
    assert!(left > 0, "all was worked before the outage was over, so it was no outage of the work");
    account.settles();
    stage.note(format!("{left} messages were left when it came back"));
}

/// The queue is lost, which is reported in the service's own words and never taken for an empty one; `up` brings it back.
pub(crate) fn queue(stage: &Stage) {
    let clients = stage.clients();
    stage.is_ready();
    stage.loses_its_queue();
    let found = stage.expect("the ScaledObject says that its queue cannot be read", 300, || {
        clients.condition("Ready").ok().filter(|condition| condition.status != "True")
    });
    stage.note(format!("reported as {:?}", found.message));
    drop(clients);
    stage.up("");
    stage.is_ready();
    let account = Account::open(stage);
    account.send(9);
    account.settles();
}

/// Two of three replicas find room; they do all the work, and the third never runs.
pub(crate) fn node(stage: &Stage) {
    let left = stage.clients().millicores_left().unwrap();
    stage.up(&format!("--set workloads[0].resources.cpu={}m", left * 2 / 5));
    let clients = stage.clients();
    let account = Account::open(stage);
    account.send(18);
    stage.expect("two replicas are ready and a third has no room", 300, || {
        let (wanted, replicas) = (clients.wanted().ok()?, clients.replicas().ok()?);
        let pods = clients.pods(WORKLOAD).ok()?;
        let has_no_room = pods.iter().filter_map(|pod| pod.status.as_ref()?.conditions.as_ref()).flatten();
        let has_no_room = has_no_room.filter(|condition| condition.reason.as_deref() == Some("Unschedulable")).count();
        (wanted == 3 && replicas.ready == 2 && has_no_room == 1).then_some(())
    });
    account.settles();
    let pods: std::collections::BTreeSet<_> = account.receipts().into_iter().map(|receipt| receipt.pod).collect();
    assert!(pods.len() <= 2, "more than two pods worked: {pods:?}");
    stage.note(format!("{} pods did all the work", pods.len()));
    // The next scenario finds the stack as the file has it.
    drop(clients);
    stage.up("");
}
