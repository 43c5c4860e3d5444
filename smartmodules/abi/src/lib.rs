//! The binary interface between Fluvio and a `filter_map` SmartModule, without copying records about.
//!
//! Fluvio's own `#[smartmodule]` macro decodes a batch into owned records, byte by byte, and encodes what comes out
//! the same way; that costs more than most modules do. Here a module walks over the encoded records in place and its
//! answers are written encoded. What is exported is what the macro exports: `alloc`, `dealloc`, `init`, `filter_map`
//! and, for a module with state, `look_back`.
//!
//! ```
//! use smartmodule_abi::{Answers, Record, SmartModule};
//!
//! #[derive(Default)]
//! struct Echo;
//!
//! impl SmartModule for Echo {
//!     fn init(_params: Vec<(String, String)>) -> Result<Self, String> {
//!         Ok(Self)
//!     }
//!
//!     fn filter_map(&mut self, record: &Record<'_>, answers: &mut Answers<'_>) {
//!         answers.push(record.key, record.value);
//!     }
//! }
//!
//! smartmodule_abi::export!(Echo);
//! ```

mod batch;
mod wire;

use std::mem;

pub use batch::Records;

use batch::Batch;
use wire::{Reader, Truncated, write_record, write_string};

/// A record of the input, borrowed from the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its offset in the partition; 0 for one that is looked back at.
    pub offset: i64,
    /// Its timestamp in milliseconds since the epoch; 0 for one that is looked back at.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its payload.
    pub value: &'a [u8],
}

/// What a module does.
///
/// There is no way to fail on a record: an error would end the consumer's stream.
pub trait SmartModule: Sized {
    /// Starts the module.
    ///
    /// # Errors
    ///
    /// What is wrong with the parameters, for people: the stream does not start, and they read this.
    fn init(params: Vec<(String, String)>) -> Result<Self, String>;

    /// Looks at all records of a batch, before each of them is answered: for a module that is faster with many at once.
    fn prepare(&mut self, _records: Records<'_>) {}

    /// Answers one record, with as many as it likes.
    fn filter_map(&mut self, record: &Record<'_>, answers: &mut Answers<'_>);

    /// Takes note of a record from before the stream; only called when exported with `look_back`.
    fn look_back(&mut self, _record: &Record<'_>) {}
}

/// Where answers go.
#[derive(Debug)]
pub struct Answers<'a> {
    encoded: &'a mut Vec<u8>,
    count: u32,
    preamble: &'a [u8],
}

impl Answers<'_> {
    /// Answers with a record; its offset and timestamp are those of the input.
    #[inline]
    pub fn push(&mut self, key: Option<&[u8]>, value: &[u8]) {
        write_record(self.encoded, self.preamble, key, value);
        self.count += 1;
    }
}

/// Statuses of `filter_map`, `init` and `look_back` as Fluvio knows them.
mod status {
    pub(crate) const OK: i32 = 0;
    pub(crate) const FILTER_MAP_DECODING: i32 = -11;
    pub(crate) const INIT_ERROR: i32 = -2;
    pub(crate) const INIT_DECODING: i32 = -10;
    pub(crate) const LOOK_BACK_DECODING: i32 = -66;
}

/// A running module and the batch it answered last. [`export!`] keeps one.
///
/// Fluvio asks again for the last batch of a read when its answer no longer fitted. A module with state must not see
/// the records twice, so the same batch gets the same answer again.
#[derive(Debug)]
pub struct Host<M> {
    module: M,
    last: Option<(i64, Vec<u8>)>,
    answer: Vec<u8>,
    answer_count: i32,
}

impl<M: SmartModule> Host<M> {
    /// Starts a module from encoded parameters; what it has against them goes, encoded, into the second half.
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

    /// Wraps a module that was started.
    pub fn new(module: M) -> Self {
        Self {
            module,
            last: None,
            answer: Vec::new(),
            answer_count: 0,
        }
    }

    /// Answers an encoded batch. [`Self::answer`] has the encoded answer, what is returned is the number of its
    /// records or a status below 0.
    #[doc(hidden)]
    pub fn filter_map(&mut self, input: Vec<u8>, version: i16) -> i32 {
        match self.try_filter_map(&input, version) {
            Ok(base_offset) => {
                self.last = Some((base_offset, input));
                self.answer_count
            }
            Err(Truncated) => {
                self.last = None;
                status::FILTER_MAP_DECODING
            }
        }
    }

    fn try_filter_map(&mut self, input: &[u8], version: i16) -> Result<i64, Truncated> {
        let batch = Batch::read(input, version)?;
        // The bytes are compared because a producer's batches all come with offset 0.
        if let Some((offset, bytes)) = &self.last
            && *offset == batch.base_offset
            && bytes == input
        {
            return Ok(batch.base_offset);
        }
        self.answer.clear();
        self.answer.extend_from_slice(&[0; 4]);
        let mut answers = Answers {
            encoded: &mut self.answer,
            count: 0,
            preamble: &[],
        };
        self.module.prepare(batch.records());
        let mut records = batch.records();
        while let Some((record, preamble)) = records.read()? {
            answers.preamble = preamble;
            self.module.filter_map(&record, &mut answers);
        }
        let count = answers.count;
        self.answer[..4].copy_from_slice(&count.to_be_bytes());
        // No error.
        self.answer.push(0);
        self.answer_count = i32::try_from(count).unwrap_or(i32::MAX);
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
            // Deltas to a base that is not told mean nothing.
            self.module.look_back(&Record {
                offset: 0,
                timestamp_ms: 0,
                ..record
            });
        }
        Ok(())
    }

    /// The encoded answer to the last batch.
    #[doc(hidden)]
    pub fn answer(&self) -> &[u8] {
        &self.answer
    }
}

/// Makes room for what the host writes; [`take`] takes it back.
#[doc(hidden)]
pub fn alloc(len: usize) -> *mut u8 {
    let mut room = Vec::with_capacity(len);
    let start = room.as_mut_ptr();
    mem::forget(room);
    start
}

/// Takes back what [`alloc`] gave away, filled by the host.
///
/// # Safety
///
/// `start` must come from [`alloc`] with the same `len`, be filled, and not be used again.
#[doc(hidden)]
pub unsafe fn take(start: *mut u8, len: usize) -> Vec<u8> {
    // SAFETY: promised by the caller, and `Vec::with_capacity` of bytes makes exactly the room it is asked for.
    unsafe { Vec::from_raw_parts(start, len, len) }
}

/// Exports a [`SmartModule`] from a wasm module: `export!(Module)`, or `export!(Module, look_back)` for one with
/// state to be filled. On other targets nothing is exported.
#[macro_export]
macro_rules! export {
    ($module:ty) => {
        $crate::export!(@start $module, {});
    };
    ($module:ty, look_back) => {
        $crate::export!(@start $module, {
            #[unsafe(no_mangle)]
            unsafe extern "C" fn look_back(start: *mut u8, len: usize, version: i32) -> i32 {
                // SAFETY: the host wrote `len` bytes where `alloc` told it to.
                let input = unsafe { $crate::take(start, len) };
                host(|host| host.look_back(&input, version as i16))
            }
        });
    };
    (@start $module:ty, { $($look_back:tt)* }) => {
        #[cfg(target_arch = "wasm32")]
        mod exports {
            use std::cell::RefCell;

            #[allow(unused_imports, reason = "the module's type is named as where the macro is called")]
            use super::*;

            type Host = $crate::Host<$module>;

            thread_local! {
                static HOST: RefCell<Option<Host>> = const { RefCell::new(None) };
            }

            unsafe extern "C" {
                fn copy_records(start: i32, len: i32);
            }

            /// Gives bytes to the host, which copies them after the call has returned: they must outlive it.
            fn give(bytes: &[u8]) {
                // SAFETY: the host reads memory that is ours and initialised.
                unsafe { copy_records(bytes.as_ptr() as i32, bytes.len() as i32) }
            }

            /// Runs on the module, or fails with the status for everything unknown if it was never started.
            fn host(run: impl FnOnce(&mut Host) -> i32) -> i32 {
                HOST.with_borrow_mut(|host| host.as_mut().map_or(-1, run))
            }

            #[unsafe(no_mangle)]
            extern "C" fn alloc(len: usize) -> *mut u8 {
                $crate::alloc(len)
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn dealloc(start: *mut u8, len: usize) {
                // SAFETY: the host gives back what it got from `alloc`.
                drop(unsafe { $crate::take(start, len) });
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn init(start: *mut u8, len: usize, _version: i32) -> i32 {
                // SAFETY: the host wrote `len` bytes where `alloc` told it to.
                let input = unsafe { $crate::take(start, len) };
                let (host, status, error) = Host::init(&input);
                if !error.is_empty() {
                    // Never freed: a module that failed to start isn't run again.
                    give(error.leak());
                }
                HOST.set(host);
                status
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn filter_map(start: *mut u8, len: usize, version: i32) -> i32 {
                // SAFETY: the host wrote `len` bytes where `alloc` told it to.
                let input = unsafe { $crate::take(start, len) };
                host(|host| {
                    let count = host.filter_map(input, version as i16);
                    if count >= 0 {
                        give(host.answer());
                    }
                    count
                })
            }

            $($look_back)*
        }
    };
}
