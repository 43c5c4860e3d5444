//! The format number in the JSON files.

/// Raised when a file changes so that an older version can no longer read it.
pub(super) const FORMAT: u32 = 1;

/// A file with a format number.
pub(super) trait Formatted {
    fn format(&self) -> u32;

    /// Why this version cannot read it, if so.
    fn problem(&self) -> Option<String> {
        (self.format() != FORMAT).then(|| {
            format!(
                "it has format {}, this version of coinlake reads format {FORMAT}",
                self.format()
            )
        })
    }
}
