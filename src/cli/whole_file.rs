//! A file that is there whole or not at all: an end in the middle leaves the old one or the new, and a full disk leaves nothing of it.

use std::fs::Permissions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Writes the file beside its place and then renames it. The folder is made if need be. `mode` is what the umask takes from.
///
/// # Errors
///
/// The system's, or what `fill` returns.
pub(crate) fn write(
    path: &Path,
    mode: u32,
    fill: impl FnOnce(&mut BufWriter<&mut std::fs::File>) -> io::Result<()>,
) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut beside = tempfile::Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(folder)?;
    let mut buffered = BufWriter::new(beside.as_file_mut());
    fill(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    beside.persist(path).map(drop).map_err(|refused| refused.error)
}

/// The same for a `.tar.gz` of texts, each with its path below `folder`, which is the archive's only one.
///
/// # Errors
///
/// The system's.
pub(crate) fn archive<'a>(
    path: &Path,
    mode: u32,
    folder: &str,
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> io::Result<()> {
    write(path, mode, |out| {
        let mut archive = tar::Builder::new(GzEncoder::new(out, Compression::default()));
        for (name, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_mode(mode);
            header.set_size(text.len() as u64);
            archive.append_data(&mut header, format!("{folder}/{name}"), text.as_bytes())?;
        }
        archive.into_inner()?.finish().map(drop)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_in_the_middle_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/report");
        write(&path, 0o666, |out| out.write_all(b"old")).unwrap();
        write(&path, 0o600, |out| {
            out.write_all(b"half")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        })
        .unwrap_err();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        write(&path, 0o600, |out| out.write_all(b"new")).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
