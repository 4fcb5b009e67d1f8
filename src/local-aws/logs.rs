//! What is written down of calls.

use local_server::Lines;

/// The logs; each is kept if it has a file.
#[derive(Debug, Clone, Default)]
pub struct Logs {
    /// A record of each call in CloudTrail's shape.
    pub trail: Option<Lines>,
    /// Each request and answer whole, without secrets.
    pub wire: Option<Lines>,
}
