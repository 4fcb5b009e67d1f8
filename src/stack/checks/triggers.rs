//! What hangs together of a workload's queue, its triggers and its program. Whether a trigger is right is the operator's to say.

use crate::model::{Consumer, Workload};
use yaml::Findings;

pub(super) fn check(findings: &mut Findings, key: &str, workload: &Workload) {
    let reads_queue = workload.triggers.iter().any(|trigger| trigger.reads_queue);
    if workload.queue.is_some() && !reads_queue {
        let cause = "no trigger reads the queue, so its messages wake nobody";
        let next = "add the trigger `type: aws-sqs-queue` without a queueURL, or leave the queue out";
        findings.warning(&format!("{key}.queue"), cause, next);
    }
    for (index, trigger) in workload.triggers.iter().enumerate().filter(|(_, trigger)| trigger.reads_queue) {
        let at = format!("{key}.triggers[{index}]");
        if workload.queue.is_none() {
            let cause = "the trigger names no queueURL, so it means the workload's own queue, and there is none";
            let next = "write `queue: {}` for a queue of the stack, or a queueURL and an authenticationRef";
            findings.problem(&at, cause, next);
        } else if trigger.authentication_ref.is_some() {
            let cause = "the workload's own queue is read as `identity` says";
            findings.problem(&format!("{at}.authenticationRef"), cause, "leave it out");
        }
    }
    if workload.queue.is_none() && workload.consumer == Consumer::Sample {
        let cause = "the sample consumer works on a queue, and the workload has none";
        let next = "name an image of your own, or write `queue: {}` for a queue of the stack";
        findings.problem(&format!("{key}.image"), cause, next);
    }
}
