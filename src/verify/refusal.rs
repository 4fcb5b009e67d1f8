//! Refused identities: how they are recognised in texts, and what is said about them.

use jiff::Timestamp;

use crate::observation::{Observation, Record};

/// How the API server begins to say that RBAC grants too little.
const FORBIDDEN: &str = "is forbidden: User ";

/// Words by which a service says that an identity was refused, rather than that something was slow or missing.
const MARKS: [&str; 7] = [
    FORBIDDEN,
    "AccessDenied",
    "is not authorized to perform",
    "Not authorized to perform",
    "InvalidIdentityToken",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
];

/// A refusal that has been seen and was not followed by a recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// When it was first seen.
    pub first: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// The most telling text so far.
    pub text: String,
    /// The text comes from the endpoint's own list, which names policy and statement.
    pub authoritative: bool,
}

/// The refusal in a record, and whether its text is the endpoint's own.
pub(crate) fn of_record(record: &Record) -> Option<(String, bool)> {
    let text = match &record.observation {
        Observation::Denial(denial) => {
            // The endpoint serves everybody; only identities around the queue are the scenario's business.
            if !["sqs:", "sts:"].iter().any(|service| denial.action.starts_with(service)) {
                return None;
            }
            let text =
                format!("{} was refused {} on {}: {}", denial.principal, denial.action, denial.resource, denial.reason);
            return Some((text, true));
        }
        Observation::Trouble { message, pod } => format!("log of {pod}: {message}"),
        Observation::Event(event) if event.kind == "Warning" => {
            format!("Event {} on {}: {}", event.reason, event.object, event.message)
        }
        Observation::ScaledObject(object) => {
            let bad = object.conditions.iter().find(|condition| is_refusal(&condition.message))?;
            format!("condition {}={} ({}): {}", bad.kind, bad.status, bad.reason, bad.message)
        }
        Observation::Decision(decision) => format!("operator's decision: {} {}", decision.reason, decision.decision),
        Observation::Failure { what, error } => format!("our own read of {what}: {error}"),
        _ => return None,
    };
    is_refusal(&text).then_some((text, false))
}

pub(crate) fn is_refusal(text: &str) -> bool {
    MARKS.iter().any(|mark| text.contains(mark))
}

/// Whether the record shows that the refused identity works again. For AWS it is a ScaledObject that is Ready; an operator
/// whom the API server refuses cannot take Ready back, so then it takes a decision of its.
fn is_recovery(refusal: &Refusal, record: &Record) -> bool {
    match &record.observation {
        Observation::ScaledObject(object) => object.is("Ready") && !refusal.text.contains(FORBIDDEN),
        Observation::Decision(_) => refusal.text.contains(FORBIDDEN),
        _ => false,
    }
}

/// Folds a record into what is known about refusals.
pub(crate) fn fold(current: &mut Option<Refusal>, record: &Record) {
    if let Some((text, authoritative)) = of_record(record) {
        match current {
            None => *current = Some(Refusal { first: record.time, last: record.time, text, authoritative }),
            Some(refusal) => {
                refusal.last = refusal.last.max(record.time);
                if authoritative || !refusal.authoritative {
                    refusal.text = text;
                    refusal.authoritative |= authoritative;
                }
            }
        }
    } else if current.as_ref().is_some_and(|refusal| is_recovery(refusal, record)) {
        *current = None;
    } else if let (Observation::ScaledObject(object), Some(refusal)) = (&record.observation, current.as_mut())
        && !object.is("Ready")
    {
        // Still not ready: the refusal lasts, even though this condition does not repeat its text.
        refusal.last = refusal.last.max(record.time);
    }
}
