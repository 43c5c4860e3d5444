//! Recognizes inputs that an earlier stage appended twice.

/// The greatest source_offset seen. An input whose source_offset is not above it is a duplicate.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SourceOffsets {
    greatest: Option<i64>,
}

impl SourceOffsets {
    /// The greatest source_offset so far.
    pub(crate) fn greatest(&self) -> Option<i64> {
        self.greatest
    }

    /// Whether an input with this source_offset is new; remembers it if so. An input without one is always new.
    #[inline(always)]
    pub(crate) fn is_new(&mut self, source_offset: Option<i64>) -> bool {
        let Some(offset) = source_offset else {
            return true;
        };
        if self.greatest.is_some_and(|greatest| offset <= greatest) {
            return false;
        }
        self.greatest = Some(offset);
        true
    }
}
