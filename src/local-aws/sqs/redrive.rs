//! Dead letters: which queue they go to, and which queues may send theirs.
//!
//! Source: SQS API Reference, SetQueueAttributes: RedrivePolicy and RedriveAllowPolicy.

use serde_json::{Map, Value, json};

use super::input::invalid;
use crate::fault::Fault;

const SOURCES_MAX: usize = 10;
const ARN_PARTS: usize = 6;

/// Where messages go that were received too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redrive {
    pub(super) target_arn: String,
    pub(super) receives_max: u64,
}

/// Which queues may name this one as their dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RedriveAllow {
    All,
    None,
    By(Vec<String>),
}

fn object(text: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Some(map),
        _ => None,
    }
}

impl Redrive {
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let bad =
            |reason: &str| invalid(format!("Value {text} for parameter RedrivePolicy is invalid. Reason: {reason}"));
        let map = object(text).ok_or_else(|| bad("Redrive policy is not a valid JSON map."))?;
        let lacks = |name: &str| bad(&format!("Redrive policy does not contain mandatory attribute: {name}."));
        let target = map.get("deadLetterTargetArn").ok_or_else(|| lacks("deadLetterTargetArn"))?;
        let count = map.get("maxReceiveCount").ok_or_else(|| lacks("maxReceiveCount"))?;
        if map.len() > 2 {
            return Err(bad("Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn]."));
        }
        let number = count.as_u64().or_else(|| count.as_str().and_then(|text| text.parse().ok()));
        let receives_max = number.filter(|count| (1..=1000).contains(count)).ok_or_else(|| {
            bad(&format!("Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both inclusive."))
        })?;
        let target_arn = target
            .as_str()
            .filter(|arn| arn.starts_with("arn:") && arn.split(':').count() == ARN_PARTS)
            .ok_or_else(|| bad("Dead-letter target ARN should be fully qualified ARN."))?;
        Ok(Self { target_arn: target_arn.to_owned(), receives_max })
    }

    /// The normal form: compact, the count a number.
    pub(super) fn text(&self) -> String {
        json!({ "deadLetterTargetArn": self.target_arn, "maxReceiveCount": self.receives_max }).to_string()
    }
}

impl RedriveAllow {
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        const CANNOT: &str = "Amazon SQS can't create the redrive allow policy";
        let shape = || {
            let reason = format!("{CANNOT}, as it’s in an unsupported format.");
            Fault::sender(
                "InvalidAttributeValue",
                format!("Invalid value for the parameter RedriveAllowPolicy. Reason: {reason}"),
            )
        };
        let bad = |reason: &str| {
            Err(invalid(format!(
                "Value {text} for parameter RedriveAllowPolicy is invalid. Reason: {CANNOT}. {reason}"
            )))
        };
        let map = object(text).ok_or_else(shape)?;
        if map.keys().any(|key| !matches!(key.as_str(), "redrivePermission" | "sourceQueueArns")) {
            return Err(shape());
        }
        let sources: Option<Vec<String>> = match map.get("sourceQueueArns") {
            None => None,
            Some(list) => Some(serde_json::from_value(list.clone()).map_err(|_| shape())?),
        };
        match (map.get("redrivePermission").and_then(Value::as_str), sources) {
            (Some("byQueue"), Some(sources)) if sources.len() > SOURCES_MAX => {
                bad(&format!("The maximum number of source queue ARNs you can specify is {SOURCES_MAX}."))
            }
            (Some("byQueue"), Some(sources)) if !sources.is_empty() => Ok(Self::By(sources)),
            (Some("byQueue"), _) => bad(
                "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.",
            ),
            (Some("allowAll" | "denyAll"), Some(_)) => {
                bad("To specify one or more source queue ARNs, you must set redrivePermission to byQueue.")
            }
            (Some("allowAll"), None) => Ok(Self::All),
            (Some("denyAll"), None) => Ok(Self::None),
            _ => Err(shape()),
        }
    }

    /// The normal form: compact.
    pub(super) fn text(&self) -> String {
        match self {
            Self::All => json!({ "redrivePermission": "allowAll" }),
            Self::None => json!({ "redrivePermission": "denyAll" }),
            Self::By(sources) => json!({ "redrivePermission": "byQueue", "sourceQueueArns": sources }),
        }
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: &str = "arn:aws:sqs:ap-northeast-1:111122223333:dead";

    #[test]
    fn a_redrive_policy_names_a_queue_and_a_count() {
        let spaced = format!("{{ \"maxReceiveCount\": \"4\",\n \"deadLetterTargetArn\": \"{TARGET}\" }}");
        let compact = format!("{{\"deadLetterTargetArn\":\"{TARGET}\",\"maxReceiveCount\":4}}");
        assert_eq!(Redrive::parse(&spaced).unwrap().text(), compact);
        for (text, reason) in [
            ("4".to_owned(), "not a valid JSON map"),
            ("{".to_owned(), "not a valid JSON map"),
            ("{\"maxReceiveCount\":4}".to_owned(), "mandatory attribute: deadLetterTargetArn"),
            (format!("{{\"deadLetterTargetArn\":\"{TARGET}\"}}"), "mandatory attribute: maxReceiveCount"),
            (compact.replace(":4}", ":0}"), "from 1 to 1000"),
            (compact.replace(":4}", ":1001}"), "from 1 to 1000"),
            (compact.replace(":4}", ":1.5}"), "from 1 to 1000"),
            (compact.replace(TARGET, "dead"), "fully qualified ARN"),
            (compact.replace(":4}", ":4,\"more\":1}"), "Only following attributes"),
        ] {
            let fault = Redrive::parse(&text).unwrap_err();
            assert!(fault.message.contains(reason), "{text}: {}", fault.message);
        }
    }

    #[test]
    fn a_redrive_allow_policy_allows_all_none_or_up_to_ten() {
        let by = |count: usize| json!({ "redrivePermission": "byQueue", "sourceQueueArns": vec![TARGET; count] });
        for fine in
            [by(1), by(10), json!({ "redrivePermission": "allowAll" }), json!({ "redrivePermission": "denyAll" })]
        {
            assert_eq!(RedriveAllow::parse(&fine.to_string()).unwrap().text(), fine.to_string());
        }
        for (bad, reason) in [
            (json!({ "redrivePermission": "sometimes" }), "unsupported format"),
            (json!({ "redrivePermission": "allowAll", "also": 1 }), "unsupported format"),
            (json!({ "redrivePermission": "byQueue", "sourceQueueArns": "x" }), "unsupported format"),
            (json!([]), "unsupported format"),
            (json!({ "redrivePermission": "byQueue" }), "one or more sourceQueueArns"),
            (by(0), "one or more sourceQueueArns"),
            (by(11), "maximum number of source queue ARNs"),
            (
                json!({ "redrivePermission": "denyAll", "sourceQueueArns": [TARGET] }),
                "must set redrivePermission to byQueue",
            ),
        ] {
            let fault = RedriveAllow::parse(&bad.to_string()).unwrap_err();
            assert!(fault.message.contains(reason), "{bad}: {}", fault.message);
        }
    }
}
