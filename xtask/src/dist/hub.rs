//! Packages in the layout of Fluvio's Hub: `package-meta.yaml`, and the files in `manifest.tar.gz`.
//!
//! `cdk deploy start --ipkg` runs a connector's, `fluvio hub smartmodule download --ipkg` puts a SmartModule's into a cluster. They
//! are not signed: the Hub's keys belong to an account, and the `smdk` and `cdk` of fluvio-community have no command that packs or
//! publishes.

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

/// Packs each SmartModule into `folder`.
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

/// Packs each connector into `folder`; its command is taken from `commands`.
pub(super) fn pack_connectors(folder: &Path, target: &str, commands: &Path) -> Result<()> {
    for name in ["coingecko-source", "parquet-sink"] {
        let manifest = workspace()
            .join("connectors")
            .join(name)
            .join("Connector.toml");
        pack(folder, &manifest, &commands.join(name), Some(target))?;
    }
    Ok(())
}

/// Packs a file with its manifest, and what that says of the package.
fn pack(folder: &Path, manifest_path: &Path, file: &Path, target: Option<&str>) -> Result<()> {
    let manifest = fs::read_to_string(manifest_path)
        .with_context(|| format!("cannot read {}", manifest_path.display()))?;
    let field = |key: &str| {
        package_field(&manifest, key).with_context(|| {
            let manifest = manifest_path.display();
            format!("{manifest} has no {key} in [package]")
        })
    };
    let (name, group, version) = (field("name")?, field("group")?, field("version")?);
    let (manifest_name, file_name) = (name_of(manifest_path)?, name_of(file)?);
    let tags = match target {
        Some(target) => format!("tags:\n- tag: arch\n  value: {target}\n"),
        None => "tags: null\n".to_owned(),
    };
    let meta = format!(
        "package_format_version: '{LAYOUT}'\nname: {name}\nversion: {version}\ngroup: {group}\n\
         description: '{}'\nlicense: {}\nmanifest:\n- {manifest_name}\n- {file_name}\nrepository_url: null\n{tags}\
         visibility: {}\n",
        field("description")?.replace('\'', "''"),
        field("license")?,
        field("visibility")?,
    );
    let parts = folder.join("parts");
    fs::create_dir_all(&parts).with_context(|| format!("cannot create {}", parts.display()))?;
    for (source, name) in [(manifest_path, manifest_name), (file, file_name)] {
        fs::copy(source, parts.join(name)).with_context(|| {
            format!("cannot copy {} into {}", source.display(), parts.display())
        })?;
    }
    let meta_path = parts.join(META);
    fs::write(&meta_path, meta).with_context(|| format!("cannot write {}", meta_path.display()))?;
    pack_files(&parts, &[manifest_name, file_name], &parts.join(FILES))?;
    let of_target = target
        .map(|target| format!("-{target}"))
        .unwrap_or_default();
    let package = folder.join(format!("{group}-{name}-{version}{of_target}.ipkg"));
    pack_files(&parts, &[META, FILES], &package)?;
    fs::remove_dir_all(&parts).with_context(|| format!("cannot remove {}", parts.display()))
}

/// A string of the table `[package]`, each on a line of its own.
fn package_field(manifest: &str, key: &str) -> Option<String> {
    let lines = manifest.lines().skip_while(|line| *line != "[package]");
    let mut package = lines.skip(1).take_while(|line| !line.starts_with('['));
    package.find_map(|line| {
        let (found, value) = line.split_once('=')?;
        (found.trim() == key).then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn name_of(file: &Path) -> Result<&str> {
    file.file_name()
        .and_then(|name| name.to_str())
        .with_context(|| format!("{} has no file name in UTF-8", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_the_packages_not_a_parameters() {
        let manifest =
            "[first]\nname = \"a\"\n\n[package]\nname = \"b\"\n\n[[params]]\ndescription = \"c\"\n";
        assert_eq!(package_field(manifest, "name").as_deref(), Some("b"));
        assert_eq!(package_field(manifest, "description"), None);
    }
}
