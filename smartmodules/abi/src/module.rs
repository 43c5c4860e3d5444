//! What a module implements.

use crate::batch::Records;
use crate::record::Record;
use crate::wire::write_record;

/// A `filter_map` module.
///
/// It cannot fail on a record: an error would end the consumer's stream.
pub trait SmartModule: Sized {
    /// Starts the module.
    ///
    /// # Errors
    ///
    /// The problem with the parameters, as a sentence for people: the stream does not start and shows it to them.
    fn init(params: Vec<(String, String)>) -> Result<Self, String>;

    /// Sees all records of a batch before [`Self::filter_map`] gets them one by one: for a module that is faster with many at
    /// once.
    fn prepare(&mut self, _records: Records<'_>) {}

    /// Processes one record; may push any number of outputs.
    fn filter_map(&mut self, record: &Record<'_>, outputs: &mut Outputs<'_>);

    /// Sees a record from before the stream; only called when exported with `look_back`.
    fn look_back(&mut self, _record: &Record<'_>) {}
}

/// The encoded outputs of a batch.
#[derive(Debug)]
pub struct Outputs<'a> {
    pub(crate) encoded: &'a mut Vec<u8>,
    pub(crate) count: u32,
    /// Of the record that is processed now.
    pub(crate) preamble: &'a [u8],
}

impl Outputs<'_> {
    /// Appends a record with the offset and timestamp of the input.
    #[inline]
    pub fn push(&mut self, key: Option<&[u8]>, value: &[u8]) {
        write_record(self.encoded, self.preamble, key, value);
        self.count += 1;
    }
}
