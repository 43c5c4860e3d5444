//! How that is compiled which is measured.

use std::path::PathBuf;

use crate::process::{QUICK, QUICK_OPTION, target_dir};

/// A profile of cargo.
#[derive(Debug, Clone, Copy)]
pub(super) enum Build {
    /// As people install it.
    Release,
    /// As the tests compile it.
    Quick,
}

impl Build {
    /// As an option of cargo.
    pub(super) fn option(self) -> &'static str {
        match self {
            Self::Release => "--profile=release",
            Self::Quick => QUICK_OPTION,
        }
    }

    /// Where cargo puts it.
    pub(super) fn folder(self) -> PathBuf {
        target_dir().join(match self {
            Self::Release => "release",
            Self::Quick => QUICK,
        })
    }
}
