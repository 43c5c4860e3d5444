//! What is wrong with a configuration file, in one sentence with the place and the remedy.

use std::fmt;
use std::path::Path;

use crate::config::secrets::SecretsError;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be opened.
    #[error("cannot read {path}: {reason}; check the path and its permissions")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The secrets file cannot be used.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// A value is missing or invalid.
    #[error("{}{problem}", Place(.file, .line))]
    Invalid {
        /// The file, where there is one.
        file: Option<String>,
        /// The line, from 1, where it is known.
        line: Option<usize>,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// `meta.consumer.partition` names one the topic does not have.
    #[error(
        "meta.consumer.partition names partition {partition}, but the topic has {count}, numbered from 0: use `all` or a smaller \
         number"
    )]
    NoSuchPartition {
        /// The one that is missing.
        partition: u32,
        /// How many there are.
        count: u32,
    },
}

impl ConfigError {
    pub(super) fn at(line: usize, problem: impl Into<String>) -> Self {
        Self::Invalid {
            file: None,
            line: Some(line),
            problem: problem.into(),
        }
    }

    pub(super) fn in_file(self, path: &Path) -> Self {
        match self {
            Self::Invalid { line, problem, .. } => Self::Invalid {
                file: Some(path.display().to_string()),
                line,
                problem,
            },
            other => other,
        }
    }
}

struct Place<'a>(&'a Option<String>, &'a Option<usize>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Some(file), Some(line)) => write!(f, "{file}, line {line}: "),
            (Some(file), None) => write!(f, "{file}: "),
            (None, Some(line)) => write!(f, "line {line}: "),
            (None, None) => Ok(()),
        }
    }
}
