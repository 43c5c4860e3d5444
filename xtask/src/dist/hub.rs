//! Packages in the layout of Fluvio's Hub: `package-meta.yaml`, and the files in `manifest.tar.gz`.
//!
//! `cdk deploy start --ipkg` runs one. They are not signed: the Hub's keys belong to an account, and the `smdk` and `cdk` of
//! fluvio-community have no command that packs or publishes.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::archive::pack_files;
use crate::process::{target_dir, workspace};
use crate::smartmodules;

/// The version of the layout.
const LAYOUT: &str = "0.3";
const META: &str = "package-meta.yaml";
const FILES: &str = "manifest.tar.gz";

/// A package for each SmartModule.
pub(super) fn pack_smartmodules(folder: &Path) -> Result<()> {
    for name in smartmodules::names()? {
        let home = workspace().join("smartmodules").join(&name);
        let wasm = target_dir()
            .join("smartmodules")
            .join(format!("{name}.wasm"));
        pack(folder, &home.join("SmartModule.toml"), &wasm, None)?;
    }
    Ok(())
}

/// A package for each connector, of the commands in a folder.
pub(super) fn pack_connectors(folder: &Path, target: &str, commands: &Path) -> Result<()> {
    for name in ["coingecko-source", "parquet-sink"] {
        let about = workspace()
            .join("connectors")
            .join(name)
            .join("Connector.toml");
        pack(folder, &about, &commands.join(name), Some(target))?;
    }
    Ok(())
}

/// Packs a file with what its description says.
fn pack(folder: &Path, about: &Path, file: &Path, target: Option<&str>) -> Result<()> {
    let description = fs::read_to_string(about)?;
    let value = |key: &str| {
        let line = description.lines().find_map(|line| {
            let (found, value) = line.split_once('=')?;
            (found.trim() == key).then(|| value.trim().trim_matches('"').to_owned())
        });
        line.with_context(|| format!("{} has no {key}", about.display()))
    };
    let (name, group, version) = (value("name")?, value("group")?, value("version")?);
    let about_name = about.file_name().context("a file has a name")?;
    let file_name = file.file_name().context("a file has a name")?;
    let (about_name, file_name) = (about_name.to_string_lossy(), file_name.to_string_lossy());
    let tags = match target {
        Some(target) => format!("tags:\n- tag: arch\n  value: {target}\n"),
        None => "tags: null\n".to_owned(),
    };
    let meta = format!(
        "package_format_version: '{LAYOUT}'\nname: {name}\nversion: {version}\ngroup: {group}\n\
         description: '{}'\nlicense: {}\nmanifest:\n- {about_name}\n- {file_name}\nrepository_url: null\n{tags}\
         visibility: {}\n",
        value("description")?.replace('\'', "''"),
        value("license")?,
        value("visibility")?,
    );
    let parts = folder.join("parts");
    fs::create_dir_all(&parts)?;
    fs::copy(about, parts.join(&*about_name))?;
    fs::copy(file, parts.join(&*file_name))?;
    fs::write(parts.join(META), meta)?;
    pack_files(&parts, &[&about_name, &file_name], &parts.join(FILES))?;
    let of_target = target
        .map(|target| format!("-{target}"))
        .unwrap_or_default();
    let package = folder.join(format!("{group}-{name}-{version}{of_target}.ipkg"));
    pack_files(&parts, &[META, FILES], &package)?;
    fs::remove_dir_all(&parts)?;
    Ok(())
}
