//! Alerts: what is anomalous about a row, and how severe it is.

use crate::rows::WindowFeatures;

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

    /// The severity of a score.
    pub fn of_score(score: f64) -> Self {
        if score >= 0.9 {
            Self::Critical
        } else if score >= 0.4 {
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
    /// Their names in topics and in the lake.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [
            (self.price_spike, "price_spike"),
            (self.price_move, "price_move"),
            (self.volume_spike, "volume_spike"),
        ]
        .into_iter()
        .filter_map(|(shown, name)| shown.then_some(name))
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
    let mut parts = Vec::new();
    if kinds.price_spike {
        let moved = windows.move_15m.unwrap_or_default();
        parts.push(format!(
            "price {:.1} % {} its recent mean, {:.1} standard deviations",
            moved.abs() * 100.0,
            if moved > 0.0 { "above" } else { "below" },
            windows.zscore_15m.unwrap_or_default().abs(),
        ));
    }
    if kinds.price_move {
        let moved = windows.return_15m.unwrap_or_default();
        parts.push(format!(
            "price {} {:.1} % in 15 minutes, {:.1} standard deviations",
            if moved > 0.0 { "up" } else { "down" },
            moved.abs() * 100.0,
            windows.return_zscore_15m.unwrap_or_default().abs(),
        ));
    }
    if kinds.volume_spike {
        let surge = windows.volume_surge.unwrap_or_default();
        let ratio = windows.volume_ratio.unwrap_or_default();
        parts.push(if surge >= ratio {
            format!("volume {surge:.1} times its daily average")
        } else {
            format!("24-hour volume {ratio:.1} times its recent mean")
        });
    }
    format!("{coin} at {price} USD: {}", parts.join("; "))
}
