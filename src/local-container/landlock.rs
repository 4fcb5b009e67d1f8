//! Landlock: rules by which the kernel judges every access of a process and its children, without any privilege.
//!
//! What it does not judge, by its own documentation: modes, owners and times of files, and looking for names.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr,
    RulesetError, Scope, path_beneath_rules,
};

use crate::spec::Spec;
use crate::{Result, refused, system};

/// The newest rules that this was written for; older kernels enforce what they know.
const KNOWN: ABI = ABI::V6;

/// Whether this kernel knows Landlock and lets it be used.
pub(crate) fn is_there() -> bool {
    let asked =
        Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(AccessFs::from_all(ABI::V1));
    asked.and_then(Ruleset::create).is_ok()
}

/// Lets this process and all that it starts read the system and what the container is to see, and write only its own.
pub(crate) fn restrict(spec: &Spec) -> Result<()> {
    let read = AccessFs::from_read(KNOWN);
    let system =
        system::parts().chain(["/etc/resolv.conf", "/etc/hosts", "/etc/passwd", "/etc/group"].map(PathBuf::from));
    // `/proc` holds only what the kernel shows to anybody; what it shows of a process is judged by the scope.
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
    nix::unistd::chdir(existing(&spec.folder)).map_err(refused("enter the working folder"))
}

/// Behind namespaces: keeps the process from sockets without a path, which are a matter of the network that pods share.
pub(crate) fn keep_apart() -> Result<()> {
    if !is_there() {
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
