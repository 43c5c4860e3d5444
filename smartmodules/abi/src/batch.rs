//! A batch as Fluvio passes it to a module.

use crate::record::Record;
use crate::wire::{Reader, Truncated, read_params};

/// Since this version a batch has the base timestamp of its records.
const TIMESTAMPS_VERSION: i16 = 22;

/// Versions up to this one have more fields, which are no longer used.
const DEPRECATED_VERSION_MAX: i16 = 22;
const LOOKBACK_VERSION_MIN: i16 = 20;
const LOOKBACK_AGE_VERSION_MIN: i16 = 21;
const JOIN_VERSION_MIN: i16 = 16;

/// An encoded batch: a `SmartModuleInput` with its records still encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub(crate) base_offset: i64,
    base_timestamp_ms: i64,
    count: u32,
    records: &'a [u8],
}

impl<'a> Batch<'a> {
    pub(crate) fn read(input: &'a [u8], version: i16) -> Result<Self, Truncated> {
        let mut reader = Reader::new(input);
        let base_offset = reader.i64()?;
        let len = reader.u32()? as usize;
        let records = reader.take(len)?;
        if version <= DEPRECATED_VERSION_MAX {
            read_params(&mut reader)?;
            if version >= LOOKBACK_VERSION_MIN && reader.u8()? != 0 {
                reader.i64()?;
                if version >= LOOKBACK_AGE_VERSION_MIN && reader.u8()? != 0 {
                    reader.take(12)?;
                }
            }
            if version >= JOIN_VERSION_MIN {
                let len = reader.u32()? as usize;
                reader.take(len)?;
            }
        }
        let base_timestamp_ms = if version >= TIMESTAMPS_VERSION {
            reader.i64()?
        } else {
            0
        };

        let mut reader = Reader::new(records);
        // Fluvio takes a negative count for an empty list.
        let count = u32::try_from(reader.u32()? as i32).unwrap_or(0);
        Ok(Self {
            base_offset,
            base_timestamp_ms,
            count,
            records: reader.rest(),
        })
    }

    pub(crate) fn records(&self) -> Records<'a> {
        Records {
            batch: *self,
            left: self.count,
            reader: Reader::new(self.records),
        }
    }
}

/// The records of a batch, in order.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    batch: Batch<'a>,
    left: u32,
    reader: Reader<'a>,
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    /// Ends with the batch, or where the batch is truncated.
    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        Some(self.read().ok()??.0)
    }
}

impl<'a> Records<'a> {
    /// The next record and its encoded preamble.
    #[inline]
    pub(crate) fn read(&mut self) -> Result<Option<(Record<'a>, &'a [u8])>, Truncated> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.reader.varint()?;
        let start = self.reader.rest();
        self.reader.u8()?;
        let timestamp_delta = self.reader.varint()?;
        let offset_delta = self.reader.varint()?;
        let preamble = &start[..start.len() - self.reader.rest().len()];
        let key = match self.reader.u8()? {
            0 => None,
            _ => Some(self.reader.bytes()?),
        };
        let value = self.reader.bytes()?;
        // The number of headers; Fluvio writes none.
        self.reader.varint()?;
        let record = Record {
            offset: self.batch.base_offset.wrapping_add(offset_delta),
            timestamp_ms: self.batch.base_timestamp_ms.wrapping_add(timestamp_delta),
            key,
            value,
        };
        Ok(Some((record, preamble)))
    }
}
