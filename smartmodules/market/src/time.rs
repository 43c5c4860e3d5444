//! Times in milliseconds.

/// Milliseconds in a minute.
pub(crate) const MINUTE_MS: i64 = 60_000;

/// Parses an RFC 3339 date-time into milliseconds since the epoch; `None` for any other text.
///
/// Digits beyond milliseconds are cut off, and a leap second counts as the second before it.
///
/// ```
/// assert_eq!(market::parse_rfc3339_ms("2023-01-02T17:08:13.102Z"), Some(1_672_679_293_102));
/// assert_eq!(market::parse_rfc3339_ms("yesterday"), None);
/// ```
pub fn parse_rfc3339_ms(text: &str) -> Option<i64> {
    let text = text.as_bytes();
    let (date_time, rest) = text.split_at_checked(19)?;
    if date_time[4] != b'-'
        || date_time[7] != b'-'
        || !matches!(date_time[10], b'T' | b't' | b' ')
        || date_time[13] != b':'
        || date_time[16] != b':'
    {
        return None;
    }
    let year = digits(&date_time[0..4])?;
    let month = digits(&date_time[5..7])?;
    let day = digits(&date_time[8..10])?;
    let hour = digits(&date_time[11..13])?;
    let minute = digits(&date_time[14..16])?;
    let second = digits(&date_time[17..19])?;
    if !(1..=12).contains(&month)
        || !(1..=days_in_month(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }

    let (millis, zone) = fraction_ms(rest)?;
    let offset_minutes = match zone {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 60 + minutes;
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    let minutes = (days_from_epoch(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
    Some((minutes * 60 + second.min(59)) * 1000 + millis)
}

/// Splits `.123456Z` into 123 and `Z`.
fn fraction_ms(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', fraction)) = text.split_first() else {
        return Some((0, text));
    };
    let len = fraction
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(fraction.len());
    if len == 0 {
        return None;
    }
    let digit = |place: usize| {
        fraction[..len]
            .get(place)
            .map_or(0, |byte| i64::from(byte - b'0'))
    };
    Some((digit(0) * 100 + digit(1) * 10 + digit(2), &fraction[len..]))
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit()
            .then(|| number * 10 + i64::from(byte - b'0'))
    })
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar: Howard Hinnant's `days_from_civil`, with years that
/// begin in March so that the leap day comes last.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_of_coingecko_are_parsed() {
        assert_eq!(
            parse_rfc3339_ms("2023-01-02T17:08:13.102Z"),
            Some(1_672_679_293_102)
        );
        assert_eq!(parse_rfc3339_ms("1970-01-01T00:00:00Z"), Some(0));
    }

    #[test]
    fn all_of_rfc_3339_is_parsed() {
        assert_eq!(
            parse_rfc3339_ms("2000-02-29t01:00:00.5+01:00"),
            Some(951_782_400_500)
        );
        assert_eq!(parse_rfc3339_ms("1969-12-31 23:59:59.9999-00:00"), Some(-1));
        assert_eq!(
            parse_rfc3339_ms("2016-12-31T23:59:60Z"),
            parse_rfc3339_ms("2016-12-31T23:59:59Z")
        );
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "2023-01-02",
            "2023-01-02T17:08:13",
            "2023-01-02T17:08:13.Z",
            "2023-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-01-02T24:00:00Z",
            "2023-01-02T17:08:13.102Zulu",
            "2023-01-02T17:08:13+1:00",
            "+023-01-02T17:08:13Z",
            "2023-01-02T17:08:1\u{e9}",
            "1672679293",
        ] {
            assert_eq!(parse_rfc3339_ms(text), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(crate::property::cases(5_000))]

        #[test]
        fn agrees_with_jiff(
            ms in -62_000_000_000_000..253_000_000_000_000_i64,
            digits in 0..10_usize,
            offset in -23 * 60..23 * 60_i32,
            damage in prop::option::of((any::<prop::sample::Index>(), "[0-9TZ:.+-]")),
        ) {
            let moment = jiff::Timestamp::from_millisecond(ms).unwrap();
            let zone = jiff::tz::Offset::from_seconds(offset * 60).unwrap();
            let mut text = moment.display_with_offset(zone).to_string();
            if digits == 0 {
                text = format!("{moment:.3}");
            } else if digits < 4 {
                text = format!("{moment:.digits$}");
            }
            let damaged = damage.is_some();
            if let Some((at, other)) = damage {
                let at = at.index(text.len());
                text.replace_range(at..=at, &other);
            }
            // jiff accepts more than RFC 3339: it can only confirm what is accepted here.
            match parse_rfc3339_ms(&text) {
                Some(ours) => {
                    let theirs: jiff::Timestamp = text.parse().expect("jiff takes all of RFC 3339");
                    prop_assert_eq!(i128::from(ours), theirs.as_nanosecond().div_euclid(1_000_000), "{}", text);
                }
                None => prop_assert!(damaged, "{}", text),
            }
        }
    }
}
