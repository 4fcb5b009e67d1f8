//! A container's file system, put together below its root folder from mounts, and entered.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, ResolveFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;

use crate::spec::{Mount, Spec};
use crate::tree::{Owner, Tree, handle, resolved};
use crate::{Result, etc, refused, system};

/// Folders that programs expect, with their modes.
const FOLDERS: [(&str, u32); 17] = [
    ("/dev", 0o755),
    ("/etc", 0o755),
    ("/home", 0o755),
    ("/media", 0o755),
    ("/mnt", 0o755),
    ("/opt", 0o755),
    ("/proc", 0o755),
    ("/root", 0o700),
    ("/run", 0o755),
    ("/srv", 0o755),
    ("/sys", 0o755),
    ("/tmp", 0o1777),
    ("/var", 0o755),
    ("/var/cache", 0o755),
    ("/var/lib", 0o755),
    ("/var/log", 0o755),
    ("/var/tmp", 0o1777),
];
/// Of these, what a program may write wherever it finds itself; everything else at the root is only read, as
/// `readOnlyRootFilesystem` has it: the folders that merely lead to a program of the machine are not its own.
const OWN: [&str; 3] = ["/run", "/tmp", "/var/tmp"];
/// Links below `/dev`.
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/ptmx", "pts/ptmx"),
];
/// As container runtimes give it.
const SHARED_MEMORY: &str = "64m";

const NONE: Option<&str> = None;

/// Puts the file system together and makes it this process's `/`. The process has a mount namespace of its own and may
/// mount in it; what is not to be read-only belongs to `owner`.
pub(crate) fn enter(spec: &Spec, owner: Owner) -> Result<()> {
    let private = mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE);
    private.map_err(refused("keep mounts to the container"))?;
    if let Some((user, group)) = owner {
        nix::unistd::chown(&spec.root, Some(user), Some(group)).map_err(refused("give the container its root"))?;
    }
    bind(&spec.root, &spec.root)?;
    let tree = Tree::at(&spec.root, owner)?;
    for (path, mode) in FOLDERS {
        tree.folder(Path::new(path), mode)?;
    }
    tree.link(Path::new("/var/run"), Path::new("../run"))?;
    // A working folder that the machine does not have is made, wherever it is to be.
    let made = Some(spec.folder.as_path()).filter(|folder| !folder.exists());
    let targets: BTreeSet<&Path> = spec.mounts.iter().map(|mount| mount.target.as_path()).chain(made).collect();
    for path in system::parts().chain(spec.visible.iter().cloned()) {
        show(&tree, &path, &targets)?;
    }
    protect(&spec.root)?;
    etc::make(&tree, spec)?;
    own_folders(&tree, spec)?;
    let processes = tree.folder(Path::new("/proc"), 0o755)?;
    bind(Path::new("/proc"), &handle(&processes))?;
    devices(&tree, spec, owner)?;
    for one in &spec.mounts {
        volume(&tree, one, owner)?;
    }
    read_only(&spec.root)?;
    become_root(&spec.root)
}

/// The folders that the container may write besides its volumes. Each becomes a mount of its own, so that the root under
/// it can be made read-only; what shows the machine stays as it is.
fn own_folders(tree: &Tree, spec: &Spec) -> Result<()> {
    let stated = [&spec.home, &spec.folder].into_iter().filter(|path| **path != Path::new("/"));
    for path in OWN.iter().map(Path::new).chain(stated.map(PathBuf::as_path)) {
        let shown = tree.find(path).is_ok_and(|found| is_read_only(&handle(&found)));
        if shown {
            continue;
        }
        let location = tree.folder(path, 0o755)?;
        if !spec.read_only_root {
            bind(&handle(&location), &handle(&location))?;
            keep_what_leads_to_the_machine(tree, path)?;
        }
    }
    Ok(())
}

/// A program of the machine may lie below such a folder, in the machine's own `/tmp` for one. What has been made on the way
/// to it is no more the container's own than elsewhere.
fn keep_what_leads_to_the_machine(tree: &Tree, path: &Path) -> Result<()> {
    let open = |path: &Path| tree.find(path).map_err(refused(format!("open {}", path.display())));
    let folder = open(path)?;
    let entries = std::fs::read_dir(handle(&folder)).map_err(refused(format!("list {}", path.display())))?;
    let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    for inner in folders.map(|entry| path.join(entry.file_name())) {
        let below = open(&inner)?;
        if !is_read_only(&handle(&below)) {
            bind(&handle(&below), &handle(&below))?;
            read_only(&handle(&open(&inner)?))?;
        }
    }
    Ok(())
}

/// Shows a part of the machine at the same path. Where a volume is to lie deeper in it, at a place that the machine does
/// not have, its parts are shown one by one, so that the place can be made.
fn show(tree: &Tree, path: &Path, targets: &BTreeSet<&Path>) -> Result<()> {
    if targets.contains(path) || tree.has(path) {
        return Ok(());
    }
    // What has gone since it was listed is not there.
    let Ok(kind) = path.symlink_metadata() else { return Ok(()) };
    if kind.is_symlink() {
        let target = std::fs::read_link(path).map_err(refused(format!("read the link {}", path.display())))?;
        return tree.link(path, &target);
    }
    let has_to_be_made = |target: &&&Path| target.starts_with(path) && **target != path && !target.exists();
    if kind.is_dir() && targets.iter().any(|target| has_to_be_made(&target)) {
        tree.folder(path, 0o755)?;
        let entries = std::fs::read_dir(path).map_err(refused(format!("list {}", path.display())))?;
        return entries.flatten().try_for_each(|entry| show(tree, &entry.path(), targets));
    }
    let location = if kind.is_dir() { tree.folder(path, 0o755)? } else { tree.file(path, "")? };
    bind(path, &handle(&location))
}

fn bind(source: &Path, target: &Path) -> Result<()> {
    let bound = mount(Some(source), target, NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE);
    bound.map_err(refused(format!("mount {}", source.display())))
}

/// Makes everything that is mounted below the root read-only, with what is mounted in it.
fn protect(root: &Path) -> Result<()> {
    let action = "read the list of mounts";
    let text = std::fs::read_to_string("/proc/self/mountinfo").map_err(refused(action))?;
    for (point, flags) in text.lines().filter_map(mounted) {
        if point.starts_with(root) && point != root {
            remount(&point, flags | MsFlags::MS_RDONLY)?;
        }
    }
    Ok(())
}

/// Where something is mounted and with which of the flags that a remount must repeat (proc_pid_mountinfo(5)).
fn mounted(line: &str) -> Option<(PathBuf, MsFlags)> {
    let mut words = line.split(' ').skip(4);
    let point = words.next()?;
    let flags = words.next()?.split(',').map(|word| match word {
        "nosuid" => MsFlags::MS_NOSUID,
        "nodev" => MsFlags::MS_NODEV,
        "noexec" => MsFlags::MS_NOEXEC,
        "noatime" => MsFlags::MS_NOATIME,
        "nodiratime" => MsFlags::MS_NODIRATIME,
        "relatime" => MsFlags::MS_RELATIME,
        _ => MsFlags::empty(),
    });
    Some((unescaped(point), flags.collect()))
}

/// `\040` is a space, and so on.
fn unescaped(word: &str) -> PathBuf {
    let mut plain = Vec::new();
    let mut rest = word.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = code.filter(|_| *first == b'\\').and_then(|digits| u8::from_str_radix(digits, 8).ok());
        plain.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[3..] } else { tail };
    }
    PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(plain))
}

fn remount(point: &Path, flags: MsFlags) -> Result<()> {
    let done = mount(NONE, point, NONE, flags | MsFlags::MS_BIND | MsFlags::MS_REMOUNT, NONE);
    done.map_err(refused(format!("make {} read-only", point.display())))
}

/// Whether what lies here cannot be written, whoever tries.
fn is_read_only(path: &Path) -> bool {
    nix::sys::statvfs::statvfs(path).is_ok_and(|known| known.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY))
}

/// Makes one mount read-only.
pub(crate) fn read_only(point: &Path) -> Result<()> {
    use nix::sys::statvfs::{FsFlags, statvfs};
    let known = statvfs(point).map_err(refused(format!("look at {}", point.display())))?.flags();
    let pairs = [
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ];
    let flags: MsFlags =
        pairs.into_iter().filter(|(known_as, _)| known.contains(*known_as)).map(|(_, flag)| flag).collect();
    remount(point, flags | MsFlags::MS_RDONLY)
}

/// A `/dev` of its own.
fn devices(tree: &Tree, spec: &Spec, owner: Owner) -> Result<()> {
    let (user, group) = owner.map_or((spec.user, spec.group), |(user, group)| (user.as_raw(), group.as_raw()));
    let fresh = |path: &str, kind: &str, options: String| -> Result<()> {
        let location = tree.folder(Path::new(path), 0o755)?;
        let flags = MsFlags::MS_NOSUID | if path == "/dev" { MsFlags::empty() } else { MsFlags::MS_NODEV };
        let done =
            mount(Some(kind), &handle(&location), Some(kind), flags | MsFlags::MS_NOEXEC, Some(options.as_str()));
        done.map_err(refused(format!("mount {path}")))
    };
    let whose = format!("uid={user},gid={group}");
    fresh("/dev", "tmpfs", format!("mode=755,size=64k,{whose}"))?;
    fresh("/dev/shm", "tmpfs", format!("mode=1777,size={SHARED_MEMORY},{whose}"))?;
    let location = tree.folder(Path::new("/dev/pts"), 0o755)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    let options = Some("newinstance,ptmxmode=0666,mode=620");
    mount(Some("devpts"), &handle(&location), Some("devpts"), flags, options).map_err(refused("mount /dev/pts"))?;
    for device in system::DEVICES {
        if Path::new(device).exists() {
            let location = Path::new(device);
            bind(location, &handle(&tree.file(location, "")?))?;
            // A device is written all the same; its node, with its mode and times, is the machine's.
            let mounted = tree.find(location).map_err(refused(format!("open {device}")))?;
            read_only(&handle(&mounted))?;
        }
    }
    DEVICE_LINKS.into_iter().try_for_each(|(path, target)| tree.link(Path::new(path), Path::new(target)))
}

/// Mounts a volume, or the part of it that is meant.
fn volume(tree: &Tree, one: &Mount, owner: Owner) -> Result<()> {
    let source = source(one, owner)?;
    let source = handle(&source);
    let is_folder = source.is_dir();
    let location = if is_folder { tree.folder(&one.target, 0o755)? } else { tree.file(&one.target, "")? };
    bind(&source, &handle(&location))?;
    if one.read_only {
        // What was opened before is what lies under the mount.
        let mounted = tree.find(&one.target).map_err(refused(format!("open {}", one.target.display())))?;
        read_only(&handle(&mounted))?;
    }
    Ok(())
}

/// What a mount means, given to `owner` if it may be written. A volume's content is the containers' own, so no link in it may lead out of the volume.
pub(crate) fn source(one: &Mount, owner: Owner) -> Result<OwnedFd> {
    let action = format!("open {}", one.source.join(&one.sub_path).display());
    let give = |path: &Path| match owner.filter(|_| !one.read_only) {
        Some((user, group)) => nix::unistd::chown(path, Some(user), Some(group)),
        None => Ok(()),
    };
    give(&one.source).map_err(refused(&*action))?;
    let top = open(&one.source, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).map_err(refused(&*action))?;
    if one.sub_path.as_os_str().is_empty() {
        return Ok(top);
    }
    match resolved(&top, &one.sub_path, ResolveFlag::RESOLVE_BENEATH) {
        Ok(found) => Ok(found),
        Err(nix::errno::Errno::ENOENT) => Tree::at(&one.source, owner)?.folder(&one.sub_path, 0o755),
        Err(error) => Err(refused(action)(error)),
    }
}

/// The root folder in place of the machine's, which is then out of reach.
fn become_root(root: &Path) -> Result<()> {
    nix::unistd::chdir(root).map_err(refused("enter the container's root"))?;
    nix::unistd::pivot_root(".", ".").map_err(refused("change to the container's root"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(refused("leave the machine's file system"))?;
    nix::unistd::chdir("/").map_err(refused("enter the container's root"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_mount_table_gives_place_and_flags() {
        let line = r"36 35 98:0 / /mnt/with\040space\134 ro,nosuid,noexec,relatime shared:1 - ext3 /dev/root rw";
        let (point, flags) = mounted(line).unwrap();
        assert_eq!(point, Path::new(r"/mnt/with space\"));
        assert_eq!(flags, MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_RELATIME);
    }
}
