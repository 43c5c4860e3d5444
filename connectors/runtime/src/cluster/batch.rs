//! Batches of records on the wire: encode, decode, and find out whether one was cut.
//!
//! - A batch that arrived whole decodes to all its records, or not at all.
//! - A batch that was cut shows by its length alone, and is never decoded.
//! - Keys and values share the memory of their batch.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use fluvio::Compression;
use fluvio_protocol::record::{BATCH_FILE_HEADER_SIZE, BATCH_HEADER_SIZE, Batch, RawRecords};
use fluvio_protocol::{Decoder, Encoder, Version};

use crate::record::{Outgoing, Record};

/// The largest batch before compression. A stream with SmartModules skips records when the output of one batch exceeds 64 MiB,
/// so batches stay far below that.
pub(crate) const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// Bytes before a batch's records: the batch header and the record count.
const BATCH_OVERHEAD_BYTES: usize = BATCH_FILE_HEADER_SIZE + size_of::<i32>();

const SCHEMA_ID_BYTES: usize = size_of::<u32>();

/// Why a batch that arrived whole cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BatchError {
    #[error("unknown compression, or corrupt compressed data: {0}")]
    Compression(String),
    #[error("it ends in the middle of a record")]
    Truncated,
    #[error("{0}")]
    Malformed(&'static str),
}

/// How many bytes of the batch are missing because its response was cut at `max_bytes`.
pub(crate) fn missing_bytes(batch: &Batch<RawRecords>) -> usize {
    let schema_bytes = if batch.header.has_schema() {
        SCHEMA_ID_BYTES
    } else {
        0
    };
    let expected = usize::try_from(batch.batch_len())
        .unwrap_or(0)
        .saturating_sub(BATCH_HEADER_SIZE + schema_bytes);
    expected.saturating_sub(batch.records().0.len())
}

/// The offset after the batch's last record, even when the batch was cut.
pub(crate) fn end_offset(batch: &Batch<RawRecords>) -> i64 {
    batch.base_offset + i64::from(batch.last_offset_delta()) + 1
}

/// The size of the whole batch on the wire.
pub(crate) fn wire_bytes(batch: &Batch<RawRecords>) -> usize {
    BATCH_FILE_HEADER_SIZE - BATCH_HEADER_SIZE + usize::try_from(batch.batch_len()).unwrap_or(0)
}

/// All records of a batch that arrived whole.
///
/// A record's offset comes from its own delta, because a topic with deduplication leaves gaps; from its position when the
/// deltas make no sense.
pub(crate) fn decode(batch: &Batch<RawRecords>) -> Result<Vec<Record>, BatchError> {
    let compression = batch
        .get_compression()
        .map_err(|error| BatchError::Compression(error.to_string()))?;
    let bytes = match compression.uncompress(&batch.records().0) {
        Ok(None) => batch.records().0.clone(),
        Ok(Some(plain)) => Bytes::from(plain),
        Err(error) => return Err(BatchError::Compression(error.to_string())),
    };
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let (count, mut rest) = bytes.split_first_chunk().ok_or(BatchError::Truncated)?;
    let count = usize::try_from(i32::from_be_bytes(*count))
        .map_err(|_| BatchError::Malformed("its record count is negative"))?;
    let first_timestamp_ms = batch.get_base_timestamp();

    // A record takes at least 6 bytes: an impossible count must not reserve memory.
    let mut records = Vec::with_capacity(count.min(rest.len() / 6 + 1));
    let mut deltas_hold = true;
    let mut last_delta = -1;
    for position in 0..count {
        let raw = decode_record(&mut rest)?;
        deltas_hold &=
            raw.offset_delta > last_delta && raw.offset_delta <= batch.last_offset_delta().into();
        last_delta = raw.offset_delta;
        let timestamp_ms = if first_timestamp_ms <= 0 {
            -1
        } else {
            first_timestamp_ms + raw.timestamp_delta
        };
        records.push((
            raw.offset_delta,
            Record {
                offset: batch.base_offset + position as i64,
                timestamp_ms,
                key: raw.key.map(|key| bytes.slice_ref(key)),
                value: bytes.slice_ref(raw.value),
            },
        ));
    }
    Ok(records
        .into_iter()
        .map(|(delta, mut record)| {
            if deltas_hold {
                record.offset = batch.base_offset + delta;
            }
            record
        })
        .collect())
}

struct RawRecord<'a> {
    timestamp_delta: i64,
    offset_delta: i64,
    key: Option<&'a [u8]>,
    value: &'a [u8],
}

fn decode_record<'a>(bytes: &mut &'a [u8]) -> Result<RawRecord<'a>, BatchError> {
    let mut record = take(bytes)?;
    let _attributes = byte(&mut record)?;
    let timestamp_delta = varint(&mut record)?;
    let offset_delta = varint(&mut record)?;
    let key = match byte(&mut record)? {
        0 => None,
        1 => Some(take(&mut record)?),
        _ => {
            return Err(BatchError::Malformed(
                "the key flag of a record is neither 0 nor 1",
            ));
        }
    };
    let value = take(&mut record)?;
    Ok(RawRecord {
        timestamp_delta,
        offset_delta,
        key,
        value,
    })
}

/// A length, and as many bytes.
fn take<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], BatchError> {
    let len = usize::try_from(varint(bytes)?)
        .map_err(|_| BatchError::Malformed("a length is negative"))?;
    let (taken, rest) = bytes.split_at_checked(len).ok_or(BatchError::Truncated)?;
    *bytes = rest;
    Ok(taken)
}

fn byte(bytes: &mut &[u8]) -> Result<u8, BatchError> {
    let (byte, rest) = bytes.split_first().ok_or(BatchError::Truncated)?;
    *bytes = rest;
    Ok(*byte)
}

/// A zigzag varint, as in protocol buffers.
fn varint(bytes: &mut &[u8]) -> Result<i64, BatchError> {
    let mut num: u64 = 0;
    for shift in (0..64).step_by(7) {
        let byte = byte(bytes)?;
        num |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((num >> 1) as i64 ^ -((num & 1) as i64));
        }
    }
    Err(BatchError::Malformed("a number is longer than ten bytes"))
}

fn put_varint(out: &mut BytesMut, num: i64) {
    let mut rest = (num << 1 ^ num >> 63) as u64;
    while rest >= 0x80 {
        out.put_u8(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
}

fn varint_bytes(num: i64) -> usize {
    let zigzag = (num << 1 ^ num >> 63) as u64;
    (64 - (zigzag | 1).leading_zeros() as usize).div_ceil(7)
}

/// The size of a record without its length prefix, at this position in a batch.
fn record_body_bytes(record: &Outgoing, position: usize) -> usize {
    let data = |bytes: &Bytes| varint_bytes(bytes.len() as i64) + bytes.len();
    // attributes, timestamp delta 0, offset delta, key flag, key, value, header count 0
    1 + 1
        + varint_bytes(position as i64)
        + 1
        + record.key.as_ref().map_or(0, data)
        + data(&record.value)
        + 1
}

/// The size of a batch with only this record, before compression.
pub(crate) fn alone_bytes(record: &Outgoing) -> usize {
    let body = record_body_bytes(record, 0);
    BATCH_OVERHEAD_BYTES + varint_bytes(body as i64) + body
}

/// A batch of the first `records`, as many as fit but at least one, and their number. Each gets `timestamp_ms`.
pub(crate) fn encode(
    records: &[Outgoing],
    timestamp_ms: i64,
    compression: Compression,
) -> Result<(Batch<RawRecords>, usize), BatchError> {
    // What is beyond a full batch is measured with the next one.
    let mut bytes = 0;
    for record in records {
        bytes += alone_bytes(record);
        if bytes >= BATCH_BYTES_MAX {
            break;
        }
    }
    let mut out = BytesMut::with_capacity(bytes.min(BATCH_BYTES_MAX));
    out.put_i32(0);
    let mut count = 0;
    for record in records {
        let body = record_body_bytes(record, count);
        let grown = BATCH_FILE_HEADER_SIZE + out.len() + varint_bytes(body as i64) + body;
        if count > 0 && grown > BATCH_BYTES_MAX {
            break;
        }
        put_varint(&mut out, body as i64);
        out.put_i8(0);
        put_varint(&mut out, 0);
        put_varint(&mut out, count as i64);
        match &record.key {
            None => out.put_u8(0),
            Some(key) => {
                out.put_u8(1);
                put_varint(&mut out, key.len() as i64);
                out.put_slice(key);
            }
        }
        put_varint(&mut out, record.value.len() as i64);
        out.put_slice(&record.value);
        put_varint(&mut out, 0);
        count += 1;
    }
    out[..size_of::<i32>()].copy_from_slice(&(count as i32).to_be_bytes());

    let bytes = match compression {
        Compression::None => out.freeze(),
        compression => compression
            .compress(&out)
            .map_err(|error| BatchError::Compression(error.to_string()))?,
    };
    let mut batch = Batch::<RawRecords>::default();
    batch.header.set_compression(compression);
    batch.header.last_offset_delta = count as i32 - 1;
    batch.header.first_timestamp = timestamp_ms;
    batch.header.max_time_stamp = timestamp_ms;
    batch.batch_len = (BATCH_HEADER_SIZE + bytes.len()) as i32;
    *batch.mut_records() = RawRecords(bytes);
    Ok((batch, count))
}

/// A record set of one batch, which encodes as Fluvio's own does, but copies the records once and not three times.
#[derive(Debug, Default)]
pub(crate) struct OneBatch(pub(crate) Batch<RawRecords>);

impl Encoder for OneBatch {
    fn write_size(&self, _: Version) -> usize {
        size_of::<i32>() + BATCH_FILE_HEADER_SIZE + self.0.records().0.len()
    }

    fn encode<T: BufMut>(&self, dest: &mut T, version: Version) -> io::Result<()> {
        let (header, records) = (&self.0.header, &self.0.records().0);
        let mut checked = Vec::with_capacity(BATCH_FILE_HEADER_SIZE);
        header.attributes.encode(&mut checked, version)?;
        header.last_offset_delta.encode(&mut checked, version)?;
        header.first_timestamp.encode(&mut checked, version)?;
        header.max_time_stamp.encode(&mut checked, version)?;
        header.producer_id.encode(&mut checked, version)?;
        header.producer_epoch.encode(&mut checked, version)?;
        header.first_sequence.encode(&mut checked, version)?;
        let crc = crc32c::crc32c_append(crc32c::crc32c(&checked), records);
        dest.put_i32((BATCH_FILE_HEADER_SIZE + records.len()) as i32);
        dest.put_i64(self.0.base_offset);
        dest.put_i32((BATCH_HEADER_SIZE + records.len()) as i32);
        dest.put_i32(header.partition_leader_epoch);
        dest.put_i8(header.magic);
        dest.put_u32(crc);
        dest.put_slice(&checked);
        dest.put_slice(records);
        Ok(())
    }
}

impl Decoder for OneBatch {
    fn decode<T: Buf>(&mut self, _: &mut T, _: Version) -> io::Result<()> {
        Err(io::Error::other("only ever sent"))
    }
}

#[cfg(test)]
mod tests {
    use fluvio_protocol::record::{Record as WireRecord, RecordData, RecordKey, RecordSet};
    use proptest::prelude::*;

    use super::*;

    fn outgoing() -> impl Strategy<Value = Outgoing> {
        (
            proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
            proptest::collection::vec(any::<u8>(), 0..400),
        )
            .prop_map(|(key, value)| Outgoing {
                key: key.map(Bytes::from),
                value: Bytes::from(value),
            })
    }

    fn over_the_wire(batch: &Batch<RawRecords>) -> Batch<RawRecords> {
        let mut bytes = Vec::new();
        batch.encode(&mut bytes, 0).unwrap();
        assert_eq!(bytes.len(), wire_bytes(batch));
        let mut decoded = Batch::<RawRecords>::default();
        decoded.decode(&mut std::io::Cursor::new(bytes), 0).unwrap();
        decoded
    }

    proptest! {
        #[test]
        fn the_encoding_is_that_of_fluvio(records in proptest::collection::vec(outgoing(), 1..80)) {
            let (ours, count) = encode(&records, 1_700_000_000_000, Compression::None).unwrap();
            prop_assert_eq!(count, records.len());
            let theirs: Vec<WireRecord> = records
                .iter()
                .enumerate()
                .map(|(position, record)| {
                    let key = record.key.as_ref().map(|key| RecordData::from(key.to_vec()));
                    let mut wire = WireRecord::new_key_value(
                        RecordKey::from_option(key),
                        RecordData::from(record.value.to_vec()),
                    );
                    wire.preamble.set_offset_delta(position as i64);
                    wire
                })
                .collect();
            let mut bytes = Vec::new();
            theirs.encode(&mut bytes, 0).unwrap();
            prop_assert_eq!(&ours.records().0[..], &bytes[..]);
            let (mut ours_sent, mut theirs_sent) = (Vec::new(), Vec::new());
            let theirs = RecordSet { batches: vec![ours.clone()] };
            theirs.encode(&mut theirs_sent, 0).unwrap();
            let ours = OneBatch(ours);
            ours.encode(&mut ours_sent, 0).unwrap();
            prop_assert_eq!(ours.write_size(0), ours_sent.len());
            prop_assert_eq!(ours_sent, theirs_sent);
        }

        #[test]
        fn decoding_returns_what_was_encoded(
            records in proptest::collection::vec(outgoing(), 1..80),
            base_offset in 0..1_000_000i64,
            compression in prop_oneof![
                Just(Compression::None), Just(Compression::Gzip), Just(Compression::Snappy),
                Just(Compression::Lz4), Just(Compression::Zstd),
            ],
        ) {
            let (mut batch, _) = encode(&records, 1_700_000_000_000, compression).unwrap();
            batch.base_offset = base_offset;
            let batch = over_the_wire(&batch);
            prop_assert_eq!(missing_bytes(&batch), 0);
            let decoded = decode(&batch).unwrap();
            prop_assert_eq!(decoded.len(), records.len());
            for (position, (record, sent)) in decoded.iter().zip(&records).enumerate() {
                prop_assert_eq!(record.offset, base_offset + position as i64);
                prop_assert_eq!(record.timestamp_ms, 1_700_000_000_000);
                prop_assert_eq!(&record.key, &sent.key);
                prop_assert_eq!(&record.value, &sent.value);
            }
        }

        #[test]
        fn missing_bytes_of_a_cut_batch_are_counted(records in proptest::collection::vec(outgoing(), 1..10), at in any::<prop::sample::Index>()) {
            let (batch, _) = encode(&records, 1, Compression::None).unwrap();
            let mut bytes = Vec::new();
            batch.encode(&mut bytes, 0).unwrap();
            let cut = BATCH_FILE_HEADER_SIZE + at.index(bytes.len() - BATCH_FILE_HEADER_SIZE);
            let mut decoded = Batch::<RawRecords>::default();
            decoded.decode(&mut &bytes[..cut], 0).unwrap();
            prop_assert_eq!(missing_bytes(&decoded), bytes.len() - cut);
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), compression in 0..6i16) {
            let mut batch = Batch::<RawRecords>::default();
            batch.header.attributes = compression;
            *batch.mut_records() = RawRecords(Bytes::from(bytes));
            let _ = decode(&batch);
        }
    }

    #[test]
    fn a_batch_stops_at_its_size_limit() {
        let record = Outgoing {
            key: None,
            value: Bytes::from(vec![7; 100_000]),
        };
        let records = vec![record; 25];
        let (batch, count) = encode(&records, 1, Compression::None).unwrap();
        assert_eq!(count, 10);
        assert!(wire_bytes(&batch) <= BATCH_BYTES_MAX);
    }

    #[test]
    fn alone_bytes_is_the_exact_size_of_the_batch() {
        for len in [0, 1, 63, 64, 8191, 8192, 100_000] {
            let record = Outgoing {
                key: Some(Bytes::from_static(b"bitcoin")),
                value: Bytes::from(vec![1; len]),
            };
            let (batch, _) = encode(std::slice::from_ref(&record), 1, Compression::None).unwrap();
            assert_eq!(wire_bytes(&batch), alone_bytes(&record), "{len}");
        }
    }

    #[test]
    fn records_left_by_deduplication_keep_their_offsets() {
        let records: Vec<WireRecord> = [1i64, 4]
            .iter()
            .map(|delta| {
                let mut wire = WireRecord::new(format!("{delta}"));
                wire.preamble.set_offset_delta(*delta);
                wire
            })
            .collect();
        let mut bytes = Vec::new();
        records.encode(&mut bytes, 0).unwrap();
        let mut batch = Batch::<RawRecords>::default();
        batch.base_offset = 100;
        batch.header.last_offset_delta = 5;
        *batch.mut_records() = RawRecords(Bytes::from(bytes));
        let offsets: Vec<i64> = decode(&batch).unwrap().iter().map(|r| r.offset).collect();
        assert_eq!(offsets, [101, 104]);
    }
}
