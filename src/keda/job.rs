//! ScaledJobs: how many Jobs to make for what the triggers say, what they look like, and which of them to delete
//! (`docs/rules.md#keda-scaledjobs`).

mod count;
mod decision;
mod demand;
mod history;
mod manifest;

pub use count::{Count, count, finished_at, is_finished};
pub use decision::{Decision, Input, decide, needs_pending};
pub use demand::{Demand, demand};
pub use history::{outdated, surplus};
pub use manifest::manifest;
