//! A queue: its settings and its messages in order.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use clock::Moment;
use jiff::Timestamp;
use tokio::sync::Notify;

use super::message::Message;
use crate::identifier;
use crate::policy::Named;

/// A repeated deduplication id within this time is the same message.
const DEDUPLICATION: Duration = Duration::from_mins(5);

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) arn: String,
    /// Part of receipt handles, so that those of an earlier queue of this name are not taken.
    pub(super) id: String,
    pub(super) fifo: bool,
    /// Settings in the texts of the attributes, defaults included.
    pub(super) settings: BTreeMap<String, String>,
    pub(super) policy: Option<Named>,
    pub(super) redrive: Option<Redrive>,
    pub(super) created_at: Timestamp,
    pub(super) modified_at: Timestamp,
    pub(super) tags: BTreeMap<String, String>,
    /// By arrival.
    pub(super) messages: BTreeMap<u64, Message>,
    pub(super) arrivals: u64,
    pub(super) purged: Option<Moment>,
    /// Told when a message may have become receivable.
    pub(super) wake: Arc<Notify>,
    seen: HashMap<String, (Moment, Message)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redrive {
    pub(super) target_arn: String,
    pub(super) receives_max: u64,
}

/// The three approximate counts; here they are exact.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) visible: usize,
    pub(super) in_flight: usize,
    pub(super) delayed: usize,
}

/// Whether a queue of this name is a FIFO queue; SQS takes the suffix in lower case only.
pub(super) fn is_fifo(name: &str) -> bool {
    name.strip_suffix(".fifo").is_some()
}

/// What one look into the queue found.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) received: Vec<(String, Message)>,
    /// Received too often: to be moved to the dead-letter queue.
    pub(super) dead: Vec<Message>,
    /// When the next hidden message becomes visible.
    pub(super) next: Option<Moment>,
}

impl Queue {
    pub(super) fn new(name: &str, arn: String, settings: BTreeMap<String, String>, now: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            arn,
            id: identifier::uuid(),
            fifo: is_fifo(name),
            settings,
            policy: None,
            redrive: None,
            created_at: now,
            modified_at: now,
            tags: BTreeMap::new(),
            messages: BTreeMap::new(),
            arrivals: 0,
            purged: None,
            wake: Arc::default(),
            seen: HashMap::new(),
        }
    }

    /// A setting counted in seconds or bytes.
    pub(super) fn number(&self, setting: &str) -> u64 {
        self.settings.get(setting).and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    pub(super) fn flag(&self, setting: &str) -> bool {
        self.settings.get(setting).is_some_and(|text| text == "true")
    }

    pub(super) fn duration(&self, setting: &str) -> Duration {
        Duration::from_secs(self.number(setting))
    }

    /// Forgets messages past their retention.
    pub(super) fn expire(&mut self, now: Moment) {
        let retention = self.duration("MessageRetentionPeriod");
        self.messages.retain(|_, message| message.enqueued.plus(retention) > now);
    }

    pub(super) fn counts(&self, now: Moment) -> Counts {
        let mut counts = Counts::default();
        for message in self.messages.values() {
            if message.visible <= now {
                counts.visible += 1;
            } else if message.receipt.is_some() {
                counts.in_flight += 1;
            } else {
                counts.delayed += 1;
            }
        }
        counts
    }

    /// Adds a message; gives the earlier one instead if it is a duplicate.
    pub(super) fn add(&mut self, mut message: Message, now: Moment) -> Message {
        if self.fifo {
            let per_group = self.settings.get("DeduplicationScope").is_some_and(|scope| scope == "messageGroup");
            let group = message.group.clone().filter(|_| per_group).unwrap_or_default();
            let key = format!("{group}\0{}", message.deduplication_id.clone().unwrap_or_default());
            self.seen.retain(|_, (at, _)| at.plus(DEDUPLICATION) > now);
            if let Some((_, earlier)) = self.seen.get(&key) {
                return earlier.clone();
            }
            message.sequence = Some(format!("{:020}", 10_000_000_000_000_000_000_u64 + (self.arrivals + 1) * 256));
            self.seen.insert(key, (now, message.clone()));
        }
        self.push(message.clone());
        message
    }

    pub(super) fn push(&mut self, message: Message) {
        self.arrivals += 1;
        self.messages.insert(self.arrivals, message);
        self.wake.notify_waiters();
    }

    /// Receives up to `count_max` messages and hides them for `visibility`.
    ///
    /// With `redrive` those received too often are taken out as dead; without a dead-letter queue (deleted since) they stay.
    /// In a FIFO queue a group is closed behind a message that is hidden.
    pub(super) fn take(
        &mut self,
        redrive: bool,
        count_max: usize,
        visibility: Duration,
        now: Moment,
        time: Timestamp,
    ) -> Taken {
        self.expire(now);
        let mut taken = Taken::default();
        let mut closed: HashSet<String> = HashSet::new();
        let mut dead = Vec::new();
        let receives_max = self.redrive.as_ref().filter(|_| redrive).map_or(u64::MAX, |redrive| redrive.receives_max);
        for (arrival, message) in &mut self.messages {
            let group = message.group.as_deref().filter(|_| self.fifo);
            if group.is_some_and(|group| closed.contains(group)) {
                continue;
            }
            if message.visible > now {
                taken.next = Some(taken.next.map_or(message.visible, |next| next.min(message.visible)));
                closed.extend(group.map(str::to_owned));
                continue;
            }
            if message.receives >= receives_max {
                dead.push(*arrival);
                continue;
            }
            if taken.received.len() == count_max {
                break;
            }
            let nonce = identifier::uuid();
            message.receives += 1;
            message.first_received_at.get_or_insert(time);
            message.received = Some(now);
            message.visible = now.plus(visibility);
            message.receipt = Some(nonce.clone());
            taken.received.push((super::receiving::handle(&self.id, *arrival, &nonce), message.clone()));
        }
        taken.dead = dead.iter().filter_map(|arrival| self.messages.remove(arrival)).collect();
        taken
    }
}
