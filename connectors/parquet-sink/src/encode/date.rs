//! Days counted from 1970-01-01, and the dates that name folders.

const DAY_MS: i64 = 86_400_000;

/// The day (UTC) of a time in milliseconds since the epoch.
pub(crate) fn day_of_ms(ms: i64) -> i32 {
    i32::try_from(ms.div_euclid(DAY_MS)).unwrap_or(i32::MAX)
}

/// The day as `YYYY-MM-DD`. A day beyond the calendar gets its last date.
pub(crate) fn date(day: i32) -> String {
    let epoch = jiff::civil::date(1970, 1, 1);
    match epoch.checked_add(jiff::Span::new().days(day.clamp(-700_000, 2_900_000))) {
        Ok(date) => date.to_string(),
        Err(_) => "9999-12-31".to_owned(),
    }
}

/// The day of `YYYY-MM-DD`; `None` for anything else.
pub(crate) fn day_of_date(date: &str) -> Option<i32> {
    let date: jiff::civil::Date = date.parse().ok()?;
    let days = date.since(jiff::civil::date(1970, 1, 1)).ok()?.get_days();
    Some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_agree() {
        for (day, text) in [
            (0, "1970-01-01"),
            (20_240, "2025-06-01"),
            (-1, "1969-12-31"),
        ] {
            assert_eq!(date(day), text);
            assert_eq!(day_of_date(text), Some(day));
        }
    }

    #[test]
    fn a_day_beyond_the_calendar_has_a_folder_too() {
        assert_eq!(date(i32::MAX), "9909-12-07");
        assert_eq!(day_of_date("no date"), None);
    }
}
