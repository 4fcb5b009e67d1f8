//! Who stands behind the EKS tokens of the last minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// Identities that STS confirmed a short while ago, by the token's digest.
#[derive(Default)]
pub(crate) struct EksCache(Mutex<HashMap<[u8; 32], (String, Timestamp)>>);

impl std::fmt::Debug for EksCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EksCache")
    }
}

impl EksCache {
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn get(&self, digest: &[u8; 32], now: Timestamp) -> Option<String> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, (_, until)| *until > now);
        held.get(digest).map(|(arn, _)| arn.clone())
    }

    pub(crate) fn put(&self, digest: [u8; 32], arn: String, until: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, (arn, until));
    }
}
