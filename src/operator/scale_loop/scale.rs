//! The target's replicas, read once for each generation of the target where that is watched.

use super::ScaleLoop;
use crate::generations::Generation;
use crate::key::Reference;
use crate::target::{Target, TargetError};

/// A count that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counted {
    of: (Reference, Generation),
    replicas: i32,
}

impl ScaleLoop {
    /// The replicas, as they were read when the target was what it is now, or else as they are read now; and whether they are
    /// remembered.
    pub(super) async fn replicas(&mut self, target: &Target) -> Result<(i32, bool), TargetError> {
        let watched = target.watched().and_then(|watched| {
            let generation = self.context.caches.inputs.generations.of(&watched)?;
            Some((watched, generation))
        });
        if let (Some(now), Some(counted)) = (&watched, &self.counted)
            && counted.of == *now
        {
            return Ok((counted.replicas, true));
        }
        // The generation is that of before the read: a change in between makes it be read again.
        self.counted = None;
        let replicas = target.replicas().await?;
        self.counted = watched.map(|of| Counted { of, replicas });
        Ok((replicas, false))
    }

    /// What is remembered holds no more: the replicas are about to be written.
    pub(super) fn forget_replicas(&mut self) {
        self.counted = None;
    }
}
