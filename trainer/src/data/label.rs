//! The two labels and their names.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// What a model predicts. Models have the names of their labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// An episode of warnings or worse begins within 15 minutes.
    AnomalyAhead,
    /// A higher price 15 minutes later.
    TrendUp,
}

impl Label {
    /// Both labels.
    pub const ALL: [Self; 2] = [Self::AnomalyAhead, Self::TrendUp];

    /// The name under which its model is registered.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AnomalyAhead => "anomaly_ahead",
            Self::TrendUp => "trend_up",
        }
    }
}

impl FromStr for Label {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let label = Self::ALL.into_iter().find(|label| label.as_str() == name);
        label.ok_or_else(|| {
            format!(
                "{name} is none of {}",
                Self::ALL.map(Self::as_str).join(", ")
            )
        })
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
