//! Removing what a container leaves behind, whatever it has made of its folders.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// Removes a folder with all that is in it. A container may have forbidden its owner to write in its folders; they are
/// its owner's still. A folder that is not there is no error.
///
/// # Errors
///
/// Something in the folder cannot be removed, even after its owner has been let in.
pub fn remove(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(folder)?;
            std::fs::remove_dir_all(folder)
        }
        outcome => outcome,
    }
}

/// Lets the owner into every folder below; links are not followed.
fn open_up(folder: &Path) -> io::Result<()> {
    let kind = folder.symlink_metadata()?;
    if !kind.is_dir() {
        return Ok(());
    }
    if kind.mode() & 0o700 != 0o700 {
        std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    std::fs::read_dir(folder)?.try_for_each(|entry| open_up(&entry?.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_forbid_their_owner_everything_are_removed() {
        let top = tempfile::tempdir().unwrap();
        let (locked, outside) = (top.path().join("pod/locked"), top.path().join("outside"));
        std::fs::create_dir_all(locked.join("deep")).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, locked.join("link")).unwrap();
        for (folder, mode) in [(locked.join("deep"), 0o000), (locked, 0o500), (outside.clone(), 0o500)] {
            std::fs::set_permissions(folder, Permissions::from_mode(mode)).unwrap();
        }
        remove(&top.path().join("pod")).unwrap();
        assert!(!top.path().join("pod").exists());
        assert_eq!(outside.metadata().unwrap().mode() & 0o777, 0o500, "what a link points at stays as it is");
        remove(&top.path().join("pod")).unwrap();
    }
}
