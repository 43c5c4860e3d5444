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
    #[error("cannot listen on {addr}: {source}")]
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
    #[error("cannot use {path} as data directory: {source}")]
    DataDir {
        /// The data directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A log cannot be opened.
    #[error("cannot open the log in {path}: {source}")]
    Log {
        /// The log's directory.
        path: PathBuf,
        /// What is wrong.
        source: std::io::Error,
    },
    /// The metadata cannot be read.
    #[error("{0}")]
    Store(String),
}

impl BrokerError {
    pub(crate) fn log(path: &Path, source: std::io::Error) -> Self {
        Self::Log {
            path: path.to_owned(),
            source,
        }
    }
}

impl From<StoreError> for BrokerError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}
