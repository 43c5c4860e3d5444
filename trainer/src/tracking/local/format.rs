//! The format that the JSON files name.

/// Raised when a file changes so that an older coinlake can no longer read it.
pub(super) const FORMAT: u32 = 1;

/// A file that says which format it has.
pub(super) trait Formatted {
    fn format(&self) -> u32;

    /// What is wrong with it for this version of coinlake.
    fn problem(&self) -> Option<String> {
        (self.format() != FORMAT).then(|| {
            format!(
                "it has format {}, this version of coinlake reads format {FORMAT}",
                self.format()
            )
        })
    }
}
