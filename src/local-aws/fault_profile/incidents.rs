//! Incidents at the front: what STS and SQS answer while one lasts.

use std::sync::PoisonError;

use local_faults::Incident;
use serde_json::Value;

use super::{Profile, Subject};
use crate::fault::Fault;
use crate::request::Service;

impl Profile {
    /// What an incident answers in the service's place.
    pub(super) fn refused(&self, subject: &Subject) -> Option<Fault> {
        match (subject.service, subject.operation.as_str()) {
            (Service::Sts, "AssumeRole" | "AssumeRoleWithWebIdentity") => {
                self.incidents.strike(Incident::StsDenies)?;
                let text = format!("Not authorized to perform sts:{}", subject.operation);
                Some(Fault::new(403, "AccessDenied", text))
            }
            (Service::Sqs, _) => {
                self.incidents.strike(Incident::SqsThrottles)?;
                let text = "The request was denied due to request throttling.";
                Some(Fault::new(403, "RequestThrottled", text))
            }
            _ => None,
        }
    }

    /// The answer with the counts of when they were first read since the incident began. Answers that become XML stay as they
    /// are: whoever polls counts speaks JSON.
    pub(super) fn aged(&self, subject: &Subject, mut answer: Value) -> Value {
        let is_read = subject.service == Service::Sqs && subject.operation == "GetQueueAttributes" && !subject.is_query;
        let (true, Some(queue)) = (is_read, &subject.queue) else { return answer };
        let Some(attributes) = answer.get_mut("Attributes").and_then(Value::as_object_mut) else { return answer };
        let counts = attributes.iter_mut().filter(|(name, _)| name.starts_with("ApproximateNumberOf"));
        let mut counts = counts.peekable();
        if counts.peek().is_none() {
            return answer;
        }
        let Some(strike) = self.incidents.strike(Incident::CountsStale) else { return answer };
        let mut stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in counts {
            let kept = stale.entry((queue.clone(), name.clone())).or_insert_with(|| (strike.since, value.clone()));
            if kept.0 != strike.since {
                *kept = (strike.since, value.clone());
            }
            *value = kept.1.clone();
        }
        drop(stale);
        answer
    }
}
