//! Which files of a table become one.
//!
//! The rules, for each date on its own:
//! - **Open day.** When an hour ends, the files added in it become one with those of the hours before it in the same quarter of
//!   a day. Files of the current hour become one early, once [`MANY_IN_AN_HOUR`] of them are new.
//! - **Closed day.** Yesterday is closed an hour after its last file was added; earlier days always are, and so are rows without
//!   a date. Files that are at least an hour old become sorted files of the full size.
//! - **Late rows.** Files added to a closed day are merged with each other first, and with a larger file only once they are at
//!   least a quarter of its size ([`GROWTH`]): each row is rewritten a few times, whatever comes in which order.
//! - A sorted file of at least half the full size is never rewritten.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::table::{DAY_MS, DataFile};

const HOUR_MS: i64 = 3_600_000;
/// This many new files of the current hour are merged before it ends.
const MANY_IN_AN_HOUR: usize = 12;
/// Files up to this size are always merged: rewriting one costs about as much as a commit.
const CHEAP_BYTES: u64 = 256 << 10;
/// A larger file of a closed day joins the smaller ones if it has at most this many times their total size.
const GROWTH: u64 = 4;
/// Files of at least the full size divided by this wait until their day is closed.
const OPEN_DAY_DIVISOR: u64 = 8;
/// One rewrite reads at most this many times the full size.
const FULL_SIZES_MAX: u64 = 4;

/// Files that become one, or as few as their size allows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MergeGroup {
    pub(crate) date: Option<String>,
    pub(crate) files: Vec<DataFile>,
}

/// What there is to do at `now_ms`, oldest date first. `file_bytes` is the full size of a file.
pub(crate) fn plan(files: &[DataFile], now_ms: i64, file_bytes: u64) -> Vec<MergeGroup> {
    let mut dates: BTreeMap<&Option<String>, Vec<&DataFile>> = BTreeMap::new();
    for file in files {
        dates.entry(&file.date).or_default().push(file);
    }
    let mut groups = Vec::new();
    for (date, files) in dates {
        let chosen = match settled(date.as_deref(), &files, now_ms) {
            Some(settled) => vec![of_closed_day(settled, file_bytes)],
            None => of_open_day(&files, now_ms, file_bytes),
        };
        groups.extend(chosen.into_iter().filter_map(|files| {
            (!files.is_empty()).then(|| MergeGroup {
                date: date.clone(),
                files: files.into_iter().cloned().collect(),
            })
        }));
    }
    groups
}

/// The day of an instant, in UTC.
pub(crate) fn date_of(ms: i64) -> Option<String> {
    let time = Timestamp::from_millisecond(ms).ok()?;
    Some(time.to_zoned(TimeZone::UTC).date().to_string())
}

/// The files of a closed day, but those of the last hour; `None` for a day that is open.
fn settled<'a>(
    date: Option<&str>,
    files: &[&'a DataFile],
    now_ms: i64,
) -> Option<Vec<&'a DataFile>> {
    let is_before = |ms| date.is_none_or(|date| date_of(ms).is_some_and(|day| date < day.as_str()));
    let is_settled = |file: &&&DataFile| file.added_ms <= now_ms - HOUR_MS;
    let settled: Vec<&DataFile> = files.iter().filter(is_settled).copied().collect();
    let is_closed = is_before(now_ms) && settled.len() == files.len();
    (is_closed || is_before(now_ms - DAY_MS)).then_some(settled)
}

fn of_open_day<'a>(files: &[&'a DataFile], now_ms: i64, file_bytes: u64) -> Vec<Vec<&'a DataFile>> {
    let hour_ms = now_ms.div_euclid(HOUR_MS) * HOUR_MS;
    let mut quarters: BTreeMap<i64, Vec<&DataFile>> = BTreeMap::new();
    let mut running = Vec::new();
    for &file in files {
        if file.bytes >= file_bytes / OPEN_DAY_DIVISOR {
            continue;
        }
        match file.added_ms < hour_ms {
            true => quarters
                .entry(file.added_ms.div_euclid(DAY_MS / 4))
                .or_default()
                .push(file),
            false => running.push(file),
        }
    }
    let is_new = |file: &&DataFile| file.sorted_by().is_none();
    let many = running.iter().filter(|file| is_new(file)).count() >= MANY_IN_AN_HOUR;
    running.retain(|file| many && (is_new(file) || file.bytes <= CHEAP_BYTES));
    let mut groups: Vec<_> = quarters.into_values().chain([running]).collect();
    groups.retain(|files| files.len() > 1);
    groups
}

fn of_closed_day(mut files: Vec<&DataFile>, file_bytes: u64) -> Vec<&DataFile> {
    let is_sorted = |file: &DataFile| file.sorted_by().is_some();
    files.retain(|file| !is_sorted(file) || file.bytes < file_bytes / 2);
    files.sort_by_key(|file| file.bytes);
    // As many of the smallest as make the largest of them worth it.
    let (mut merged, mut smaller) = (0, 0);
    for (i, file) in files.iter().enumerate() {
        if i > 0 && smaller + file.bytes > FULL_SIZES_MAX * file_bytes {
            break;
        }
        if file.bytes <= CHEAP_BYTES.max(GROWTH * smaller) {
            merged = i + 1;
        }
        smaller += file.bytes;
    }
    let mut chosen = files[..merged].to_vec();
    let mut bytes: u64 = chosen.iter().map(|file| file.bytes).sum();
    for file in &files[merged..] {
        let fits = chosen.is_empty() || bytes + file.bytes <= FULL_SIZES_MAX * file_bytes;
        if !is_sorted(file) && file.bytes > CHEAP_BYTES && fits {
            bytes += file.bytes;
            chosen.push(file);
        }
    }
    match chosen.as_slice() {
        // Alone, it is rewritten only to be sorted, if its size is worth that.
        [file] if is_sorted(file) || file.bytes <= CHEAP_BYTES => Vec::new(),
        _ => chosen,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::log::action::Add;

    const MIB: u64 = 1 << 20;
    const FULL: u64 = 128 * MIB;
    /// 2025-06-02T00:00:00Z.
    const MIDNIGHT: i64 = 1_748_822_400_000;
    const NOTHING: [[u64; 0]; 0] = [];

    fn file(date: &str, bytes: u64, added_ms: i64, is_sorted: bool) -> DataFile {
        let tags = is_sorted
            .then(|| BTreeMap::from([("coinlake.sorted".to_owned(), Some("coin".to_owned()))]));
        let add = Add {
            path: format!("date={date}/{bytes}-{added_ms}.parquet"),
            partition_values: BTreeMap::from([("date".to_owned(), Some(date.to_owned()))]),
            size: i64::try_from(bytes).unwrap(),
            modification_time: added_ms,
            tags,
            ..Add::default()
        };
        DataFile::new("t", &Arc::new(add))
    }

    fn sizes(files: &[DataFile], now_ms: i64) -> Vec<Vec<u64>> {
        let groups = plan(files, now_ms, FULL).into_iter();
        groups
            .map(|group| group.files.iter().map(|file| file.bytes).collect())
            .collect()
    }

    #[test]
    fn the_files_of_an_hour_become_one_when_it_is_over() {
        let minute = |m: i64| file("2025-06-02", 9 + m as u64, MIDNIGHT + m * 60_000, false);
        let files: Vec<DataFile> = (0..130).map(minute).collect();
        let groups = plan(&files, MIDNIGHT + 130 * 60_000, FULL);
        let counts: Vec<usize> = groups.iter().map(|group| group.files.len()).collect();
        assert_eq!(counts, [120]);
        // The hour that runs has ten; once it has many, they are not waited with.
        let files: Vec<DataFile> = (0..35).map(minute).collect();
        let groups = plan(&files, MIDNIGHT + 35 * 60_000, FULL);
        assert_eq!((groups.len(), groups[0].files.len()), (1, 35));
        // The new files of the same hour are merged with those, which are small.
        let merged = file("2025-06-02", 99, MIDNIGHT, true);
        let large = file("2025-06-02", CHEAP_BYTES + 1, MIDNIGHT, true);
        let new = (0..12).map(minute);
        let files: Vec<DataFile> = [merged, large].into_iter().chain(new).collect();
        let at = MIDNIGHT + 50 * 60_000;
        assert_eq!(sizes(&files[..13], at), NOTHING);
        assert_eq!(sizes(&files, at).concat().len(), 13);
        // One is enough, and a large one waits for the end of the day.
        let files = [minute(0), file("2025-06-02", 30 * MIB, MIDNIGHT, false)];
        assert_eq!(sizes(&files, MIDNIGHT + 2 * HOUR_MS), NOTHING);
    }

    #[test]
    fn a_day_is_closed_an_hour_after_its_last_file() {
        let date = "2025-06-01";
        let files = [
            file(date, 50 * MIB, MIDNIGHT - 2 * HOUR_MS, true),
            file(date, 40 * MIB, MIDNIGHT - HOUR_MS, true),
            file(date, 3, MIDNIGHT, false),
        ];
        assert_eq!(sizes(&files, MIDNIGHT + HOUR_MS - 1), NOTHING);
        assert_eq!(sizes(&files, MIDNIGHT + HOUR_MS), [[3, 40 * MIB, 50 * MIB]]);
        // A day before yesterday is closed while rows still come to it.
        let late = file(date, 3, MIDNIGHT + 2 * DAY_MS, false);
        let files = [files[0].clone(), files[1].clone(), late];
        assert_eq!(sizes(&files, MIDNIGHT + 2 * DAY_MS), [[40 * MIB, 50 * MIB]]);
    }

    #[test]
    fn hours_become_a_quarter_of_a_day() {
        let hour = |n: i64| file("2025-06-02", 20 + n as u64, MIDNIGHT + n * HOUR_MS, true);
        let hours: Vec<_> = (0..7).map(hour).collect();
        let at = |minutes: i64| sizes(&hours, MIDNIGHT + minutes * 60_000);
        assert_eq!(at(119), NOTHING);
        assert_eq!(at(120), [[20, 21]]);
        assert_eq!(at(361), [[20, 21, 22, 23, 24, 25]]);
    }

    #[test]
    fn what_came_late_is_merged_by_itself_until_it_is_a_part_worth_merging() {
        let now = MIDNIGHT + 9 * DAY_MS;
        let date = "2025-06-01";
        let big = file(date, 40 * MIB, MIDNIGHT, true);
        let late = |bytes| file(date, bytes, MIDNIGHT, false);
        assert_eq!(sizes(&[big.clone(), late(9)], now), NOTHING);
        assert_eq!(sizes(&[big.clone(), late(9), late(8)], now), [[8, 9]]);
        assert_eq!(
            sizes(&[big.clone(), late(10 * MIB)], now),
            [[10 * MIB, 40 * MIB]]
        );
        // A full one never again.
        let full = file(date, 64 * MIB, MIDNIGHT, true);
        assert_eq!(
            sizes(&[full.clone(), late(60 * MIB), big], now),
            [[40 * MIB, 60 * MIB]]
        );
        assert_eq!(sizes(&[full], now), NOTHING);
    }

    #[test]
    fn what_is_not_sorted_is_sorted_once_if_it_is_worth_it() {
        let now = MIDNIGHT + DAY_MS;
        let at = |bytes, is_sorted| file("2025-06-01", bytes, MIDNIGHT, is_sorted);
        assert_eq!(sizes(&[at(200 * MIB, false)], now), [[200 * MIB]]);
        assert_eq!(sizes(&[at(CHEAP_BYTES, false)], now), NOTHING);
        // Not all at once.
        let many = vec![at(100 * MIB, false); 20];
        assert_eq!(sizes(&many, now), [[100 * MIB; 5]]);
    }

    #[test]
    fn rows_without_a_date_are_those_of_a_closed_day() {
        let undated = |bytes| {
            let mut file = file("2025-06-02", bytes, MIDNIGHT, false);
            file.date = None;
            file
        };
        let files = [undated(1), undated(2)];
        assert_eq!(sizes(&files, MIDNIGHT + HOUR_MS - 1), NOTHING);
        assert_eq!(sizes(&files, MIDNIGHT + HOUR_MS), [[1, 2]]);
    }

    /// Rewritten bytes over new ones, when every round finds one more small file in a closed day.
    #[test]
    fn a_closed_day_is_not_rewritten_for_every_late_row() {
        let date = "2025-06-01";
        let mut files = vec![file(date, 60 * MIB, MIDNIGHT, true)];
        let (mut late, mut rewritten, mut most) = (0, 0, 0);
        for round in 1..=1000 {
            let now = MIDNIGHT + round * DAY_MS;
            files.push(file(date, 20_000, now - HOUR_MS, false));
            late += 20_000;
            for group in plan(&files, now, FULL) {
                let bytes = group.files.iter().map(|file| file.bytes).sum();
                rewritten += bytes;
                files.retain(|file| !group.files.contains(file));
                files.push(file(date, bytes, now - HOUR_MS, true));
            }
            most = most.max(files.len());
        }
        assert!(rewritten / late < 40, "{rewritten} for {late}");
        assert!(most <= 6, "{most}");
    }
}
