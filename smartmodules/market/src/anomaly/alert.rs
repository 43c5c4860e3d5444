//! Alerts: what is anomalous about a row, and how severe it is.

/// How severe an anomaly is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// A score below 0.4.
    Info,
    /// A score from 0.4.
    Warning,
    /// A score from 0.9.
    Critical,
}

impl Severity {
    /// All of them, mildest first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// Its name in topics and in the lake.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The severity of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.as_str() == name)
    }

    /// The least score of something critical.
    pub const CRITICAL_FROM: f64 = 0.9;
    /// The least score of a warning.
    pub const WARNING_FROM: f64 = 0.4;

    /// The severity of a score.
    pub fn of_score(score: f64) -> Self {
        if score >= Self::CRITICAL_FROM {
            Self::Critical
        } else if score >= Self::WARNING_FROM {
            Self::Warning
        } else {
            Self::Info
        }
    }
}

/// The kinds of anomaly that a row shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kinds {
    /// |zscore_15m| and |move_15m| above their bounds: the price left the level of the minutes before.
    pub price_spike: bool,
    /// |return_zscore_15m| and |return_15m| above their bounds: the price moved within 15 minutes, however slowly.
    pub price_move: bool,
    /// volume_surge or volume_ratio above its bound.
    pub volume_spike: bool,
}

impl Kinds {
    /// All of them.
    pub const ALL: Self = Self {
        price_spike: true,
        price_move: true,
        volume_spike: true,
    };

    /// The names of all kinds in topics and in the lake.
    pub(super) const NAMES: [&'static str; 3] = ["price_spike", "price_move", "volume_spike"];

    fn flags(self) -> [bool; 3] {
        [self.price_spike, self.price_move, self.volume_spike]
    }

    /// The kind at this place of [`Self::NAMES`].
    pub(super) fn only(place: usize) -> Self {
        Self {
            price_spike: place == 0,
            price_move: place == 1,
            volume_spike: place == 2,
        }
    }

    /// The kinds of either.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            price_spike: self.price_spike || other.price_spike,
            price_move: self.price_move || other.price_move,
            volume_spike: self.volume_spike || other.volume_spike,
        }
    }

    /// Their names in topics and in the lake.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .into_iter()
            .zip(self.flags())
            .filter_map(|(name, shown)| shown.then_some(name))
    }
}

/// The rule's verdict on an anomalous row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alert {
    /// The kinds of anomaly, at least one.
    pub kinds: Kinds,
    /// How severe it is.
    pub severity: Severity,
    /// Between 0 and 1.
    pub score: f64,
}
