//! Calls that Landlock has no word about and that would reach the machine's files all the same: they are refused by number,
//! since a filter of calls sees no path. That takes them from the container's own files too.
//!
//! Modes, owners, times and extended attributes are what Landlock's documentation names as not restricted; sockets that
//! lie in the file system are reached by `connect` and not by `open`; `io_uring` goes past filters of calls.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Compare, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

use crate::{Result, refused};

/// Calls that no container makes behind Landlock.
const ALWAYS: [i64; 24] = [
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    SETXATTRAT,
    REMOVEXATTRAT,
    FILE_SETATTR,
    // Finds files by number, past every folder.
    libc::SYS_open_by_handle_at,
    // Would do some of these in the kernel's own name.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Keys are a matter of the user, whatever the process.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // Would let another process make its calls for it.
    libc::SYS_pidfd_getfd,
    libc::SYS_ptrace,
];
/// Numbers that the C library does not name yet; they are the same on every architecture.
const SETXATTRAT: i64 = 463;
const REMOVEXATTRAT: i64 = 466;
const FILE_SETATTR: i64 = 469;
/// The older forms, which newer architectures do not have.
#[cfg(target_arch = "x86_64")]
const OLDER: [i64; 6] =
    [libc::SYS_chmod, libc::SYS_chown, libc::SYS_lchown, libc::SYS_utime, libc::SYS_utimes, libc::SYS_futimesat];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: [i64; 0] = [];
/// Requests of `ioctl` that set flags of a file, or seal it (linux/fs.h, linux/fsverity.h); the owner may make them with
/// a file that is open for reading only. The second is the first with a 32-bit size.
const FLAGS: [u64; 5] = [0x4008_6602, 0x4004_6602, 0x401c_5820, 0x4008_7602, 0x4080_6685];
/// What is added to the numbers of calls in the x32 form, which shares the architecture's name.
const X32: i64 = 0x4000_0000;
/// The kind of a socket, without the flags that may be given with it.
const KIND: u64 = 0xf;

/// Refuses these calls to this process and all that it starts, for good.
pub(crate) fn refuse() -> Result<()> {
    let wrong = |error: seccompiler::Error| std::io::Error::other(error.to_string());
    let program = filter().map_err(|error| wrong(error.into())).map_err(refused("filter the container's calls"))?;
    apply_filter(&program).map_err(wrong).map_err(refused("filter the container's calls"))
}

fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let is = |index: u8, compare: Compare, value: u64| SeccompCondition::new(index, Length::Dword, compare, value);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALWAYS.into_iter().chain(OLDER).map(|call| (call, Vec::new())).collect();
    let flags = FLAGS.into_iter().map(|request| SeccompRule::new(vec![is(1, Compare::Eq, request)?]));
    rules.insert(libc::SYS_ioctl, flags.collect::<Result<_, _>>()?);
    let local = || is(0, Compare::Eq, libc::AF_UNIX as u64);
    rules.insert(libc::SYS_socket, vec![SeccompRule::new(vec![local()?])?]);
    // A pair for datagrams can send to any other socket as well; the kernel takes "raw" for the same.
    let pairs = [libc::SOCK_DGRAM, libc::SOCK_RAW].into_iter().map(|kind| {
        let kind = is(1, Compare::MaskedEq(KIND), kind as u64)?;
        SeccompRule::new(vec![local()?, kind])
    });
    rules.insert(libc::SYS_socketpair, pairs.collect::<Result<_, _>>()?);
    if cfg!(target_arch = "x86_64") {
        let again: Vec<_> = rules.iter().map(|(call, rules)| (call + X32, rules.clone())).collect();
        rules.extend(again);
    }
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    // Calls of another architecture (32-bit programs) end the process: their numbers mean something else.
    let refusal = SeccompAction::Errno(libc::EPERM as u32);
    SeccompFilter::new(rules, SeccompAction::Allow, refusal, architecture)?.try_into()
}

#[cfg(test)]
mod tests {
    use std::fs::{File, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

    use super::*;

    #[test]
    fn modes_times_and_sockets_with_a_path_are_refused_and_ordinary_work_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        // The filter is for the thread that asks for it and what it starts.
        let worker = std::thread::spawn(move || {
            refuse().unwrap();
            std::fs::write(&path, "text").unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "text");
            UnixStream::pair().unwrap();
            let refused = |outcome: std::io::Result<()>| {
                assert_eq!(outcome.unwrap_err().raw_os_error(), Some(libc::EPERM));
            };
            refused(std::fs::set_permissions(&path, Permissions::from_mode(0o600)));
            let open = File::open(&path).unwrap();
            refused(open.set_permissions(Permissions::from_mode(0o600)));
            refused(open.set_modified(std::time::UNIX_EPOCH));
            refused(std::os::unix::fs::chown(&path, None, None));
            refused(UnixListener::bind(path.with_extension("socket")).map(drop));
            refused(UnixDatagram::pair().map(drop));
        });
        worker.join().unwrap();
    }
}
