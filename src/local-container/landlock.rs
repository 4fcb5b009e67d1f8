//! Landlock: rules by which the kernel checks every access of a process and its children, without any privilege.
//!
//! What it does not check, by its own documentation: modes, owners, times and attributes of files, for which
//! [`forbidden`] is there, and looking for names.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr,
    RulesetError, Scope, path_beneath_rules,
};
use nix::unistd::Uid;

use crate::spec::Spec;
use crate::{Result, forbidden, nobody, refused, system, tie};

/// The newest rules that this was written for; older kernels enforce what they know.
const KNOWN: ABI = ABI::V6;

/// The oldest rules that keep files: before them, whoever may read a file may empty it.
const LEAST: ABI = ABI::V3;
/// What to say of a machine without them.
pub(crate) const NOT_THERE: &str = "this kernel's Landlock is missing or too old (Linux 6.2)";

/// Whether this kernel knows Landlock as it is needed here, and lets it be used.
pub(crate) fn is_there() -> bool {
    let requested =
        Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(AccessFs::from_all(LEAST));
    requested.and_then(Ruleset::create).is_ok()
}

/// What this kernel's Landlock leaves open that a newer one's does not.
#[must_use]
pub fn gap() -> Option<&'static str> {
    (is_there() && !keeps_signals()).then_some("this kernel's Landlock lets them signal your processes (Linux 6.12)")
}

fn keeps_signals() -> bool {
    let requested = Ruleset::default().set_compatibility(CompatLevel::HardRequirement).scope(Scope::from_all(KNOWN));
    requested.and_then(Ruleset::create).is_ok()
}

/// Lets this process and all that it starts read the system and what the container is to see, and write only its own.
/// `parent` is the process whose end ends this one.
pub(crate) fn restrict(parent: i32, spec: &Spec) -> Result<()> {
    if Uid::effective().is_root() {
        nobody::leave_the_administrator(spec)?;
        // The change of user has undone it.
        tie(parent)?;
    }
    let read = AccessFs::from_read(KNOWN);
    let system =
        system::parts().chain(["/etc/resolv.conf", "/etc/hosts", "/etc/passwd", "/etc/group"].map(PathBuf::from));
    // `/proc` holds only what the kernel shows to anybody; what it shows of a process is restricted by the scope.
    let seen = system.chain(spec.visible.iter().cloned()).chain([PathBuf::from("/proc")]);
    let readable: Vec<PathBuf> = spec.mounts.iter().filter(|one| one.read_only).map(|one| one.source.clone()).collect();
    let writable =
        spec.own.iter().cloned().chain(spec.mounts.iter().filter(|one| !one.read_only).map(|one| one.source.clone()));
    let devices = system::DEVICES.map(PathBuf::from);
    let file: BitFlags<AccessFs> = AccessFs::from_file(KNOWN);
    let build = || -> Result<RulesetCreated, RulesetError> {
        let rules =
            Ruleset::default().handle_access(AccessFs::from_all(KNOWN))?.scope(Scope::from_all(KNOWN))?.create()?;
        rules
            .add_rules(path_beneath_rules(seen.chain(readable), read))?
            .add_rules(path_beneath_rules(writable, AccessFs::from_all(KNOWN)))?
            .add_rules(path_beneath_rules(devices, file))
    };
    nix::sys::prctl::set_no_new_privs().map_err(refused("refuse new privileges"))?;
    enforce(build())?;
    nix::unistd::chdir(existing(&spec.folder)).map_err(refused("enter the working folder"))?;
    forbidden::refuse()
}

/// Behind namespaces: keeps the process from sockets without a path, which are a matter of the network that pods share.
pub(crate) fn keep_apart() -> Result<()> {
    if !keeps_signals() {
        return Ok(());
    }
    enforce(Ruleset::default().scope(Scope::from_all(KNOWN)).and_then(Ruleset::create))
}

fn enforce(rules: Result<RulesetCreated, RulesetError>) -> Result<()> {
    let enforced = rules.and_then(RulesetCreated::restrict_self);
    enforced.map(drop).map_err(|error| refused("restrict the container")(std::io::Error::other(error)))
}

fn existing(folder: &Path) -> &Path {
    if folder.is_dir() { folder } else { Path::new("/") }
}
