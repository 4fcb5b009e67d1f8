//! One workload of the list `workloads`: its keys, and which of them its kind has no use for.

use super::triggers;
use crate::IMAGE_DEFAULT;
use crate::model::{
    Consumer, Identity, Job, Propagation, Queue, Rollout, Scaling, Strategy, Trigger, Worker, Workload,
};
use yaml::Section;

/// The consumer that `workloads` means if it names none.
pub(super) const DEFAULT: &str = "myapp";

/// What to do about a key that says nothing of Jobs.
const OF_DEPLOYMENTS: &str = "leave the key out, or write `kind: deployment`";

/// What to do about a key that only a queue of the stack gives a meaning.
const OF_QUEUES: &str = "leave the key out, or write `queue: {}` for a queue of the stack";

/// What the operator makes of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Replicas of a Deployment, by a ScaledObject.
    Deployment,
    /// Jobs, by a ScaledJob.
    Job,
}

/// Reads one item of `workloads`; `image` is the stack's own.
pub(super) fn read(index: usize, mut section: Section<'_>, cluster: &str, image: &str) -> Workload {
    let name = section.text("name", if index == 0 { DEFAULT } else { "" });
    if name.is_empty() {
        section.problem("name", "the workload has no name", "give each workload after the first a name");
    }
    let namespace = section.text("namespace", "myproject");
    let kind = section.word("kind", &[("deployment", Kind::Deployment), ("job", Kind::Job)]);
    let own_image = image;
    let (image, command, args) = (section.text("image", image), section.texts("command"), section.texts("args"));
    let listed = triggers::read(&mut section);
    let has_queue = listed.is_none() || section.is_given("queue");
    let job = read_job(&mut section, kind);
    let mut scaling = read_scaling(section.section("scaling"), kind, listed.as_deref());
    let triggers = listed.unwrap_or_else(|| {
        let counts_waiting_only = job.as_ref().is_some_and(|job| job.strategy.counts_waiting_only());
        vec![triggers::of_queue(scaling.queue_length, scaling.activation_queue_length, counts_waiting_only)]
    });
    (scaling.queue_length, scaling.activation_queue_length) = triggers::lengths(&triggers);
    let workload = Workload {
        namespace,
        consumer: consumer(&image, own_image, command.as_deref(), args.as_deref()),
        image,
        command,
        args,
        queue: has_queue.then(|| read_queue(section.section("queue"), &format!("{cluster}-{name}"))),
        identity: read_identity(&mut section, has_queue),
        triggers,
        job,
        scaling,
        worker: read_worker(section.section("worker"), kind),
        env: section.text_map("env"),
        cpu: String::new(),
        memory: String::new(),
        name,
    };
    let mut resources = section.section("resources");
    let (cpu, memory) = (resources.quantity("cpu", "0.25"), resources.quantity("memory", "256Mi"));
    resources.finish();
    section.finish();
    Workload { cpu, memory, ..workload }
}

fn read_identity(workload: &mut Section<'_>, has_queue: bool) -> Identity {
    if !has_queue {
        workload.refuse("identity", "it says who reads the workload's queue, and there is none", OF_QUEUES);
        return Identity::Role;
    }
    let modes = [("role", Identity::Role), ("operator", Identity::Operator), ("workload", Identity::Workload)];
    workload.word("identity", &modes)
}

/// Defaults and bounds: KEDA's ScaledJob and Kubernetes' JobSpec; apart from `backoffLimit`, which is 0, as the message of a Job
/// that failed is received again and calls for another one.
fn read_job(workload: &mut Section<'_>, kind: Kind) -> Option<Job> {
    if kind == Kind::Deployment {
        workload.refuse(
            "job",
            "the workload is a Deployment, which makes no Jobs",
            "leave it out, or write `kind: job`",
        );
        return None;
    }
    let most = i64::from(i32::MAX);
    let mut section = workload.section("job");
    let strategies = [
        ("default", Strategy::Default),
        ("custom", Strategy::Custom),
        ("accurate", Strategy::Accurate),
        ("eager", Strategy::Eager),
    ];
    let strategy = section.word("strategy", &strategies);
    let mut job = Job {
        strategy,
        queue_length_deduction: 0,
        running_job_percentage: 0.0,
        pending_pod_conditions: section.texts("pendingPodConditions").unwrap_or_default(),
        successful_history: section.integer("successfulJobsHistoryLimit", 100, 0..=most) as u32,
        failed_history: section.integer("failedJobsHistoryLimit", 100, 0..=most) as u32,
        rollout: section.word("rollout", &[("default", Rollout::Default), ("gradual", Rollout::Gradual)]),
        propagation: section.word(
            "propagationPolicy",
            &[("background", Propagation::Background), ("foreground", Propagation::Foreground)],
        ),
        backoff_limit: section.integer("backoffLimit", 0, 0..=most) as u32,
        active_deadline_seconds: section.integer("activeDeadlineSeconds", 0, 0..=most) as u32,
        calculation: section.given_text("multipleScalersCalculation"),
    };
    if strategy == Strategy::Custom {
        job.queue_length_deduction = section.integer("customScalingQueueLengthDeduction", 0, 0..=most) as u32;
        job.running_job_percentage = section.number("customScalingRunningJobPercentage", 1.0, 0.0..=1.0);
    } else {
        for key in ["customScalingQueueLengthDeduction", "customScalingRunningJobPercentage"] {
            section.refuse(
                key,
                "only the strategy custom takes it into account",
                "leave it out, or write `strategy: custom`",
            );
        }
    }
    section.finish();
    Some(job)
}

/// The sample is what this program's image runs as `worker`, which is what it runs if nobody says otherwise.
/// It is known by the name under which the image is packed, or by being the stack's own.
fn consumer(image: &str, own: &str, command: Option<&[String]>, args: Option<&[String]>) -> Consumer {
    let is_ours = image == own || last_part(image) == last_part(IMAGE_DEFAULT);
    let runs_worker = args.is_none_or(|args| args.first().is_some_and(|first| first == "worker"));
    if is_ours && command.is_none() && runs_worker { Consumer::Sample } else { Consumer::Own }
}

/// The repository's last part: no registry, no path, no tag, no digest.
fn last_part(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split_once(':').map_or(last, |(name, _)| name)
}

/// Limits: SQS's CreateQueue.
fn read_queue(mut section: Section<'_>, name: &str) -> Queue {
    let queue = Queue {
        name: section.text("name", name),
        visibility_timeout_seconds: section.integer("visibilityTimeout", 120, 0..=43_200) as u32,
        retention_seconds: section.integer("messageRetention", 345_600, 60..=1_209_600) as u32,
        delay_seconds: section.integer("delay", 0, 0..=900) as u32,
    };
    section.finish();
    queue
}

/// Bounds: KEDA's CRD (polling and maximum at least 1) and its reconciler (minimum at most maximum).
fn read_scaling(mut section: Section<'_>, kind: Kind, listed: Option<&[Trigger]>) -> Scaling {
    let most = i64::from(i32::MAX);
    let (length, activation) = read_lengths(&mut section, kind, listed.is_some());
    let mut scaling = Scaling {
        min_replicas: section.integer("minReplicaCount", 0, 0..=most) as u32,
        max_replicas: section.integer("maxReplicaCount", 3, 1..=most) as u32,
        queue_length: length,
        activation_queue_length: activation,
        polling_interval_seconds: section.integer("pollingInterval", 30, 1..=86_400) as u32,
        cooldown_period_seconds: 0,
        scale_down_window_seconds: 0,
        direct_activation: false,
        fallback: None,
        modifiers: None,
    };
    match kind {
        Kind::Deployment => {
            scaling.cooldown_period_seconds = section.integer("cooldownPeriod", 300, 0..=86_400) as u32;
            scaling.scale_down_window_seconds = section.integer("scaleDownWindow", 300, 0..=3600) as u32;
            scaling.direct_activation = section.switch("directActivation", false);
            scaling.fallback = triggers::read_fallback(&mut section);
            scaling.modifiers = triggers::read_modifiers(&mut section);
        }
        Kind::Job => {
            let end = "a Job ends by itself when its work is done, and is never scaled in";
            section.refuse("cooldownPeriod", end, OF_DEPLOYMENTS);
            section.refuse("scaleDownWindow", end, OF_DEPLOYMENTS);
            let at_once = "as many Jobs as are called for are made at once, without an HPA";
            section.refuse("directActivation", at_once, OF_DEPLOYMENTS);
            for key in ["fallback", "scalingModifiers"] {
                section.refuse(key, "KEDA's ScaledJob has no such field", OF_DEPLOYMENTS);
            }
        }
    }
    if scaling.min_replicas > scaling.max_replicas {
        let cause = format!("{} is more than maxReplicaCount {}", scaling.min_replicas, scaling.max_replicas);
        section.problem("minReplicaCount", cause, "lower it, or raise maxReplicaCount");
    }
    section.finish();
    scaling
}

/// The two numbers of the queue's trigger, which a written list has in its own metadata.
fn read_lengths(section: &mut Section<'_>, kind: Kind, is_listed: bool) -> (u32, u32) {
    if is_listed {
        for key in ["queueLength", "activationQueueLength"] {
            let next = "write it into the metadata of the trigger `type: aws-sqs-queue`";
            section.refuse(key, "the triggers are written out, so their metadata say it", next);
        }
        return (0, 0);
    }
    let most = i64::from(i32::MAX);
    // A Job of the sample takes one message.
    let length = if kind == Kind::Job { 1 } else { 3 };
    let length = section.integer("queueLength", length, 1..=most) as u32;
    (length, section.integer("activationQueueLength", 0, 0..=most) as u32)
}

fn read_worker(mut section: Section<'_>, kind: Kind) -> Worker {
    if kind == Kind::Job {
        section.refuse("parallelism", "the sample takes one message in a Job and ends", OF_DEPLOYMENTS);
    }
    let worker = Worker {
        work_seconds: section.integer("workSeconds", 20, 0..=43_200) as u32,
        // SQS's long poll lasts at most 20 s.
        wait_seconds: section.integer("waitSeconds", 20, 0..=20) as u32,
        parallelism: if kind == Kind::Job { 1 } else { section.integer("parallelism", 1, 1..=100) as u32 },
        failure_rate: section.number("failureRate", 0.0, 0.0..=1.0),
    };
    section.finish();
    worker
}
