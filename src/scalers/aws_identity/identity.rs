//! As whom AWS is called.

use std::fmt;

/// As whom a trigger calls.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The operator itself.
    Operator,
    /// A role, by web identity or else by AssumeRole.
    Role(String),
    /// A role by AssumeRole only: the way of `awsRoleArn` and of provider aws-eks.
    AssumedRole(String),
    /// Keys from parameters or the target's environment.
    Static { id: String, secret: String, token: Option<String> },
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("Operator"),
            Self::Role(arn) => f.debug_tuple("Role").field(arn).finish(),
            Self::AssumedRole(arn) => f.debug_tuple("AssumedRole").field(arn).finish(),
            Self::Static { .. } => f.write_str("Static"),
        }
    }
}
