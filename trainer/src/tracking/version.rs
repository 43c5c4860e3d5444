//! Versions of registered models, and the aliases that point at them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A version of a registered model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelVersion {
    /// The registered model.
    pub model: String,
    /// Its number, from 1.
    pub version: u32,
    /// The run that made it.
    pub run: String,
    /// When it was registered, in milliseconds since the epoch.
    pub created_ms: i64,
    /// Which aliases point at it.
    pub aliases: Vec<String>,
    /// Why it is where it is.
    pub note: String,
    /// Where its file lies, in the tracking's own terms.
    #[serde(skip)]
    pub(super) source: String,
}

/// Where a version is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alias {
    /// It waits to be looked at.
    Staging,
    /// It serves.
    Production,
}

impl Alias {
    /// The alias's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
