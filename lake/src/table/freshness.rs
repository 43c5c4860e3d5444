//! How long what was read of a log may be followed.

use jiff::Timestamp;

/// Upkeep removes entries, and vacuum files that no entry names, once they are this old, in milliseconds.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// Whoever did not look for longer than this reads the log again, so that no entry can be gone unseen.
const FOLLOWS_MS: u64 = DAY_MS as u64 / 4;

/// Whether a log that was read then may have lost entries since. By the wall clock: others stand still while a machine sleeps.
pub(super) fn is_old(read_ms: i64) -> bool {
    read_ms.abs_diff(now_ms()) > FOLLOWS_MS
}

pub(super) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}
