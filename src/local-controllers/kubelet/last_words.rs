//! What a container says about its end: its termination message, or the end of its log.
//!
//! Sizes as in Kubernetes (<https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/>).

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::Value;

use crate::object::text;

/// Bytes of a termination message; of a longer one the end is kept.
const MESSAGE_BYTES_MAX: u64 = 4096;
/// The same for the end of a log, with its lines.
const LOG_BYTES_MAX: usize = 2048;
const LOG_LINES_MAX: usize = 80;
/// As much of a log's file as its last lines can be in, with time and stream in front of each.
const LOG_FILE_BYTES_MAX: u64 = 64 * 1024;

/// The message of a container that ended with `code`; empty if it left none.
pub(super) fn of(container: &Value, code: i32, message: &Path, log: &Path) -> String {
    let said = String::from_utf8_lossy(&end_of(message, MESSAGE_BYTES_MAX)).into_owned();
    let falls_back = text(container, "/terminationMessagePolicy") == "FallbackToLogsOnError";
    if !said.is_empty() || code == 0 || !falls_back {
        return said;
    }
    let file = end_of(log, LOG_FILE_BYTES_MAX);
    // The first line may be cut off where the reading began; only whole ones have three words in front.
    let whole =
        if file.len() as u64 == LOG_FILE_BYTES_MAX { file.splitn(2, |byte| *byte == b'\n').nth(1) } else { None };
    last_lines(whole.unwrap_or(&file))
}

/// The end of a file that a container may have written: a link in its place is not followed.
fn end_of(path: &Path, most: u64) -> Vec<u8> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = OpenOptions::new().read(true).custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits()).open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
        let mut content = Vec::new();
        file.take(most).read_to_end(&mut content)?;
        Ok(content)
    };
    read().unwrap_or_else(|error| {
        tracing::debug!(path = %path.display(), %error, "failed to read what a container left");
        Vec::new()
    })
}

/// The last lines of a log in CRI format.
fn last_lines(log: &[u8]) -> String {
    let mut text = String::new();
    for line in log.split(|byte| *byte == b'\n') {
        let mut words = line.splitn(4, |byte| *byte == b' ');
        let (Some(tag), Some(content)) = (words.nth(2), words.next()) else { continue };
        text += &String::from_utf8_lossy(content);
        if tag == b"F" {
            text.push('\n');
        }
    }
    let lines = text.split_inclusive('\n').count();
    let text: String = text.split_inclusive('\n').skip(lines.saturating_sub(LOG_LINES_MAX)).collect();
    let mut start = text.len().saturating_sub(LOG_BYTES_MAX);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..].to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_goes_before_the_log_and_the_log_counts_only_for_failures() {
        let folder = tempfile::tempdir().unwrap();
        let (message, log) = (folder.path().join("message"), folder.path().join("log"));
        std::fs::write(&log, "t stdout F one\nt stderr P tw\nt stderr F o\n").unwrap();
        std::fs::write(&message, "").unwrap();
        let fallback = json!({"terminationMessagePolicy": "FallbackToLogsOnError"});
        assert_eq!(of(&fallback, 3, &message, &log), "one\ntwo\n");
        assert_eq!(of(&fallback, 0, &message, &log), "");
        assert_eq!(of(&json!({"terminationMessagePolicy": "File"}), 3, &message, &log), "");
        std::fs::write(&message, format!("start{}", "x".repeat(4096))).unwrap();
        assert_eq!(of(&fallback, 3, &message, &log), "x".repeat(4096));
    }

    #[test]
    fn of_a_long_log_the_end_is_kept() {
        let lines = (0..200).map(|number| format!("t stdout F {number}\n")).collect::<Vec<_>>().concat();
        let kept = last_lines(lines.as_bytes());
        assert_eq!((kept.lines().next(), kept.lines().last()), (Some("120"), Some("199")));
        let long = format!("t stdout F {}\n", "é".repeat(2000));
        assert!(last_lines(long.as_bytes()).len() <= 2048);
    }

    #[test]
    fn a_link_in_the_message_s_place_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "secret").unwrap();
        let message = folder.path().join("message");
        std::os::unix::fs::symlink(folder.path().join("secret"), &message).unwrap();
        assert_eq!(of(&json!({}), 1, &message, Path::new("/nonexistent")), "");
    }
}
