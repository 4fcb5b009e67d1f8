//! The list `triggers` of a workload, as KEDA writes it, and what is said of all of them.

use std::collections::BTreeMap;

use crate::model::{AuthenticationRef, Fallback, Modifiers, Trigger};
use yaml::{Item, Section};

/// The type of the triggers that read queues.
const SQS: &str = "aws-sqs-queue";
/// Messages that one replica stands for where the metadata of [`SQS`] say nothing (`docs/rules.md#keda-aws-sqs-queue`).
pub(super) const SQS_LENGTH: u32 = 5;

/// Reads the list; `None` if nobody wrote it.
pub(super) fn read(workload: &mut Section<'_>) -> Option<Vec<Trigger>> {
    let listed = workload.items("triggers", |_, _, item| read_one(item));
    if listed.as_ref().is_some_and(Vec::is_empty) {
        let cause = "the list is empty, and a workload without a trigger never scales";
        workload.problem("triggers", cause, "name at least one, or leave the key out for a queue and its trigger");
    }
    listed
}

fn read_one(item: Item<'_>) -> Trigger {
    let mut section = item.section();
    let kind = section.text("type", "");
    if kind.is_empty() {
        section.problem("type", "the trigger has no type", "write one such as aws-sqs-queue or cron");
    }
    let metadata = section.text_map("metadata");
    let names_queue = metadata.contains_key("queueURL") || metadata.contains_key("queueURLFromEnv");
    let mut trigger = Trigger {
        reads_queue: kind == SQS && !names_queue,
        kind,
        name: section.given_text("name"),
        metadata,
        authentication_ref: None,
        metric_type: section.given_text("metricType"),
        use_cached_metrics: section.given_switch("useCachedMetrics"),
    };
    let mut reference = section.section("authenticationRef");
    let (name, kind) = (reference.given_text("name"), reference.given_text("kind"));
    if name.is_none() && kind.is_some() {
        reference.problem("name", "no TriggerAuthentication is named", "write its name");
    }
    reference.finish();
    trigger.authentication_ref = name.map(|name| AuthenticationRef { name, kind });
    section.finish();
    trigger
}

/// The trigger of a queue where no list is written.
pub(super) fn of_queue(length: u32, activation: u32, counts_waiting_only: bool) -> Trigger {
    let mut metadata = BTreeMap::from([("queueLength".to_owned(), length.to_string())]);
    if activation > 0 {
        metadata.insert("activationQueueLength".to_owned(), activation.to_string());
    }
    if counts_waiting_only {
        // The strategy takes off the Jobs that run, so what they work on is not to be counted.
        metadata.insert("scaleOnInFlight".to_owned(), "false".to_owned());
    }
    Trigger {
        kind: SQS.to_owned(),
        name: None,
        metadata,
        authentication_ref: None,
        metric_type: None,
        use_cached_metrics: None,
        reads_queue: true,
    }
}

/// The numbers of the queue's trigger in a list: the messages that one replica stands for, and above how many it is active.
pub(super) fn lengths(triggers: &[Trigger]) -> (u32, u32) {
    let trigger = triggers.iter().find(|trigger| trigger.reads_queue);
    let number = |key: &str| trigger.and_then(|trigger| trigger.metadata.get(key)?.trim().parse().ok());
    (number("queueLength").unwrap_or(SQS_LENGTH), number("activationQueueLength").unwrap_or(0))
}

/// Whether anything is said there decides whether there is one.
pub(super) fn read_fallback(scaling: &mut Section<'_>) -> Option<Fallback> {
    let most = i64::from(i32::MAX);
    let mut section = scaling.given_section("fallback")?;
    let fallback = Fallback {
        failure_threshold: section.integer("failureThreshold", 3, 0..=most) as u32,
        replicas: section.integer("replicas", 1, 0..=most) as u32,
        behavior: section.given_text("behavior"),
    };
    section.finish();
    Some(fallback)
}

/// As with [`read_fallback`].
pub(super) fn read_modifiers(scaling: &mut Section<'_>) -> Option<Modifiers> {
    let mut section = scaling.given_section("scalingModifiers")?;
    let modifiers = Modifiers {
        formula: section.given_text("formula"),
        target: section.given_text("target"),
        activation_target: section.given_text("activationTarget"),
        metric_type: section.given_text("metricType"),
    };
    section.finish();
    Some(modifiers)
}
