//! The machine as others see it: what lies where, whose, how large, and when it was changed.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Where only the machine's administrator changes something.
const SETTLED: [&str; 5] = ["/etc", "/opt", "/srv", "/usr", "/boot"];
/// Where others come and go: only what has this name counts.
const BUSY: [&str; 9] = ["/", "/dev", "/dev/shm", "/home", "/root", "/run", "/tmp", "/var/lib", "/var/tmp"];
const OURS: [&str; 3] = ["sluice-was-here", "termination-log", "mine"];
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// Everything about a file but when it was read.
pub(super) type Seen = BTreeMap<PathBuf, String>;

/// What there is now. Of `folder`, the test's, with its content; of the stack's own files only those named in `stack`.
pub(super) fn look(folder: &Path, stack: &[PathBuf]) -> Seen {
    let mut seen = Seen::new();
    for settled in SETTLED {
        walk(Path::new(settled), false, &mut seen);
    }
    for busy in BUSY.map(Path::new) {
        let names = OURS.iter().map(|name| busy.join(name));
        names.filter(|path| path.symlink_metadata().is_ok()).for_each(|path| note(&path, false, &mut seen));
    }
    for device in DEVICES {
        note(Path::new(device), false, &mut seen);
    }
    walk(folder, true, &mut seen);
    let mut own = Seen::new();
    for path in stack {
        walk(path, true, &mut own);
    }
    let product = folder.join(".sluice");
    seen.retain(|path, _| !path.starts_with(&product));
    seen.extend(own);
    seen
}

/// What is not as it was.
pub(super) fn differences(before: &Seen, after: &Seen) -> Vec<String> {
    let paths: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changed = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
    changed.map(|path| format!("{}: {:?} -> {:?}", path.display(), before.get(path), after.get(path))).collect()
}

fn walk(path: &Path, with_content: bool, seen: &mut Seen) {
    note(path, with_content, seen);
    if !path.symlink_metadata().is_ok_and(|kind| kind.is_dir()) {
        return;
    }
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        walk(&entry.path(), with_content, seen);
    }
}

fn note(path: &Path, with_content: bool, seen: &mut Seen) {
    let Ok(kind) = path.symlink_metadata() else { return };
    let mut hasher = DefaultHasher::new();
    if with_content && kind.is_file() {
        std::fs::read(path).unwrap_or_default().hash(&mut hasher);
    }
    let (mode, owner, group, size) = (kind.mode(), kind.uid(), kind.gid(), kind.len());
    let times = [kind.mtime(), kind.mtime_nsec(), kind.ctime(), kind.ctime_nsec()];
    let links = kind.nlink();
    let text = format!("{mode:o} {owner}:{group} {size} bytes, {links} names, {times:?}, {:x}", hasher.finish());
    seen.insert(path.to_owned(), text);
}
