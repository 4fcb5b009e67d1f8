//! Every environment variable that the command line reads itself (clap's own are declared on the arguments).
#![expect(clippy::disallowed_methods, reason = "env.rs is where variables are read")]

/// Set to anything: no colours (no-color.org).
pub const NO_COLOR: &str = "NO_COLOR";
/// What is logged, such as `info,operator=debug`.
pub const LOG: &str = "SLUICE_LOG";

/// Whether colours are refused.
pub fn no_color() -> bool {
    std::env::var(NO_COLOR).is_ok_and(|value| !value.is_empty())
}

/// The log filter asked for.
pub fn log() -> Option<String> {
    std::env::var(LOG).ok()
}
