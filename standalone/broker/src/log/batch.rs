//! Batches in their wire form: a header of 57 bytes and the records, compressed or not.
//!
//! ```text
//!  0 base_offset i64 | 8 batch_len i32 (bytes after this field) | 12 leader_epoch i32 | 16 magic i8 | 17 crc32c u32
//! 21 attributes i16 (codec in the low 3 bits, 0x10: schema id follows the header) | 23 last_offset_delta i32
//! 27 first_timestamp i64 | 35 max_timestamp i64 | 43 producer_id i64 | 51 producer_epoch i16 | 53 first_sequence i32
//! 57 records: count i32, then the records one after another
//! ```
//!
//! The checksum covers everything from byte 21 on, so setting `base_offset` leaves it valid.

use std::borrow::Cow;
use std::ops::Range;

use fluvio_compression::Compression;

/// Bytes before the records.
pub(crate) const HEADER_BYTES: usize = 57;
/// Bytes of `base_offset` and `batch_len`, which `batch_len` does not count.
const PREAMBLE_BYTES: usize = 12;
const MAGIC: u8 = 2;
const CODEC_MASK: i16 = 0x07;
const SCHEMA_PRESENT: i16 = 0x10;
const SCHEMA_ID_BYTES: usize = 4;

/// Why bytes are not a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BatchError {
    /// The bytes end before the batch does: a write that was cut short.
    #[error("the batch is cut short")]
    Incomplete,
    /// A header field that no writer sets so.
    #[error("the batch header is not valid: {0}")]
    Header(&'static str),
    /// The bytes are not the ones the checksum was made from.
    #[error("the batch checksum does not match")]
    Checksum,
    /// The records cannot be uncompressed, or do not add up.
    #[error("the records of a batch cannot be read: {0}")]
    Records(&'static str),
}

/// The header fields a log needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The offset of the first record.
    pub base_offset: i64,
    /// Bytes of the whole batch, header included.
    pub bytes: usize,
    /// The checksum it claims.
    pub crc: u32,
    /// Codec and flags.
    pub attributes: i16,
    /// Records minus one.
    pub last_offset_delta: i32,
    /// The timestamp that record timestamps are relative to, milliseconds since the epoch.
    pub first_timestamp: i64,
    /// The greatest timestamp in the batch.
    pub max_timestamp: i64,
}

impl Header {
    /// Reads the header at the start of `bytes`, which may hold more or less than the whole batch.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, BatchError> {
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(BatchError::Incomplete);
        };
        let batch_len = i32_at(header, 8);
        let batch_len =
            usize::try_from(batch_len).map_err(|_| BatchError::Header("negative length"))?;
        let attributes = i16::from_be_bytes([header[21], header[22]]);
        let schema_bytes = if attributes & SCHEMA_PRESENT != 0 {
            SCHEMA_ID_BYTES
        } else {
            0
        };
        if batch_len < HEADER_BYTES - PREAMBLE_BYTES + schema_bytes {
            return Err(BatchError::Header("length shorter than the header"));
        }
        if header[16] != MAGIC {
            return Err(BatchError::Header("unknown magic"));
        }
        let last_offset_delta = i32_at(header, 23);
        if last_offset_delta < 0 {
            return Err(BatchError::Header("no records"));
        }
        Ok(Self {
            base_offset: i64_at(header, 0),
            bytes: PREAMBLE_BYTES + batch_len,
            crc: i32_at(header, 17) as u32,
            attributes,
            last_offset_delta,
            first_timestamp: i64_at(header, 27),
            max_timestamp: i64_at(header, 35),
        })
    }

    /// Reads the header of the whole batch at the start of `bytes` and checks the checksum.
    pub(crate) fn check(bytes: &[u8]) -> Result<Self, BatchError> {
        let header = Self::read(bytes)?;
        let batch = bytes.get(..header.bytes).ok_or(BatchError::Incomplete)?;
        if crc32c::crc32c(&batch[21..]) != header.crc {
            return Err(BatchError::Checksum);
        }
        Ok(header)
    }

    /// How many offsets the batch takes.
    pub(crate) fn records(&self) -> i64 {
        i64::from(self.last_offset_delta) + 1
    }

    /// The offset after the last record.
    pub(crate) fn next_offset(&self) -> i64 {
        self.base_offset + self.records()
    }

    /// The codec the records are compressed with.
    pub(crate) fn compression(&self) -> Result<Compression, BatchError> {
        Compression::try_from((self.attributes & CODEC_MASK) as i8)
            .map_err(|_| BatchError::Header("unknown codec"))
    }

    /// The records of `batch` (the whole batch's bytes), uncompressed: the count, then the records.
    ///
    /// Every length inside has been checked against the bytes there are, so decoding them cannot run away.
    pub(crate) fn records_bytes<'a>(&self, batch: &'a [u8]) -> Result<Cow<'a, [u8]>, BatchError> {
        let schema_bytes = if self.attributes & SCHEMA_PRESENT != 0 {
            SCHEMA_ID_BYTES
        } else {
            0
        };
        let body = batch
            .get(HEADER_BYTES + schema_bytes..self.bytes)
            .ok_or(BatchError::Incomplete)?;
        let records = match self
            .compression()?
            .uncompress(body)
            .map_err(|_| BatchError::Records("they do not uncompress"))?
        {
            Some(uncompressed) => Cow::Owned(uncompressed),
            None => Cow::Borrowed(body),
        };
        records_len(&records)?;
        Ok(records)
    }
}

/// The whole batches in `bytes`, one after another, each with its place. Ends before a batch that is cut short.
pub(crate) fn headers(
    bytes: &[u8],
) -> impl Iterator<Item = Result<(Header, Range<usize>), BatchError>> {
    let mut position = 0;
    let mut failed = false;
    std::iter::from_fn(move || {
        if failed || position >= bytes.len() {
            return None;
        }
        match Header::read(&bytes[position..]) {
            Ok(header) if position + header.bytes <= bytes.len() => {
                let range = position..position + header.bytes;
                position = range.end;
                Some(Ok((header, range)))
            }
            Ok(_) => None,
            Err(BatchError::Incomplete) => None,
            Err(error) => {
                failed = true;
                Some(Err(error))
            }
        }
    })
}

/// Drops the records before offset `from` out of `records` (count first) of the batch at `base_offset`.
pub(crate) fn records_from(
    records: &[u8],
    base_offset: i64,
    from: i64,
) -> Result<Vec<u8>, BatchError> {
    let mut kept: i32 = 0;
    let mut first_kept = records.len();
    let mut walk = Records::new(records);
    while let Some(record) = walk.next() {
        let record = record?;
        if base_offset + record.offset_delta >= from {
            first_kept = first_kept.min(walk.position - record.bytes.len());
            kept += 1;
        }
    }
    let mut out = Vec::with_capacity(4 + records.len() - first_kept);
    out.extend_from_slice(&kept.to_be_bytes());
    out.extend_from_slice(&records[first_kept..]);
    Ok(out)
}

/// The records in `bytes`, which begin with their count.
pub(crate) fn records(bytes: &[u8]) -> Records<'_> {
    Records::new(bytes)
}

/// How many of the bytes are the records that they begin with, the count included.
pub(crate) fn records_len(bytes: &[u8]) -> Result<usize, BatchError> {
    if bytes.len() < 4 {
        return Err(BatchError::Records("the count is missing"));
    }
    let mut walk = Records::new(bytes);
    walk.try_for_each(|record| record.map(drop))?;
    Ok(walk.position)
}

/// A batch under construction: what a SmartModule made, numbered by position.
pub(crate) struct BatchBuilder {
    bytes: Vec<u8>,
    count: i32,
}

impl BatchBuilder {
    /// An empty batch.
    pub(crate) fn new() -> Self {
        let mut bytes = vec![0; HEADER_BYTES + 4];
        bytes[12..16].copy_from_slice(&(-1i32).to_be_bytes());
        bytes[16] = MAGIC;
        Self { bytes, count: 0 }
    }

    /// Bytes so far, header included.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Records so far.
    pub(crate) fn count(&self) -> i32 {
        self.count
    }

    /// Adds the records in `bytes`, which begin with their count. The offset delta of each becomes its position.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), BatchError> {
        let out = &mut self.bytes;
        out.reserve(bytes.len());
        for record in Records::new(bytes) {
            let record = record?;
            let offset_delta = i64::from(self.count);
            if record.offset_delta == offset_delta {
                out.extend_from_slice(record.bytes);
            } else {
                let record_bytes = 1
                    + varint_bytes(record.timestamp_delta)
                    + varint_bytes(offset_delta)
                    + record.data.len();
                put_varint(out, record_bytes as i64);
                out.push(0);
                put_varint(out, record.timestamp_delta);
                put_varint(out, offset_delta);
                out.extend_from_slice(record.data);
            }
            self.count += 1;
        }
        Ok(())
    }

    /// Closes the batch over the offsets `base_offset ..= base_offset + last_offset_delta`.
    pub(crate) fn finish(
        mut self,
        base_offset: i64,
        last_offset_delta: i32,
        first_timestamp: i64,
    ) -> Vec<u8> {
        let batch_len = (self.bytes.len() - PREAMBLE_BYTES) as i32;
        let out = &mut self.bytes;
        out[0..8].copy_from_slice(&base_offset.to_be_bytes());
        out[8..12].copy_from_slice(&batch_len.to_be_bytes());
        out[23..27].copy_from_slice(&last_offset_delta.to_be_bytes());
        out[27..35].copy_from_slice(&first_timestamp.to_be_bytes());
        out[35..43].copy_from_slice(&first_timestamp.to_be_bytes());
        out[43..51].copy_from_slice(&(-1i64).to_be_bytes());
        out[51..53].copy_from_slice(&(-1i16).to_be_bytes());
        out[53..57].copy_from_slice(&(-1i32).to_be_bytes());
        out[57..61].copy_from_slice(&self.count.to_be_bytes());
        let crc = crc32c::crc32c(&out[21..]);
        out[17..21].copy_from_slice(&crc.to_be_bytes());
        self.bytes
    }
}

/// An encoded record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EncodedRecord<'a> {
    /// All of it, its length first.
    pub bytes: &'a [u8],
    pub timestamp_delta: i64,
    pub offset_delta: i64,
    /// Its key, value and headers.
    data: &'a [u8],
}

/// Walks encoded records without decoding keys and values.
pub(crate) struct Records<'a> {
    bytes: &'a [u8],
    position: usize,
    left: i32,
}

impl<'a> Records<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let left = bytes
            .first_chunk::<4>()
            .map_or(0, |count| i32::from_be_bytes(*count));
        Self {
            bytes,
            position: 4,
            left,
        }
    }

    fn read(&mut self) -> Result<EncodedRecord<'a>, BatchError> {
        const CUT: BatchError = BatchError::Records("a record is longer than its batch");
        let start = self.position;
        let mut at = start;
        let len = get_varint(self.bytes, &mut at).ok_or(CUT)?;
        let len = usize::try_from(len).map_err(|_| CUT)?;
        let end = at
            .checked_add(len)
            .filter(|end| *end <= self.bytes.len())
            .ok_or(CUT)?;
        let record = &self.bytes[..end];
        at += 1; // attributes
        let timestamp_delta = get_varint(record, &mut at).ok_or(CUT)?;
        let offset_delta = get_varint(record, &mut at).ok_or(CUT)?;
        let data = at;
        let has_key = *record.get(at).ok_or(CUT)? != 0;
        at += 1;
        for _ in 0..if has_key { 2 } else { 1 } {
            let len = get_varint(record, &mut at).ok_or(CUT)?;
            let len = usize::try_from(len).map_err(|_| CUT)?;
            at = at.checked_add(len).filter(|at| *at <= end).ok_or(CUT)?;
        }
        get_varint(record, &mut at).ok_or(CUT)?; // headers
        if at != end {
            return Err(BatchError::Records("a record is not as long as it says"));
        }
        self.position = end;
        Ok(EncodedRecord {
            bytes: &record[start..],
            timestamp_delta,
            offset_delta,
            data: &record[data..],
        })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<EncodedRecord<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            return None;
        }
        let record = self.read();
        self.left = if record.is_ok() { self.left - 1 } else { 0 };
        Some(record)
    }
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    (i64::from(i32_at(bytes, at)) << 32) | i64::from(i32_at(bytes, at + 4) as u32)
}

fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut left = ((value << 1) ^ (value >> 63)) as u64;
    while left >= 0x80 {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

fn varint_bytes(value: i64) -> usize {
    let zigzag = ((value << 1) ^ (value >> 63)) as u64;
    (64 - (zigzag | 1).leading_zeros() as usize).div_ceil(7)
}

fn get_varint(bytes: &[u8], at: &mut usize) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use fluvio_protocol::record::{Batch, RawRecords, Record};
    use fluvio_protocol::{Decoder, Encoder};
    use proptest::prelude::*;

    fn client_batch(values: &[&str], compression: Compression) -> Vec<u8> {
        let mut batch = Batch::from(
            values
                .iter()
                .map(|value| Record::new_key_value("key", *value))
                .collect::<Vec<_>>(),
        );
        batch.header.set_compression(compression);
        let raw: Batch<RawRecords> = batch.try_into().unwrap();
        raw.as_bytes(0).unwrap().to_vec()
    }

    #[test]
    fn reads_what_the_client_writes_in_every_codec() {
        let plain = client_batch(&["a", "b", "c"], Compression::None);
        let plain_records = Header::check(&plain)
            .unwrap()
            .records_bytes(&plain)
            .unwrap()
            .into_owned();
        for codec in [
            Compression::Gzip,
            Compression::Snappy,
            Compression::Lz4,
            Compression::Zstd,
        ] {
            let bytes = client_batch(&["a", "b", "c"], codec);
            let header = Header::check(&bytes).unwrap();
            assert_eq!((header.bytes, header.records()), (bytes.len(), 3));
            assert_eq!(header.records_bytes(&bytes).unwrap(), plain_records);
        }
    }

    #[test]
    fn the_client_reads_what_the_builder_writes() {
        let records = |records: Vec<Record>| records.as_bytes(0).unwrap();
        let mut builder = BatchBuilder::new();
        builder
            .append(&records(vec![Record::new_key_value(
                "bitcoin",
                "x".repeat(300),
            )]))
            .unwrap();
        builder
            .append(&records(vec![Record::new("no key")]))
            .unwrap();
        let bytes = builder.finish(40, 9, -1);
        Header::check(&bytes).unwrap();
        let raw = Batch::<RawRecords>::decode_from(&mut bytes.as_slice(), 0).unwrap();
        assert_eq!((raw.base_offset, raw.records_len()), (40, 10));
        let records = raw.memory_records().unwrap();
        assert_eq!(records[0].value.len(), 300);
        assert_eq!(records[0].key.as_ref().unwrap().as_ref(), b"bitcoin");
        assert_eq!(records[1].value.as_ref(), b"no key");
        assert_eq!(records[1].get_header().offset_delta(), 1);
    }

    #[test]
    fn keeps_the_records_from_an_offset_on() {
        let bytes = client_batch(&["a", "b", "c"], Compression::None);
        let records = Header::check(&bytes)
            .unwrap()
            .records_bytes(&bytes)
            .unwrap()
            .into_owned();
        let kept = records_from(&records, 10, 11).unwrap();
        let decoded = Vec::<Record>::decode_from(&mut kept.as_slice(), 0).unwrap();
        assert_eq!(decoded.len(), 2);
        assert_eq!(decoded[0].get_header().offset_delta(), 1);
        assert_eq!(records_from(&records, 10, 10).unwrap(), records);
        assert_eq!(records_from(&records, 10, 13).unwrap(), 0i32.to_be_bytes());
    }

    proptest! {
        #[test]
        fn any_single_byte_changed_is_noticed(at in 21usize..200, flip in 1u8..) {
            let mut bytes = client_batch(&["some value", "another value", "and one more value"], Compression::None);
            let at = at.min(bytes.len() - 1);
            bytes[at] ^= flip;
            prop_assert!(Header::check(&bytes).is_err());
        }

        #[test]
        fn hostile_records_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = records_len(&bytes);
            let _ = BatchBuilder::new().append(&bytes);
            let _ = records_from(&bytes, 0, 3);
            let _ = Header::check(&bytes);
        }

        #[test]
        fn varints_round_trip(value: i64) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            prop_assert_eq!(out.len(), varint_bytes(value));
            prop_assert_eq!(get_varint(&out, &mut 0), Some(value));
        }
    }
}
