//! The image's one layer: a tree of files, packed so that the same tree gives the same bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::error::{Error, Result};

/// What a path of the image holds.
#[derive(Debug)]
enum Content {
    Folder,
    Text(String),
    Host(PathBuf),
}

/// The files of an image. Sorted, so that folders come before what is in them and the order is always the same.
#[derive(Debug, Default)]
pub(crate) struct Tree(BTreeMap<PathBuf, (u32, Content)>);

impl Tree {
    pub(crate) fn folder(&mut self, path: &str, mode: u32) {
        self.add(Path::new(path), mode, Content::Folder);
    }

    pub(crate) fn text(&mut self, path: &str, text: impl Into<String>) {
        self.add(Path::new(path), 0o644, Content::Text(text.into()));
    }

    /// A file of this machine, executable: loaders and libraries are so by custom.
    pub(crate) fn executable(&mut self, path: &Path, host: &Path) {
        self.add(path, 0o755, Content::Host(host.to_owned()));
    }

    fn add(&mut self, path: &Path, mode: u32, content: Content) {
        let path = path.strip_prefix("/").unwrap_or(path);
        for parent in path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
            self.0.entry(parent.to_owned()).or_insert((0o755, Content::Folder));
        }
        self.0.insert(path.to_owned(), (mode, content));
    }
}

/// A packed tree.
#[derive(Debug)]
pub(crate) struct Layer {
    /// As it is stored and sent.
    pub(crate) data: Bytes,
    /// Digest of the tar inside, which the configuration names.
    pub(crate) diff_id: String,
}

/// Packs a tree. Everything belongs to root and is as old as time itself; only names, modes and content count.
pub(crate) fn pack(tree: &Tree) -> Result<Layer> {
    let gzip = GzEncoder::new(Vec::new(), Compression::default());
    let mut archive = tar::Builder::new(Hashing::new(gzip));
    for (path, (mode, content)) in &tree.0 {
        let (read, kind): (Box<dyn Read>, _) = match content {
            Content::Folder => (Box::new(io::empty()), tar::EntryType::Directory),
            Content::Text(text) => (Box::new(text.as_bytes()), tar::EntryType::Regular),
            Content::Host(host) => (Box::new(File::open(host).map_err(read_error(host))?), tar::EntryType::Regular),
        };
        let size = match content {
            Content::Folder => 0,
            Content::Text(text) => text.len() as u64,
            Content::Host(host) => host.metadata().map_err(read_error(host))?.len(),
        };
        let mut header = header(kind, *mode, size);
        let from = if let Content::Host(host) = content { host } else { path };
        archive.append_data(&mut header, path, read.take(size)).map_err(read_error(from))?;
    }
    // From here on only memory is written, which does not fail.
    let bug = |cause: io::Error| Error::Format(cause.to_string());
    let hashing = archive.into_inner().map_err(bug)?;
    let diff_id = hashing.digest();
    let data = hashing.inner.finish().map_err(bug)?.into();
    Ok(Layer { data, diff_id })
}

/// The metadata of an entry: everything that differs between days and machines is fixed.
pub(crate) fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size);
    header
}

fn read_error(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |cause| Error::Read { path, cause }
}

/// The digest of `data` as the formats write it.
pub(crate) fn digest(data: &[u8]) -> String {
    format!("sha256:{}", hex::encode(ring::digest::digest(&ring::digest::SHA256, data)))
}

/// A writer that knows the digest of what went through it.
struct Hashing<W> {
    inner: W,
    context: ring::digest::Context,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Self {
        Self { inner, context: ring::digest::Context::new(&ring::digest::SHA256) }
    }

    fn digest(&self) -> String {
        format!("sha256:{}", hex::encode(self.context.clone().finish()))
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let taken = self.inner.write(data)?;
        self.context.update(&data[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use flate2::read::GzDecoder;

    use super::*;

    fn tree() -> (Tree, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        std::fs::write(&program, b"\x7fELF").unwrap();
        let mut tree = Tree::default();
        tree.folder("/tmp", 0o1777);
        tree.executable(Path::new("/usr/local/bin/x"), &program);
        tree.text("/etc/passwd", "root:x:0:0::/:\n");
        (tree, folder)
    }

    #[test]
    fn the_same_files_give_the_same_bytes_whatever_their_age() {
        let first = pack(&tree().0).unwrap();
        let (second, folder) = tree();
        let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1);
        let file = File::options().write(true).open(folder.path().join("program")).unwrap();
        file.set_modified(old).unwrap();
        let second = pack(&second).unwrap();
        assert_eq!(first.data, second.data);
        assert_eq!(first.diff_id, second.diff_id);
    }

    #[test]
    fn folders_come_first_and_all_belongs_to_root() {
        let (tree, _folder) = tree();
        let layer = pack(&tree).unwrap();
        let mut archive = tar::Archive::new(GzDecoder::new(&*layer.data));
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 0));
            seen.push(format!("{} {:o}", entry.path().unwrap().display(), header.mode().unwrap()));
        }
        let expected = [
            "etc 755",
            "etc/passwd 644",
            "tmp 1777",
            "usr 755",
            "usr/local 755",
            "usr/local/bin 755",
            "usr/local/bin/x 755",
        ];
        assert_eq!(seen.iter().map(|line| line.replace("/ ", " ")).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_diff_id_is_the_digest_of_the_tar_inside() {
        let (tree, _folder) = tree();
        let layer = pack(&tree).unwrap();
        let mut tar = Vec::new();
        GzDecoder::new(&*layer.data).read_to_end(&mut tar).unwrap();
        assert_eq!(layer.diff_id, digest(&tar));
    }

    #[test]
    fn a_file_that_is_gone_is_named() {
        let (tree, folder) = tree();
        drop(folder);
        let error = pack(&tree).unwrap_err();
        assert!(error.to_string().contains("/program: "), "{error}");
    }
}
