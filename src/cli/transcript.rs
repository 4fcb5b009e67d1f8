//! What a command has said so far, its plan and its progress among it: for the archive of a failure, and, line by line as it is
//! said, in a file that a person can follow.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use cluster::redact_text;
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
    file: Option<File>,
}

impl Lines {
    fn text(&self) -> String {
        let begin =
            if self.dropped == 0 { String::new() } else { format!("({} earlier texts are not kept)\n", self.dropped) };
        begin + &self.kept.iter().map(String::as_str).collect::<String>()
    }
}

impl Transcript {
    /// Takes in a text of one or more lines, said at `at`.
    pub(crate) fn add(&self, at: Timestamp, text: &str) {
        let entry = format!("{} {text}\n", at.strftime("%H:%M:%S%.3f"));
        // A deque is consistent between any two of its operations, so a panic elsewhere does not spoil it.
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &mut lines.file {
            // A full disk is no reason to end what the command does.
            let _ = file.write_all(redact_text(&entry).as_bytes());
        }
        lines.bytes += entry.len();
        lines.kept.push_back(entry);
        while lines.bytes > BYTES_MAX
            && let Some(first) = lines.kept.pop_front()
        {
            lines.bytes -= first.len();
            lines.dropped += 1;
        }
    }

    /// Writes what was said so far into a new file, and each text from now on as it is said. Credentials are taken out.
    ///
    /// # Errors
    ///
    /// The system's, if the file cannot be made or written.
    pub(crate) fn follow(&self, path: &Path) -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = File::create(path)?;
        file.write_all(redact_text(&lines.text()).as_bytes())?;
        lines.file = Some(file);
        Ok(())
    }

    /// All that is kept, with a first line where the beginning is not.
    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).text()
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

    #[test]
    fn a_file_has_what_was_said_before_it_and_after_and_no_credential() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/one.log");
        let transcript = Transcript::default();
        transcript.add(Timestamp::UNIX_EPOCH, "before");
        transcript.follow(&path).unwrap();
        transcript.add(Timestamp::UNIX_EPOCH, "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("00:00:00.000 before\n00:00:00.000 AWS_SECRET_ACCESS_KEY"), "{text}");
        assert!(!text.contains("wJalr") && text.ends_with('\n'), "{text}");
    }
}
