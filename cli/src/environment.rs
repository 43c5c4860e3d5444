//! The file of secrets becomes environment variables: object stores, MLflow and CoinGecko then find theirs, in this process
//! and in those that it starts.

use std::env;
use std::path::Path;

use anyhow::Result;
use connector_runtime::config::Secrets;

/// Sets the variables of a file of `NAME=value` lines. One that is set already wins.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn load(path: &Path) -> Result<()> {
    for (name, value) in Secrets::from_file(path)?.into_values() {
        if env::var_os(&name).is_none() {
            // SAFETY: `main` calls this before it starts a thread, so nobody reads the environment meanwhile.
            unsafe { env::set_var(name, value) };
        }
    }
    Ok(())
}
