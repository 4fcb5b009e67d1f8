//! The chain of seals of an evidence file: whoever changes, removes, adds or moves a line breaks it there.
//!
//! Each line is a JSON object whose last key is `seal`: SHA-256, in hexadecimal, of the seal of the line before followed by this
//! line's own text without that key and without its line feed. The first line follows an empty seal. The last seal therefore
//! stands for the whole file; who keeps it elsewhere, as `report.json` does, also sees that all lines were sealed anew.

use sha2::{Digest, Sha256};

const KEY: &str = ",\"seal\":\"";
const END: &str = "\"}";
/// Hexadecimal digits of a seal.
const DIGITS: usize = 64;

/// The seal of the last line so far; empty before the first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chain {
    last: String,
}

/// A line is not what was written there: it was changed, or lines before it were removed, added or moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

impl Chain {
    /// The text of an object that has keys, with its seal as the last of them.
    pub(crate) fn seal(&mut self, text: &str) -> String {
        self.last = digest(&self.last, text);
        let open = text.strip_suffix('}').unwrap_or(text);
        format!("{open}{KEY}{}{END}", self.last)
    }

    /// Looks at the next line, without its line feed. The line after it is judged by the seal that this one has, so that one
    /// change breaks one line.
    pub(crate) fn check(&mut self, line: &str) -> Result<(), Broken> {
        let (text, seal) = parts(line).ok_or(Broken)?;
        let is_right = digest(&self.last, &text) == seal;
        seal.clone_into(&mut self.last);
        if is_right { Ok(()) } else { Err(Broken) }
    }

    /// The last seal.
    pub(crate) fn last(self) -> String {
        self.last
    }
}

/// A line's text without its seal, and the seal.
fn parts(line: &str) -> Option<(String, &str)> {
    let (open, seal) = line.strip_suffix(END)?.rsplit_once(KEY)?;
    let is_seal = seal.len() == DIGITS && seal.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_seal.then(|| (format!("{open}}}"), seal))
}

fn digest(before: &str, text: &str) -> String {
    hex::encode(Sha256::new().chain_update(before).chain_update(text).finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Vec<String> {
        let mut chain = Chain::default();
        (0..6).map(|number| chain.seal(&format!("{{\"number\":{number}}}"))).collect()
    }

    /// The lines, from 1, that are broken.
    fn broken(lines: &[String]) -> Vec<usize> {
        let mut chain = Chain::default();
        (1..).zip(lines).filter(|(_, line)| chain.check(line).is_err()).map(|(number, _)| number).collect()
    }

    #[test]
    fn what_was_written_is_whole() {
        assert_eq!(broken(&file()), [0; 0]);
        let mut chain = Chain::default();
        let line = chain.seal("{\"a\":1}");
        // printf '{"a":1}' | sha256sum
        assert_eq!(line, "{\"a\":1,\"seal\":\"015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862\"}");
        assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok());
    }

    #[test]
    fn a_changed_removed_added_or_moved_line_is_named() {
        let mut changed = file();
        changed[2] = changed[2].replace(":2", ":3");
        assert_eq!(broken(&changed), [3]);
        let mut removed = file();
        removed.remove(2);
        assert_eq!(broken(&removed), [3], "the line that follows it");
        let mut added = file();
        added.insert(2, added[1].clone());
        assert_eq!(broken(&added), [3]);
        let mut moved = file();
        moved.swap(2, 3);
        assert_eq!(broken(&moved), [3, 4, 5]);
        let mut bare = file();
        bare[2] = "{\"number\":2}".to_owned();
        assert_eq!(broken(&bare), [3, 4]);
        // Sealed anew by itself: the next line gives it away.
        let mut resealed = file();
        let mut chain = Chain { last: parts(&resealed[1]).unwrap().1.to_owned() };
        resealed[2] = chain.seal("{\"number\":7}");
        assert_eq!(broken(&resealed), [4]);
    }
}
