//! The data directory: one format, one broker at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::BrokerError;

/// What `FORMAT` says in a directory this version wrote.
const FORMAT: &str = "coinlake-broker 1";

/// The file in a data directory that a running broker holds locked.
pub const LOCK_FILE: &str = "LOCK";

/// A data directory that is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// The lock is the system's: it ends with the process, however that ends.
    lock: File,
}

impl DataDir {
    /// Makes the directory if need be, locks it and checks its format.
    pub(crate) fn open(path: &Path) -> Result<Self, BrokerError> {
        let unusable = |source| BrokerError::DataDir {
            path: path.to_owned(),
            source,
        };
        fs::create_dir_all(path).map_err(unusable)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK_FILE))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(BrokerError::InUse {
                    path: path.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        let marker = path.join("FORMAT");
        let found = match fs::read_to_string(&marker) {
            Ok(found) => found.trim().to_owned(),
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && !path.join("meta.redb").exists() =>
            {
                // Renamed into place: a kill leaves none or a whole one.
                let partial = path.join("FORMAT.partial");
                fs::write(&partial, format!("{FORMAT}\n")).map_err(unusable)?;
                File::open(&partial)
                    .and_then(|file| file.sync_all())
                    .map_err(unusable)?;
                fs::rename(&partial, &marker).map_err(unusable)?;
                FORMAT.to_owned()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(BrokerError::NoFormat {
                    path: path.to_owned(),
                });
            }
            Err(source) => return Err(unusable(source)),
        };
        if found != FORMAT {
            return Err(BrokerError::Format {
                path: path.to_owned(),
                found,
                expected: FORMAT,
            });
        }
        Ok(Self {
            path: path.to_owned(),
            lock,
        })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        // Closing alone would leave it locked while a process that is just being spawned still has the file.
        let _ = self.lock.unlock();
    }
}
