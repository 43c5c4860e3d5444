//! How far back history goes.

use std::time::Duration;

use serde::Deserialize;

const DAY: Duration = Duration::from_secs(24 * 3_600);
/// Up to so many coins history is filled in unless the settings say otherwise.
const COINS_MAX: usize = 50;

/// How far back history is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum HistorySpan {
    /// A day, in steps of five minutes: a call for each coin.
    #[serde(rename = "1d")]
    Day,
    /// 90 days, in steps of an hour and of five minutes for the last day: two calls for each coin.
    #[serde(rename = "90d")]
    NinetyDays,
    /// Not at all.
    #[serde(rename = "off")]
    Off,
}

impl HistorySpan {
    /// What suits so many coins.
    pub(crate) fn for_coins(coins: usize) -> Self {
        match coins {
            ..=COINS_MAX => Self::Day,
            _ => Self::Off,
        }
    }

    /// As a length of time; none for off.
    pub(crate) fn length(self) -> Option<Duration> {
        match self {
            Self::Day => Some(DAY),
            Self::NinetyDays => Some(DAY * 90),
            Self::Off => None,
        }
    }
}
