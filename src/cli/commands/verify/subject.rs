//! What verification needs to know about one workload: where to look, what is declared, and who works there.

use aws::queue::Queue;
use indexmap::IndexMap;
use serde_json::Value;
use stack::Workload;
use verify::{Consumer, History, Names, Other};

use crate::commands::outputs;
use crate::diagnostic::{Outcome, one};
use crate::engine;
use crate::settings::Settings;
use crate::target::Target;
use crate::workloads;

/// Enough to look at the workload.
pub(super) async fn settings(workload: &Workload, settings: &Settings, target: &Target) -> Outcome<verify::Settings> {
    let queue_url = match &workload.queue {
        Some(_) => Some(outputs::queue_url(workload, settings)?),
        // Whether anything is up is said of it as well.
        None => outputs::state(settings).map(|_| None)?,
    };
    let cloud = std::sync::Arc::new(aws::cloud::Cloud::new(
        &target.session,
        &settings.stack.name,
        "verify",
        "",
        &std::collections::BTreeMap::new(),
    ));
    let cluster = engine::connection(settings, target, &cloud);
    let client = cluster.client().await.map_err(one)?;
    let stamp = target.clock.now().strftime("%Y%m%dT%H%M%S%3fZ");
    // The stamp leads, so that the last name is the newest run.
    let name =
        if settings.stack.workloads.len() > 1 { format!("{stamp}-{}", workload.name) } else { stamp.to_string() };
    Ok(verify::Settings {
        session: target.session.clone(),
        client,
        cluster,
        goes: false,
        queue_url,
        dead_letter_queue_url: None,
        retention_seconds: None,
        consumer: match workload.consumer {
            stack::Consumer::Sample => Consumer::Sample,
            stack::Consumer::Own => Consumer::Own,
        },
        others: others(workload, settings),
        names: Names {
            operator_namespace: settings.stack.operator.namespace.clone(),
            ..Names::usual(&workload.namespace, &workload.name)
        },
        scaling: workloads::scaling(workload),
        jobs: workload
            .job
            .as_ref()
            .map(|job| History { successful: job.successful_history, failed: job.failed_history }),
        messages: 0,
        evidence: settings.evidence().join(format!("{name}.jsonl")),
        stack: settings.stack.name.clone(),
        environment: environment(settings, target),
        limits: target.limits.clone(),
        seed: None,
        denials: target.denials.clone(),
        incidents: target.incidents.clone(),
        clock: target.clock.clone(),
    })
}

/// Enough to run a scenario on it: also what its queue does with messages that nobody deletes, and whose program is there.
pub(super) async fn settings_for_run(
    workload: &Workload,
    messages: Option<u32>,
    settings: &Settings,
    target: &Target,
) -> Outcome<verify::Settings> {
    const RETENTION: &str = "MessageRetentionPeriod";
    const REDRIVE: &str = "RedrivePolicy";
    let mut subject = self::settings(workload, settings, target).await?;
    let activation = workload.scaling.activation_queue_length.into();
    let derived = match workload.job {
        Some(_) => subject.scaling.messages_for_jobs(activation),
        None => subject.scaling.messages_for_maximum(
            target.clock.scale(),
            activation,
            workload.worker.work_seconds.into(),
            workload.worker.parallelism.into(),
        ),
    };
    subject.messages = messages.map_or(derived, u64::from).try_into().unwrap_or(usize::MAX);
    if let Some(url) = &subject.queue_url {
        let attributes = Queue::new(&target.session, url).attributes(&[RETENTION, REDRIVE]).await.map_err(one)?;
        subject.retention_seconds = attributes.get(RETENTION).and_then(|text| text.parse().ok());
        subject.dead_letter_queue_url = attributes.get(REDRIVE).and_then(|policy| dead_letter_queue(url, policy));
    }
    subject.consumer = verify::consumer(&subject).await.map_err(one)?;
    Ok(subject)
}

/// SQS asks of a dead-letter queue that it lies in the same account and region, so that only the name differs.
fn dead_letter_queue(queue_url: &str, redrive_policy: &str) -> Option<String> {
    let policy: Value = serde_json::from_str(redrive_policy).ok()?;
    let name = policy["deadLetterTargetArn"].as_str()?.rsplit(':').next()?;
    let (folder, _) = queue_url.rsplit_once('/')?;
    Some(format!("{folder}/{name}"))
}

fn others(workload: &Workload, settings: &Settings) -> Vec<Other> {
    let named = settings.stack.names().workloads;
    let others = named.into_iter().filter(|other| other.workload != workload.name);
    others.map(|other| Other { name: other.workload, resources: vec![other.role, other.queue] }).collect()
}

fn environment(settings: &Settings, target: &Target) -> IndexMap<String, String> {
    let stack = &settings.stack;
    let entries = [
        ("target", format!("{:?}", settings.target).to_lowercase()),
        ("region", stack.region.clone()),
        ("account", target.account_id.clone()),
        ("caller", target.caller_arn.clone()),
        ("cluster", stack.cluster.name.clone()),
        ("kubernetes", stack.cluster.version.clone()),
        ("time scale", format!("{}", target.clock.scale())),
        ("sluice", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dead_letter_queue_lies_beside_its_queue() {
        let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:111122223333:dead","maxReceiveCount":5}"#;
        let url = "http://127.0.0.1:1/111122223333/orders";
        assert_eq!(dead_letter_queue(url, policy).as_deref(), Some("http://127.0.0.1:1/111122223333/dead"));
        assert_eq!(dead_letter_queue(url, "{}"), None);
    }
}
