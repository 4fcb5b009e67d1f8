//! What counts of a queue, and what it is held at.

/// What counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    QueueLength,
    MessageRate,
    DeliverGetRate,
    PublishedToDeliveredRatio,
    ExpectedQueueConsumptionTime,
}

const MODES: [(&str, Mode); 5] = [
    ("QueueLength", Mode::QueueLength),
    ("MessageRate", Mode::MessageRate),
    ("DeliverGetRate", Mode::DeliverGetRate),
    ("PublishedToDeliveredRatio", Mode::PublishedToDeliveredRatio),
    ("ExpectedQueueConsumptionTime", Mode::ExpectedQueueConsumptionTime),
];
const DEFAULT_LENGTH: f64 = 20.0;

/// What was read of a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Counts {
    pub(super) messages: f64,
    /// A second.
    pub(super) published: f64,
    /// A second, to consumers.
    pub(super) delivered: f64,
}

/// The mode and its target by `mode`, `value` and the deprecated `queueLength`.
pub(super) fn chosen(mode: Option<&str>, value: Option<f64>, length: Option<f64>) -> Result<(Mode, f64), String> {
    match (mode.filter(|mode| *mode != "Unknown"), value, length) {
        (None, None, None) => Ok((Mode::QueueLength, DEFAULT_LENGTH)),
        (None, None, Some(length)) => Ok((Mode::QueueLength, length)),
        (_, _, Some(_)) => Err("queueLength is deprecated; use mode and value".to_owned()),
        (None, Some(_), None) => Err("mode must be specified".to_owned()),
        (Some(_), None, None) => Err("value must be specified".to_owned()),
        (Some(name), Some(value), None) => {
            let found = MODES.iter().find(|(known, _)| *known == name).map(|(_, mode)| (*mode, value));
            let names = MODES.map(|(known, _)| known).join(", ");
            found.ok_or_else(|| format!("trigger mode {name} must be one of {names}"))
        }
    }
}

impl Mode {
    /// The value, and whether the trigger is active.
    pub(super) fn value(self, counts: &Counts, activation: f64) -> (f64, bool) {
        let Counts { messages, published, delivered } = *counts;
        match self {
            Self::QueueLength => (messages, messages > activation),
            Self::MessageRate => (published, published > activation || messages > activation),
            Self::DeliverGetRate => (delivered, delivered > activation),
            Self::PublishedToDeliveredRatio => {
                // What comes and nobody takes has no ratio; it needs somebody.
                let is_ignored = published > 0.0 && delivered == 0.0;
                let ratio = match (published > 0.0, delivered > 0.0) {
                    (true, true) => published / delivered,
                    (true, false) => activation,
                    (false, _) => 0.0,
                };
                (ratio, ratio > activation || is_ignored)
            }
            Self::ExpectedQueueConsumptionTime if delivered == 0.0 => (activation, true),
            Self::ExpectedQueueConsumptionTime => {
                let seconds = (published - delivered) / delivered + messages / delivered;
                (seconds, seconds > activation)
            }
        }
    }
}
