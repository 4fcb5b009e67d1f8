//! What a command has said so far, its plan and its progress among it, for the archive of a failure.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

/// Bytes that are kept, from the end.
const BYTES_MAX: usize = 2 << 20;

/// Lines with their times. A clone adds to the same lines.
#[derive(Debug, Clone, Default)]
pub(crate) struct Transcript(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<String>,
    bytes: usize,
    dropped: usize,
}

impl Transcript {
    /// Takes in a text of one or more lines, said at `at`.
    pub(crate) fn add(&self, at: Timestamp, text: &str) {
        let entry = format!("{} {text}\n", at.strftime("%H:%M:%S%.3f"));
        // A deque is consistent between any two of its operations, so a panic elsewhere does not spoil it.
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.bytes += entry.len();
        lines.kept.push_back(entry);
        while lines.bytes > BYTES_MAX
            && let Some(first) = lines.kept.pop_front()
        {
            lines.bytes -= first.len();
            lines.dropped += 1;
        }
    }

    /// All that is kept, with a first line where the beginning is not.
    pub(crate) fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = if lines.dropped == 0 {
            String::new()
        } else {
            format!("({} earlier texts are not kept)\n", lines.dropped)
        };
        begin + &lines.kept.iter().map(String::as_str).collect::<String>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_with_its_times_and_what_is_dropped_is_counted() {
        let (transcript, at) = (Transcript::default(), Timestamp::UNIX_EPOCH);
        transcript.add(at, "a");
        transcript.clone().add(at, "b");
        assert_eq!(transcript.text(), "00:00:00.000 a\n00:00:00.000 b\n");
        let long = "x".repeat(BYTES_MAX / 2 - 25);
        transcript.add(at, &long);
        transcript.add(at, &long);
        transcript.add(at, "c");
        let text = transcript.text();
        assert!(text.starts_with("(2 earlier texts are not kept)\n00:00:00.000 xx"), "{}", &text[..60]);
        assert!(text.ends_with("x\n00:00:00.000 c\n") && text.len() <= BYTES_MAX + 40);
        transcript.add(at, &"y".repeat(BYTES_MAX));
        assert_eq!(transcript.text(), "(6 earlier texts are not kept)\n", "one that is too long by itself");
    }
}
