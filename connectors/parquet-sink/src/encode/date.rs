//! Days counted from 1970-01-01, and the dates that name a table's partitions.

const DAY_MS: i64 = 86_400_000;
/// The first millisecond of the calendar that every reader of a table knows: 0001-01-01T00:00Z.
pub(super) const MS_MIN: i64 = -62_135_596_800_000;
/// The last one: 9999-12-31T23:59:59.999Z.
pub(super) const MS_MAX: i64 = 253_402_300_799_999;

/// The day (UTC) of a time in milliseconds since the epoch.
pub(super) fn day_of_ms(ms: i64) -> i32 {
    i32::try_from(ms.div_euclid(DAY_MS)).unwrap_or(i32::MAX)
}

/// The day as `YYYY-MM-DD`. A day beyond the calendar gets its first or last date.
pub(super) fn date(day: i32) -> String {
    let last = day_of_ms(MS_MAX);
    let day = day.clamp(day_of_ms(MS_MIN), last);
    let epoch = jiff::civil::date(1970, 1, 1);
    match epoch.checked_add(jiff::Span::new().days(day)) {
        Ok(date) => date.to_string(),
        Err(_) => "9999-12-31".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        for (ms, text) in [
            (0, "1970-01-01"),
            (20_240 * DAY_MS, "2025-06-01"),
            (-1, "1969-12-31"),
            (MS_MIN, "0001-01-01"),
            (MS_MAX, "9999-12-31"),
        ] {
            assert_eq!(date(day_of_ms(ms)), text);
        }
    }

    #[test]
    fn a_day_beyond_the_calendar_has_a_date_too() {
        assert_eq!(date(i32::MAX), "9999-12-31");
        assert_eq!(date(i32::MIN), "0001-01-01");
    }
}
