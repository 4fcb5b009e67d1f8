//! The files of a local cloud: where they lie and what they hold.

use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

pub use local_aws::AccessKey;
pub use local_container::Walls;
use serde::{Deserialize, Serialize};

use crate::images::Mapping;
use crate::{Error, Result};

/// Credentials that reach the AWS endpoint.
#[derive(Clone)]
pub struct Access {
    /// The key.
    pub key: AccessKey,
    /// What temporary credentials have besides.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { key, session_token } = self;
        let token = session_token.as_ref().map(|_| "(redacted)");
        f.debug_struct("Access").field("key", key).field("session_token", &token).finish()
    }
}

/// The folder of one local cloud, `.sluice/<stack>/`.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// What a running local cloud says about itself. Holds no secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The format's version, 1.
    pub version: u32,
    /// The process id.
    pub pid: i32,
    /// The endpoint of all AWS services, `http://127.0.0.1:PORT`.
    pub aws_endpoint: String,
    /// The region that it stands for.
    pub region: String,
    /// The account that it stands for.
    pub account_id: String,
    /// System seconds per real second.
    pub time_scale: f64,
    /// What is late, busy or refused in it, as it was asked for; none if nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faults: Option<String>,
    /// What holds its pods in; unknown in the record of an older program.
    #[serde(default)]
    pub pod_walls: Option<PodWalls>,
}

/// What holds pods in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodWalls {
    /// Of which kind.
    pub kind: Walls,
    /// Why not stronger ones; none where these are the strongest.
    pub reason: Option<String>,
}

impl Folder {
    /// The folder at `path`; nothing is created.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// `local.json`: the [`Record`] of the running process.
    pub fn record(&self) -> PathBuf {
        self.0.join("local.json")
    }

    /// `credentials`: the administrator's access key, as an AWS shared credentials file.
    pub fn credentials(&self) -> PathBuf {
        self.0.join("credentials")
    }

    /// `config`: region and endpoint, as an AWS config file.
    pub fn config(&self) -> PathBuf {
        self.0.join("config")
    }

    /// `ca.pem`: the certificate that the clusters are trusted by.
    pub fn ca(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    /// `local.log`: what the process says.
    pub fn log(&self) -> PathBuf {
        self.0.join("local.log")
    }

    /// `images.json`: the programs that stand for images, read whenever a container is started.
    pub fn images(&self) -> PathBuf {
        self.0.join("images.json")
    }

    /// `pods/`: a folder per pod, with its volumes and logs.
    pub fn pods(&self) -> PathBuf {
        self.0.join("pods")
    }

    /// The record, or `None` where no local cloud has left one.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the record cannot be read. [`Error::Record`] if it cannot be understood.
    pub fn load_record(&self) -> Result<Option<Record>> {
        let path = self.record();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::File { action: "read", path, source }),
        };
        serde_json::from_str(&text).map(Some).map_err(|error| Error::Record { path, reason: error.to_string() })
    }

    /// What the credentials file says, or `None` where no local cloud has written one. It is the administrator's access key, unless
    /// somebody put others there, such as those of an assumed role.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the credentials cannot be read.
    pub fn load_access(&self) -> Result<Option<Access>> {
        let path = self.credentials();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::File { action: "read", path, source }),
        };
        let value = |name: &str| {
            let mut pairs = text.lines().filter_map(|line| line.split_once('='));
            pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
        };
        let key = value("aws_access_key_id").zip(value("aws_secret_access_key"));
        Ok(key.map(|(id, secret)| Access {
            key: AccessKey { id, secret },
            session_token: value("aws_session_token").filter(|token| !token.is_empty()),
        }))
    }

    /// The programs that stand for images; none where nothing was mapped.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the mapping cannot be read or is none.
    pub fn load_images(&self) -> Result<Mapping> {
        let path = self.images();
        Mapping::load(&path).map_err(|source| Error::File { action: "read", path, source })
    }

    /// Maps images to programs, for containers that start from now on. A running cloud needs no notice.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if the folder cannot be made or the mapping not written.
    pub fn write_images(&self, images: &Mapping) -> Result<()> {
        self.create()?;
        write(&self.images(), &serde_json::to_string_pretty(images).unwrap_or_default(), 0o644)
    }

    pub(crate) fn create(&self) -> Result<()> {
        let failed = |source| Error::File { action: "create", path: self.pods(), source };
        std::fs::create_dir_all(self.pods()).map_err(failed)?;
        // Tokens of pods lie there; they are the owner's business only.
        std::fs::set_permissions(self.pods(), std::fs::Permissions::from_mode(0o700)).map_err(failed)
    }

    /// Holds the folder for one process (flock(2)), until the file is dropped or the process ends.
    pub(crate) fn lock(&self) -> Result<std::fs::File> {
        let failed = |source| Error::File { action: "lock", path: self.0.clone(), source };
        let folder = std::fs::File::open(&self.0).map_err(failed)?;
        match folder.try_lock() {
            Ok(()) => Ok(folder),
            Err(std::fs::TryLockError::WouldBlock) => Err(Error::Starting { path: self.0.clone() }),
            Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    pub(crate) fn write_record(&self, record: &Record) -> Result<()> {
        let text = serde_json::to_string_pretty(record).unwrap_or_default();
        write(&self.record(), &text, 0o644)
    }

    pub(crate) fn remove_record(&self) -> Result<()> {
        let path = self.record();
        std::fs::remove_file(&path).map_err(|source| Error::File { action: "remove", path, source })
    }

    /// The administrator's files in AWS's own formats, readable by their owner only.
    pub(crate) fn write_access(&self, key: &AccessKey, region: &str, endpoint: &str) -> Result<()> {
        let credentials =
            format!("[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n", key.id, key.secret);
        write(&self.credentials(), &credentials, 0o600)?;
        write(&self.config(), &format!("[default]\nregion = {region}\nendpoint_url = {endpoint}\n"), 0o644)
    }

    pub(crate) fn write_ca(&self, pem: &str) -> Result<()> {
        write(&self.ca(), pem, 0o644)
    }

    /// Removes all that the process wrote, but nothing that others keep in the folder.
    ///
    /// # Errors
    ///
    /// [`Error::File`] names the first file that is there and cannot be removed.
    pub fn clear(&self) -> Result<()> {
        for path in [self.record(), self.credentials(), self.config(), self.ca(), self.log(), self.images()] {
            gone(&path, std::fs::remove_file(&path))?;
        }
        gone(&self.pods(), local_container::remove(&self.pods()))
    }
}

fn gone(path: &Path, outcome: std::io::Result<()>) -> Result<()> {
    match outcome {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::File { action: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Writes beside the target and renames, so that a reader sees the old text or the new, never half of it.
fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let failed = |source| Error::File { action: "write", path: path.to_owned(), source };
    let beside = path.with_extension("new");
    gone(&beside, std::fs::remove_file(&beside))?;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)
}
