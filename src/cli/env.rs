//! Every environment variable that the command line reads itself (clap's own are declared on the arguments).
#![expect(clippy::disallowed_methods, reason = "env.rs is where variables are read")]

/// Set to anything: no colours (no-color.org).
pub(crate) const NO_COLOR: &str = "NO_COLOR";
/// What is logged, such as `info,operator=debug`.
pub(crate) const LOG: &str = "SLUICE_LOG";

/// The form of the output, as clap reads it too: for a command line that clap cannot read.
pub(crate) const OUTPUT: &str = "SLUICE_OUTPUT";

/// The form asked for by the variable.
pub(crate) fn output() -> Option<String> {
    std::env::var(OUTPUT).ok()
}

/// Whether colours are refused.
pub(crate) fn no_color() -> bool {
    std::env::var(NO_COLOR).is_ok_and(|value| !value.is_empty())
}

/// Whether the terminal says that it cannot do more than show lines.
pub(crate) fn is_dumb_terminal() -> bool {
    std::env::var("TERM").is_ok_and(|value| value == "dumb")
}

/// The log filter asked for.
pub(crate) fn log() -> Option<String> {
    std::env::var(LOG).ok()
}

/// Whether a kubeconfig was chosen by the variable that all Kubernetes tools read.
pub(crate) fn has_kubeconfig() -> bool {
    std::env::var("KUBECONFIG").is_ok_and(|value| !value.is_empty())
}

/// Whether a Kubernetes client runs this program for credentials: client-go and kube set it for their exec plugins.
pub(crate) fn is_credential_plugin() -> bool {
    std::env::var_os("KUBERNETES_EXEC_INFO").is_some()
}

/// The user's own folder.
pub(crate) fn home() -> Option<std::ffi::OsString> {
    std::env::var_os("HOME").filter(|home| !home.is_empty())
}

/// Where programs are looked for.
pub(crate) fn path() -> Option<std::ffi::OsString> {
    std::env::var_os("PATH")
}

/// Whether a program of this name is on the path.
pub(crate) fn is_on_path(program: &str) -> bool {
    path().is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}
