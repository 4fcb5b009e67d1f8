//! The name of a resource inside a stack: `kind.name`, as in Terraform.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `aws_sqs_queue.myapp`: a kind (lower case, digits, `_`) and a name that is unique within the kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    kind: String,
    name: String,
}

/// The text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no resource address; write kind.name, for example aws_sqs_queue.myapp")]
pub struct BadAddress(String);

impl Address {
    /// An address from its two parts. Neither part is checked here; [`FromStr`] checks.
    pub fn new(kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), name: name.into() }
    }

    /// What sort of thing it is, for example `aws_sqs_queue`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Which one it is, for example `myapp`. May itself contain dots.
    pub fn name(&self) -> &str {
        &self.name
    }
}

pub(crate) fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        match text.split_once('.') {
            Some((kind, name)) if is_identifier(kind) && !name.is_empty() && !name.contains(['{', '}', '$', ' ']) => {
                Ok(Self::new(kind, name))
            }
            _ => Err(BadAddress(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = BadAddress;

    fn try_from(text: String) -> Result<Self, BadAddress> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_its_text() {
        let address: Address = "kubernetes_deployment.myproject/my.app".parse().unwrap();
        assert_eq!((address.kind(), address.name()), ("kubernetes_deployment", "myproject/my.app"));
        assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "queue", "Queue.x", "a.", "aws:x.y", "a.b c"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
