//! Versions of registered models, and the aliases that point at them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A version of a registered model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelVersion {
    /// The registered model.
    pub model: String,
    /// Its number, from 1.
    pub version: u32,
    /// The run that trained it.
    pub run: String,
    /// Time of the registration, in milliseconds since the epoch.
    pub created_ms: i64,
    /// The aliases that point at it.
    pub aliases: Vec<String>,
    /// Why it has, or had, its aliases.
    pub note: String,
    /// The place of its file, as the tracking names it.
    #[serde(skip)]
    pub(super) source: String,
}

/// A name that points at one version of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alias {
    /// The newest version, waiting to be judged.
    Staging,
    /// The version that serves.
    Production,
}

impl Alias {
    /// Both aliases.
    pub const ALL: [Self; 2] = [Self::Staging, Self::Production];

    /// The alias's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

impl FromStr for Alias {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let alias = Self::ALL.into_iter().find(|alias| alias.as_str() == name);
        alias.ok_or_else(|| {
            format!(
                "{name} is none of {}",
                Self::ALL.map(Self::as_str).join(", ")
            )
        })
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
