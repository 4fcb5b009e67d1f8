//! A queue: its settings and its messages in order.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use clock::Moment;
use jiff::Timestamp;
use tokio::sync::Notify;

use super::attempt::Attempts;
use super::message::Message;
use super::receipt_handle;
use super::settings::Settings;
use crate::identifier;

/// A repeated deduplication id within this time is the same message.
const DEDUPLICATION: Duration = Duration::from_mins(5);

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) arn: String,
    /// Part of receipt handles, so that those of an earlier queue of this name are not taken.
    pub(super) id: String,
    pub(super) fifo: bool,
    pub(super) settings: Settings,
    pub(super) created_at: Timestamp,
    pub(super) modified_at: Timestamp,
    pub(super) tags: BTreeMap<String, String>,
    /// By arrival.
    pub(super) messages: BTreeMap<u64, Message>,
    pub(super) arrivals: u64,
    pub(super) purged: Option<Moment>,
    /// Notified when a message may have become receivable.
    pub(super) wake: Arc<Notify>,
    seen: HashMap<String, (Moment, Message)>,
    attempts: Attempts,
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
    pub(super) fn new(name: &str, arn: String, settings: Settings, now: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            arn,
            id: identifier::uuid(),
            fifo: is_fifo(name),
            settings,
            created_at: now,
            modified_at: now,
            tags: BTreeMap::new(),
            messages: BTreeMap::new(),
            arrivals: 0,
            purged: None,
            wake: Arc::default(),
            seen: HashMap::new(),
            attempts: Attempts::default(),
        }
    }

    /// Changes the settings. A FIFO queue's new delay counts for the messages that wait already, a standard queue's does not.
    pub(super) fn set(&mut self, settings: Settings, now: Moment) {
        let delay = settings.delay();
        if self.fifo && delay != self.settings.delay() {
            for message in self.messages.values_mut().filter(|message| message.receives == 0 && message.visible > now) {
                message.visible = message.enqueued.plus(delay);
            }
        }
        self.settings = settings;
        // A shorter delay or a policy may matter to open polls.
        self.wake.notify_waiters();
    }

    /// Forgets messages past their retention.
    pub(super) fn expire(&mut self, now: Moment) {
        let retention = self.settings.retention();
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
            let per_group = self.settings.fifo.as_ref().is_some_and(|fifo| fifo.per_group);
            let group = message.group.clone().filter(|_| per_group).unwrap_or_default();
            let key = format!("{group}\0{}", message.deduplication_id.clone().unwrap_or_default());
            self.seen.retain(|_, (at, _)| at.plus(DEDUPLICATION) > now);
            if let Some((_, earlier)) = self.seen.get(&key) {
                return earlier.clone();
            }
            message.sequence = Some(self.next_sequence());
            self.seen.insert(key, (now, message.clone()));
        }
        self.push(message.clone());
        message
    }

    /// The sequence number of a FIFO queue's next message.
    pub(super) fn next_sequence(&self) -> String {
        format!("{:020}", 10_000_000_000_000_000_000_u64 + (self.arrivals + 1) * 256)
    }

    pub(super) fn push(&mut self, message: Message) {
        self.arrivals += 1;
        self.messages.insert(self.arrivals, message);
        self.wake.notify_waiters();
    }

    /// What an earlier attempt of this id received, if it can be had again; see [`Attempts::repeat`].
    pub(super) fn repeat(&mut self, attempt: &str, visibility: Duration, now: Moment) -> Option<Taken> {
        self.expire(now);
        let again = self.attempts.repeat(&mut self.messages, attempt, visibility, now)?;
        let received = again.into_iter().filter_map(|(arrival, message)| {
            Some((receipt_handle::make(&self.id, arrival, message.receipt.as_deref()?), message))
        });
        Some(Taken { received: received.collect(), ..Taken::default() })
    }

    /// Receives up to `count_max` messages and hides them for `visibility`, as the attempt of that id.
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
        attempt: Option<&str>,
    ) -> Taken {
        self.expire(now);
        let mut taken = Taken::default();
        let mut closed: HashSet<String> = HashSet::new();
        let (mut dead, mut arrivals) = (Vec::new(), Vec::new());
        let receives_max =
            self.settings.redrive.as_ref().filter(|_| redrive).map_or(u64::MAX, |redrive| redrive.receives_max);
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
            arrivals.push(*arrival);
            taken.received.push((receipt_handle::make(&self.id, *arrival, &nonce), message.clone()));
        }
        taken.dead = dead.iter().filter_map(|arrival| self.messages.remove(arrival)).collect();
        if let Some(attempt) = attempt {
            let received = arrivals.iter().filter_map(|arrival| Some((*arrival, self.messages.get(arrival)?)));
            self.attempts.remember(attempt, now, received);
        }
        taken
    }
}
