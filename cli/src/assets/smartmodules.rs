//! The SmartModule files. They are not compiled in: another compiler builds them, for WASM.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, bail};
use market::names::smartmodule;

pub(crate) struct SmartModule {
    pub(crate) name: &'static str,
    pub(crate) wasm: Vec<u8>,
}

/// Reads and validates the SmartModules in `dir`, or in the folder `../smartmodules` next to this command.
///
/// # Errors
/// When a file is missing or not valid WASM.
pub(crate) fn read_smartmodules(dir: Option<&Path>) -> Result<Vec<SmartModule>> {
    let dir = match dir {
        Some(dir) => dir.to_owned(),
        None => next_to_command()?,
    };
    smartmodule::ALL
        .into_iter()
        .map(|name| {
            let path = dir.join(format!("{name}.wasm"));
            let wasm = fs::read(&path).with_context(|| {
                format!(
                    "SmartModule {} cannot be read: build it with `cargo xtask smartmodules`, or name its folder with --smartmodules",
                    path.display()
                )
            })?;
            if !wasm.starts_with(b"\0asm") {
                bail!(
                    "{} is not a WASM file: rebuild it with `cargo xtask smartmodules`",
                    path.display()
                );
            }
            // A damaged module must not replace a working one on the cluster.
            wasmparser::validate(&wasm).with_context(|| {
                format!(
                    "{} is damaged: rebuild it with `cargo xtask smartmodules`",
                    path.display()
                )
            })?;
            Ok(SmartModule { name, wasm })
        })
        .collect()
}

fn next_to_command() -> Result<PathBuf> {
    let command = env::current_exe().context("the path of this command is unknown")?;
    // target/release/coinlake -> target/smartmodules, bin/coinlake -> smartmodules; test binaries are one folder deeper.
    let folders = command.ancestors().skip(2).take(2);
    let mut folders = folders.map(|dir| dir.join("smartmodules"));
    let wanted = folders.clone().next().unwrap_or_default();
    folders.find(|dir| dir.is_dir()).with_context(|| {
        format!(
            "no folder {}: build the SmartModules with `cargo xtask smartmodules`, or name their folder with --smartmodules",
            wanted.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_wasm_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for name in smartmodule::ALL {
            fs::write(dir.path().join(format!("{name}.wasm")), "text").unwrap();
        }
        let error = read_smartmodules(Some(dir.path()))
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("crypto-clean.wasm is not a WASM file"),
            "{error}"
        );
    }
}
