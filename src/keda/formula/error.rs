//! Why a formula cannot be used, or has no value.

use thiserror::Error as ThisError;

/// What is wrong. The texts stand in a condition's message.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum Problem {
    /// The text is no expression, or uses something that is not served.
    #[error("{what} (character {})", at + 1)]
    Syntax {
        /// What is wrong with it.
        what: String,
        /// The number of characters before it.
        at: usize,
    },
    /// An operator or a function has an operand of a type that it does not take, whatever the values are.
    #[error("{0}")]
    Type(String),
    /// These values have no result: an index that is out of range, a division of integers by zero.
    #[error("{0}")]
    Value(String),
}

impl Problem {
    pub(super) fn syntax(at: usize, what: impl Into<String>) -> Self {
        Self::Syntax { what: what.into(), at }
    }

    pub(super) fn type_(what: impl Into<String>) -> Self {
        Self::Type(what.into())
    }

    pub(super) fn value(what: impl Into<String>) -> Self {
        Self::Value(what.into())
    }
}
