//! Whether this machine's clock agrees with a server's.

use std::time::{Duration, SystemTime};

/// A difference that nobody needs to hear of: calls take time, and clocks drift.
const DIFFERENCE_MAX: Duration = Duration::from_secs(60);

/// From this difference on, whatever comes looks as if it came from the future.
pub(crate) const DAY_SECS: f64 = 86_400.0;

/// How many seconds this machine's clock is ahead of the server's (negative: behind), 0 if a reply's `date` and `age` headers prove
/// no difference. The server's time lies between `date` and `date` + `age`: some caches update the date, some do not.
pub(crate) fn seconds_ahead(now: SystemTime, date: &str, age: Option<&str>) -> Option<f64> {
    let sent = httpdate::parse_http_date(date).ok()?;
    let age = age.and_then(|age| age.trim().parse::<u32>().ok());
    let latest = sent + Duration::from_secs(age.unwrap_or(0).into());
    let seconds = |later: SystemTime, earlier: SystemTime| {
        later.duration_since(earlier).map(|d| d.as_secs_f64())
    };
    let ahead = seconds(now, latest).ok();
    let behind = seconds(sent, now).ok().map(|behind| -behind);
    Some(ahead.or(behind).unwrap_or(0.0))
}

/// What a clock does that is this many seconds ahead, and the remedy; `None` up to [`DIFFERENCE_MAX`].
pub(crate) fn problem(ahead_secs: f64) -> Option<String> {
    let by = ahead_secs.abs();
    if by <= DIFFERENCE_MAX.as_secs_f64() {
        return None;
    }
    let (side, effect) = match ahead_secs > 0.0 {
        true => ("ahead of", "every tick looks that much older than it is"),
        false => (
            "behind",
            "once it is five minutes behind, crypto-clean rejects every tick as `future`",
        ),
    };
    Some(format!(
        "this machine's clock is {by:.0} s {side} the server's, and {effect}: synchronise it (timedatectl set-ntp true)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_no_problem_and_more_is_one_with_its_effect() {
        assert_eq!((problem(60.0), problem(-60.0)), (None, None));
        let (ahead, behind) = (problem(61.0).unwrap(), problem(-400.0).unwrap());
        assert!(
            ahead.contains("61 s ahead of") && ahead.contains("older"),
            "{ahead}"
        );
        assert!(
            behind.contains("400 s behind") && behind.contains("`future`"),
            "{behind}"
        );
    }

    #[test]
    fn only_what_is_proven_counts() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let sent = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let secs = Duration::from_secs;
        for (now, age, expected) in [
            (sent, None, 0.0),
            (sent + secs(90), None, 90.0),
            (sent + secs(90), Some("261"), 0.0),
            (sent + secs(600), Some("261"), 339.0),
            (sent - secs(600), None, -600.0),
            (sent - secs(600), Some("261"), -600.0),
            (sent + secs(5), Some("old"), 5.0),
        ] {
            assert_eq!(seconds_ahead(now, date, age), Some(expected));
        }
        assert_eq!(seconds_ahead(sent, "yesterday", None), None);
    }
}
