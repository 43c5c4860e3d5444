//! Duplicates in a derived topic: a dead process's last append can still arrive after its successor's.

use std::collections::BTreeMap;

use connector_runtime::record::Record;

/// Remembers the greatest `source_offset` of each partition; a record that is not above it is a duplicate.
#[derive(Debug, Default)]
pub(crate) struct Duplicates(BTreeMap<u32, Seen>);

#[derive(Debug)]
struct Seen {
    offset: i64,
    source_offset: i64,
}

impl Duplicates {
    /// Whether a record of `partition` made from the input at `source_offset` repeats an earlier one.
    pub(crate) fn is_duplicate(
        &mut self,
        partition: u32,
        record: &Record,
        source_offset: i64,
    ) -> bool {
        let seen = self.0.get(&partition);
        // Offsets fall only when the topic was recreated, and its input with it.
        if seen
            .is_some_and(|seen| record.offset > seen.offset && source_offset <= seen.source_offset)
        {
            return true;
        }
        let seen = Seen {
            offset: record.offset,
            source_offset,
        };
        self.0.insert(partition, seen);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_a_duplicate_unless_its_source_offset_is_the_greatest_so_far() {
        let record = |offset| Record {
            offset,
            timestamp_ms: 0,
            key: None,
            value: Default::default(),
        };
        let mut duplicates = Duplicates::default();
        assert!(!duplicates.is_duplicate(0, &record(10), 7));
        assert!(duplicates.is_duplicate(0, &record(11), 7));
        assert!(duplicates.is_duplicate(0, &record(12), 3));
        assert!(!duplicates.is_duplicate(0, &record(13), 9));
        assert!(
            !duplicates.is_duplicate(1, &record(0), 7),
            "partitions are independent"
        );
        assert!(
            !duplicates.is_duplicate(0, &record(0), 0),
            "the topic was recreated"
        );
    }
}
