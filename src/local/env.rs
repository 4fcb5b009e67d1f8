//! Every environment variable that the local cloud reads itself.
#![expect(clippy::disallowed_methods, reason = "env.rs is where variables are read")]

/// What pods are held in by: `namespaces`, `landlock` or `none`; the strongest that the machine allows if not set.
pub(crate) const WALLS: &str = "SLUICE_LOCAL_WALLS";

/// The walls asked for.
pub(crate) fn walls() -> Option<String> {
    std::env::var(WALLS).ok().filter(|value| !value.is_empty())
}
