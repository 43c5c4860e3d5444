//! The licences of the crates that the commands contain, each text once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};

use super::crates::{Crate, Crates};

const RULE: &str = "----------------------------------------------------------------------";

/// How files with a licence or a notice begin.
const NAMES: [&str; 5] = ["copying", "copyright", "licence", "license", "notice"];

/// The whole list: first who has which licence, then the texts.
pub(super) fn text(crates: &Crates) -> Result<String> {
    let others = crates.of_others();
    let mut list = format!("Coinlake contains {} crates of others:\n\n", others.len());
    // A text, and whose it is.
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in others {
        let name = format!("{} {}", one.name, one.version);
        let license = one.license.as_deref().unwrap_or("see its text");
        let home = one.repository.as_deref().unwrap_or("");
        writeln!(list, "{name}: {license} {home}")?;
        for text in of_crate(one)? {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    for (text, crates) in texts {
        write!(list, "\n{RULE}\n{}\n{RULE}\n\n{text}\n", crates.join(", "))?;
    }
    Ok(list)
}

/// The texts in a crate's folder.
fn of_crate(one: &Crate) -> Result<Vec<String>> {
    let folder = one.manifest_path.parent().context("a crate has a folder")?;
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.to_lowercase();
        if path.is_file() && NAMES.iter().any(|start| name.starts_with(start)) {
            texts.push(String::from_utf8_lossy(&fs::read(&path)?).trim().to_owned());
        }
    }
    Ok(texts)
}
