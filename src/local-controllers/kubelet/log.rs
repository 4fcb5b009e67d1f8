//! Container logs in CRI format: `<RFC3339Nano> stdout|stderr F|P <line>`.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use clock::Clock;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use crate::error::{Error, Result};

/// Longer lines are written in parts, as container runtimes do.
const LINE_BYTES_MAX: u64 = 16 * 1024;

/// One container run's log file; clones write to the same file.
#[derive(Clone)]
pub(super) struct Log {
    file: Arc<Mutex<File>>,
    clock: Clock,
}

impl Log {
    pub(super) fn create(path: &Path, clock: Clock) -> Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
        }
        let file = File::create(path).map_err(Error::file(path))?;
        Ok(Self { file: Arc::new(Mutex::new(file)), clock })
    }

    /// Copies a stream into the log until it ends.
    pub(super) async fn copy(self, stream: &'static str, source: impl AsyncRead + Unpin) {
        let mut source = BufReader::new(source);
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut source).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => self.write(stream, &line),
            }
        }
    }

    fn write(&self, stream: &str, line: &[u8]) {
        let now = self.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%9fZ");
        let (text, tag) = line.strip_suffix(b"\n").map_or((line, 'P'), |text| (text, 'F'));
        let mut record = format!("{now} {stream} {tag} ").into_bytes();
        record.extend_from_slice(text);
        record.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(&record) {
            tracing::warn!(%error, "failed to write a container's log; check space of the state folder");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_written_in_cri_format() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c/0.log");
        let (clock, _handle) = Clock::manual("2026-01-02T03:04:05.000000006Z".parse().unwrap());
        let log = Log::create(&path, clock).unwrap();
        log.clone().copy("stdout", &b"one\ntwo"[..]).await;
        log.copy("stderr", &[vec![b'x'; 16 * 1024], b"y\n".to_vec()].concat()[..]).await;
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "2026-01-02T03:04:05.000000006Z stdout F one");
        assert_eq!(lines[1], "2026-01-02T03:04:05.000000006Z stdout P two");
        assert!(lines[2].contains(" stderr P xxx"));
        assert!(lines[3].ends_with(" stderr F y"));
    }
}
