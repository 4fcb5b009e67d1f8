//! The one writer of an evidence file: observers hand it records, it appends them, folds the snapshot and feeds live views.

use std::io::Write;
use std::path::{Path, PathBuf};

use clock::Clock;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};
use crate::evidence::{Chain, Header};
use crate::observation::{Observation, Record, Source};
use crate::snapshot::Snapshot;

/// Hands records to the writer. Clones write to the same file.
#[derive(Clone)]
pub(crate) struct Recorder {
    records: mpsc::UnboundedSender<Record>,
    clock: Clock,
}

impl Recorder {
    pub(crate) fn record(&self, source: Source, observation: Observation) {
        self.record_at(self.clock.now(), source, observation);
    }

    /// Credentials are taken out here, whoever saw them.
    pub(crate) fn record_at(&self, time: Timestamp, source: Source, observation: Observation) {
        // A closed channel means that the writer failed or ended; the scenario sees that through the snapshot's channel.
        let _ = self.records.send(Record { time, source, observation: observation.redacted() });
    }

    pub(crate) fn failure(&self, source: Source, what: &str, error: impl std::fmt::Display) {
        self.record(source, Observation::Failure { what: what.to_owned(), error: error.to_string() });
    }
}

/// The writer's task and the snapshot that it keeps.
pub(crate) struct Writer {
    pub(crate) snapshot: watch::Receiver<Snapshot>,
    task: JoinHandle<Result<()>>,
}

impl Writer {
    /// Ends when all recorders are dropped; gives the error if writing failed.
    pub(crate) async fn finish(self) -> Result<()> {
        match self.task.await {
            Ok(result) => result,
            Err(error) => Err(Error::Report { what: "evidence", reason: error.to_string() }),
        }
    }
}

/// Starts a writer: into a new file that begins with `header`, or, without one, only for the live view.
pub(crate) fn start(
    file: Option<(&Path, &Header)>,
    live: Option<mpsc::UnboundedSender<Record>>,
    clock: Clock,
) -> Result<(Recorder, Writer)> {
    let mut file = file.map(|(path, header)| File::create(path, header)).transpose()?;
    let (records, mut inbox) = mpsc::unbounded_channel::<Record>();
    let (snapshot_sender, snapshot) = watch::channel(Snapshot::default());
    let task = tokio::spawn(async move {
        while let Some(record) = inbox.recv().await {
            if let Some(file) = &mut file {
                file.append(&record)?;
            }
            snapshot_sender.send_modify(|snapshot| snapshot.apply(&record));
            if let Some(live) = &live {
                // Nobody has to look.
                let _ = live.send(record);
            }
        }
        Ok(())
    });
    Ok((Recorder { records, clock }, Writer { snapshot, task }))
}

/// Lines are short and few, so they are written at once: what was seen is on disk before the next thing is seen.
struct File {
    path: PathBuf,
    out: std::fs::File,
    chain: Chain,
}

impl File {
    fn create(path: &Path, header: &Header) -> Result<Self> {
        let failed = |source| Error::Write { path: path.to_owned(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let out = std::fs::File::create(path).map_err(failed)?;
        let mut created = Self { path: path.to_owned(), out, chain: Chain::default() };
        created.append(header)?;
        Ok(created)
    }

    fn append(&mut self, value: &impl serde::Serialize) -> Result<()> {
        let failed = |source| Error::Write { path: self.path.clone(), source };
        let text = serde_json::to_string(value).map_err(|error| failed(error.into()))?;
        let line = self.chain.seal(&text) + "\n";
        self.out.write_all(line.as_bytes()).map_err(failed)
    }
}
