//! What ECR holds: repositories with their images, and the tokens that were given out.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use jiff::Timestamp;

use crate::caller::Caller;

/// One manifest, as it was sent.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    pub(crate) media_type: String,
    pub(crate) data: Bytes,
}

/// One repository.
#[derive(Debug, Default)]
pub(crate) struct Repository {
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) is_immutable: bool,
    pub(crate) created_at: Timestamp,
    /// Layers and configurations by digest.
    pub(crate) blobs: BTreeMap<String, Bytes>,
    /// By digest.
    pub(crate) manifests: BTreeMap<String, Manifest>,
    /// Digests by the images' tags.
    pub(crate) names: BTreeMap<String, String>,
    /// Uploads under way, by their ids.
    pub(crate) uploads: BTreeMap<String, Vec<u8>>,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) repositories: BTreeMap<String, Repository>,
    /// Passwords with whom they stand for, and until when.
    pub(crate) tokens: HashMap<String, (Caller, Timestamp)>,
}

impl Store {
    /// ARNs and tags of everything, by the name of each.
    pub(crate) fn tagged(&self, arn: impl Fn(&str) -> String) -> Vec<(String, BTreeMap<String, String>)> {
        self.repositories.iter().map(|(name, one)| (arn(name), one.tags.clone())).collect()
    }
}

/// Whether a repository may be called so (ECR API Reference, CreateRepository: length and pattern).
pub(crate) fn is_name(name: &str) -> bool {
    let is_part = |part: &str| {
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        // Letters and digits, joined by single separators.
        part.starts_with(letter)
            && part.ends_with(letter)
            && part.chars().all(|c| letter(c) || "._-".contains(c))
            && !part.as_bytes().windows(2).any(|pair| pair.iter().all(|c| b"._-".contains(c)))
    };
    (2..=256).contains(&name.len()) && name.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_api_reference() {
        for name in ["ab", "team/app", "a.b-c_d/e1", "0a"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["a", "", "Team/app", "a//b", "-a", "a-", "a..b", "/ab", "ab/"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
