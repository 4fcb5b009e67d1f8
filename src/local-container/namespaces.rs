//! Containers in namespaces: on the way to its program, a process leaves the machine's file system and processes.
//!
//! A person without privileges gets them over a user namespace of his own and mounts in that. The administrator mounts
//! first, then becomes a user whom nothing on the machine belongs to, and only then makes the user namespace: in neither
//! case is anybody in the container a user of the machine who may do more there than its starter without privileges.

use std::ffi::OsString;
use std::fs::File;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{Gid, Uid};

use crate::init::Task;
use crate::nobody::{become_nobody, nobody};
use crate::report::{Listener, Report};
use crate::spec::Spec;
use crate::supervision::Supervision;
use crate::{Error, Result, confinement, not_started, refused, root, tie};

/// Starts the program behind namespaces, follows it, and gives its exit code.
pub(crate) fn run(parent: i32, spec: &Spec, argv: &[OsString], report: Report) -> u8 {
    match start(parent, spec, argv) {
        Ok((supervision, first)) => {
            report.started();
            supervision.follow(first)
        }
        Err(error) => report.end(&error),
    }
}

fn start(parent: i32, spec: &Spec, argv: &[OsString]) -> Result<(Supervision, u32)> {
    // From here on no signal is lost; they are passed on once there is somebody to get them.
    let supervision = Supervision::start()?;
    let apart = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    if Uid::effective().is_root() {
        unshare(CloneFlags::CLONE_NEWNS).map_err(refused("make a mount namespace"))?;
        let nobody = nobody();
        root::enter(spec, Some(nobody))?;
        become_nobody(nobody)?;
        separate(apart, spec)?;
    } else {
        separate(apart, spec)?;
        root::enter(spec, None)?;
    }
    // A change of user, or of user namespace, has undone it.
    tie(parent)?;
    nix::unistd::sethostname(&spec.hostname).map_err(refused("set the host name"))?;
    confinement::lend()?;
    let (mut listener, theirs) = Listener::pair()?;
    let mut command = Command::new("/proc/self/exe");
    command.args(["local", "init", "--"]).args(argv).stdin(Stdio::from(theirs));
    let first = command.spawn().map_err(refused("start the container's first process"))?;
    listener.send(&Task::of(spec).to_line())?;
    // The command holds the other end's last copy but one.
    drop(command);
    listener.hear()?;
    Ok((supervision, first.id()))
}

/// New namespaces in which this process's user is the container's.
fn separate(apart: CloneFlags, spec: &Spec) -> Result<()> {
    let (user, group) = (Uid::effective(), Gid::effective());
    unshare(apart).map_err(refused("make a user namespace"))?;
    let write = |file: &str, text: String| std::fs::write(format!("/proc/self/{file}"), text);
    write("setgroups", "deny".to_owned()).map_err(refused("fix the groups"))?;
    write("gid_map", format!("{} {group} 1", spec.group)).map_err(refused("map the group"))?;
    write("uid_map", format!("{} {user} 1", spec.user)).map_err(refused("map the user"))
}

/// Runs one more program in the container that process `launcher` was started for, and gives its exit code. Its output
/// is this process's.
pub(crate) fn enter(parent: i32, spec: &Spec, launcher: i32, argv: &[OsString], report: Report) -> u8 {
    match join(parent, spec, launcher, argv) {
        Ok((supervision, child)) => {
            report.started();
            supervision.follow(child)
        }
        Err(error) => report.end(&error),
    }
}

fn join(parent: i32, spec: &Spec, launcher: i32, argv: &[OsString]) -> Result<(Supervision, u32)> {
    let supervision = Supervision::start()?;
    let kinds = [
        ("user", CloneFlags::CLONE_NEWUSER),
        ("ipc", CloneFlags::CLONE_NEWIPC),
        ("uts", CloneFlags::CLONE_NEWUTS),
        ("pid_for_children", CloneFlags::CLONE_NEWPID),
        ("mnt", CloneFlags::CLONE_NEWNS),
    ];
    let open = |name: &str| File::open(format!("/proc/{launcher}/ns/{name}"));
    let all = kinds.into_iter().map(|(name, kind)| open(name).map(|file| (file, kind))).collect::<Result<Vec<_>, _>>();
    let all = all.map_err(refused("find the container"))?;
    if Uid::effective().is_root() {
        nix::unistd::setgroups(&[]).map_err(refused("leave the groups"))?;
    }
    for (file, kind) in all {
        setns(file, kind).map_err(refused("enter the container"))?;
    }
    nix::unistd::setgid(Gid::from_raw(spec.group)).map_err(refused("become the container's group"))?;
    nix::unistd::setuid(Uid::from_raw(spec.user)).map_err(refused("become the container's user"))?;
    tie(parent)?;
    confinement::confine(&spec.without)?;
    let Some((program, arguments)) = argv.split_first() else {
        return Err(Error::Description("no program".to_owned()));
    };
    let mut command = Command::new(program);
    command.args(arguments).current_dir(&spec.folder).stdin(Stdio::null());
    let child = command.spawn().map_err(|error| not_started(program, &error))?;
    Ok((supervision, child.id()))
}
