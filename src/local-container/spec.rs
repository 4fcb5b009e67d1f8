//! What a container is to be: a value that the node agent writes and the launcher reads.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What holds a container in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Walls {
    /// Mount, user and process namespaces: a file system of its own, and no process but its own in sight.
    Namespaces,
    /// Rules of the kernel about which of the machine's files may be read and written.
    Landlock,
    /// Nothing: the container is a process like any other of its user.
    None,
}

impl std::str::FromStr for Walls {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "namespaces" => Ok(Self::Namespaces),
            "landlock" => Ok(Self::Landlock),
            "none" => Ok(Self::None),
            _ => Err(format!("{text:?} is not one of namespaces, landlock and none")),
        }
    }
}

/// A container, as its process needs to know it. Paths without another word are those of the machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// What holds it in.
    pub walls: Walls,
    /// The folder that becomes `/`; it must be there and empty.
    pub root: PathBuf,
    /// Folders and files of the machine that it sees at the same path, read-only, besides those of the system.
    pub visible: Vec<PathBuf>,
    /// Folders that it may write where there is no file system of its own ([`Walls::Landlock`]).
    pub own: Vec<PathBuf>,
    /// Its volumes, outer ones first.
    pub mounts: Vec<Mount>,
    /// Its working folder: a path of its own with [`Walls::Namespaces`], of the machine otherwise. Its own to write, where
    /// it is not the root and shows nothing of the machine.
    pub folder: PathBuf,
    /// Where its programs keep a person's files (`HOME`), in the same way; its own to write.
    pub home: PathBuf,
    /// Its host name.
    pub hostname: String,
    /// The text of its `/etc/hosts`.
    pub hosts: String,
    /// Whether only volumes and `/dev` can be written.
    pub read_only_root: bool,
    /// The user that it sees itself as.
    pub user: u32,
    /// The group that it sees itself as.
    pub group: u32,
    /// Capabilities that it is not given, by name without `CAP_`; `ALL` for all.
    pub without: Vec<String>,
}

/// A folder or file of the machine that the container sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mount {
    /// Where it lies.
    pub source: PathBuf,
    /// What of it is meant, relative; empty for all. Symbolic links cannot lead out of the source.
    pub sub_path: PathBuf,
    /// Where the container sees it.
    pub target: PathBuf,
    /// Whether it can only be read.
    pub read_only: bool,
}

impl Spec {
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(|error| Error::Description(format!("{}: {error}", path.display())))?;
        serde_json::from_slice(&text).map_err(|error| Error::Description(error.to_string()))
    }
}
