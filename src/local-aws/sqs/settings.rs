//! What a queue is set to: each attribute with its meaning, its default and its normal form.
//!
//! Sources: SQS API Reference, CreateQueue and SetQueueAttributes; SQS Developer Guide, "Amazon SQS message quotas" (the size
//! limit is the 1 MiB of August 2025) and "High throughput for FIFO queues".

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::policy::Policy;
use super::redrive::{Redrive, RedriveAllow};
use crate::fault::Fault;

/// Numeric attributes: name, least, most, default.
const NUMBERS: [(&str, u64, u64, u64); 5] = [
    ("DelaySeconds", 0, 900, 0),
    ("MaximumMessageSize", 1024, 1_048_576, 1_048_576),
    ("MessageRetentionPeriod", 60, 1_209_600, 345_600),
    ("ReceiveMessageWaitTimeSeconds", 0, 20, 0),
    ("VisibilityTimeout", 0, 43_200, 30),
];
const KEY_REUSE_DEFAULT: u64 = 300;
const KEY_REUSE: std::ops::RangeInclusive<u64> = 60..=86_400;

/// The attributes that only a FIFO queue has, and those that not every queue has a value for.
const FIFO_ONLY: [&str; 4] = ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"];
const OPTIONAL: [&str; 5] =
    ["Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"];

/// Whether an attribute of this name can be asked for, even if this queue has no value for it.
pub(super) fn is_known(name: &str) -> bool {
    FIFO_ONLY.contains(&name) || OPTIONAL.contains(&name)
}

#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// In the order of [`NUMBERS`].
    numbers: [u64; NUMBERS.len()],
    pub(super) policy: Option<Policy>,
    pub(super) redrive: Option<Redrive>,
    pub(super) redrive_allow: Option<RedriveAllow>,
    encryption: Encryption,
    pub(super) fifo: Option<Fifo>,
}

/// Server-side encryption: by SQS, by a key of KMS, or none. Nothing is encrypted here; the settings exclude each other all the same.
#[derive(Debug, Clone)]
struct Encryption {
    managed: bool,
    key: Option<String>,
    reuse: Option<u64>,
}

/// The settings of a FIFO queue.
#[derive(Debug, Clone, Default)]
pub(super) struct Fifo {
    pub(super) content_based: bool,
    /// Deduplication ids count within a message group, not within the queue.
    pub(super) per_group: bool,
    /// `FifoThroughputLimit` is `perMessageGroupId`.
    high_throughput: bool,
}

fn bad_value(name: &str) -> Fault {
    Fault::sender("InvalidAttributeValue", format!("Invalid value for the parameter {name}."))
}

fn bad(name: &str, reason: &str) -> Fault {
    Fault::sender("InvalidAttributeValue", format!("Invalid value for the parameter {name}. Reason: {reason}"))
}

fn number(name: &str, text: &str, range: std::ops::RangeInclusive<u64>) -> Result<u64, Fault> {
    // Digits alone: no sign, no space, no fraction.
    let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    text.parse().ok().filter(|number| plain && range.contains(number)).ok_or_else(|| bad_value(name))
}

fn flag(name: &str, text: &str) -> Result<bool, Fault> {
    text.parse().map_err(|_| bad_value(name))
}

/// One of two words; `true` for the second.
fn second_of(name: &str, text: &str, words: [&str; 2]) -> Result<bool, Fault> {
    words.iter().position(|word| *word == text).map(|at| at == 1).ok_or_else(|| bad_value(name))
}

/// A document that an empty text takes away.
fn document<T>(text: &str, parse: impl FnOnce(&str) -> Result<T, Fault>) -> Result<Option<T>, Fault> {
    if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
}

impl Settings {
    pub(super) fn new(fifo: bool) -> Self {
        Self {
            numbers: NUMBERS.map(|(.., default)| default),
            policy: None,
            redrive: None,
            redrive_allow: None,
            encryption: Encryption { managed: true, key: None, reuse: None },
            fifo: fifo.then(Fifo::default),
        }
    }

    /// These settings with `attributes` on top; nothing is changed if one of them is refused.
    ///
    /// `queue` names the queue in what a policy's evaluation says.
    pub(super) fn with(&self, queue: &str, attributes: &BTreeMap<String, String>) -> Result<Self, Fault> {
        let mut new = self.clone();
        for (name, text) in attributes {
            new.set(queue, name, text)?;
        }
        new.check_encryption(attributes)?;
        // SQS API Reference: perMessageGroupId is allowed only when DeduplicationScope is messageGroup.
        if new.fifo.as_ref().is_some_and(|fifo| fifo.high_throughput && !fifo.per_group) {
            let reason =
                "The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup.";
            return Err(bad("FifoThroughputLimit", reason));
        }
        Ok(new)
    }

    fn set(&mut self, queue: &str, name: &str, text: &str) -> Result<(), Fault> {
        if let Some(at) = NUMBERS.iter().position(|(known, ..)| *known == name) {
            let (_, least, most, _) = NUMBERS[at];
            self.numbers[at] = number(name, text, least..=most)?;
            return Ok(());
        }
        match name {
            "Policy" => self.policy = document(text, |text| Policy::parse(queue, text))?,
            "RedrivePolicy" => self.redrive = document(text, Redrive::parse)?,
            "RedriveAllowPolicy" => self.redrive_allow = document(text, RedriveAllow::parse)?,
            "KmsMasterKeyId" => self.encryption.key = Some(text.to_owned()).filter(|key| !key.is_empty()),
            "KmsDataKeyReusePeriodSeconds" => self.encryption.reuse = Some(number(name, text, KEY_REUSE)?),
            "SqsManagedSseEnabled" => self.encryption.managed = flag(name, text)?,
            _ => return self.set_fifo(name, text),
        }
        Ok(())
    }

    fn set_fifo(&mut self, name: &str, text: &str) -> Result<(), Fault> {
        let unknown = || Fault::sender("InvalidAttributeName", format!("Unknown Attribute {name}."));
        let Some(fifo) = &mut self.fifo else {
            return Err(match name {
                "DeduplicationScope" | "FifoThroughputLimit" => Fault::sender(
                    "InvalidAttributeName",
                    format!("You can specify the {name} only when FifoQueue is set to true."),
                ),
                _ => unknown(),
            });
        };
        match name {
            "FifoQueue" if text == "true" => {}
            "FifoQueue" if text == "false" => return Err(bad(name, "Modifying queue type is not supported.")),
            "FifoQueue" => return Err(bad_value(name)),
            "ContentBasedDeduplication" => fifo.content_based = flag(name, text)?,
            "DeduplicationScope" => fifo.per_group = second_of(name, text, ["queue", "messageGroup"])?,
            "FifoThroughputLimit" => {
                fifo.high_throughput = second_of(name, text, ["perQueue", "perMessageGroupId"])?;
            }
            _ => return Err(unknown()),
        }
        Ok(())
    }

    /// A key of KMS and SQS's own encryption exclude each other; the later one takes the place of the earlier one.
    fn check_encryption(&mut self, given: &BTreeMap<String, String>) -> Result<(), Fault> {
        let wants_key = given.get("KmsMasterKeyId").is_some_and(|key| !key.is_empty());
        let wants_managed = given.get("SqsManagedSseEnabled").is_some_and(|flag| flag == "true");
        if wants_key && wants_managed {
            return Err(Fault::sender(
                "InvalidAttributeValue",
                "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
            ));
        }
        if wants_key {
            self.encryption.managed = false;
        } else if wants_managed {
            self.encryption.key = None;
            self.encryption.reuse = None;
        }
        Ok(())
    }

    fn number(&self, name: &str) -> u64 {
        NUMBERS
            .iter()
            .zip(self.numbers)
            .find(|((known, ..), _)| *known == name)
            .map(|(_, value)| value)
            .unwrap_or_default()
    }

    pub(super) fn delay(&self) -> Duration {
        Duration::from_secs(self.number("DelaySeconds"))
    }

    pub(super) fn visibility(&self) -> Duration {
        Duration::from_secs(self.number("VisibilityTimeout"))
    }

    pub(super) fn wait(&self) -> Duration {
        Duration::from_secs(self.number("ReceiveMessageWaitTimeSeconds"))
    }

    pub(super) fn retention(&self) -> Duration {
        Duration::from_secs(self.number("MessageRetentionPeriod"))
    }

    pub(super) fn size_max(&self) -> u64 {
        self.number("MaximumMessageSize")
    }

    /// The attributes in their normal form, as `GetQueueAttributes` gives them.
    pub(super) fn report(&self) -> Map<String, Value> {
        let mut all: Map<String, Value> = NUMBERS
            .iter()
            .zip(self.numbers)
            .map(|((name, ..), value)| ((*name).to_owned(), json!(value.to_string())))
            .collect();
        let Encryption { managed, key, reuse } = &self.encryption;
        all.insert("SqsManagedSseEnabled".into(), json!(managed.to_string()));
        let documents = [
            ("Policy", self.policy.as_ref().map(|policy| policy.text.clone())),
            ("RedrivePolicy", self.redrive.as_ref().map(Redrive::text)),
            ("RedriveAllowPolicy", self.redrive_allow.as_ref().map(RedriveAllow::text)),
            ("KmsMasterKeyId", key.clone()),
            (
                "KmsDataKeyReusePeriodSeconds",
                reuse.or(key.as_ref().map(|_| KEY_REUSE_DEFAULT)).map(|seconds| seconds.to_string()),
            ),
        ];
        all.extend(documents.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text?)))));
        if let Some(Fifo { content_based, per_group, high_throughput }) = &self.fifo {
            all.insert("FifoQueue".into(), json!("true"));
            all.insert("ContentBasedDeduplication".into(), json!(content_based.to_string()));
            all.insert("DeduplicationScope".into(), json!(if *per_group { "messageGroup" } else { "queue" }));
            all.insert(
                "FifoThroughputLimit".into(),
                json!(if *high_throughput { "perMessageGroupId" } else { "perQueue" }),
            );
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(fifo: bool, attributes: &[(&str, &str)]) -> Result<Map<String, Value>, Fault> {
        let attributes = attributes.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Settings::new(fifo).with("orders", &attributes).map(|settings| settings.report())
    }

    #[test]
    fn each_number_has_its_bounds_and_is_written_in_digits() {
        for (name, least, most, default) in NUMBERS {
            let refused = |text: &str| changed(false, &[(name, text)]).unwrap_err();
            assert_eq!(changed(false, &[]).unwrap()[name], default.to_string());
            for fine in [least, most] {
                assert_eq!(changed(false, &[(name, &fine.to_string())]).unwrap()[name], fine.to_string());
            }
            for text in [&(most + 1).to_string(), "", "+60", " 60", "60.0", "-1", "many"] {
                assert_eq!(refused(text).code, "InvalidAttributeValue", "{name} {text}");
            }
            if least > 0 {
                assert_eq!(
                    refused(&(least - 1).to_string()).message,
                    format!("Invalid value for the parameter {name}.")
                );
            }
        }
    }

    #[test]
    fn encryption_is_of_one_kind() {
        let by_key = changed(false, &[("KmsMasterKeyId", "alias/aws/sqs")]).unwrap();
        assert_eq!(
            (&by_key["SqsManagedSseEnabled"], &by_key["KmsDataKeyReusePeriodSeconds"]),
            (&json!("false"), &json!("300"))
        );
        let both = changed(false, &[("KmsMasterKeyId", "k"), ("SqsManagedSseEnabled", "true")]).unwrap_err();
        assert!(both.message.starts_with("You can use one type of server-side encryption"), "{}", both.message);
        for seconds in ["59", "86401"] {
            assert!(changed(false, &[("KmsDataKeyReusePeriodSeconds", seconds)]).is_err());
        }
        let key = Settings::new(false).with("q", &BTreeMap::from([("KmsMasterKeyId".into(), "k".into())])).unwrap();
        let managed =
            key.with("q", &BTreeMap::from([("SqsManagedSseEnabled".into(), "true".into())])).unwrap().report();
        assert_eq!((managed.get("KmsMasterKeyId"), &managed["SqsManagedSseEnabled"]), (None, &json!("true")));
    }

    #[test]
    fn a_throughput_per_group_needs_deduplication_per_group() {
        let limit = ("FifoThroughputLimit", "perMessageGroupId");
        assert!(changed(true, &[limit]).unwrap_err().message.contains("only when the value for DeduplicationScope"));
        let fine = changed(true, &[limit, ("DeduplicationScope", "messageGroup")]).unwrap();
        assert_eq!(fine["FifoThroughputLimit"], "perMessageGroupId");
        for (name, text) in [("DeduplicationScope", "group"), ("FifoThroughputLimit", "fast"), ("FifoQueue", "yes")] {
            assert_eq!(changed(true, &[(name, text)]).unwrap_err().code, "InvalidAttributeValue");
        }
        for name in ["DeduplicationScope", "FifoThroughputLimit", "ContentBasedDeduplication", "FifoQueue", "Colour"] {
            assert_eq!(changed(false, &[(name, "true")]).unwrap_err().code, "InvalidAttributeName", "{name}");
        }
    }
}
