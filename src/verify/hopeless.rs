//! Whether waiting for a step still helps. Only what is definite and has lasted ends a wait early: IAM changes take a while to
//! be known everywhere, a throttled call is made again, and who replaces an object deletes it first.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::observation::{Observation, Record, ScaledObject, Source};
use crate::refusal;
use crate::snapshot::Snapshot;

/// Reads in a row that must agree.
const READS: usize = 3;

/// Words of errors that pass without anybody changing anything.
const PASSING: [&str; 11] = [
    "throttl",
    "timed out",
    "timeout",
    "connection",
    "connect error",
    "dispatch failure",
    "too many requests",
    "unavailable",
    "internal",
    "got no answer",
    "conflict",
];
/// Words of errors that last until somebody changes something.
const LASTING: [&str; 9] = [
    "NonExistentQueue",
    "QueueDoesNotExist",
    "InvalidAddress",
    "not found",
    "is not valid",
    "ExpiredToken",
    "UnrecognizedClientException",
    "has no usable credentials",
    "Unauthorized",
];

/// Something definite that one source says in every read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The first words for it.
    text: String,
    first: Timestamp,
    last: Timestamp,
    reads: usize,
}

/// Folds a record into what each source says now. Any other word of the source ends what it said before.
pub(crate) fn fold(standing: &mut BTreeMap<Source, Standing>, record: &Record) {
    let Some(text) = definite(record) else {
        // A step is no observation, and a log that ended or a diagnosis says nothing of the object itself.
        if !matches!(
            record.observation,
            Observation::Step(_) | Observation::LogEnded { .. } | Observation::Diagnosis(_)
        ) {
            standing.remove(&record.source);
        }
        return;
    };
    let new = || Standing { text, first: record.time, last: record.time, reads: 0 };
    let found = standing.entry(record.source).or_insert_with(new);
    found.last = found.last.max(record.time);
    found.reads += 1;
}

/// What the record says that lasts by itself.
fn definite(record: &Record) -> Option<String> {
    match &record.observation {
        Observation::Failure { what, error } if is_lasting(error) || refusal::is_refusal(error) => {
            Some(format!("{what} cannot be read: {error}"))
        }
        // An HPA may come later; these two were there when the scenario began.
        Observation::Absent { what }
            if matches!(record.source, Source::Deployment | Source::ScaledObject | Source::ScaledJob) =>
        {
            Some(format!("{what} does not exist any more"))
        }
        Observation::ScaledObject(object) => not_ready(object),
        _ => None,
    }
}

fn not_ready(object: &ScaledObject) -> Option<String> {
    let ready = object.condition("Ready").filter(|condition| condition.status == "False")?;
    let is_checked = matches!(ready.reason.as_str(), "ScaledObjectCheckFailed" | "ScaledJobCheckFailed")
        && !is_passing(&ready.message);
    (is_checked || is_lasting(&ready.message))
        .then(|| format!("its triggers do not become ready: {}: {}", ready.reason, ready.message))
}

fn is_passing(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    PASSING.iter().any(|mark| text.contains(mark))
}

fn is_lasting(text: &str) -> bool {
    LASTING.iter().any(|mark| text.contains(mark)) && !is_passing(text)
}

/// Why waiting does not help any more, if that is so; `patience` in real time.
pub(crate) fn why(snapshot: &Snapshot, patience: Duration) -> Option<String> {
    let lasted = |first: Timestamp, last: Timestamp| {
        Duration::try_from(last.duration_since(first)).is_ok_and(|lasted| lasted >= patience)
    };
    let refused = snapshot.refusal.as_ref().filter(|refusal| lasted(refusal.first, refusal.last));
    if let Some(refusal) = refused {
        return Some(format!("refused for good: {}", refusal.text));
    }
    if let Some(why) = snapshot.lost.values().next() {
        return Some(format!("waiting does not help: {why}"));
    }
    let standing = snapshot.standing.values().find(|one| one.reads >= READS && lasted(one.first, one.last))?;
    Some(format!("waiting does not help: {}", standing.text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::record;
    use crate::observation::{Condition, Diagnosis};

    const PATIENCE: Duration = Duration::from_secs(3);

    fn after(observations: impl IntoIterator<Item = (f64, Source, Observation)>) -> Option<String> {
        let mut snapshot = Snapshot::default();
        for (second, source, observation) in observations {
            snapshot.apply(&record(second, source, observation));
        }
        why(&snapshot, PATIENCE)
    }

    fn not_ready(reason: &str, message: &str) -> Observation {
        let condition =
            Condition { kind: "Ready".into(), status: "False".into(), reason: reason.into(), message: message.into() };
        Observation::ScaledObject(ScaledObject {
            conditions: vec![condition],
            last_active: None,
            metric_names: Vec::new(),
        })
    }

    /// The observation in a read every ten system seconds, which is one real second.
    fn lasting(source: Source, observation: &Observation) -> Vec<(f64, Source, Observation)> {
        (0..=4).map(|read| (f64::from(read) * 10.0, source, observation.clone())).collect()
    }

    #[test]
    fn only_a_lasting_refusal_is_permanent() {
        let message = "AccessDenied: no".to_owned();
        let refused = Observation::Trouble { pod: "keda".into(), message };
        assert_eq!(after([(0.0, Source::OperatorLog, refused.clone())]), None);
        let lost = after([(0.0, Source::OperatorLog, refused.clone()), (30.0, Source::OperatorLog, refused)]).unwrap();
        assert!(lost.starts_with("refused for good") && lost.contains("AccessDenied"), "{lost}");
    }

    #[test]
    fn a_definite_reason_that_lasts_ends_a_wait_and_one_that_passes_does_not() {
        let gone = Observation::Absent { what: "Deployment/myapp".into() };
        assert!(after(lasting(Source::Deployment, &gone)).unwrap().contains("Deployment/myapp does not exist"));
        assert_eq!(after(lasting(Source::Hpa, &gone)), None);
        let mut again = lasting(Source::Deployment, &gone);
        again.insert(2, (15.0, Source::Deployment, crate::fixture::deployment(0)));
        again.pop();
        assert_eq!(after(again), None, "it was made again");
        for (reason, message) in [
            ("ScaledObjectCheckFailed", "Triggers specification is not valid: queueLength"),
            ("TriggerError", "sqs:GetQueueAttributes failed: AWS.SimpleQueueService.NonExistentQueue: gone"),
        ] {
            let lost = after(lasting(Source::ScaledObject, &not_ready(reason, message))).unwrap();
            assert!(lost.contains(message), "{lost}");
        }
        for message in ["ThrottlingException: Rate exceeded", "got no answer: connection refused", "503 Unavailable"] {
            assert_eq!(after(lasting(Source::ScaledObject, &not_ready("TriggerError", message))), None, "{message}");
            let failure = Observation::Failure { what: "queue".into(), error: message.into() };
            assert_eq!(after(lasting(Source::Queue, &failure)), None, "{message}");
        }
    }

    #[test]
    fn credentials_that_are_not_taken_any_more_end_a_wait_though_the_operator_is_well() {
        for error in ["ExpiredToken: the token has expired", "Unauthorized (Unauthorized, 401)", "AccessDenied: no"] {
            let failure = Observation::Failure { what: "the queue".into(), error: error.into() };
            let mut observations = lasting(Source::Queue, &failure);
            let well = crate::fixture::scaled_object("True", "False", "");
            observations.extend((0..=4).map(|read| (f64::from(read) * 10.0 + 5.0, Source::ScaledObject, well.clone())));
            observations.sort_by(|one, other| one.0.total_cmp(&other.0));
            let lost = after(observations).unwrap_or_else(|| panic!("{error} is waited out"));
            assert!(lost.contains(error), "{lost}");
        }
    }

    #[test]
    fn pods_that_are_given_up_end_a_wait_and_a_restart_alone_does_not() {
        let diagnosis = |hopeless: Option<&str>| {
            Observation::Diagnosis(Diagnosis {
                about: "Deployment myproject/myapp".into(),
                hopeless: hopeless.map(str::to_owned),
                evidence: Vec::new(),
                next: None,
            })
        };
        let lost = after([(0.0, Source::Pods, diagnosis(Some("container c: ImagePullBackOff")))]).unwrap();
        assert!(lost.contains("Deployment myproject/myapp: container c: ImagePullBackOff"), "{lost}");
        assert_eq!(after([(0.0, Source::Pods, diagnosis(None))]), None);
    }
}
