//! Ranges of time, as people write them.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// From a time (included) to another (excluded); either side may be open.
///
/// ```
/// use trainer::TimeRange;
///
/// let range = TimeRange::parse(Some("2025-06-01"), Some("2025-06-02T12:00:00Z"))?;
/// assert_eq!(range.to_string(), "from 2025-06-01T00:00:00Z to 2025-06-02T12:00:00Z");
/// assert!(range.contains(1_748_736_000_000));
/// # Ok::<_, trainer::data::RangeError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeRange {
    from_ms: Option<i64>,
    to_ms: Option<i64>,
}

/// Why a range is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RangeError {
    /// Not a time.
    #[error("`{0}` is not a time: write a date as 2025-06-01, or a time as 2025-06-01T12:00:00Z")]
    NoTime(String),
    /// It ends before it begins.
    #[error("the range ends at {to}, which is not after its begin at {from}: exchange the two")]
    Empty {
        /// Where it begins.
        from: Timestamp,
        /// Where it ends.
        to: Timestamp,
    },
}

impl TimeRange {
    /// Parses dates (midnight UTC) and RFC 3339 times.
    ///
    /// # Errors
    /// When one is not a time, or the range is empty.
    pub fn parse(from: Option<&str>, to: Option<&str>) -> Result<Self, RangeError> {
        let from = from.map(parse_time).transpose()?;
        let to = to.map(parse_time).transpose()?;
        if let (Some(from), Some(to)) = (from, to)
            && to <= from
        {
            return Err(RangeError::Empty { from, to });
        }
        Ok(Self {
            from_ms: from.map(Timestamp::as_millisecond),
            to_ms: to.map(Timestamp::as_millisecond),
        })
    }

    /// From this time on.
    pub fn since_ms(from_ms: i64) -> Self {
        Self {
            from_ms: Some(from_ms),
            to_ms: None,
        }
    }

    /// Whether a time is in the range.
    pub fn contains(&self, time_ms: i64) -> bool {
        self.overlaps(time_ms, time_ms)
    }

    /// Whether a time from `first_ms` to `last_ms`, both included, is in the range.
    pub fn overlaps(&self, first_ms: i64, last_ms: i64) -> bool {
        self.from_ms.is_none_or(|from| last_ms >= from) && self.to_ms.is_none_or(|to| first_ms < to)
    }

    /// Whether the range begins after this date, the name of a `date=` folder.
    pub(super) fn is_after_date(&self, date: &str) -> bool {
        let Some(from) = self.from_ms else {
            return false;
        };
        let next_day = date.parse::<Date>().and_then(|date| date.tomorrow());
        next_day
            .and_then(midnight)
            .is_ok_and(|midnight| midnight.as_millisecond() <= from)
    }

    /// Whether either side is bounded.
    pub fn is_bounded(&self) -> bool {
        *self != Self::default()
    }
}

impl fmt::Display for TimeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from_ms, self.to_ms) {
            (None, None) => f.write_str("of any time"),
            (Some(from), None) => write!(f, "from {} on", show_ms(from)),
            (None, Some(to)) => write!(f, "before {}", show_ms(to)),
            (Some(from), Some(to)) => write!(f, "from {} to {}", show_ms(from), show_ms(to)),
        }
    }
}

/// Milliseconds since the epoch as RFC 3339, without a fraction if it is zero.
pub(crate) fn show_ms(time_ms: i64) -> String {
    match Timestamp::from_millisecond(time_ms) {
        Ok(time) => time.to_string(),
        Err(_) => format!("{time_ms} ms"),
    }
}

fn parse_time(text: &str) -> Result<Timestamp, RangeError> {
    // Only ten characters are a date: of a longer text, a time would be dropped.
    let time = match text.len() {
        10 => text.parse::<Date>().and_then(midnight),
        _ => text.parse::<Timestamp>(),
    };
    time.map_err(|_| RangeError::NoTime(text.to_owned()))
}

fn midnight(date: Date) -> Result<Timestamp, jiff::Error> {
    Ok(date.to_zoned(TimeZone::UTC)?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_means_midnight_and_the_end_is_excluded() {
        let range = TimeRange::parse(Some("2025-06-01"), Some("2025-06-02T00:00:00Z")).unwrap();
        let day = 1_748_736_000_000;
        assert!(range.contains(day) && range.contains(day + 86_399_999));
        assert!(!range.contains(day - 1) && !range.contains(day + 86_400_000));
        assert!(range.is_after_date("2025-05-31") && !range.is_after_date("2025-06-01"));
        assert_eq!(
            range.to_string(),
            "from 2025-06-01T00:00:00Z to 2025-06-02T00:00:00Z"
        );
    }

    #[test]
    fn a_time_is_never_taken_for_its_date() {
        for text in [
            "2025-06-01T12:30:00Z",
            "2025-06-01t12:30:00z",
            "2025-06-01 12:30Z",
            "2025-06-01T14:30:00+02:00",
        ] {
            let range = TimeRange::parse(Some(text), None).unwrap();
            assert_eq!(range.to_string(), "from 2025-06-01T12:30:00Z on", "{text}");
        }
    }

    #[test]
    fn other_text_and_empty_ranges_are_refused() {
        for text in [
            "yesterday",
            "",
            "2025-13-01",
            "2025-06-01T12:00:00",
            "2025-06-01 12:00",
            "2025-06-01t12:00:00",
            "2025-06-01[UTC]",
            "2025-06-01+02:00",
        ] {
            let problem = TimeRange::parse(Some(text), None).unwrap_err();
            assert_eq!(problem, RangeError::NoTime(text.to_owned()));
        }
        let problem = TimeRange::parse(Some("2025-06-02"), Some("2025-06-02")).unwrap_err();
        assert!(problem.to_string().contains("exchange"), "{problem}");
    }
}
