//! `coinlake init`: a settings file to start with.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use connector_runtime::process::log;

use crate::settings::{CONFIG_FILE, TEMPLATE};

#[derive(Args)]
pub(crate) struct InitArgs {
    /// Where to write the settings
    #[arg(long, value_name = "FILE", default_value = CONFIG_FILE)]
    config: PathBuf,
}

/// Writes the file; one that exists stays as it is.
pub(crate) fn run(args: &InitArgs) -> Result<()> {
    if !write_new(&args.config)? {
        bail!(
            "{} exists already: change it, or name another file with --config",
            args.config.display()
        );
    }
    log::say(&format!(
        "{} written: change what you like, then `coinlake check` and `coinlake up`",
        args.config.display()
    ));
    Ok(())
}

/// Whether the file was written; `false` if it exists already.
fn write_new(path: &Path) -> Result<bool> {
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => {
            return Err(error).with_context(|| format!("{} cannot be written", path.display()));
        }
    };
    file.write_all(TEMPLATE.as_bytes())
        .with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(true)
}
