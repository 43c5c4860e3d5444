//! Builds every folder of `smartmodules/` that has a SmartModule.toml into `target/smartmodules/<name>.wasm`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::process::{run, target_dir, workspace};
use crate::wasm_toolchain::{TARGET, WasmToolchain};

/// The profile `smdk build` uses too.
const PROFILE: &str = "release-lto";

/// Builds all SmartModules; unchanged files are left alone.
pub(crate) fn build() -> Result<()> {
    build_these(&names()?)
}

/// Builds all SmartModules and `do-nothing`, the one they are measured against.
pub(crate) fn build_with_do_nothing() -> Result<()> {
    let mut names = names()?;
    names.push("do-nothing".to_owned());
    build_these(&names)
}

fn build_these(names: &[String]) -> Result<()> {
    let build_dir = target_dir().join("wasm");
    let mut cargo = WasmToolchain::find()?.cargo_build();
    cargo
        .current_dir(workspace())
        .args(["--profile", PROFILE, "--target-dir"])
        .arg(&build_dir);
    for name in names {
        cargo.args(["--package", name]);
    }
    run(&mut cargo)?;

    let out_dir = target_dir().join("smartmodules");
    fs::create_dir_all(&out_dir).with_context(|| format!("cannot create {}", out_dir.display()))?;
    for name in names {
        let built = build_dir
            .join(TARGET)
            .join(PROFILE)
            .join(format!("{}.wasm", name.replace('-', "_")));
        copy_if_changed(&built, &out_dir.join(format!("{name}.wasm")))?;
    }
    Ok(())
}

/// The folders that have a SmartModule.toml, by name.
pub(crate) fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(workspace().join("smartmodules"))? {
        let path = entry?.path();
        if path.join("SmartModule.toml").is_file()
            && let Some(name) = path.file_name()
        {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// An unchanged file keeps its modification time, so that cargo rebuilds nothing.
fn copy_if_changed(from: &Path, to: &Path) -> Result<()> {
    let new =
        fs::read(from).with_context(|| format!("{} is missing after the build", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    // Renamed into place: a running test sees the old module or the new one, never half a file.
    let partial = to.with_extension("partial");
    fs::write(&partial, &new)?;
    fs::rename(&partial, to)?;
    eprintln!("{}: {} KB", to.display(), new.len().div_ceil(1000));
    Ok(())
}
