//! A folder as the root of paths: whatever symbolic links lie in it, no path leads out of it.

use std::ffi::OsStr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, open, openat, openat2};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{Gid, Uid, fchownat, symlinkat};

use crate::{Result, refused};

/// What does not exist in a tree is made for this user, if it is not to be our own.
pub(crate) type Owner = Option<(Uid, Gid)>;

/// One try lasts microseconds, so a machine would have to rename without a pause to use them up.
const TRIES_MAX: u32 = 1000;

pub(crate) struct Tree {
    top: OwnedFd,
    owner: Owner,
}

impl Tree {
    pub(crate) fn at(path: &Path, owner: Owner) -> Result<Self> {
        let top = open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty());
        Ok(Self { top: top.map_err(refused(format!("open {}", path.display())))?, owner })
    }

    /// What lies at `path`, which is taken as if the tree's top were `/`.
    pub(crate) fn find(&self, path: &Path) -> nix::Result<OwnedFd> {
        resolved(&self.top, &relative(path), ResolveFlag::RESOLVE_IN_ROOT)
    }

    pub(crate) fn has(&self, path: &Path) -> bool {
        self.find(path).is_ok()
    }

    /// The folder at `path`, made with all above it if need be.
    pub(crate) fn folder(&self, path: &Path, mode: u32) -> Result<OwnedFd> {
        let path = relative(path);
        match self.find(&path) {
            Ok(found) => return Ok(found),
            Err(Errno::ENOENT) => {}
            Err(error) => return Err(refused(format!("look for {}", path.display()))(error)),
        }
        let (above, name) = parts(&path);
        let above = self.folder(above, 0o755)?;
        match mkdirat(&above, name, Mode::from_bits_truncate(mode)) {
            Ok(()) => self.give(&above, name)?,
            Err(Errno::EEXIST) => {}
            Err(error) => return Err(refused(format!("make the folder {}", path.display()))(error)),
        }
        // The umask has taken from the mode.
        let fresh = openat(&above, name, OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW, Mode::empty());
        if let Ok(fresh) = fresh {
            let set = nix::sys::stat::fchmod(&fresh, Mode::from_bits_truncate(mode));
            set.map_err(refused(format!("set the mode of {}", path.display())))?;
        }
        self.find(&path).map_err(refused(format!("open {}", path.display())))
    }

    /// The file at `path`, with this text if it is new.
    pub(crate) fn file(&self, path: &Path, text: &str) -> Result<OwnedFd> {
        let path = relative(path);
        if let Ok(found) = self.find(&path) {
            return Ok(found);
        }
        let (above, name) = parts(&path);
        let above = self.folder(above, 0o755)?;
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        let action = format!("make the file {}", path.display());
        let made = openat(&above, name, flags, Mode::from_bits_truncate(0o644)).map_err(refused(&*action))?;
        let mut made = std::fs::File::from(made);
        std::io::Write::write_all(&mut made, text.as_bytes()).map_err(refused(&*action))?;
        self.give(&above, name)?;
        self.find(&path).map_err(refused(action))
    }

    /// A symbolic link at `path`, unless something is there.
    pub(crate) fn link(&self, path: &Path, target: &Path) -> Result<()> {
        let path = relative(path);
        let (above, name) = parts(&path);
        let above = self.folder(above, 0o755)?;
        match symlinkat(target, &above, name) {
            Ok(()) | Err(Errno::EEXIST) => Ok(()),
            Err(error) => Err(refused(format!("make the link {}", path.display()))(error)),
        }
    }

    fn give(&self, above: &OwnedFd, name: &OsStr) -> Result<()> {
        let Some((user, group)) = self.owner else { return Ok(()) };
        let given = fchownat(above, name, Some(user), Some(group), AtFlags::AT_SYMLINK_NOFOLLOW);
        given.map_err(refused(format!("give {} to the container", name.display())))
    }
}

/// A path by which the kernel finds exactly what is open, whatever has happened to its name.
pub(crate) fn handle(open: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd()))
}

/// What lies at `path` below `top`, by a walk that `scope` keeps inside.
///
/// Where anything on the machine is renamed or mounted while such a walk follows a `..`, the kernel cannot tell that the walk
/// stayed inside, answers EAGAIN, and leaves it to the caller to try again (openat2(2), "ERRORS").
pub(crate) fn resolved(top: &OwnedFd, path: &Path, scope: ResolveFlag) -> nix::Result<OwnedFd> {
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC);
    let how = how.resolve(scope | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    for _ in 1..TRIES_MAX {
        match openat2(top, path, how) {
            Err(Errno::EAGAIN) => std::thread::yield_now(),
            outcome => return outcome,
        }
    }
    openat2(top, path, how)
}

/// The path below the top, without `.` and `..`.
fn relative(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    if plain.as_os_str().is_empty() { PathBuf::from(".") } else { plain }
}

/// The folder above, and the name.
fn parts(path: &Path) -> (&Path, &OsStr) {
    (path.parent().unwrap_or(Path::new("")), path.file_name().unwrap_or(OsStr::new(".")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_link_and_no_dots_lead_out_of_the_tree() {
        let outside = tempfile::tempdir().unwrap();
        let inside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), inside.path().join("out")).unwrap();
        std::os::unix::fs::symlink("../../../..", inside.path().join("up")).unwrap();
        let tree = Tree::at(inside.path(), None).unwrap();
        // A link whose target is nothing in the tree is an obstacle, not a way out.
        assert!(tree.folder(Path::new("/out/made"), 0o755).is_err());
        tree.folder(Path::new("/up/made"), 0o755).unwrap();
        tree.file(Path::new("../../file"), "text").unwrap();
        assert!(std::fs::read_dir(outside.path()).unwrap().next().is_none());
        assert!(inside.path().join("made").is_dir());
        assert_eq!(std::fs::read_to_string(inside.path().join("file")).unwrap(), "text");
    }

    #[test]
    fn what_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::at(folder.path(), None).unwrap();
        tree.file(Path::new("/a/b"), "first").unwrap();
        tree.file(Path::new("/a/b"), "second").unwrap();
        tree.link(Path::new("/a/b"), Path::new("/elsewhere")).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("a/b")).unwrap(), "first");
        assert!(tree.has(Path::new("a/b")) && !tree.has(Path::new("a/c")));
    }

    #[test]
    fn renames_elsewhere_on_the_machine_do_not_disturb_a_walk() {
        let elsewhere = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::at(folder.path(), None).unwrap();
        tree.folder(Path::new("/run/secrets"), 0o755).unwrap();
        tree.folder(Path::new("/var"), 0o755).unwrap();
        tree.link(Path::new("/var/run"), Path::new("../run")).unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (first, second) = (elsewhere.path().join("first"), elsewhere.path().join("second"));
                std::fs::write(&first, "").unwrap();
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    std::fs::rename(&first, &second).unwrap();
                    std::fs::rename(&second, &first).unwrap();
                }
            });
            let walks: Vec<_> = (0..100_000).map(|_| tree.find(Path::new("/var/run/secrets")).map(drop)).collect();
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            assert_eq!(walks.into_iter().find(Result::is_err), None);
        });
    }
}
