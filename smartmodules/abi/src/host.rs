//! Runs a module on encoded batches.

use std::mem;

use crate::batch::Batch;
use crate::module::{Outputs, SmartModule};
use crate::record::Record;
use crate::wire::{self, Reader, Truncated, write_string};

/// Statuses of `filter_map`, `init` and `look_back`, as Fluvio numbers them.
mod status {
    pub(crate) const OK: i32 = 0;
    pub(crate) const FILTER_MAP_DECODING: i32 = -11;
    pub(crate) const INIT_ERROR: i32 = -2;
    pub(crate) const INIT_DECODING: i32 = -10;
    pub(crate) const LOOK_BACK_DECODING: i32 = -66;
}

/// A running module and its last batch. [`export!`](crate::export) holds one.
///
/// Fluvio repeats the last batch of a read if its output did not fit. A module with state must not see the records twice, so
/// the same batch gets the same output again.
#[derive(Debug)]
pub struct Host<M> {
    module: M,
    /// Base offset and bytes of the last batch.
    last: Option<(i64, Vec<u8>)>,
    output: Vec<u8>,
    output_count: i32,
}

impl<M: SmartModule> Host<M> {
    /// Starts a module from encoded parameters. Returns it, a status, and the encoded error if there is one.
    #[doc(hidden)]
    pub fn init(input: &[u8]) -> (Option<Self>, i32, Vec<u8>) {
        let Ok(params) = wire::read_params(&mut Reader::new(input)) else {
            return (None, status::INIT_DECODING, Vec::new());
        };
        match M::init(params) {
            Ok(module) => (Some(Self::new(module)), status::OK, Vec::new()),
            Err(hint) => {
                let mut error = Vec::new();
                write_string(&mut error, &hint);
                (None, status::INIT_ERROR, error)
            }
        }
    }

    /// Wraps a started module.
    pub fn new(module: M) -> Self {
        Self {
            module,
            last: None,
            output: Vec::new(),
            output_count: 0,
        }
    }

    /// Processes an encoded batch. Returns the number of output records, encoded in [`Self::output`], or a status below 0.
    #[doc(hidden)]
    pub fn filter_map(&mut self, input: Vec<u8>, version: i16) -> i32 {
        match self.try_filter_map(&input, version) {
            Ok(base_offset) => {
                self.last = Some((base_offset, input));
                self.output_count
            }
            Err(Truncated) => {
                self.last = None;
                status::FILTER_MAP_DECODING
            }
        }
    }

    fn try_filter_map(&mut self, input: &[u8], version: i16) -> Result<i64, Truncated> {
        let batch = Batch::read(input, version)?;
        // Offsets are not enough: all batches of a producer have offset 0.
        if let Some((offset, bytes)) = &self.last
            && *offset == batch.base_offset
            && bytes == input
        {
            return Ok(batch.base_offset);
        }
        self.output.clear();
        self.output.extend_from_slice(&[0; 4]);
        let mut outputs = Outputs {
            encoded: &mut self.output,
            count: 0,
            preamble: &[],
        };
        self.module.prepare(batch.records());
        let mut records = batch.records();
        while let Some((record, preamble)) = records.read()? {
            outputs.preamble = preamble;
            self.module.filter_map(&record, &mut outputs);
        }
        let count = outputs.count;
        self.output[..4].copy_from_slice(&count.to_be_bytes());
        // No error.
        self.output.push(0);
        self.output_count = i32::try_from(count).unwrap_or(i32::MAX);
        Ok(batch.base_offset)
    }

    /// Shows the module an encoded batch from before the stream.
    #[doc(hidden)]
    pub fn look_back(&mut self, input: &[u8], version: i16) -> i32 {
        match self.try_look_back(input, version) {
            Ok(()) => status::OK,
            Err(Truncated) => status::LOOK_BACK_DECODING,
        }
    }

    fn try_look_back(&mut self, input: &[u8], version: i16) -> Result<(), Truncated> {
        let batch = Batch::read(input, version)?;
        let mut records = batch.records();
        while let Some((record, _)) = records.read()? {
            // Without the batch's base, offset and timestamp are unknown.
            self.module.look_back(&Record {
                offset: 0,
                timestamp_ms: 0,
                ..record
            });
        }
        Ok(())
    }

    /// The encoded output of the last batch.
    #[doc(hidden)]
    pub fn output(&self) -> &[u8] {
        &self.output
    }
}

/// Allocates memory for the host to write to; [`take`] takes it back.
#[doc(hidden)]
pub fn alloc(len: usize) -> *mut u8 {
    let mut room = Vec::with_capacity(len);
    let start = room.as_mut_ptr();
    mem::forget(room);
    start
}

/// Takes back the memory from [`alloc`], filled by the host.
///
/// # Safety
///
/// `start` must come from [`alloc`] with the same `len`, be initialized, and not be used again.
#[doc(hidden)]
pub unsafe fn take(start: *mut u8, len: usize) -> Vec<u8> {
    // SAFETY: promised by the caller; `Vec::with_capacity` allocates exactly `len` bytes.
    unsafe { Vec::from_raw_parts(start, len, len) }
}
