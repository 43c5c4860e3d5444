//! `coinlake train run` in a build without the cargo feature `train`: says which build can train.

use std::ffi::OsString;

use anyhow::{Result, bail};
use clap::Args;

#[derive(Args)]
pub(crate) struct RunArgs {
    /// Whatever a build that can train accepts
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _ignored: Vec<OsString>,
}

pub(crate) async fn run(_: RunArgs) -> Result<()> {
    bail!(
        "this build of coinlake cannot train models: build it with the cargo feature `train`, which is on by default: \
         `cargo build --release -p coinlake`"
    );
}
