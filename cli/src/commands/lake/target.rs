//! Which lake, and which of its tables.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use lake::{Lake, Table};

use crate::args::open_existing;
use crate::platform::DataDir;
use crate::settings::default_data_dir;

#[derive(Args)]
pub(crate) struct LakeArgs {
    /// Data directory of `coinlake up` or `demo`; it says where the lake is
    #[arg(long, value_name = "DIR", default_value_os_t = default_data_dir(), conflicts_with = "lake")]
    data: PathBuf,
    /// The lake: a folder or an object store URL
    #[arg(long, value_name = "URL")]
    lake: Option<String>,
    /// Only this table; repeatable [default: all]
    #[arg(long = "table", value_name = "NAME")]
    tables: Vec<String>,
}

impl LakeArgs {
    /// The file of secrets that the platform's last start used.
    pub(super) fn secrets_file(&self) -> Option<PathBuf> {
        match self.lake {
            Some(_) => None,
            None => DataDir::at(&self.data).secrets_file(),
        }
    }

    /// The lake as a folder or URL.
    ///
    /// # Errors
    /// When the data directory is none of ours.
    pub(super) fn address(&self) -> Result<String> {
        if let Some(lake) = &self.lake {
            return Ok(lake.clone());
        }
        let data = DataDir::existing(&self.data)?;
        Ok(data.lake(data.last_start()?.lake.as_deref()))
    }

    /// The lake, to look at.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn open(&self) -> Result<Lake> {
        open_existing(&self.address()?)
    }

    /// The lake, to change it.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn open_to_write(&self) -> Result<Lake> {
        let address = self.address()?;
        // A mistyped path must not become an empty lake.
        open_existing(&address)?;
        Ok(Lake::open_str(&address, [])?)
    }

    /// The names that were asked for, which may be no tables.
    pub(super) fn names(&self) -> &[String] {
        &self.tables
    }

    /// The tables that were asked for.
    ///
    /// # Errors
    /// When there is no such table, or none at all.
    pub(super) async fn tables(&self, lake: &Lake) -> Result<Vec<Table>> {
        let known = lake.tables().await?;
        if known.is_empty() {
            bail!(
                "the lake {lake} has no tables; if a release before tables wrote it, `coinlake lake import` makes them"
            );
        }
        if let Some(unknown) = self.tables.iter().find(|name| !known.contains(name)) {
            bail!(
                "the lake {lake} has no table `{unknown}`; it has {}",
                known.join(", ")
            );
        }
        let wanted = match self.tables.is_empty() {
            true => &known,
            false => &self.tables,
        };
        Ok(wanted.iter().map(|name| lake.table(name)).collect())
    }
}
