//! The exit codes: part of the command line's contract.

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The operation failed.
    Failed = 1,
    /// The command line or the stack file is wrong (clap's own code; Terraform uses 2 for pending changes:
    /// `docs/rules.md#terraform-plan`).
    Usage = 2,
    /// `plan --detailed-exitcode`: changes are pending.
    ChangesPending = 3,
    /// A check of a verification failed.
    VerificationFailed = 4,
    /// The audit found leftovers.
    Leftovers = 5,
    /// Something needed before the first step is missing.
    Preflight = 6,
    /// SIGINT (Ctrl-C), SIGTERM or SIGHUP (the terminal is gone) came before the command was done. One code for the three, the
    /// one that shells give for Ctrl-C (128 + 2).
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
