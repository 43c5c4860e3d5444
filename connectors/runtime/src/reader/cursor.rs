//! What a reader without gaps does with a response. No I/O.
//!
//! - The broker cuts a response at `max_bytes`, even in the middle of a batch. Only whole batches count: the reader acknowledges
//!   the end of the last whole one, and the broker continues with the one it cut.
//! - The reader asks again, for more bytes, when a batch is larger than a response.
//! - A gap between offsets is accepted when a second response, requested at the gap, shows it again: the log itself has it.

use fluvio_protocol::record::{Batch, RawRecords};

use super::error::ReadError;
use crate::cluster::batch;
use crate::record::Record;

/// Larger than any batch; the protocol counts bytes in an i32.
const MAX_BYTES_LIMIT: usize = 1024 * 1024 * 1024;

/// The position of a reader.
#[derive(Debug)]
pub(super) struct Cursor {
    /// `topic/partition`, for messages.
    pub(super) name: String,
    /// The next offset to return. All records before it were returned.
    pub(super) position: i64,
    /// The size of the next response.
    pub(super) max_bytes: usize,
    /// A gap at this position that is not confirmed yet.
    gap_suspected_at: Option<i64>,
}

/// What to do after a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Acknowledge the position: the stream continues there.
    Acknowledge,
    /// Open a new stream at the cursor's position, with its `max_bytes`.
    Reopen,
}

impl Cursor {
    pub(super) fn new(name: String, position: i64, max_bytes: usize) -> Self {
        Self {
            name,
            position,
            max_bytes,
            gap_suspected_at: None,
        }
    }

    /// The records of a response that were not returned yet. `log_end` is the response's high watermark.
    pub(super) fn take(
        &mut self,
        batches: &[Batch<RawRecords>],
        log_end: i64,
    ) -> Result<(Vec<Record>, Then), ReadError> {
        let mut records = Vec::new();
        let requested_at = self.position;
        for batch in batches {
            if batch::missing_bytes(batch) > 0 {
                if self.position == requested_at {
                    self.ask_for_more(batch::wire_bytes(batch))?;
                    return Ok((records, Then::Reopen));
                }
                break;
            }
            let batch_end = batch::end_offset(batch);
            if batch_end <= self.position {
                continue;
            }
            if batch.base_offset > self.position && !self.gap_is_confirmed(batch.base_offset) {
                return Ok((records, Then::Reopen));
            }
            let decoded = batch::decode(batch).map_err(|error| self.corrupt(error))?;
            let fresh = decoded
                .into_iter()
                .filter(|record| record.offset >= self.position);
            records.extend(fresh);
            self.position = batch_end;
        }
        if batches.is_empty() && log_end > self.position {
            // Not even a batch's header fits.
            self.ask_for_more(0)?;
            return Ok((records, Then::Reopen));
        }
        Ok((records, Then::Acknowledge))
    }

    fn ask_for_more(&mut self, bytes: usize) -> Result<(), ReadError> {
        if self.max_bytes >= MAX_BYTES_LIMIT {
            return Err(self.corrupt(format!(
                "a batch claims to be larger than {MAX_BYTES_LIMIT} bytes"
            )));
        }
        self.max_bytes = bytes.max(2 * self.max_bytes).min(MAX_BYTES_LIMIT);
        Ok(())
    }

    fn gap_is_confirmed(&mut self, batch_start: i64) -> bool {
        if self.gap_suspected_at == Some(self.position) {
            tracing::warn!(
                partition = %self.name, from = self.position, to = batch_start,
                "the log has a gap: continuing after it"
            );
            return true;
        }
        self.gap_suspected_at = Some(self.position);
        false
    }

    fn corrupt(&self, reason: impl std::fmt::Display) -> ReadError {
        ReadError::Corrupt {
            partition: self.name.clone(),
            offset: self.position,
            reason: reason.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use fluvio::Compression;
    use fluvio_protocol::record::RecordSet;
    use fluvio_protocol::{Decoder, Encoder};
    use proptest::prelude::*;

    use super::*;
    use crate::record::Outgoing;

    /// A partition's log as an SPU reads it: whole batches on disk, responses cut at any byte.
    struct Log {
        batches: Vec<(i64, i64, Vec<u8>)>,
        end: i64,
    }

    #[derive(Debug, Clone)]
    struct Part {
        records: usize,
        /// Unused offsets before the batch.
        gap: i64,
        value_bytes: usize,
        compression: Compression,
    }

    impl Log {
        fn new(parts: &[Part]) -> (Self, Vec<i64>) {
            let (mut batches, mut offsets, mut end) = (Vec::new(), Vec::new(), 0);
            for part in parts {
                end += part.gap;
                let records: Vec<Outgoing> = (0..part.records)
                    .map(|position| Outgoing {
                        key: None,
                        value: Bytes::from(format!(
                            "{}{}",
                            end + position as i64,
                            " ".repeat(part.value_bytes)
                        )),
                    })
                    .collect();
                let (mut batch, count) = batch::encode(&records, 1, part.compression).unwrap();
                assert_eq!(count, part.records);
                batch.base_offset = end;
                let mut bytes = Vec::new();
                batch.encode(&mut bytes, 0).unwrap();
                let start = end;
                end += count as i64;
                offsets.extend(start..end);
                batches.push((start, end, bytes));
            }
            (Self { batches, end }, offsets)
        }

        /// At most `max_bytes`, from the batch that holds `offset`.
        fn read(&self, offset: i64, max_bytes: usize) -> Vec<Batch<RawRecords>> {
            let mut bytes: Vec<u8> = vec![0; 4];
            for (_, _, batch) in self.batches.iter().filter(|(_, end, _)| *end > offset) {
                bytes.extend(batch);
            }
            bytes.truncate(4 + max_bytes);
            let len = (bytes.len() - 4) as i32;
            bytes[..4].copy_from_slice(&len.to_be_bytes());
            let mut set = RecordSet::<RawRecords>::default();
            set.decode(&mut std::io::Cursor::new(bytes), 0).unwrap();
            set.batches
        }
    }

    fn part() -> impl Strategy<Value = Part> {
        (
            1..40usize,
            prop_oneof![4 => Just(0i64), 1 => 1..20i64],
            0..300usize,
            prop_oneof![
                2 => Just(Compression::None),
                1 => Just(Compression::Lz4),
                1 => Just(Compression::Zstd)
            ],
        )
            .prop_map(|(records, gap, value_bytes, compression)| Part {
                records,
                gap,
                value_bytes,
                compression,
            })
    }

    proptest! {
        #[test]
        fn every_record_comes_once_wherever_responses_are_cut(
            parts in proptest::collection::vec(part(), 1..12),
            from in any::<prop::sample::Index>(),
            max_bytes in prop_oneof![1..200usize, 200..20_000usize],
        ) {
            let (log, offsets) = Log::new(&parts);
            let from = from.index(log.end as usize + 1) as i64;
            let mut cursor = Cursor::new("t/0".to_owned(), from, max_bytes);
            let mut read = Vec::new();
            let mut answers = 0;
            while cursor.position < log.end {
                let answer = log.read(cursor.position, cursor.max_bytes);
                let (records, _) = cursor.take(&answer, log.end).unwrap();
                for record in &records {
                    let value = std::str::from_utf8(&record.value).unwrap();
                    prop_assert_eq!(value.trim_end(), record.offset.to_string());
                }
                read.extend(records.iter().map(|record| record.offset));
                answers += 1;
                prop_assert!(answers < 1_000, "no progress at {}", cursor.position);
            }
            let expected: Vec<i64> = offsets.into_iter().filter(|offset| *offset >= from).collect();
            prop_assert_eq!(read, expected);
        }
    }

    /// A response that skips a batch is requested again, and nothing is lost.
    #[test]
    fn a_gap_that_the_log_does_not_have_is_not_accepted() {
        let part = Part {
            records: 10,
            gap: 0,
            value_bytes: 10,
            compression: Compression::None,
        };
        let (log, _) = Log::new(&[part.clone(), part.clone(), part]);
        let mut cursor = Cursor::new("t/0".to_owned(), 0, 10_000);
        let mut answer = log.read(0, 10_000);
        answer.remove(1);
        let (records, then) = cursor.take(&answer, log.end).unwrap();
        assert_eq!((records.len(), then), (10, Then::Reopen));
        let (records, then) = cursor.take(&log.read(10, 10_000), log.end).unwrap();
        assert_eq!((records.len(), then), (20, Then::Acknowledge));
        assert_eq!(cursor.position, 30);
    }

    #[test]
    fn a_batch_that_never_arrives_whole_is_an_error() {
        let part = Part {
            records: 1,
            gap: 0,
            value_bytes: 10,
            compression: Compression::None,
        };
        let (log, _) = Log::new(&[part]);
        let mut cursor = Cursor::new("t/0".to_owned(), 0, 60);
        let cut = log.read(0, 60);
        let error = loop {
            match cursor.take(&cut, log.end) {
                Ok((records, then)) => assert_eq!((records.len(), then), (0, Then::Reopen)),
                Err(error) => break error.to_string(),
            }
        };
        assert_eq!(
            error,
            "t/0 cannot be read at offset 0: a batch claims to be larger than 1073741824 bytes"
        );
    }
}
