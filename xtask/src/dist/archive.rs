//! Archives whose bytes depend on nothing but the files in them, and their checksums.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::process::{output, run};

/// GNU tar without times, owners and the order of the folder.
const SAME_BYTES: [&str; 6] = [
    "--sort=name",
    "--mtime=@0",
    "--owner=0",
    "--group=0",
    "--numeric-owner",
    "--format=ustar",
];

/// Packs some files and folders of a folder, without that one around them.
pub(super) fn pack_files(folder: &Path, files: &[&str], archive: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args(SAME_BYTES);
    if archive.extension().is_some_and(|found| found == "gz") {
        tar.arg("--use-compress-program=gzip --no-name");
    }
    tar.args(["--create", "--file"]).arg(archive);
    tar.arg("--directory").arg(folder).args(files);
    run(&mut tar)
}

/// The files of a folder with their sizes, by name.
pub(super) fn files(folder: &Path) -> Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        files.push((name, entry.metadata()?.len()));
    }
    files.sort();
    Ok(files)
}

/// Writes SHA256SUMS of all files, for `sha256sum --check`.
pub(super) fn write_checksums(folder: &Path) -> Result<()> {
    let names = files(folder)?.into_iter().map(|(name, _)| name);
    let sums = output(Command::new("sha256sum").current_dir(folder).args(names))?;
    fs::write(folder.join("SHA256SUMS"), sums)?;
    Ok(())
}
