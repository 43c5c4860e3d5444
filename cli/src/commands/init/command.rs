//! Writes the settings file, and prints the unit.

use std::env;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf, absolute};

use anyhow::{Context, Result, bail};
use clap::Args;
use connector_runtime::process::log;

use super::service;
use crate::settings::{CONFIG_FILE, TEMPLATE};

#[derive(Args)]
pub(crate) struct InitArgs {
    /// Where to write the settings
    #[arg(long, value_name = "FILE", default_value = CONFIG_FILE)]
    config: PathBuf,
    /// Print a systemd unit that runs `up` with these settings, and write them only if they are missing
    #[arg(long)]
    service: bool,
}

/// Writes the file; one that exists stays as it is.
pub(crate) fn run(args: &InitArgs) -> Result<()> {
    let written = write_new(&args.config)?;
    if !written && !args.service {
        bail!(
            "{} exists already: change it, or name another file with --config",
            args.config.display()
        );
    }
    if written {
        log::say(&format!(
            "{} written: change what you like, then `coinlake check` and `coinlake up`",
            args.config.display()
        ));
    }
    if args.service {
        let command = env::current_exe().context("the path of this command is unknown")?;
        let config = absolute(&args.config).context("the working directory is unknown")?;
        outln!("{}", service::unit(&command, &config)?.trim_end());
    }
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
