//! The account of messages: what was sent, and what workers say about it. `sluice watch` reads along, as a person would.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::scenarios::stage::Stage;
use crate::workspace::Running;

/// Work on one message that ended with its deletion.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Receipt {
    pub(crate) message_id: String,
    pub(crate) pod: String,
    pub(crate) receive_count: u64,
    finished_at: String,
}

/// The account of one scenario.
pub(crate) struct Account<'a> {
    stage: &'a Stage,
    watch: Running,
    sent: RefCell<BTreeSet<String>>,
    /// The same line may be read twice where a log had to be opened again.
    receipts: RefCell<BTreeSet<Receipt>>,
}

impl<'a> Account<'a> {
    /// Begins to read along.
    pub(crate) fn open(stage: &'a Stage) -> Self {
        let watch = Running::start(&stage.workspace, "watch");
        watch.until("an observation of the pods", |event| {
            event["record"]["source"] == "pods" && event["record"]["kind"] == "pods"
        });
        Self { stage, watch, sent: RefCell::default(), receipts: RefCell::default() }
    }

    /// `sluice send COUNT`.
    pub(crate) fn send(&self, count: usize) {
        let said = self.stage.workspace.run(&format!("send {count} --output json")).with(0);
        let mut sent = self.sent.borrow_mut();
        let before = sent.len();
        let events = said.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        for event in events.filter(|event| event["type"] == "sent") {
            let ids = event["message_ids"].as_array().unwrap();
            sent.extend(ids.iter().map(|id| id.as_str().unwrap().to_owned()));
        }
        assert_eq!(sent.len() - before, count, "ids of messages sent");
    }

    /// What workers have deleted so far.
    pub(crate) fn receipts(&self) -> Vec<Receipt> {
        let mut receipts = self.receipts.borrow_mut();
        for event in self.watch.said() {
            let record = &event["record"];
            if record["kind"] == "receipt" && record["payload"]["outcome"] == "deleted" {
                let text = |key: &str| record["payload"][key].as_str().unwrap_or_default().to_owned();
                receipts.insert(Receipt {
                    message_id: text("message_id"),
                    pod: text("pod"),
                    receive_count: record["payload"]["receive_count"].as_u64().unwrap_or(0),
                    finished_at: text("finished_at"),
                });
            }
        }
        receipts.iter().cloned().collect()
    }

    /// Sent messages without a receipt.
    fn outstanding(&self) -> Vec<String> {
        let done: BTreeSet<_> = self.receipts().into_iter().map(|receipt| receipt.message_id).collect();
        self.sent.borrow().iter().filter(|id| !done.contains(*id)).cloned().collect()
    }

    /// Every message is worked on and deleted exactly once, none is left, and the workload is at zero again.
    #[track_caller]
    pub(crate) fn settles(&self) {
        self.settles_after(0);
    }

    /// The same after so many workers were killed. Each may have been killed after it deleted a message and before it wrote the receipt,
    /// or its last line went with the pod's log before it was read: once the queue is empty, one receipt may be missing for each.
    #[track_caller]
    pub(crate) fn settles_after(&self, killed: usize) {
        let (stage, clients, url) = (self.stage, self.stage.clients(), self.stage.queue_url());
        let mut left = Vec::new();
        let worked = stage.until("every message has its receipt", 600, || {
            left = self.outstanding();
            let is_gone = || left.len() <= killed && clients.queue(&url) == Ok((0, 0));
            (left.is_empty() || is_gone()).then_some(())
        });
        worked.unwrap_or_else(|why| panic!("{why}: without receipt: {left:?}"));
        stage.comes_to_rest();
        let mut deleted: BTreeMap<String, usize> = BTreeMap::new();
        for receipt in self.receipts() {
            *deleted.entry(receipt.message_id).or_default() += 1;
        }
        let sent = self.sent.borrow();
        let double: Vec<_> = sent.iter().filter(|id| deleted.get(*id).is_some_and(|count| *count > 1)).collect();
        assert!(double.is_empty(), "deleted more than once: {double:?}");
        let unsaid = self.outstanding().len();
        assert!(unsaid <= killed, "{unsaid} receipts are missing of {killed} workers that were killed");
        let unsaid =
            if unsaid == 0 { String::new() } else { format!(" ({unsaid} of them not said by who was killed)") };
        stage.note(format!("{} sent = {} deleted{unsaid}, 0 left", sent.len(), sent.len()));
    }
}
