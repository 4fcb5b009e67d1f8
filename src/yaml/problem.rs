//! What is wrong in a file, as a person needs it: where, what, why it matters, what to do.

use std::fmt;

use serde::Serialize;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "from")]
pub enum Origin {
    /// Nobody said it.
    Default,
    /// The file; line and column count from 1.
    File {
        /// Line of the value.
        line: u64,
        /// Column of the value.
        column: u64,
    },
    /// An environment variable.
    Env {
        /// The variable's name.
        name: String,
    },
    /// A flag of the command line.
    Flag {
        /// The flag as typed, `--cluster`.
        name: String,
    },
    /// The profile or the other settings of the AWS tools.
    Profile,
    /// The stack's state: so it was when the stack came up.
    State,
}

impl Origin {
    /// Sorts by place in the file; what is not in the file comes last.
    pub fn position(&self) -> (u64, u64) {
        if let Self::File { line, column } = self { (*line, *column) } else { (u64::MAX, 0) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { line, column } => write!(f, "file, line {line}, column {column}"),
            Self::Env { name } => write!(f, "environment variable {name}"),
            Self::Flag { name } => write!(f, "flag {name}"),
            Self::Profile => f.write_str("settings of the AWS tools"),
            Self::State => f.write_str("state"),
        }
    }
}

/// One thing that is wrong, or worth a warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file's name, if one was read.
    pub file: Option<String>,
    /// Where the value came from.
    pub origin: Origin,
    /// The key's path, such as `workloads[0].scaling.maxReplicaCount`; empty for the file as a whole.
    pub key: String,
    /// What is wrong.
    pub cause: String,
    /// What to do about it.
    pub next_step: String,
}

impl Problem {
    /// Sorts by place in the file; what is not in the file comes last.
    pub fn position(&self) -> (u64, u64) {
        self.origin.position()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.origin, &self.file) {
            (Origin::File { line, column }, Some(file)) => write!(f, "{file}:{line}:{column}: ")?,
            (Origin::Default, Some(file)) => write!(f, "{file}: ")?,
            (Origin::Default, None) => {}
            (origin, _) => write!(f, "{origin}: ")?,
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; {}", self.cause, self.next_step)
    }
}

/// Everything that is wrong with a file, in the order of the file. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}
