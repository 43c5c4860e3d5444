//! Numbers of things, as messages say them.

use indicatif::HumanCount;

/// `1 alert` or `2 alerts`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        more => format!("{} {noun}s", HumanCount(more)),
    }
}
