//! How many episodes began when.

use std::ops::RangeInclusive;

use market::Severity;
use serde::Serialize;

use crate::history::episodes::Episode;

/// Bars of a small chart.
const BARS: i64 = 48;

/// Episodes by the time they began, in equal steps, one list a severity.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    begin_ms: i64,
    step_ms: i64,
    info: Vec<u32>,
    warning: Vec<u32>,
    critical: Vec<u32>,
}

impl Counts {
    /// Those of a range of times, in milliseconds since the epoch. One that began before counts as the first of it.
    pub(crate) fn new<'a>(
        episodes: impl IntoIterator<Item = &'a Episode>,
        times: &RangeInclusive<i64>,
    ) -> Self {
        let length = times.end().saturating_sub(*times.start()).max(0);
        let empty = || vec![0; BARS as usize];
        let mut counts = Self {
            begin_ms: *times.start(),
            step_ms: length / BARS + 1,
            info: empty(),
            warning: empty(),
            critical: empty(),
        };
        for episode in episodes {
            let place = episode.begin.saturating_sub(counts.begin_ms) / counts.step_ms;
            let list = match episode.severity() {
                Severity::Info => &mut counts.info,
                Severity::Warning => &mut counts.warning,
                Severity::Critical => &mut counts.critical,
            };
            list[place.clamp(0, BARS - 1) as usize] += 1;
        }
        counts
    }
}
