//! Why a broker cannot start.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::metadata::StoreError;

/// Why a broker could not start.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Another process listens there.
    #[error("{addr} is in use; stop what listens there, or choose another address")]
    AddrInUse {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {addr}; choose an address of this machine, and a port that this user may use"
    )]
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another broker has the data directory.
    #[error("another broker is using {path}; stop it, or choose another data directory")]
    InUse {
        /// The data directory.
        path: PathBuf,
    },
    /// The data directory has metadata, and no marker of a version.
    #[error(
        "{path} has a broker's metadata but no file FORMAT; restore it from a backup, or choose another data directory"
    )]
    NoFormat {
        /// The data directory.
        path: PathBuf,
    },
    /// The data directory was written by another version.
    #[error(
        "{path} holds data of another version ('{found}', this one writes '{expected}'); use that version, or choose another data directory"
    )]
    Format {
        /// The data directory.
        path: PathBuf,
        /// What its marker says.
        found: String,
        /// What this version writes.
        expected: &'static str,
    },
    /// The data directory cannot be used.
    #[error(
        "cannot use {path} as data directory; make it a folder that this user may write, on a disk with free space, or choose another"
    )]
    DataDir {
        /// The data directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A log, or the directory of all logs, cannot be read or written.
    #[error(
        "cannot use the log in {path}; check its permissions and the disk, or restore the data directory from a backup"
    )]
    Log {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        source: std::io::Error,
    },
    /// The metadata cannot be read or written.
    #[error("cannot use {path}")]
    Store {
        /// The store's file.
        path: PathBuf,
        /// What is wrong, and the remedy.
        source: StoreError,
    },
}

impl BrokerError {
    pub(crate) fn log(path: &Path, source: std::io::Error) -> Self {
        Self::Log {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn store(path: &Path, source: StoreError) -> Self {
        Self::Store {
            path: path.to_owned(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_quoted_once_after_the_remedy() {
        let source = || std::io::Error::other("SYSTEM");
        let path = PathBuf::from("/data");
        let addr = SocketAddr::from(([192, 0, 2, 1], 9003));
        let row = StoreError::Row {
            kind: "topic",
            name: "prices".to_owned(),
            source: source(),
        };
        let errors = [
            BrokerError::Listen {
                addr,
                source: source(),
            },
            BrokerError::DataDir {
                path: path.clone(),
                source: source(),
            },
            BrokerError::log(&path, source()),
            BrokerError::store(&path, row),
        ];
        for error in errors {
            let printed = format!("{:#}", anyhow::Error::from(error));
            assert_eq!(printed.matches("SYSTEM").count(), 1, "{printed}");
            assert!(printed.contains("; "), "no remedy: {printed}");
            assert!(printed.ends_with(": SYSTEM"), "{printed}");
        }
    }
}
