//! The files of a cut.

use std::sync::Arc;

use lake::FileName;

use crate::encode::OpenFile;
use crate::encode::schema::LayerSchema;

/// All files of a cut.
pub(crate) struct CutFiles {
    /// The file of the main layer, which every commit has.
    pub main: MainFile,
    /// The files of the side layers that have rows.
    pub side: Vec<OpenFile>,
    /// Rows in all of them.
    pub rows: u64,
}

/// The main layer's file.
pub(crate) enum MainFile {
    /// A file with rows.
    Rows(OpenFile),
    /// There is no row: the file only holds the stamp.
    Empty(EmptyMain),
}

/// The main layer's file of a cut in which it has no row.
pub(crate) struct EmptyMain {
    /// The day of its folder, which is that of the main file before. `None` for the first file: then the first input's
    /// timestamp decides.
    pub day: Option<i32>,
    /// Its name, with the offset of the first input it covers.
    pub name: FileName,
    /// The schema of the main layer.
    pub schema: Arc<LayerSchema>,
}
