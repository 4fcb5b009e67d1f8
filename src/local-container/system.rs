//! What of the machine every container sees, read-only: what a container image of a common distribution would hold.

use std::path::{Path, PathBuf};

/// Programs and libraries.
const PROGRAMS: [&str; 8] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store"];

/// Settings that programs and libraries look for. Nothing of the machine's users, secrets or services is among them.
const SETTINGS: [&str; 36] = [
    "/etc/alternatives",
    "/etc/bash.bashrc",
    "/etc/bash_completion.d",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/crypto-policies",
    "/etc/debian_version",
    "/etc/fonts",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/inputrc",
    "/etc/java",
    "/etc/java-11-openjdk",
    "/etc/java-17-openjdk",
    "/etc/java-21-openjdk",
    "/etc/java-25-openjdk",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/openssl",
    "/etc/os-release",
    "/etc/perl",
    "/etc/php",
    "/etc/pki/ca-trust",
    "/etc/pki/tls",
    "/etc/profile",
    "/etc/protocols",
    "/etc/python3",
    "/etc/services",
    "/etc/ssl",
    "/etc/terminfo",
    "/etc/timezone",
];

/// What runtimes ask the kernel about the machine's size.
const MACHINE: [&str; 3] =
    ["/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/kernel/mm/transparent_hugepage"];

/// Devices without which programs do not work. A terminal is none of them: it would be that of whoever started the cloud.
pub(crate) const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// All that there is of it on this machine.
pub(crate) fn parts() -> impl Iterator<Item = PathBuf> {
    let all = PROGRAMS.into_iter().chain(SETTINGS).chain(MACHINE).map(PathBuf::from);
    all.filter(|path| path.symlink_metadata().is_ok())
}

/// Whether every container sees this anyway.
pub(crate) fn holds(path: &Path) -> bool {
    PROGRAMS.iter().any(|part| path.starts_with(part))
}
