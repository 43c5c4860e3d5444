//! docs/architecture.md lists the folders that exist.

use std::collections::BTreeSet;
use std::fs;

use crate::page;
use crate::workspace::{files, is_ignored, relative, root};

#[test]
fn the_architecture_page_lists_every_folder() {
    // A crate's folder, or a top-level folder without crates.
    let mut real = BTreeSet::new();
    for entry in fs::read_dir(root()).unwrap() {
        let top = entry.unwrap().path();
        if !top.is_dir() || is_ignored(&top) {
            continue;
        }
        let crates: Vec<_> = files(&top, "toml")
            .into_iter()
            .filter(|file| file.ends_with("Cargo.toml"))
            .map(|file| relative(file.parent().unwrap()))
            .collect();
        match crates.is_empty() {
            true => _ = real.insert(relative(&top)),
            false => real.extend(crates),
        }
    }
    let listed: BTreeSet<_> = page::folders().into_keys().collect();
    let missing: Vec<_> = real.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&real).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "docs/architecture.md: add a row for {missing:?}, remove those of {gone:?}"
    );
}
