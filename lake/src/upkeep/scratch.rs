//! Where upkeep puts files aside: in the lake if it is a local folder, else in the folder of temporary files (`TMPDIR`).

use std::fs::File;
use std::io;
use std::path::PathBuf;

use tempfile::NamedTempFile;

use crate::lake::Lake;

/// A folder for temporary files.
#[derive(Debug, Clone)]
pub(super) struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    pub(super) fn of(lake: &Lake) -> Self {
        let local = lake.local.as_ref();
        Self {
            folder: local.map_or_else(std::env::temp_dir, |local| local.temporary()),
        }
    }

    /// A file that is gone when it is closed, even by a kill.
    pub(super) fn unnamed(&self) -> io::Result<File> {
        tempfile::tempfile_in(&self.folder)
    }

    /// A file that whoever may read the lake may read.
    pub(super) fn named(&self) -> io::Result<NamedTempFile> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("upkeep-").suffix(".parquet");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As the umask has it.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        builder.tempfile_in(&self.folder)
    }
}
