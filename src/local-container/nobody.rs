//! The user that containers of the administrator are on the machine.

use std::path::Path;

use nix::sys::prctl;
use nix::unistd::{Gid, Uid, chown};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, configure_capability_in_ambient_set, set_capabilities,
};

use crate::spec::Spec;
use crate::{Error, Result, refused, root};

/// One that nobody has. Above the numbers that container managers of the machine hand out (systemd's end at 0x6fff_ffff).
const NOBODY_S: u32 = 0x7000_0000;
/// Where that number does not exist (in a container with few): the one that owns nothing by agreement.
const NOBODY: u32 = 65534;

/// A user and group of the machine that nothing belongs to.
pub(crate) fn nobody() -> (Uid, Gid) {
    let known = |file: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines().any(|line| {
            let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            matches!(numbers[..], [first, _, count] if (first..first + count).contains(&u64::from(NOBODY_S)))
        })
    };
    let number = if known("/proc/self/uid_map") && known("/proc/self/gid_map") { NOBODY_S } else { NOBODY };
    (Uid::from_raw(number), Gid::from_raw(number))
}

/// Becomes that user without turning back.
pub(crate) fn become_nobody((user, group): (Uid, Gid)) -> Result<()> {
    nix::unistd::setgroups(&[]).map_err(refused("leave the groups"))?;
    nix::unistd::setgid(group).map_err(refused("become another group"))?;
    nix::unistd::setuid(user).map_err(refused("become another user"))?;
    // Otherwise the files below /proc/self would still be the administrator's.
    prctl::set_dumpable(true).map_err(refused("be seen by oneself"))
}

/// The administrator, where there is no file system of the container's own: gives it what it may write and becomes that
/// user, who is let past the folders on the way to its files. What it may open there is for Landlock to say; whose the
/// machine's files are, and when they were changed, is out of reach for somebody who owns none.
pub(crate) fn leave_the_administrator(spec: &Spec) -> Result<()> {
    let (user, group) = nobody();
    let give = |path: &Path| {
        let given = chown(path, Some(user), Some(group));
        given.map_err(refused(format!("give {} to the container", path.display())))
    };
    spec.own.iter().try_for_each(|path| give(path))?;
    // A volume's content is the containers' own: no link in it may lead what is given to them elsewhere.
    spec.mounts.iter().try_for_each(|one| root::source(one, Some((user, group))).map(drop))?;
    prctl::set_keepcaps(true).map_err(refused("keep the right to look"))?;
    become_nobody((user, group))?;
    let now = capabilities(None).map_err(refused("read the capabilities"))?;
    // Container runtimes keep the first even from their administrator.
    let ways = [CapabilitySet::DAC_READ_SEARCH, CapabilitySet::DAC_OVERRIDE];
    let Some(way) = ways.into_iter().find(|way| now.permitted.contains(*way)) else {
        return Err(Error::Description("the administrator may not read files of others".to_owned()));
    };
    let sets = CapabilitySets { effective: way, permitted: way, inheritable: way };
    set_capabilities(None, sets).map_err(refused("give up capabilities"))?;
    configure_capability_in_ambient_set(way, true).map_err(refused("keep the right to look"))
}
