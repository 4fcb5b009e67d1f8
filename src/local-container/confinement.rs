//! What a container's processes cannot do any more, whatever they are: gain privileges, or use those they do not need.

use nix::sys::prctl;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, configure_capability_in_ambient_set,
    remove_capability_from_bounding_set, set_capabilities,
};

use crate::{Result, landlock, refused};

/// What container runtimes give by default. All are over the container's own user namespace, none over the machine.
const GIVEN: [(&str, CapabilitySet); 14] = [
    ("CHOWN", CapabilitySet::CHOWN),
    ("DAC_OVERRIDE", CapabilitySet::DAC_OVERRIDE),
    ("FSETID", CapabilitySet::FSETID),
    ("FOWNER", CapabilitySet::FOWNER),
    ("MKNOD", CapabilitySet::MKNOD),
    ("NET_RAW", CapabilitySet::NET_RAW),
    ("SETGID", CapabilitySet::SETGID),
    ("SETUID", CapabilitySet::SETUID),
    ("SETFCAP", CapabilitySet::SETFCAP),
    ("SETPCAP", CapabilitySet::SETPCAP),
    ("NET_BIND_SERVICE", CapabilitySet::NET_BIND_SERVICE),
    ("SYS_CHROOT", CapabilitySet::SYS_CHROOT),
    ("KILL", CapabilitySet::KILL),
    ("AUDIT_WRITE", CapabilitySet::AUDIT_WRITE),
];
/// What the first process of a container needs until its file system is complete.
const NEEDED_BEFORE: [CapabilitySet; 2] = [CapabilitySet::SYS_ADMIN, CapabilitySet::SETPCAP];

/// Lets the first process of the container have, whatever user it is, what it needs before [`confine`].
pub(crate) fn lend() -> Result<()> {
    let now = capabilities(None).map_err(refused("read the capabilities"))?;
    let needed = NEEDED_BEFORE.into_iter().collect();
    set_capabilities(None, CapabilitySets { inheritable: needed, ..now }).map_err(refused("pass on capabilities"))?;
    let lent = NEEDED_BEFORE.into_iter().try_for_each(|one| configure_capability_in_ambient_set(one, true));
    lent.map_err(refused("pass on capabilities"))
}

/// Restricts this process and all that it starts for good.
pub(crate) fn confine(without: &[String]) -> Result<()> {
    let kept = GIVEN.iter().filter(|(name, _)| !without.iter().any(|one| one == "ALL" || one == name));
    let kept: CapabilitySet = kept.map(|(_, one)| *one).collect();
    clear_ambient_capability_set().map_err(refused("give up capabilities"))?;
    // Bit by bit: a newer kernel may know capabilities that have no name here.
    for number in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << number);
        if kept.contains(one) {
            continue;
        }
        match remove_capability_from_bounding_set(one) {
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(refused("give up capabilities")(error)),
        }
    }
    let now = capabilities(None).map_err(refused("read the capabilities"))?;
    let (effective, permitted) = (now.effective & kept, now.permitted & kept);
    let sets = CapabilitySets { effective, permitted, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(refused("give up capabilities"))?;
    prctl::set_no_new_privs().map_err(refused("refuse new privileges"))?;
    landlock::keep_apart()
}
