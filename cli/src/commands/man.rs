//! `coinlake man`: a man page for the command and each of its subcommands.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Command};

#[derive(Args)]
#[command(after_help = "For example:\n  coinlake man ~/.local/share/man/man1 && man coinlake-up")]
pub(crate) struct ManArgs {
    /// The folder, which is created if need be
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Writes `coinlake.1`, `coinlake-up.1` and so on for `command`.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn run(args: &ManArgs, command: Command) -> Result<()> {
    let unwritable = || format!("man pages cannot be written into {}", args.folder.display());
    fs::create_dir_all(&args.folder).with_context(unwritable)?;
    clap_mangen::generate_to(command, &args.folder).with_context(unwritable)
}
