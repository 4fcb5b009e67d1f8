//! The last step before a container's program: tie its life to the local cloud's, then become it.

use std::os::unix::process::CommandExt;

/// Replaces this process by `program`, after asking the kernel to kill it when the process that started it ends.
///
/// `parent` is the process that must still be there; if it ended in between, nothing is run. Returns only on failure.
/// On systems without such a request (it is Linux's) the program runs all the same.
pub fn exec(parent: i32, program: &std::ffi::OsStr, arguments: &[std::ffi::OsString]) -> std::io::Error {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL) {
        return error.into();
    }
    if nix::unistd::getppid().as_raw() != parent {
        return std::io::Error::other("the local cloud that started this container has ended");
    }
    std::process::Command::new(program).args(arguments).exec()
}
