//! Alerts: what is anomalous about a row, and how severe it is.

use crate::rows::WindowFeatures;

/// How severe an anomaly is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// A score below 0.25.
    Info,
    /// A score from 0.25.
    Warning,
    /// A score from 0.75.
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

    /// The severity of a score.
    pub fn of_score(score: f64) -> Self {
        if score >= 0.75 {
            Self::Critical
        } else if score >= 0.25 {
            Self::Warning
        } else {
            Self::Info
        }
    }
}

/// The kinds of anomaly that a row shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kinds {
    /// |zscore_15m| above its bound.
    pub price_spike: bool,
    /// volume_surge or volume_ratio above its bound.
    pub volume_spike: bool,
}

impl Kinds {
    /// Their names in topics and in the lake.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let price = self.price_spike.then_some("price_spike");
        let volume = self.volume_spike.then_some("volume_spike");
        price.into_iter().chain(volume)
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

/// The alert as a sentence.
pub(super) fn message(coin: &str, price: f64, kinds: Kinds, windows: &WindowFeatures) -> String {
    let mut message = format!("{coin} at {price} USD: ");
    if kinds.price_spike {
        let z = windows.zscore_15m.unwrap_or_default();
        let side = if z > 0.0 { "above" } else { "below" };
        message += &format!(
            "price {:.1} standard deviations {side} its 15-minute mean",
            z.abs()
        );
    }
    if kinds.volume_spike {
        if kinds.price_spike {
            message += ", ";
        }
        let surge = windows.volume_surge.unwrap_or_default();
        let ratio = windows.volume_ratio.unwrap_or_default();
        if surge >= ratio {
            message += &format!("volume {surge:.1} times its daily average");
        } else {
            message += &format!("24-hour volume {ratio:.1} times its 15-minute mean");
        }
    }
    message
}
