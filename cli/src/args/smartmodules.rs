//! `--smartmodules`: where the SmartModule files are.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::assets::{self, SmartModule};

#[derive(Args)]
pub(crate) struct SmartModulesArgs {
    /// Folder of the SmartModules [default: ../smartmodules next to this command]
    #[arg(long, value_name = "DIR")]
    smartmodules: Option<PathBuf>,
}

impl SmartModulesArgs {
    /// The folder that was named.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.smartmodules.as_deref()
    }

    /// Reads and validates the four SmartModules.
    ///
    /// # Errors
    /// When one of them is missing or not valid WASM.
    pub(crate) fn read(&self) -> Result<Vec<SmartModule>> {
        assets::read_smartmodules(self.smartmodules.as_deref())
    }
}
