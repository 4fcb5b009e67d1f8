//! The clock that a process uses, from its environment.

use crate::Clock;

/// System seconds per real second, a positive number; set by the local cloud for everything that it runs.
pub const TIME_SCALE: &str = "SLUICE_TIME_SCALE";

/// The clock named by [`TIME_SCALE`]; real time if the variable is unset or no number.
#[expect(clippy::disallowed_methods, reason = "env.rs is where variables are read")]
pub fn clock() -> Clock {
    let scale = std::env::var(TIME_SCALE).ok().and_then(|text| text.trim().parse().ok());
    scale.map_or_else(Clock::real, Clock::scaled)
}
